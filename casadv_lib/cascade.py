"""Cascade effects (Eq. 11 and 12, Algorithm 1) and the weights made of them.

The interaction at step t of a history of length T (right-aligned, the newest has t = T) has

    C(i, t) = 1 + T - t  +  (b / m) * sum over other users k, steps l: (1 + T - l) [v_k^l = v_i^t]

The first term counts the interactions it precedes in its own history, itself included. The
second counts, for each occurrence of the same item with another user, what that one precedes,
times the chance b / m that both users meet in a batch. Nothing of it depends on T itself:
1 + T - t is the number of steps from the interaction to the end of its history.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .checks import flag, number, one_of

TERMS = ("both", "temporal", "cross")


def cascade_effects(
    histories: Sequence[np.ndarray],
    max_len: int = 50,
    batch_size: int = 128,
    terms: str = "both",
    count_self: bool = False,
) -> list[np.ndarray]:
    """Cascade effects of all interactions, a list of float64 arrays, each value at least 1.

    histories: list of int arrays of item ids (1 or more), oldest first; only each one's last
        max_len items count, as source and as target, and the result is aligned to those.
    batch_size: b of Eq. 11; m is len(histories). b / m is not clipped.
    terms: "both" (Eq. 11), "temporal" (1 + T - t) or "cross" (1 + the sum over other users).
    count_self: let a user's own occurrences count in the sum, as Algorithm 1 is printed;
        Eq. 11 leaves them out (k != i).
    """
    arrays = [np.asarray(h) if len(h) else np.zeros(0, np.int64) for h in histories]
    offsets = np.concatenate([[0], np.cumsum([len(a) for a in arrays])]).astype(np.int64)
    items = np.concatenate(arrays) if arrays else np.zeros(0, np.int64)
    flat = cascade_effects_flat(items, offsets, max_len, batch_size, terms, count_self)
    kept = np.minimum(np.diff(offsets), max_len)
    return np.split(flat, np.cumsum(kept)[:-1]) if len(kept) else []


def cascade_effects_flat(
    items: np.ndarray,
    offsets: np.ndarray,
    max_len: int = 50,
    batch_size: int = 128,
    terms: str = "both",
    count_self: bool = False,
) -> np.ndarray:
    """The same on flat arrays: history i is items[offsets[i]:offsets[i + 1]].

    Returns one float64 array, the concatenation of the lists of `cascade_effects` (so it is
    shorter than `items` where a history is longer than max_len). Two passes over the
    interactions, as in Algorithm 1: O(interactions + items). Leaving a user's own occurrences
    out (count_self=False) sorts each history besides, a factor of log(length).
    """
    one_of("terms", terms, TERMS)
    number("max_len", max_len, low=1, kind=int)
    number("batch_size", batch_size, low=1, kind=int)
    flag("count_self", count_self)
    items, offsets = _checked(items, offsets)
    m = len(offsets) - 1
    lengths = np.diff(offsets)
    user = np.repeat(np.arange(m), lengths)
    to_end = offsets[1:][user] - np.arange(len(items))  # 1 + T - t
    if len(lengths) and lengths.max() > max_len:
        recent = to_end <= max_len
        items, user, to_end = items[recent], user[recent], to_end[recent]
    temporal = to_end.astype(np.float64)
    if terms == "temporal" or len(items) == 0:
        return temporal
    totals = np.bincount(items, weights=temporal)  # Algorithm 1, lines 3 to 7: D
    others = totals[items]  # lines 9 to 13
    if not count_self:
        others -= _own(items, user, temporal)
    cross = batch_size / m * others
    return (1.0 if terms == "cross" else temporal) + cross


def _checked(items, offsets) -> tuple[np.ndarray, np.ndarray]:
    items, offsets = np.asarray(items), np.asarray(offsets, dtype=np.int64)
    if len(items) and not np.issubdtype(items.dtype, np.integer):
        raise ValueError(f"items has dtype {items.dtype}; allowed are whole numbers")
    if len(items) and items.min() < 1:
        where = int(np.argmin(items))
        raise ValueError(f"items[{where}] is {items[where]}; allowed are ids of 1 or more (0 pads)")
    if len(offsets) == 0 or offsets[0] != 0 or offsets[-1] != len(items):
        raise ValueError(f"offsets must start at 0 and end at {len(items)}, the number of items")
    if (np.diff(offsets) < 0).any():
        raise ValueError("offsets decrease; allowed are offsets in ascending order")
    return items.astype(np.int64, copy=False), offsets


def _own(items: np.ndarray, user: np.ndarray, temporal: np.ndarray) -> np.ndarray:
    """Sum of 1 + T - l over a user's own occurrences of each interaction's item."""
    pair = user * (items.max() + 1) + items
    order = np.argsort(pair, kind="stable")
    same = pair[order][1:] == pair[order][:-1]
    if not same.any():  # no item twice for any user, as in the paper's data sets
        return temporal
    group = np.concatenate([[0], np.cumsum(~same)])
    own = np.empty_like(temporal)
    own[order] = np.bincount(group, weights=temporal[order])[group]
    return own


def cascade_weights(
    effects: Sequence[np.ndarray], norm: str = "raw", mean: str = "inverse"
) -> list[np.ndarray]:
    """The weights 1/C of Eq. 6, renormalised; a list of float64 arrays like `effects`.

    norm: "raw" takes C as Eq. 11 gives it; "minmax" takes 1 + min-max(C), since Algorithm 1's
        last line alone would make C = 0 and 1/C infinite.
    mean: "inverse" makes the mean *weight* 1, so that the total budget is adv_global's;
        "cascade" makes the mean of C 1, which leaves a mean weight above 1.
    """
    one_of("norm", norm, ("raw", "minmax"))
    one_of("mean", mean, ("inverse", "cascade"))
    flat = np.concatenate(effects)
    if norm == "minmax":
        spread = flat.max() - flat.min()
        flat = 1 + (flat - flat.min()) / (spread if spread > 0 else 1.0)
    inverse = 1 / flat
    weights = inverse / inverse.mean() if mean == "inverse" else inverse * flat.mean()
    return np.split(weights, np.cumsum([len(e) for e in effects])[:-1])
