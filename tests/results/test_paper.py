"""The open places of the paper, and its slips."""

from casadv_lib.experiments.configuration import configure
from casadv_lib.experiments.plan import SWITCHES
from casadv_lib.results.paper import READINGS, paper_slips


def test_readings_are_whole_and_each_switch_is_a_setting_of_its_reading():
    table = READINGS
    assert table.index.tolist() == list(range(1, 25))
    assert (table[["question", "default", "others"]] != "").all(axis=None)
    default = configure(method="adv_cas", lambda1=0.5)
    for name, (number, settings) in SWITCHES.items():
        assert configure(method="adv_cas", **{"lambda1": 0.5, **settings}) != default, name
        setting = next(iter(settings))
        assert setting in table["setting"][number] or setting in ("epsilon", "lambda1",
                                                                  "level1_loss"), name


def test_slips_are_found_by_table_and_by_row():
    assert len(paper_slips()) == 11 and len(paper_slips("table3")) == 6
    assert len(paper_slips("table2")) == 3 and paper_slips("table4") == []
    where = {"dataset": "video", "backbone": "gru4rec"}
    [slip] = paper_slips("table3", **where, method="adv_seq")
    assert "1.83%" in slip and paper_slips("table3", **where, method="base") == []
