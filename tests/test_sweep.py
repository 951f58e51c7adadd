"""The sweep: runs are reused, sizes add up to epsilon, claims follow from the ranks."""

import numpy as np
import pytest
from conftest import build

from casadv_lib.experiments.configuration import configure
from casadv_lib.experiments.runs import run
from casadv_lib.results import sweep

TINY = {"epochs": 2, "adv_epochs": 1, "dim": 8, "batch_size": 16, "eval_every": 1, "max_len": 8}


def test_epsilons_are_checked():
    assert sweep.checked_epsilons([3, 1.0, 3.0]) == [1.0, 3.0]
    for wrong, said in (("1, 2", "epsilons is '1, 2'"), ([1], "two or more"),
                        ([0, 1], "epsilons is 0"), ([1, "2"], "epsilons is '2'")):
        with pytest.raises(ValueError, match=said):
            sweep.checked_epsilons(wrong)


def test_swept_makes_each_run_once_and_takes_stored_records(toy, runs_folder):
    asked = {"profile": "quick", "dataset": None, "backbone": "gru4rec", "device": "cpu", **TINY}
    results, ranks = sweep.swept(toy, [1.0, 0.5], stored={}, **asked)
    assert set(ranks) == {"base", "base+100", 0.5, 1.0}
    assert len(results["records"]) == len(list(runs_folder.iterdir())) == 4
    found = sweep.scores(results, "synthetic", "gru4rec", "test")
    assert list(found) == [0.5, 1.0]
    made = run(configure(method="adv_cas", epsilon=0.5, **asked), toy)
    assert found[0.5] == made.metrics["last"]["test"]["ndcg@10"]
    assert np.array_equal(ranks[0.5], made.ranks("test"))
    # stored records are enough: no run is made for them
    for path in runs_folder.glob("*/metrics.json"):
        path.unlink()
    again, none = sweep.swept(toy, [0.5, 1.0], stored=results | {"selection": ["tried"]}, **asked)
    assert again["selection"] == ["tried"] and results["selection"] == []  # for notebook 07
    assert again["records"] == results["records"] and none == {}
    words = sweep.sweep_claims(again, none, "synthetic", "gru4rec").verdict
    assert words[0] == "no interval" and words[1] == "not in the sweep"
    with pytest.raises(ValueError, match="epsilon is 3"):
        sweep.swept(toy, [1.0, 2.0], epsilon=3, **asked)


def test_sizes_of_positions_add_up_to_epsilon(toy):
    found = sweep.position_sizes(build("sasrec"), toy, batch_size=20, batches=3)
    assert np.square(found["generic"]).sum() == pytest.approx(3, rel=1e-4)  # 1 for each batch
    assert len(found["generic"]) == len(found["guided"]) == 3 * found["positions"]
    assert (found["guided"] / found["generic"]).std() > 0.05
    one = sweep.position_sizes(build("sasrec"), toy, batch_size=20, batches=1)
    rms = np.sqrt(np.square(one["generic"]).mean())
    assert sweep.epsilon_for(rms, np.ones(3), len(one["generic"])) == pytest.approx(1, rel=1e-4)
    assert sweep.literal_epsilon(4.0, 100, 25) == 2.0


def record(epsilon, validation):
    metrics = {split: {"ndcg@10": validation, "hr@10": validation}
               for split in ("validation", "test")}
    config = {"dataset": "d", "backbone": "sasrec", "method": "adv_cas", "epsilon": epsilon}
    return {"config": config, "metrics": {"last": metrics}}


def test_claims_follow_from_the_ranks():
    values = {1.0: 0.2, 5.0: 0.3, 10.0: 0.5, 20.0: 0.4, 30.0: 0.2, 50.0: 0.1}
    results = {"records": [record(e, v) for e, v in values.items()]}
    good, poor = np.ones(50), np.full(50, 99.0)
    ranks = {e: good for e in values} | {"base": poor, "base+100": good, 50.0: poor, 5.0: poor}
    found = sweep.sweep_claims(results, ranks, "d", "sasrec")
    assert found.verdict.tolist() == ["holds here"] * 6 + ["not settled here"]
    assert found.better.tolist() == [1.0, 10.0, 20.0, 30.0, 30.0, 10.0, 10.0]
    assert found.worse.tolist() == ["base", 5.0, 5.0, "base", 50.0, "base", "base+100"]
    turned = ranks | {10.0: poor, 20.0: poor, 5.0: good, 50.0: good, 30.0: poor, 1.0: poor,
                      "base": good}
    words = sweep.sweep_claims(results, turned, "d", "sasrec").verdict
    assert words.tolist() == ["the opposite holds here"] * 7
