"""Passes, operations, memory and times of a training step."""

import numpy as np
import pytest
import torch
from conftest import build
from test_comparison import SMALL, own  # noqa: F401 - a fixture

from casadv_lib.experiments import runs
from casadv_lib.experiments.configuration import configure
from casadv_lib.results import cost
from casadv_lib.training import Trainer, TrainingSettings


def trainer(toy, method, dropout=0.2):
    model = build("sasrec", dim=32, dropout=dropout)
    return Trainer(model, toy, TrainingSettings(device="cpu", batch_size=16), method)


def test_passes_of_methods():
    found = {name: cost.passes(name) for name in ("base", "base+100", "adv_linear", "adv_random",
                                                  "adv_seq", "adv_global", "adv_cas",
                                                  "neighbour", "adv_neighbour")}
    assert found == {"base": 3, "base+100": 3, "adv_linear": 3, "adv_random": 6, "adv_seq": 8,
                     "adv_global": 8, "adv_cas": 8, "neighbour": 3, "adv_neighbour": 3}
    with pytest.raises(ValueError, match="adv_kas"):
        cost.passes("adv_kas")


@pytest.mark.parametrize("method", ["base+100", "adv_linear", "adv_random", "adv_seq", "adv_cas"])
def test_the_meter_agrees_with_the_passes(toy, method):
    base = cost.count_step(trainer(toy, None))["flops"]
    found = cost.count_step(trainer(toy, method))["flops"] / base
    assert found == pytest.approx(cost.passes(method) / 3, rel=0.05)


def test_a_step_that_is_counted_changes_nothing(toy):
    one = trainer(toy, "adv_cas")
    before = [p.clone() for p in one.model.parameters()]
    first, second = cost.count_step(one), cost.count_step(one)
    assert first == second
    assert all(torch.equal(a, b) for a, b in zip(before, one.model.parameters()))
    assert all(p.grad is None for p in one.model.parameters())


def test_level_1_keeps_two_graphs_and_not_three(toy):
    # without dropout, whose masks both passes share
    kept = {m: cost.count_step(trainer(toy, m, 0.0))["saved_bytes"] for m in (None, "adv_cas")}
    assert 1.5 < kept["adv_cas"] / kept[None] < 2.3


def test_saved_memory_counts_storages_once_and_lets_go():
    weight = torch.nn.Linear(1, 1)
    x = torch.ones(1000, requires_grad=True)
    with cost.SavedMemory(weight) as memory:
        y = x.exp()  # keeps its result
        z = (y * y).sum()  # keeps the same result twice
        assert memory.live == memory.peak == 4000
        z.backward()
        del y, z
    assert memory.live == 0 and memory.peak == 4000
    with cost.SavedMemory(weight) as memory:
        held = weight(torch.ones(2, 1)).exp()
    assert memory.peak == 8 + 8  # the input and the result, not the weight
    assert held.requires_grad


def test_epochs_take_turns_after_one_that_is_not_counted():
    order = []

    class Fake:
        def __init__(self, name):
            self.name = name

        def train_epoch(self):
            order.append(self.name)

    found = cost.time_epochs({"a": Fake("a"), "b": Fake("b")}, epochs=2)
    assert order == ["a", "b"] * 3
    assert {name: len(times) for name, times in found.items()} == {"a": 2, "b": 2}


def test_ratio_of_medians():
    rng = np.random.default_rng(0)
    slow = rng.normal(1.0, 0.2, 40).clip(0.3)  # the machine's moments, shared by both
    found = cost.median_ratio(2.5 * slow, slow)
    assert found["ratio"] == pytest.approx(2.5)
    assert found["low"] == pytest.approx(2.5) and found["high"] == pytest.approx(2.5)
    noisy = cost.median_ratio(2.5 * slow * rng.normal(1, 0.1, 40), slow)
    assert noisy["low"] < noisy["ratio"] < noisy["high"]
    for wrong in ([1.0, 2.0], [], [0.0]):
        with pytest.raises(ValueError, match="seconds"):
            cost.median_ratio(wrong, [1.0])


def test_added_time_is_the_papers():
    assert cost.added_percent(3.92, 100, 500) == pytest.approx(100 * 8.3 / 10.6, abs=0.2)
    with pytest.raises(ValueError, match="epochs"):
        cost.added_percent(3.0, 10, 0)


def test_seconds_of_is_a_median():
    calls = []
    assert cost.seconds_of(lambda: calls.append(1), repeats=5) >= 0
    assert len(calls) == 5


def test_a_trainer_of_a_run_leaves_the_run_alone(own, runs_folder):  # noqa: F811
    name, data = own
    config = configure("quick", name, "gru4rec", device="cpu", **SMALL)
    base = runs.run(config, data)
    before = base.model(device="cpu").items.weight.detach().clone()
    made = cost.trainer_of(base, config, "adv_cas")
    made.train_epoch()
    assert not torch.equal(made.model.items.weight, before)
    assert torch.equal(base.model(device="cpu").items.weight, before)
    assert len(list(runs_folder.glob("own-*"))) == 1
