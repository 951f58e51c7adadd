"""The open places of the paper, and its slips, checked by arithmetic."""

from functools import partial
from itertools import product

from casadv_lib.evaluation import METRICS
from casadv_lib.experiments.configuration import configure
from casadv_lib.experiments.plan import SWITCHES
from casadv_lib.results.paper import (
    PAPER_DATASETS,
    paper_change,
    paper_numbers,
    paper_slips,
    readings,
)


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
    paper, gru = paper_numbers()["table2_datasets"], partial(paper_change, backbone="gru4rec")
    changes = [paper_change(name, "sasrec", "adv_cas", metric)
               for name, metric in product(PAPER_DATASETS, METRICS)]
    assert round(sum(changes) / len(changes), 1) == 21.9
    assert round(gru("video", method="adv_seq", metric="hr@10"), 2) == 1.83
    assert all(gru("clothing", method="adv_seq", metric=metric) > 0 for metric in METRICS)
    linear, even = (gru("clothing", method=method, metric="hr@10")
                    for method in ("adv_linear", "adv_global"))
    assert linear > 0 > even
    beauty = paper["beauty"]
    share = 100 * beauty["interactions"] / beauty["users"]
    assert round(share / beauty["items"], 3) == beauty["density_percent"]
    assert round(share / 12101, 3) == 0.073
    assert round(163.50 * 6040) == paper["ml-1m"]["interactions"]


def test_slips_are_found_by_table_and_by_row():
    assert len(paper_slips()) == 11 and len(paper_slips("table3")) == 6
    assert len(paper_slips("table2")) == 3 and paper_slips("table4") == []
    where = {"dataset": "video", "backbone": "gru4rec"}
    [slip] = paper_slips("table3", **where, method="adv_seq")
    assert "1.83%" in slip and paper_slips("table3", **where, method="base") == []
