"""Tables: our numbers beside the paper's, its slips checked by arithmetic, and reading results."""

import json
import math

import pandas as pd
import pytest
from _fake_results import MAIN_EPSILON, fake_record, fake_results, with_attacks, without

from casadv_lib.experiments import configuration as profiles
from casadv_lib.results import records as reading
from casadv_lib.results import tables
from casadv_lib.results.paper import PAPER_SLIPS
from casadv_lib.results.records import MissingRecords, main_record


@pytest.fixture(scope="module")
def results():
    return fake_results(["synthetic", "beauty"])


def row(table, **where):
    """The one row with these values."""
    mask = pd.Series(True, index=table.index)
    for name, value in where.items():
        mask &= table[name] == value
    (found,) = table[mask].to_dict("records")
    return found


def test_table2_sets_our_counts_beside_the_papers(results):
    table = tables.table2(results)
    assert list(table["dataset"]) == ["synthetic", "beauty"]
    beauty = row(table, dataset="beauty")
    assert (beauty["items"], beauty["items paper"]) == (12101, 10121)
    assert (beauty["users"], beauty["users paper"]) == (22363, 22363)
    assert beauty["density %"] == 0.0734 and beauty["density % paper"] == 0.088
    assert beauty["mean length"] == 8.88
    assert "10,121" in beauty["note"] and "0.073%" in beauty["note"]
    synthetic = row(table, dataset="synthetic")
    assert synthetic["items"] == 400 and math.isnan(synthetic["items paper"])
    assert synthetic["note"] == ""
    assert any("2018" in note for note in table.attrs["notes"])


def test_table3_numbers(results):
    table = tables.table3(results)
    assert len(table) == 2 * 2 * 8
    assert list(table["method"])[:8] == ["base", "base+100", "adv_random", "adv_linear",
                                         "adv_seq", "adv_global", "adv_cas", "adv_neighbour"]
    record = main_record(results, "beauty", "sasrec", "adv_cas")
    base = main_record(results, "beauty", "sasrec", "base")
    ours = row(table, dataset="beauty", backbone="sasrec", method="adv_cas")
    for place, (metric, label) in enumerate(reading.METRICS.items()):
        last = record["metrics"]["last"]["test"][metric]
        assert ours[label] == last
        assert ours[f"{label} vs base %"] == pytest.approx(
            100 * (last - base["metrics"]["last"]["test"][metric])
            / base["metrics"]["last"]["test"][metric])
        interval = record["versus_base"]["test"][metric]
        assert ours[f"{label} difference low"] == interval["low"]
        assert ours[f"{label} difference high"] == interval["high"]
        assert ours[f"{label} best"] == record["metrics"]["best"]["test"][metric]
        assert ours[f"{label} paper"] == [0.0320, 0.0630][place]
        assert ours[f"{label} paper vs base %"] == pytest.approx([21.21, 17.32][place], abs=0.005)
    assert (ours["epoch"], ours["best epoch"]) == (120, 118)
    first = row(table, dataset="beauty", backbone="sasrec", method="base")
    assert first["NDCG@10 paper"] == 0.0264
    for empty in ("NDCG@10 vs base %", "NDCG@10 paper vs base %", "NDCG@10 difference low"):
        assert math.isnan(first[empty])
    assert "0.0318" in first["note"]


def test_table3_leaves_the_papers_columns_empty_where_it_has_none(results):
    table = tables.table3(results)
    for lonely in (table[table["dataset"] == "synthetic"], table[table["method"] == "base+100"]):
        assert len(lonely) > 1
        assert lonely.filter(like="paper").isna().all(axis=None)
    assert (table.loc[table["dataset"] == "synthetic", "note"] == "").all()
    one = tables.table3(results, dataset="beauty")
    assert set(one["dataset"]) == {"beauty"}


def test_table3_uses_the_runs_at_the_shared_epsilon(results):
    """The sweep's runs stand first in the file; the table shows the one at the others' epsilon."""
    record = main_record(results, "synthetic", "gru4rec", "adv_cas")
    assert record["config"]["epsilon"] == MAIN_EPSILON
    assert results["records"][0]["config"]["epsilon"] != MAIN_EPSILON
    alone = [r for r in results["records"] if r["config"]["method"] == "adv_cas"]
    chosen = main_record({"records": alone}, "synthetic", "gru4rec", "adv_cas")
    assert chosen["attacks"], "with nothing to compare, the run that was attacked"


def test_the_epsilon_that_base_and_control_carry_does_not_count(results):
    kept = [r for r in results["records"]
            if r["config"]["method"] in ("base", "base+100", "adv_cas", "adv_global")]
    kept = json.loads(json.dumps(kept))
    for record in kept:
        if record["config"]["method"].startswith("base"):
            record["config"]["epsilon"] = 10.0
    chosen = main_record({"records": kept}, "synthetic", "sasrec", "adv_cas")
    assert chosen["config"]["epsilon"] == MAIN_EPSILON


