"""Numbers over several data sets: mean gains and the second best, by hand on made-up ranks."""

import numpy as np
import pytest

from casadv_lib.evaluation import summary
from casadv_lib.experiments.hits import Outcome, encode
from casadv_lib.results import pairs

METHODS = ("base", "adv_linear", "adv_seq", "adv_global", "adv_cas")


def world(dataset, digest, shifts, seed):
    """Outcomes with ranks that improve from method to method."""
    rng = np.random.default_rng(seed)
    base = rng.integers(1, 40, 3000).astype(float)
    codes = [encode(np.maximum(1, base - shift)) for shift in shifts]
    return [(Outcome(f"{dataset}-{m}", {"method": m, "backbone": "sasrec", "seed": 0}, dataset,
                     digest, {"last": code, "best": code}), ["main"])
            for m, code in zip(METHODS, codes, strict=True)]


@pytest.fixture(scope="module")
def found():
    made = world("beauty", "00000001", (0, 1, 2, 3, 5), 0)
    made += world("ml-1m", "00000002", (0, 2, 1, 1, 3), 1)
    return made, pairs.of_runs(made)["averages"]


def gain(made, dataset, method, metric):
    of = {one.config["method"]: summary(one.ranks())[metric] for one, _ in made
          if one.dataset == dataset}
    return 100 * (of[method] / of["base"] - 1)


COLUMNS = [(dataset, metric) for dataset in ("beauty", "ml-1m")
           for metric in ("ndcg@10", "hr@10")]


def test_the_mean_gain(found):
    made, averages = found
    [row] = [row for row in averages if row["what"] == "gain"]
    assert row["datasets"] == ["beauty", "ml-1m"] and row["backbone"] == "sasrec"
    assert row["value"] == pytest.approx(np.mean([gain(made, d, "adv_cas", m)
                                                  for d, m in COLUMNS]))
    assert row["low"] < row["value"] < row["high"]


def test_the_second_best_is_taken_in_each_column(found):
    made, averages = found
    [row] = [row for row in averages if row["what"] == "more gain"]
    second = {"beauty": "adv_global", "ml-1m": "adv_linear"}
    assert row["value"] == pytest.approx(np.mean([
        100 * (gain(made, d, "adv_cas", m) / gain(made, d, second[d], m) - 1)
        for d, m in COLUMNS]))


def test_sparse_against_dense(found):
    made, averages = found
    [row] = [row for row in averages if row["what"] == "sparse"]
    assert row["sparse"] == "beauty"
    assert row["value"] == pytest.approx(np.mean([
        gain(made, "beauty", "adv_cas", m) - gain(made, "ml-1m", "adv_cas", m)
        for m in ("ndcg@10", "hr@10")]))


def test_a_data_set_without_adv_cas_stands_aside():
    made = world("beauty", "00000001", (0, 1, 2, 3, 5), 0)
    made += world("video", "00000002", (0, 2, 1, 1, 3), 1)[:-1]
    averages = pairs.of_runs(made)["averages"]
    assert [row["datasets"] for row in averages if row["what"] == "gain"] == [["beauty"]]
    assert not [row for row in averages if row["what"] == "sparse"]


def test_a_gain_needs_no_rivals_and_the_second_best_all_of_them():
    made = world("beauty", "00000001", (0, 1, 2, 3, 5), 0)
    made += [one for one in world("video", "00000002", (0, 2, 1, 1, 3), 1)
             if one[0].config["method"] != "adv_seq"]
    of = {row["what"]: row["datasets"] for row in pairs.of_runs(made)["averages"]}
    assert of == {"gain": ["beauty", "video"], "more gain": ["beauty"]}


def test_a_second_best_that_gains_nothing_in_a_resample_leaves_no_interval():
    made = world("beauty", "00000001", (0, 0, 0, 0, 5), 0)
    [row] = [row for row in pairs.of_runs(made)["averages"] if row["what"] == "more gain"]
    assert row["low"] is None and row["high"] is None
