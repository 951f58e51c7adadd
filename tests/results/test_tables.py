"""Tables: our numbers beside the paper's."""

import math
from dataclasses import replace
from itertools import product

import pandas as pd
import pytest
from fabricated import LEVELS, World, without

from casadv_lib.experiments.configuration import configure
from casadv_lib.experiments.plan import SWITCHES
from casadv_lib.results import tables
from casadv_lib.results.frames import COLUMNS, MissingRecords, Results, read_results
from casadv_lib.results.paper import READINGS
from casadv_lib.support.machine import root


@pytest.fixture(scope="module")
def results():
    world = World()
    for setting in (("beauty", "sasrec"), ("beauty", "gru4rec"), ("own", "sasrec")):
        world.methods(setting)
    tried = {"dataset": "beauty", "backbone": "sasrec", "loss": "bce", "dim": 100,
             "family": "adv_neighbour",
             "base_epochs": 500, "replace_probability": 0.1, "trial_epochs": 10, "hr@10": 0.3,
             "base_ndcg@10": 0.2, "ndcg@10": 0.22, "chosen": False}
    trials = [tried | {"epsilon": 3.0, "ndcg@10": 0.19},
              tried | {"epsilon": 10.0, "chosen": True},
              tried | {"epsilon": 20.0}, tried | {"epsilon": 20.0, "dim": 64}]
    return world.results(trials=pd.DataFrame(trials, columns=COLUMNS["trials"]))


def row(table, **where):
    """The one row with these values."""
    [found] = [one for one in table.to_dict("records") if where.items() <= one.items()]
    return found


@pytest.mark.parametrize("profile, name", [*product(("quick", "paper"), tables.TABLES)])
def test_committed_tables_follow_from_the_committed_results(profile, name):
    """Every number, verdict and word, to the digits of the stored files."""
    folder = root() / "figures" / profile
    if profile == "quick" and name in ("scoreboard", "seeds"):  # the paper's data sets; one seed
        assert not (folder / f"{name}.md").exists()
        return
    table = tables.TABLES[name](read_results(folder))
    assert tables.markdown(table) == (folder / f"{name}.md").read_text(encoding="utf-8")
    assert table.to_csv(index=False, float_format="%.6g", lineterminator="\n") == (
        folder / f"{name}.csv").read_text(encoding="utf-8")


def test_table3_numbers(results):
    table = tables.table3(results)
    assert list(table["method"])[:9] == [m for m in LEVELS if m not in ("adv_cas_1", "adv_cas_2")]
    ours, base = (row(table, dataset="beauty", backbone="sasrec", method=method)
                  for method in ("adv_cas", "base"))
    for label, scale, printed, change in (("NDCG@10", 0.04, 0.0320, 21.21),
                                          ("HR@10", 0.08, 0.0630, 17.32)):
        ends = ("", " best", " vs base %", " difference low", " difference high", " paper",
                " paper vs base %")
        assert [ours[label + end] for end in ends] == pytest.approx([
            1.3 * scale, 1.3 * scale, 30, 0.29 * scale, 0.31 * scale, printed, change], rel=5e-4)
    assert (ours["epoch"], ours["best epoch"]) == (600, 580)
    assert base["NDCG@10 paper"] == 0.0264 and "0.0318" in base["note"]
    for empty in ("NDCG@10 vs base %", "NDCG@10 paper vs base %", "NDCG@10 difference low"):
        assert math.isnan(base[empty])
    for alone in (table[table["dataset"] == "own"], table[table["method"] == "base+100"]):
        assert len(alone) > 1 and alone.filter(like="paper").isna().all(axis=None)
    assert set(tables.table3(results, "own")["dataset"]) == {"own"}


