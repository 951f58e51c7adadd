"""What single notebooks measure or list: learning curves, open places of the paper, costs."""

from __future__ import annotations

import time
import weakref
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor
from torch.autograd.graph import saved_tensors_hooks
from torch.utils.flop_counter import FlopCounterMode

from ..adversarial import METHOD_ORDER, METHODS, training_loss
from ..evaluation import RESAMPLES
from ..support.checks import number, one_of
from ..support.dropout import Dropout
from ..training import Trainer
from .comparisons import percentile_interval


def first_reaching(curve: list[dict], start: float, share: float, split: str = "validation",
                   metric: str = "ndcg@10") -> int | None:
    """The first epoch at which a curve has made `share` of its way from `start` to its end.

    curve: entries as training writes them, {"epoch", "validation": {"ndcg@10", ...}, ...}. None
    where the curve ends no higher than `start`: then there is no gain to share.
    """
    number("share", share, low=0, high=1)
    values = [entry[split][metric] for entry in curve]
    if not values or values[-1] <= start:
        return None
    goal = start + share * (values[-1] - start)
    return next(entry["epoch"] for entry in curve if entry[split][metric] >= goal)


def readings() -> pd.DataFrame:
    """Where the paper is silent or contradicts itself, one row an open place: the question, our
    default, the alternatives, and the setting that takes them."""
    return pd.read_csv(Path(__file__).with_name("readings.csv"), index_col="number",
                       keep_default_na=False)


# What a training step costs (notebook 10): passes through the encoder counted by rule, operations
# and memory by a meter, epochs by the clock.

def passes(method: str) -> int:
    """Encoder passes of one step in units of a forward pass; "base" or a name of METHODS.

    A forward pass is 1, backward to inputs and weights 2, backward to the inputs alone 1. Level 1
    adds a forward and a backward pass to the inputs for the gradient (none where the direction is
    random), and a forward and a full backward pass for the loss on the moved inputs. Level 2 lies
    behind the encoder and adds none.
    """
    one_of("method", method, METHOD_ORDER)
    if method == "base" or METHODS[method].level1 is None:
        return 1 + 2
    gradient = 0 if METHODS[method].direction == "random" else 1 + 1
    return (1 + 2) + gradient + (1 + 2)


class SavedMemory(saved_tensors_hooks):
    """Bytes that autograd keeps for the backward pass: `live` now and at the `peak`.

    Storages of the model's parameters are not counted, shared storages once. Use it as a context:
    `with SavedMemory(model) as memory: ...`.
    """

    def __init__(self, model: torch.nn.Module):
        super().__init__(self._pack, lambda saved: saved[0])
        self.live = self.peak = 0
        self._own = {p.untyped_storage().data_ptr() for p in model.parameters()}
        self._holders: weakref.WeakValueDictionary = weakref.WeakValueDictionary()

    def __enter__(self) -> SavedMemory:
        super().__enter__()
        return self

    def _pack(self, tensor: Tensor) -> tuple[Tensor, set | None]:
        key, size = tensor.untyped_storage().data_ptr(), tensor.untyped_storage().nbytes()
        holder = self._holders.get(key)  # goes when the graph lets the storage go
        if holder is None and key not in self._own:
            holder = self._holders[key] = set()
            self._add(size)
            weakref.finalize(holder, self._add, -size)
        return tensor, holder

    def _add(self, size: int) -> None:
        self.live += size
        self.peak = max(self.peak, self.live)


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
        loss, _ = training_loss(model, batch, trainer.method, trainer.adversarial, drop,
                                trainer.generator)
        loss.backward()
    model.zero_grad(set_to_none=True)
    return {"flops": counter.get_total_flops(), "saved_bytes": memory.peak}


def time_epochs(trainers: dict[str, Trainer], epochs: int = 5) -> dict[str, list[float]]:
    """Seconds of `epochs` epochs of each trainer, after one that is not counted.

    The trainers take turns, so that a slow moment of the machine meets them all.
    """
    number("epochs", epochs, low=1, kind=int)
    seconds: dict[str, list[float]] = {name: [] for name in trainers}
    for _ in range(epochs + 1):
        for name, trainer in trainers.items():
            started = time.perf_counter()
            trainer.train_epoch()  # it ends by reading the loss, so a GPU is done as well
            seconds[name].append(time.perf_counter() - started)
    return {name: times[1:] for name, times in seconds.items()}


def median_ratio(seconds: list[float], reference: list[float]) -> dict[str, float]:
    """Ratio of medians of two lists of times taken in turns, with a 95% bootstrap interval.

    The turns are resampled, both times of a turn together, since a slow moment of the machine
    meets both. Returns "value", "low" and "high". Few epochs give a rough interval.
    """
    a, b = np.asarray(seconds), np.asarray(reference)
    if a.ndim != 1 or a.shape != b.shape or not len(a) or min(a.min(), b.min()) <= 0:
        raise ValueError(f"seconds has shape {a.shape}, reference {b.shape}; allowed are two "
                         "equally long lists of times above 0")
    drawn = np.random.default_rng(0).integers(0, len(a), (RESAMPLES, len(a)))
    turns = np.concatenate([[np.arange(len(a))], drawn])
    return percentile_interval(np.median(a[turns], axis=1) / np.median(b[turns], axis=1))
