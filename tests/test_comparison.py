"""Records found or made for a comparison, and the verdicts on the paper's claims."""

import copy
import json

import numpy as np
import pytest
from _fake_results import fake_results

from casadv_lib.evaluation import paired_bootstrap
from casadv_lib.experiments import plan, runs
from casadv_lib.results import comparison

SMALL = {"epochs": 2, "adv_epochs": 1, "dim": 8, "batch_size": 16, "eval_every": 1}


@pytest.fixture
def own(tmp_path, toy):
    """The toy data as a file, and loaded from it."""
    path = tmp_path / "own.txt"
    lines = [" ".join(map(str, [user, *sequence]))
             for user, sequence in enumerate(toy.sequences, start=1)]
    path.write_text("\n".join(lines) + "\n")
    return str(path), runs.load_dataset(str(path))


def test_compared_makes_what_is_missing_and_reuses_what_fits(own, runs_folder):
    name, data = own
    asked = dict(data=data, profile="quick", dataset=name, backbone="sasrec", device="cpu")
    results, ranks = comparison.compared(**asked, wanted=("base", "adv_cas"), stored={}, **SMALL)
    assert [r["config"]["method"] for r in results["records"]] == ["base", "adv_cas"]
    assert set(ranks) == {"base", "adv_cas"} and ranks["base"].shape == (data.n_users,)
    assert results["optimum"] == {} and results["dataset"][0]["users"] == data.n_users
    # the same from the stored records alone: nothing is trained, and there are no ranks
    stored = json.loads(json.dumps(results))
    made = sorted(runs_folder.iterdir())
    for folder in made:
        folder.rename(folder.with_name(f"away-{folder.name}"))
    again, no_ranks = comparison.compared(
        **asked, wanted=("base", "adv_cas"), stored=stored, **SMALL)
    assert json.loads(json.dumps(again)) == stored and no_ranks == {}
    assert all(path.name.startswith("away-") for path in runs_folder.iterdir())


@pytest.mark.parametrize("change", ["setting", "data"])
def test_records_of_other_settings_or_data_are_not_taken(own, runs_folder, change):
    name, data = own
    asked = dict(data=data, profile="quick", dataset=name, backbone="gru4rec", device="cpu",
                 wanted=("base",), **SMALL)
    results, _ = comparison.compared(**asked, stored={})
    other = copy.deepcopy(results)
    [record] = other["records"]
    record["metrics"]["last"]["test"]["ndcg@10"] = 99.0
    assert comparison.compared(**asked, stored=other)[0]["records"] == [record]
    if change == "setting":
        record["config"]["dropout"] = 0.3
    else:
        record["provenance"]["data_hash"] = "another"
    assert comparison.compared(**asked, stored=other)[0]["records"] == results["records"]


def test_other_backbones_join_from_stored_records_only(own, runs_folder):
    name, data = own
    asked = dict(data=data, profile="quick", dataset=name, device="cpu", wanted=("base",), **SMALL)
    gru, _ = comparison.compared(**asked, backbone="gru4rec", stored={})
    # n_heads means nothing to GRU4Rec, whose record must still be found
    both, _ = comparison.compared(**asked, backbone="sasrec", stored=gru, n_heads=2)
    assert [r["config"]["backbone"] for r in both["records"]] == ["sasrec", "gru4rec"]
    alone, _ = comparison.compared(**asked, backbone="sasrec", stored={}, n_heads=2)
    assert [r["config"]["backbone"] for r in alone["records"]] == ["sasrec"]
    with pytest.raises(ValueError, match="setting is 'n_heds'"):
        comparison.compared(**asked, backbone="sasrec", stored={}, n_heds=2)


def test_the_grid_and_the_comparison_mean_the_same_runs():
    jobs = plan.plan("quick", plan.stages_of("quick", None, "sasrec"), "cpu").jobs.values()
    assert {job.asked["method"] for job in jobs} >= set(comparison.CASES)


def test_claims_come_from_the_numbers():
    results = fake_results()
    rng = np.random.default_rng(0)
    base = rng.integers(1, 60, 500).astype(float)
    ranks = {"base": base, "adv_cas": np.maximum(1, base - 5), "base+100": base,
             "adv_linear": np.maximum(1, base - 9), "adv_global": rng.permutation(base)}
    table = comparison.claims(results, ranks, "synthetic", "sasrec")
    row = {(r["better"], r["worse"]): r for r in table.to_dict("records")}
    better = row["adv_cas", "base"]
    bound = paired_bootstrap(ranks["adv_cas"], base)
    assert (better["low"], better["high"]) == (bound["low"], bound["high"])
    assert better["verdict"] == "holds here"
    assert row["adv_cas", "adv_linear"]["verdict"] == "the opposite holds here"
    assert row["adv_cas", "adv_seq"]["verdict"] == "no interval"  # no ranks of adv_seq
    # the base's rivals have an interval in their own record
    assert row["adv_seq", "base"]["verdict"] in ("holds here", "not settled here")
    assert row["adv_cas", "adv_global"]["paper"] == "4 of 4"
    assert row["adv_cas", "base+100"]["paper"] == "not measured"
    assert row["adv_linear", "base"]["paper"] == "3 of 4"  # Clothing fell


def test_claims_of_a_backbone_that_the_paper_lacks_have_no_tally():
    assert comparison._paper_tally(comparison.CLAIMS[0], "causalcnn", "ndcg@10") == "not measured"


@pytest.mark.parametrize("low, high, words", [
    (0.1, 0.2, "holds here"), (-0.2, -0.1, "the opposite holds here"),
    (-0.1, 0.1, "not settled here"), (0.0, 0.1, "not settled here"),
    (float("nan"), float("nan"), "no interval"),
])
def test_verdict(low, high, words):
    assert comparison.verdict(low, high) == words
