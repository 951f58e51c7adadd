"""Learning curves, readings, and what a training step costs."""

import numpy as np
import pytest
import torch
from conftest import build

from casadv_lib.exercises.curves import made_curve
from casadv_lib.experiments.configuration import configure
from casadv_lib.experiments.plan import SWITCHES
from casadv_lib.results import analysis
from casadv_lib.settings import TrainingSettings
from casadv_lib.training import Trainer


def test_the_epoch_that_has_a_share_of_the_gain():
    curve = made_curve([2, 6, 5, 10], every=2)
    assert [analysis.first_reaching(curve, *asked) for asked in ((0, 0.5), (0, 1.0), (10, 0.5))
            ] == [4, 8, None]
    with pytest.raises(ValueError, match="share is 2"):
        analysis.first_reaching(curve, 0, 2)


def test_readings_are_whole_and_each_switch_is_a_setting_of_its_reading():
    table = analysis.readings()
    assert table.index.tolist() == list(range(1, 25))
    assert (table[["question", "default", "others"]] != "").all(axis=None)
    default = configure(method="adv_cas", lambda1=0.5)
    for name, (number, settings) in SWITCHES.items():
        assert configure(method="adv_cas", **{"lambda1": 0.5, **settings}) != default, name
        setting = next(iter(settings))
        assert setting in table["setting"][number] or setting in ("epsilon", "lambda1",
                                                                  "level1_loss"), name


def trainer(toy, method, dropout=0.2):
    model = build("sasrec", dim=32, dropout=dropout)
    return Trainer(model, toy, TrainingSettings(device="cpu", batch_size=16), method)


def test_passes_of_methods():
    wanted = {"base": 3, "base+100": 3, "adv_linear": 3, "adv_random": 6, "adv_seq": 8,
              "adv_global": 8, "adv_cas": 8, "neighbour": 3, "adv_neighbour": 3}
    assert {name: analysis.passes(name) for name in wanted} == wanted
    with pytest.raises(ValueError, match="adv_kas"):
        analysis.passes("adv_kas")


@pytest.mark.parametrize("method", ["base+100", "adv_linear", "adv_random", "adv_seq", "adv_cas"])
def test_the_meter_agrees_with_the_passes_and_changes_nothing(toy, method):
    base = analysis.count_step(trainer(toy, None))["flops"]
    one = trainer(toy, method)
    before = [p.clone() for p in one.model.parameters()]
    found = analysis.count_step(one)
    assert found["flops"] / base == pytest.approx(analysis.passes(method) / 3, rel=0.05)
    assert analysis.count_step(one) == found
    for old, new in zip(before, one.model.parameters(), strict=True):
        assert torch.equal(old, new) and new.grad is None


def test_level_1_keeps_two_graphs_and_not_three(toy):
    # without dropout, whose masks both passes share
    kept = {m: analysis.count_step(trainer(toy, m, 0.0))["saved_bytes"] for m in (None, "adv_cas")}
    assert 1.5 < kept["adv_cas"] / kept[None] < 2.3


def test_saved_memory_counts_storages_once_and_lets_go():
    weight = torch.nn.Linear(1, 1)
    x = torch.ones(1000, requires_grad=True)
    with analysis.SavedMemory(weight) as memory:
        y = x.exp()  # keeps its result
        z = (y * y).sum()  # keeps the same result twice
        assert memory.live == memory.peak == 4000
        z.backward()
        del y, z
    assert memory.live == 0 and memory.peak == 4000
    with analysis.SavedMemory(weight) as memory:
        held = weight(torch.ones(2, 1)).exp()
    assert memory.peak == 8 + 8 and held.requires_grad  # input and result, not the weight


def test_epochs_take_turns_after_one_that_is_not_counted():
    order = []

    class Fake:
        def __init__(self, name):
            self.train_epoch = lambda: order.append(name)

    found = analysis.time_epochs({"a": Fake("a"), "b": Fake("b")}, epochs=2)
    assert order == ["a", "b"] * 3
    assert {name: len(times) for name, times in found.items()} == {"a": 2, "b": 2}


def test_ratio_of_medians():
    rng = np.random.default_rng(0)
    slow = rng.normal(1.0, 0.2, 40).clip(0.3)  # the machine's moments, shared by both
    assert list(analysis.median_ratio(2.5 * slow, slow).values()) == pytest.approx([2.5] * 3)
    noisy = analysis.median_ratio(2.5 * slow * rng.normal(1, 0.1, 40), slow)
    assert noisy["low"] < noisy["value"] < noisy["high"]
    for wrong in ([1.0, 2.0], [], [0.0]):
        with pytest.raises(ValueError, match="seconds"):
            analysis.median_ratio(wrong, [1.0])
