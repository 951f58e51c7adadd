"""Going on from published results: two sittings give what one gives, and nothing is mixed up."""

import dataclasses
import json
import shutil

import numpy as np
import pytest
from casadv_lib.experiments.hits import decode, encode, hits_path, read_hits, write_hits
from hypothesis import given
from hypothesis import strategies as st
from test_queue import few, own  # noqa: F401  (fixtures)

from casadv_lib.evaluation import METRICS, gains
from casadv_lib.experiments import grid, hits, kept, runs
from casadv_lib.experiments.configuration import configure
from casadv_lib.settings import EXCLUDES
from casadv_lib.support.files import DamagedFile, read_json, write_json


@given(st.lists(st.integers(2, 60), min_size=1))
def test_the_code_keeps_all_that_the_metrics_see(halves):
    ranks = np.array(halves) / 2
    for metric in METRICS:
        assert np.array_equal(gains(decode(encode(ranks)), metric), gains(ranks, metric))


def test_users_who_were_left_out_stay_out(tmp_path):
    whole = np.array([2, 0, hits.LEFT_OUT], np.uint8)
    outcome = hits.Outcome("a run", {}, "toy", "00", {
        "last": whole, "best": whole, "test-x-both attacked": whole[::-1], "test-x clean": whole})
    write_hits(tmp_path, outcome)
    again = hits.Outcome("a run", {}, "toy", "00", read_hits(tmp_path, "a run"))
    assert again.attacks == ["test-x-both"]
    assert again.users("last").tolist() == [True, True, False]
    assert again.ranks("last").tolist() == [1, 11]
    columns = again.columns_of("test-x-both")
    assert again.ranks(columns["attacked"]).tolist() == [11, 1]
    assert again.ranks(columns["clean"]).tolist() == [1, 11]


def test_an_outcome_has_the_ranks_by_all_rules_and_the_substitutes(toy, runs_folder, tmp_path):
    config = configure(dataset="toy", epochs=1, dim=8, batch_size=16, device="cpu")
    made = runs.run(config, toy)
    asked = [{"k": 2}, {"k": 10}, {"k": 2, "joint": False}, {"pick": "random"}]
    found = {str(one): runs.attacked_ranks(made, **one) for one in asked}
    outcome = hits.outcome_of(made)
    assert len(outcome.attacks) == len(asked) * len(EXCLUDES)
    for one in asked:
        stem, users = runs.attack_stem(**one), found[str(one)]["users"]
        for rule in EXCLUDES:
            columns = outcome.columns_of(f"{stem}-{rule}")
            ranks = runs.attacked_ranks(made, exclude=rule, **one)
            assert np.flatnonzero(outcome.users(columns["attacked"])).tolist() == users.tolist()
            for column, wanted in ((columns["attacked"], ranks["ranks"]),
                                   (columns["clean"], ranks["clean"]["ranks"])):
                assert np.array_equal(gains(outcome.ranks(column), METRICS[0]),
                                      gains(wanted, METRICS[0]))
    path = write_hits(tmp_path, outcome)
    with np.load(path) as stored:
        written = {name.removeprefix("substitutes "): stored[name] for name in stored.files
                   if name.startswith("substitutes ")}
    assert set(written) == {"test-gradient-last-0-0.1", "test-False-gradient-last-0-0.1"}
    items = written["test-gradient-last-0-0.1"]
    assert items.shape == (toy.n_users, 10)
    two, ten = found["{'k': 2}"], found["{'k': 10}"]
    assert 0 < len(ten["users"]) < len(two["users"])
    assert np.array_equal(items[ten["users"]], ten["substitutes"])
    assert np.array_equal(items[two["users"], :2], two["substitutes"])  # the first two of ten
    others = np.setdiff1d(np.arange(toy.n_users), ten["users"])
    assert not items[others, 2:].any()
    assert read_hits(tmp_path, outcome.run).keys() == outcome.codes.keys()


@pytest.mark.parametrize("content", [b"", b"PK nothing", None])
def test_damaged_hits_are_named(tmp_path, content):
    path = hits_path(tmp_path, "a run")
    path.parent.mkdir()
    if content is None:
        np.savez(path, columns=np.array(["last"]), codes=np.zeros((1, 3), np.uint8))
    else:
        path.write_bytes(content)
    with pytest.raises(DamagedFile, match=r"a run.npz does not hold the hits of a run"):
        read_hits(tmp_path, "a run")


def without_times(results):
    """Results but for what differs between two machines: times, dates and where it was."""
    def plain(record):
        attacks = [{k: v for k, v in a.items() if k != "provenance"} for a in record["attacks"]]
        return {k: v for k, v in record.items() if k not in ("seconds", "provenance")} | {
            "attacks": attacks}
    return results | {"records": [plain(record) for record in results["records"]]}