def test_of_equal_runs_the_lowest_seed_is_shown(results):
    second = fake_record("synthetic", "sasrec", "adv_global", attacked=True)
    second["config"]["seed"] = 1
    both = {"records": [second, *results["records"]]}
    assert main_record(both, "synthetic", "sasrec", "adv_global")["config"]["seed"] == 0


def test_table4_has_the_parts_of_the_cascade_effect(results):
    table = tables.table4(results)
    assert list(table["method"]) == ["base", "adv_cas_1", "adv_cas_2", "adv_cas"] * 4
    ours = row(table, dataset="beauty", backbone="sasrec", method="adv_cas_2")
    assert (ours["NDCG@10 paper"], ours["HR@10 paper"]) == (0.0311, 0.0614)
    assert ours["NDCG@10"] == fake_record("beauty", "sasrec", "adv_cas_2"
                                          )["metrics"]["last"]["test"]["ndcg@10"]
    gru = table[table["backbone"] == "gru4rec"]
    assert gru.filter(like="paper").isna().all(axis=None)


def test_efficiency(results):
    table = tables.efficiency(results)
    ours = row(table, dataset="synthetic", backbone="sasrec", method="adv_cas")
    assert ours["seconds an epoch"] == 0.9
    assert ours["over base epoch"] == pytest.approx(3.0)
    assert ours["over base epoch paper (ml-1m)"] == 3.92
    assert ours["added time % paper (ml-1m)"] == pytest.approx(78.3, abs=0.05)
    assert ours["added time %"] == pytest.approx(100 * (0.9 * 10) / (0.3 * 20))
    assert ours["hardware"] == "2 CPU cores, cpu" and ours["note"] == ""
    base = row(table, dataset="synthetic", backbone="sasrec", method="base")
    assert base["over base epoch"] == 1
    assert math.isnan(base["added time %"]) and math.isnan(base["over base epoch paper (ml-1m)"])


def test_robustness_has_a_row_a_rule(results):
    table = tables.robustness(results, "synthetic")
    assert len(table) == 2 * 6 * 3  # backbones, attacked methods, rules
    record = main_record(results, "synthetic", "sasrec", "adv_neighbour")
    own = row(table, backbone="sasrec", method="adv_neighbour", **{"left out": "attacked"})
    for column, where in {"first %": ("first", 1), "last %": ("last", 1), "K = 5 %": ("last", 5),
                          "random %": ("last", 1, "random")}.items():
        found = reading.find_attack(record, *where, exclude="attacked")
        change = 100 * (found["attacked"]["ndcg@10"] / found["clean"]["ndcg@10"] - 1)
        assert own[column] == pytest.approx(change)
        assert found["k"] > 1 or own["NDCG@10 clean"] == found["clean"]["ndcg@10"]
    assert math.isnan(own["step 0.5 %"]) and math.isnan(own["by the base %"])
    older = with_attacks(results, lambda attack: attack["exclude"] == "original")
    assert set(tables.robustness(older)["left out"]) == {"original"}
    with pytest.raises(MissingRecords, match="no attack"):
        tables.robustness(with_attacks(results, lambda attack: False))


def test_what_was_tried_and_chosen(results):
    table = tables.selection(results, "synthetic")
    assert list(table.chosen) == ["", "yes"] and list(table.epsilon) == [1.0, 3.0]
    assert list(table["vs base %"]) == pytest.approx([-5, 10])
    text = tables.markdown(table)
    assert "| synthetic | sasrec | adv_global | 3 | 0.1 | 0.2200 | 0.3000 | +10.0 | yes |" in text
    assert "The test split is not read." in text


def test_efficiency_says_where_two_machines_are_compared(results):
    other = json.loads(json.dumps(results))
    main_record(other, "synthetic", "sasrec", "adv_cas")["provenance"]["device"] = "cuda"
    table = tables.efficiency(other, dataset="synthetic")
    ours = row(table, backbone="sasrec", method="adv_cas")
    assert ours["note"] == "not comparable: the base ran on 2 CPU cores, cpu"


MISSING = [
    ("table2", lambda r: r | {"dataset": []}, "'dataset'"),
    ("table3", lambda r: without(r, method="base"), "'sasrec'.*'base' and another"),
    ("table4", lambda r: without(r, method="adv_cas_1"), "'adv_cas_1', backbone 'sasrec'"),
    ("efficiency", lambda r: without(r, method="base"), "'base' and another"),
    ("selection", lambda r: r | {"selection": []}, "no 'selection'"),
    ("table3", lambda r: r | {"records": []}, "no records"),
]


@pytest.mark.parametrize("name, spoil, message", MISSING)
def test_missing_records_are_named(results, name, spoil, message):
    with pytest.raises(MissingRecords, match=message):
        getattr(tables, name)(spoil(results))


@pytest.mark.parametrize("make", [tables.table3, tables.table4, tables.efficiency])
def test_a_part_that_is_missing_is_said_in_the_notes(results, make):
    table = make(without(results, backbone="gru4rec", dataset="beauty", method="base"))
    assert not ((table["dataset"] == "beauty") & (table["backbone"] == "gru4rec")).any()
    assert any("Left out" in note and "'beauty'" in note for note in table.attrs["notes"])


