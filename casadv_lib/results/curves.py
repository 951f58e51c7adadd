"""Reading a learning curve: its best point, when to stop, when a gain was reached (Figure 3).

A curve is a list of entries as training writes them: {"epoch", "phase", "loss", "validation":
{"ndcg@10", "hr@10"}, "test": {...}}, epochs rising. Nothing here chooses by the test numbers.
"""

from __future__ import annotations

import numpy as np
import torch

from ..backbones import Backbone
from ..data import SequenceDataset, training_sequences
from ..evaluation import METRICS, rank_items, summary
from ..support.checks import number, one_of

SPLITS = ("validation", "test")


def joined(base: dict, record: dict) -> list[dict]:
    """The whole curve of a run: phase 1 from its base's record, then its own phase 2."""
    return base["curve"] + (record["curve"] if record is not base else [])


def series(curve: list[dict], split: str = "validation", metric: str = "ndcg@10"
           ) -> tuple[np.ndarray, np.ndarray]:
    """Epochs (int64) and values (float64) of one metric, as stored, with no smoothing."""
    one_of("split", split, SPLITS)
    one_of("metric", metric, METRICS)
    epochs = np.array([entry["epoch"] for entry in curve], dtype=np.int64)
    return epochs, np.array([entry[split][metric] for entry in curve], dtype=np.float64)


def best_entry(curve: list[dict], metric: str = "ndcg@10") -> dict:
    """The entry with the best validation value, the earliest of equals."""
    if not curve:
        raise ValueError("curve is empty; allowed are curves with at least one entry")
    return curve[int(np.argmax(series(curve, "validation", metric)[1]))]


def early_stopping(curve: list[dict], patience: int, metric: str = "ndcg@10") -> tuple[int, int]:
    """(epoch at which training ends, epoch whose weights are kept), both from validation.

    Training ends at the first evaluation that is the `patience`-th in a row without a new best
    value, else with the curve.
    """
    patience = number("patience", patience, low=1, kind=int)
    epochs, values = series(curve, "validation", metric)
    best = 0
    for place, value in enumerate(values):
        if value > values[best]:
            best = place
        if place - best >= patience:
            return int(epochs[place]), int(epochs[best])
    return int(epochs[-1]), int(epochs[best])


def first_reaching(curve: list[dict], start: float, share: float, split: str = "validation",
                   metric: str = "ndcg@10") -> int | None:
    """The first epoch at which a curve has made `share` of its way from `start` to its end.

    None where the curve ends no higher than `start`: then there is no gain to share.
    """
    number("share", share, low=0, high=1)
    epochs, values = series(curve, split, metric)
    if len(values) == 0 or values[-1] <= start:
        return None
    return int(epochs[np.argmax(values >= start + share * (values[-1] - start))])


@torch.no_grad()
def by_heart(model: Backbone, data: SequenceDataset) -> dict[str, float]:
    """Both metrics for the last *training* item of each user, which the model was shown.

    A value far above that of the held-out items is learnt by heart. Users with fewer than two
    training items are left out.
    """
    known = [s for s in training_sequences(data) if len(s) > 1]
    histories = [s[:-1] for s in known]
    targets = np.array([s[-1] for s in known])
    return summary(rank_items(model, histories, targets, histories)[0])
