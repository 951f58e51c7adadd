"""What a training step costs: passes counted by rule, operations and memory counted by a meter,
epochs timed (Section 5.7).

A pass through the encoder is the unit: forward 1, backward to inputs and weights 2, backward to
the inputs alone 1. What lies outside the encoder (look-ups, optimiser) is not counted.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from statistics import median

import numpy as np
import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from ..adversarial import METHODS, training_loss
from ..experiments.configuration import part
from ..experiments.runs import Run
from ..settings import AdversarialSettings, TrainingSettings
from ..support.checks import number, one_of
from ..support.dropout import Dropout
from ..training import Trainer

FORWARD, BACKWARD, TO_INPUTS = 1, 2, 1


def passes(method: str) -> int:
    """Encoder passes of one step in units of a forward pass; "base" or a name of METHODS.

    The base takes 1 + 2 = 3. Level 1 adds a forward and a backward pass to the inputs for the
    gradient (none where the direction is random), and a forward and a full backward pass for the
    loss on the moved inputs. Level 2 lies behind the encoder and adds none.
    """
    one_of("method", method, ("base", *METHODS))
    count = FORWARD + BACKWARD
    if method != "base" and METHODS[method].level1 is not None:
        if METHODS[method].direction != "random":
            count += FORWARD + TO_INPUTS
        count += FORWARD + BACKWARD
    return count


def trainer_of(base: Run, config: dict, method: str) -> Trainer:
    """A trainer that goes on from a base run, with a model of its own; nothing is stored.

    config: of `profiles.configure`; its method does not matter. method "base" trains on as in
    phase 1.
    """
    own = part(config, TrainingSettings)
    name = None if method == "base" else method
    model = base.model(device=config["device"])
    return Trainer(model, base.data, own, name, part(config, AdversarialSettings))


class SavedMemory:
    """Bytes that autograd keeps for the backward pass: `live` now and at the `peak`.

    Storages of the model's parameters are not counted, shared storages once. Use it as a context:
    `with SavedMemory(model) as memory: ...`.
    """

    def __init__(self, model: torch.nn.Module):
        self.live = self.peak = 0
        self._ignored = {p.untyped_storage().data_ptr() for p in model.parameters()}
        self._holders: Counter = Counter()
        self._hooks = torch.autograd.graph.saved_tensors_hooks(self._pack, lambda kept: kept.tensor)

    def __enter__(self) -> SavedMemory:
        self._hooks.__enter__()
        return self

    def __exit__(self, *error):
        self._hooks.__exit__(*error)

    def _pack(self, tensor: Tensor) -> _Kept:
        storage = tensor.untyped_storage()
        if (key := storage.data_ptr()) in self._ignored:
            return _Kept(tensor, None)
        self._holders[key] += 1
        if self._holders[key] == 1:
            self.live += storage.nbytes()
            self.peak = max(self.peak, self.live)

        def release(size=storage.nbytes()):  # noqa: B008 - the size at this moment
            self._holders[key] -= 1
            if self._holders[key] == 0:
                self.live -= size

        return _Kept(tensor, release)


class _Kept:
    """A saved tensor; autograd drops it when the graph is freed."""

    def __init__(self, tensor: Tensor, release: Callable | None):
        self.tensor, self.release = tensor, release

    def __del__(self):
        if self.release is not None:
            self.release()


def count_step(trainer: Trainer) -> dict[str, int]:
    """One step's matrix operations ("flops") and the peak of saved tensors ("saved_bytes").

    The step takes the first users of the data and changes no weights.
    """
    table, model = trainer.table, trainer.model
    order = np.arange(min(trainer.settings.batch_size, len(table.lengths)))
    negatives = trainer.sampler.draw(trainer.generator.manual_seed(0))
    batch = next(iter(table.batches(order, len(order), negatives)))
    drop = Dropout(model.dropout, trainer.generator)
    model.train()
    with SavedMemory(model) as memory, FlopCounterMode(display=False) as counter:
        loss, _ = training_loss(
            model, batch, trainer.method, trainer.adversarial, drop, trainer.generator
        )
        loss.backward()
    model.zero_grad(set_to_none=True)
    return {"flops": counter.get_total_flops(), "saved_bytes": memory.peak}


def time_epochs(trainers: dict[str, Trainer], epochs: int = 5) -> dict[str, list[float]]:
    """Seconds of `epochs` epochs of each trainer, after one that is not counted.

    The trainers take turns, so that a slow moment of the machine meets them all.
    """
    number("epochs", epochs, low=1, kind=int)
    seconds: dict[str, list[float]] = {name: [] for name in trainers}
    for turn in range(epochs + 1):
        for name, trainer in trainers.items():
            started = time.perf_counter()
            trainer.train_epoch()  # it ends by reading the loss, so a GPU is done as well
            if turn:
                seconds[name].append(time.perf_counter() - started)
    return seconds


def median_ratio(seconds: list[float], reference: list[float], resamples: int = 2000,
                 seed: int = 0) -> dict[str, float]:
    """Ratio of medians of two lists of times taken in turns, with a 95% bootstrap interval.

    The turns are resampled, both times of a turn together, since a slow moment of the machine
    meets both. Returns "ratio", "low" and "high". Few epochs give a rough interval.
    """
    a, b = np.asarray(seconds), np.asarray(reference)
    if a.ndim != 1 or a.shape != b.shape or not len(a) or min(a.min(), b.min()) <= 0:
        raise ValueError(f"seconds has shape {a.shape}, reference {b.shape}; allowed are two "
                         "equally long lists of times above 0")
    turns = np.random.default_rng(seed).integers(0, len(a), (resamples, len(a)))
    drawn = np.median(a[turns], axis=1) / np.median(b[turns], axis=1)
    low, high = np.quantile(drawn, [0.025, 0.975])
    return {"ratio": float(np.median(a) / np.median(b)), "low": float(low), "high": float(high)}


def seconds_of(function: Callable[[], object], repeats: int = 3) -> float:
    """The median time of a call."""
    found = []
    for _ in range(number("repeats", repeats, low=1, kind=int)):
        started = time.perf_counter()
        function()
        found.append(time.perf_counter() - started)
    return median(found)


def added_percent(ratio: float, adv_epochs: int, epochs: int) -> float:
    """The second phase's time in percent of the first: 100 * ratio * adv_epochs / epochs."""
    number("ratio", ratio, low=0)
    number("epochs", epochs, low=1, kind=int)
    return 100 * ratio * number("adv_epochs", adv_epochs, low=0, kind=int) / epochs