# The paper's slips: each number that can be checked is checked.

def test_slips_that_arithmetic_can_check():
    paper = tables.paper_numbers()
    changes = [100 * (value / base - 1)
               for methods in paper["table3"]["sasrec"].values()
               for value, base in zip(methods["adv_cas"], methods["base"], strict=True)]
    assert round(sum(changes) / len(changes), 1) == 21.9
    video = paper["table3"]["gru4rec"]["video"]
    assert round(100 * (video["adv_seq"][1] / video["base"][1] - 1), 2) == 1.83
    clothing = paper["table3"]["gru4rec"]["clothing"]
    assert all(a > b for a, b in zip(clothing["adv_seq"], clothing["base"], strict=True))
    assert clothing["adv_linear"][1] > clothing["base"][1] > clothing["adv_global"][1]
    beauty = paper["table2_datasets"]["beauty"]
    cells = beauty["users"] * beauty["items"]
    assert round(100 * beauty["interactions"] / cells, 3) == beauty["density_percent"]
    assert round(100 * beauty["interactions"] / beauty["users"] / 12101, 3) == 0.073
    assert round(163.50 * 6040) == paper["table2_datasets"]["ml-1m"]["interactions"]


def test_slips_are_found_by_table_and_stand_in_their_rows(results):
    assert tables.paper_slips() == [slip.text for slip in PAPER_SLIPS]
    assert len(tables.paper_slips("table3")) == 6 and len(tables.paper_slips("table2")) == 3
    assert tables.paper_slips("figure2") and tables.paper_slips("table4") == []
    video = json.loads(json.dumps(results).replace('"beauty"', '"video"'))
    noted = row(tables.table3(video), dataset="video", backbone="gru4rec", method="adv_seq")
    assert "1.83%" in noted["note"]
    assert not set(tables.paper_slips("table3")) - set(tables.table3(video).attrs["notes"])


# Text

def test_readable_rounds_and_drops_empty_columns(results):
    text = tables.readable(tables.table3(results, dataset="synthetic"))
    assert not [name for name in text if "paper" in name]
    adv_cas = row(text, backbone="sasrec", method="adv_cas")
    assert adv_cas["NDCG@10"] == "0.2373" and adv_cas["NDCG@10 vs base %"] == "+13.0"
    assert adv_cas["NDCG@10 difference low"] == "+0.0231" and adv_cas["best epoch"] == "118"
    assert row(text, backbone="sasrec", method="base")["NDCG@10 vs base %"] == ""
    counts = row(tables.readable(tables.table2(results)), dataset="beauty")
    assert (counts["users"], counts["density %"]) == ("22,363", "0.073")
    times = row(tables.readable(tables.efficiency(results)), dataset="synthetic",
                backbone="sasrec", method="adv_cas")
    assert times["over base epoch"] == "3.00"


def test_markdown_is_one_table_and_its_notes(results):
    table = tables.table2(results)
    lines = tables.markdown(table).splitlines()
    assert lines[0].startswith("| dataset | users | users paper |")
    assert lines[1].startswith("| --- | ---: | ---: |")
    assert len({line.count("|") for line in lines[:4]}) == 1
    assert lines[4] == "" and lines[5:] == [f"- {note}" for note in table.attrs["notes"]]
    piped = tables.markdown(pd.DataFrame({"note": ["a|b"]}))
    assert "a\\|b" in piped


# Reading results

def test_load_results_by_profile_file_and_folder(results, tmp_path, monkeypatch):
    folder = tmp_path / "figures" / "tiny"
    folder.mkdir(parents=True)
    (folder / "results.json").write_text(json.dumps(results))
    assert tables.load_results(folder / "results.json") == results
    assert tables.load_results(folder) == results
    monkeypatch.setattr(profiles, "root", lambda: tmp_path)
    monkeypatch.chdir(tmp_path.parent)
    assert tables.load_results("tiny") == results


def test_the_root_holds_the_package():
    assert (reading.root() / "casadv_lib" / "results.py").is_file()


def test_load_results_says_which_command_writes_them(tmp_path, monkeypatch):
    monkeypatch.setattr(profiles, "root", lambda: tmp_path)
    with pytest.raises(MissingRecords, match="make figures.*grid --profile laptop"):
        tables.load_results("laptop")
    with pytest.raises(MissingRecords, match="nowhere.json.*make figures"):
        tables.load_results(tmp_path / "nowhere.json")


@pytest.mark.parametrize("text, message", [('{"records": [', "not whole JSON"),
                                           ('{"records": 3}', "no list 'records'"),
                                           ("[]", "no list 'records'")])
def test_load_results_refuses_a_broken_file(tmp_path, text, message):
    path = tmp_path / "results.json"
    path.write_text(text)
    with pytest.raises(ValueError, match=message):
        tables.load_results(path)