@pytest.fixture
def sittings(own, few, monkeypatch, tmp_path):  # noqa: F811
    """Arguments of a grid whose first sitting made all but adv_cas; its runs are gone."""
    whole = grid.run_grid(workers=1, **own)
    results = json.loads(whole.read_text())
    [last] = [r["run"] for r in results["records"] if r["config"]["method"] == "adv_cas"]
    shutil.rmtree(runs.runs_folder() / last)
    first = own | {"folder": tmp_path / "kept"}
    grid.run_grid(stored=True, **first)  # the choices, too, are made from what is stored
    assert read_json(first["folder"] / "selection.json") == results["selection"]
    monkeypatch.setenv("CASADV_RUNS", str(tmp_path / "another machine"))
    return first, results


def test_two_sittings_give_what_one_gives(sittings):
    asked, whole = sittings
    board = grid.board_of(**asked)
    left = [job.name.removeprefix("own sasrec ") for job in board.left()]
    assert left == ["base", "adv_cas", "adv_cas attacks"]  # the base is needed, its attacks not
    assert board.states()["own sasrec base"] == "ready"
    assert grid.dry_run(board, 1)[-1].startswith(f"3 of {len(board.plan.jobs)} jobs left")
    assert "guess" not in grid.dry_run(board, 1)[0]  # the records say how long the base takes
    hits = {path: path.stat().st_mtime_ns for path in (asked["folder"] / "hits").iterdir()}
    again = json.loads(grid.run_grid(workers=1, **asked).read_text())
    assert without_times(again) == without_times(whole)
    assert {path: path.stat().st_mtime_ns for path in hits} == hits  # what was kept stays untouched
    assert len(list((asked["folder"] / "hits").iterdir())) == len(hits) + 1
    board = grid.board_of(**asked)
    assert board.left() == [] and grid.status(board, 1)[0].startswith(f"{len(board.plan.jobs)} d")
    before = (asked["folder"] / "results.json").read_bytes()
    grid.run_grid(stored=True, **asked)
    assert (asked["folder"] / "results.json").read_bytes() == before


def test_two_queues_keep_each_other_s_records(sittings, monkeypatch, tmp_path):
    asked, whole = sittings
    early = grid.board_of(**asked)  # reads the records, and then works for hours
    grid.run_grid(workers=1, **asked)  # meanwhile another queue adds adv_cas
    monkeypatch.setenv("CASADV_RUNS", str(tmp_path / "a third machine"))
    grid.store("paper", early, asked["folder"])
    results = read_json(asked["folder"] / "results.json")
    assert without_times(results) == without_times(whole)


def test_a_base_with_other_numbers_is_not_mixed_in(sittings):
    asked, _ = sittings
    path = asked["folder"] / "results.json"
    results = read_json(path)
    base = next(r for r in results["records"] if r["config"]["method"] == "base")
    value = base["metrics"]["last"]["test"]["ndcg@10"]
    base["metrics"]["last"]["test"]["ndcg@10"] = float(np.nextafter(value, 2))
    write_json(path, results)
    for _ in range(2):  # also where it is stored already
        with pytest.raises(grid.JobsFailed, match="own sasrec base"):
            grid.run_grid(workers=1, **asked)
    board = grid.board_of(**asked)
    note = board.failure(board.plan.jobs["own sasrec base"])
    assert note["how"].startswith("other numbers than its record: metrics") and "--folder" in (
        note["how"])
    assert board.states()["own sasrec adv_cas"] == "waiting"
    methods = [r["config"]["method"] for r in read_json(path)["records"]]
    assert methods == ["base", "base+100", "adv_linear"]


def test_records_of_other_stages_stay(sittings):
    asked, _ = sittings
    before = read_json(asked["folder"] / "results.json")["records"]
    with pytest.raises(grid.JobsFailed):  # another seed of nothing: an epsilon out of range
        grid.run_grid(workers=1, **asked | {"learning_rate": 1e30})
    after = read_json(asked["folder"] / "results.json")["records"]
    assert after == before


def test_records_without_hits_or_without_keeping_do_not_count(sittings):
    asked, _ = sittings
    board = grid.board_of(keep=False, **asked)
    assert not any(board.is_done(job) for job in board.plan.of_role("main"))
    found = kept.Kept(asked["folder"])
    base = found.records()[0]["run"]
    stems = [name.removesuffix("-both") for name in found.outcome(base).attacks
             if name.endswith("-both")]
    assert found.record(base) and stems and found.has_attacks(base, stems)
    assert not found.has_attacks(base, ["test-another"])
    old = {n: code for n, code in found.outcome(base).codes.items() if "-both" not in n}
    write_hits(asked["folder"], dataclasses.replace(found.outcome(base), codes=old))
    assert not kept.Kept(asked["folder"]).has_attacks(base, stems)  # by the other rules alone
    hits_path(asked["folder"], base).unlink()
    assert kept.Kept(asked["folder"]).record(base) is None


def test_other_settings_are_not_mixed_into_the_records_of_the_profile():
    with pytest.raises(ValueError, match=r"settings are \{'epochs': 3\}.*--folder"):
        grid.board_of("paper", epochs=3)
