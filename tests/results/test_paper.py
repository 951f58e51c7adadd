"""The open places of the paper, and its slips, checked by arithmetic."""

from casadv_lib.experiments.configuration import configure
from casadv_lib.experiments.plan import SWITCHES
from casadv_lib.results.paper import paper_numbers, paper_slips, readings


def test_readings_are_whole_and_each_switch_is_a_setting_of_its_reading():
    table = readings()
    assert table.index.tolist() == list(range(1, 25))
    assert (table[["question", "default", "others"]] != "").all(axis=None)
    default = configure(method="adv_cas", lambda1=0.5)
    for name, (number, settings) in SWITCHES.items():
        assert configure(method="adv_cas", **{"lambda1": 0.5, **settings}) != default, name
        setting = next(iter(settings))
        assert setting in table["setting"][number] or setting in ("epsilon", "lambda1",
                                                                  "level1_loss"), name


def test_slips_that_arithmetic_can_check():
    paper = paper_numbers()
    changes = [100 * (value / base - 1)
               for methods in paper["table3"]["sasrec"].values()
               for value, base in zip(methods["adv_cas"], methods["base"], strict=True)]
    assert round(sum(changes) / len(changes), 1) == 21.9
    video, clothing = (paper["table3"]["gru4rec"][name] for name in ("video", "clothing"))
    assert round(100 * (video["adv_seq"][1] / video["base"][1] - 1), 2) == 1.83
    assert all(a > b for a, b in zip(clothing["adv_seq"], clothing["base"], strict=True))
    assert clothing["adv_linear"][1] > clothing["base"][1] > clothing["adv_global"][1]
    beauty = paper["table2_datasets"]["beauty"]
    share = 100 * beauty["interactions"] / beauty["users"]
    assert round(share / beauty["items"], 3) == beauty["density_percent"]
    assert round(share / 12101, 3) == 0.073
    assert round(163.50 * 6040) == paper["table2_datasets"]["ml-1m"]["interactions"]


def test_slips_are_found_by_table_and_by_row():
    assert len(paper_slips()) == 11 and len(paper_slips("table3")) == 6
    assert len(paper_slips("table2")) == 3 and paper_slips("table4") == []
    where = {"dataset": "video", "backbone": "gru4rec"}
    [slip] = paper_slips("table3", **where, method="adv_seq")
    assert "1.83%" in slip and paper_slips("table3", **where, method="base") == []