def test_efficiency_and_two_machines(results):
    table = tables.efficiency(results)
    ours = row(table, dataset="beauty", backbone="sasrec", method="adv_cas")
    assert (ours["seconds an epoch"], ours["over base epoch"]) == (3.5, 3.5)
    assert ours["added time %"] == 100 * 3.5 * 100 / 500 and ours["note"] == ""
    moved = results.runs["hardware"].where(results.runs["method"] != "base", "a GPU, two cores")
    table = tables.efficiency(replace(results, runs=results.runs.assign(hardware=moved)))
    assert row(table, dataset="own", method="adv_cas")["note"] == (
        "not comparable: the base ran on a GPU, two cores")


def test_what_was_tried_chosen_and_passed_over(results):
    table = tables.selection(results)
    assert list(table["chosen"]) == ["", "yes", "collapsed", ""]  # of dim 64 nothing is known
    assert list(table["epsilon"]) == [3, 10, 20, 20]
    assert list(table["vs base %"]) == pytest.approx([-5, 10, 10, 10])
    text = " ".join(tables.markdown(table).split())
    assert "| beauty | sasrec | adv_neighbour | 10 | 0.1 | 0.2200 | 0.3000 | +10.0 | yes |" in text
    assert "The test split is not read." in text and "the rule passes over them" in text
    assert len(tables.selection(replace(results, profile="quick")).attrs["notes"]) == 2


@pytest.mark.parametrize("name, spoil, message", [
    ("table2", lambda r: r, "no data sets"),
    ("table3", lambda r: without(r, method="base"), "a run of base and a second"),
    ("table4", lambda r: without(r, method="adv_cas_1"), "base, adv_cas_1, adv_cas_2, adv_cas"),
    ("efficiency", lambda r: replace(r, runs=r.runs[r.runs["method"] == "base"]),
     "a second method"),
    ("selection", lambda r: replace(r, trials=r.trials[:0]), "nothing that was tried"),
    ("robustness", lambda r: r, "no attack"),
    ("seeds", lambda r: r, "with several seeds"),
    ("scoreboard", lambda r: without(r, dataset="beauty"), "no run on a data set of the paper"),
    ("table3", lambda r: Results(), "a run of base and a second"),
])
def test_what_is_missing_is_named(results, name, spoil, message):
    with pytest.raises(MissingRecords, match=message):
        tables.TABLES[name](spoil(results))


@pytest.mark.parametrize("make", [tables.table3, tables.table4, tables.efficiency])
def test_a_backbone_without_its_base_is_left_out(results, make):
    assert set(make(without(results, backbone="gru4rec", method="base"))["backbone"]) == {"sasrec"}


def test_the_paper_s_numbers_stand_beside_its_loss_alone(results):
    runs = results.runs.assign(loss="ce", adv_epochs=6)
    table = tables.table3(replace(results, runs=runs), "beauty")
    assert table.filter(like="paper").isna().all(axis=None)
    assert set(table["note"]) == {"", "6 more epochs, not 100"}
    assert table["method"][table["note"] != ""].unique() == ["base+100"]
    assert len(table.attrs["notes"]) == 1


def test_the_eye_sees_no_empty_column_and_markdown_no_bar(results):
    text = tables.readable(tables.table3(results, "own"))
    assert not [name for name in text if "paper" in name]
    assert row(text, method="base")["NDCG@10 vs base %"] == ""
    assert "a\\|b" in tables.markdown(pd.DataFrame({"note": ["a|b"]}))
    undecided = {"ours": math.nan, "verdict": "undecided", "about": "mean over one"}
    assert tables.in_words(undecided) == "no number, mean over one"
    assert tables.in_words(undecided | {"verdict": "not run"}) == ""


def test_readings_are_whole_and_each_switch_is_a_setting_of_its_reading():
    assert READINGS.index.tolist() == list(range(1, 25))
    assert (READINGS[["question", "default", "others"]] != "").all(axis=None)
    default = configure(method="adv_cas", lambda1=0.5)
    for name, (number, settings) in SWITCHES.items():
        assert configure(method="adv_cas", **{"lambda1": 0.5, **settings}) != default, name
        setting = next(iter(settings))
        assert setting in READINGS["setting"][number] or setting == "epsilon", name
