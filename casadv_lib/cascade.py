"""Cascade effects (Eq. 11 and 12, Algorithm 1) and the weights made of them.

The interaction at step t of a history of length T (right-aligned, the newest has t = T) has

    C(i, t) = 1 + T - t  +  (b / m) * sum over other users k, steps l: (1 + T - l) [v_k^l = v_i^t]

The first term counts the interactions it precedes in its own history, itself included. The
second counts, for each occurrence of the same item with another user, what that one precedes,
times the chance b / m that both users meet in a batch. Nothing of it depends on T itself:
1 + T - t is the number of steps from the interaction to the end of its history.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from .support import checks
from .support.checks import number, one_of, row
from .support.flat import blocks

TERMS = ("both", "temporal", "cross")


def cascade_effects(histories: Sequence[np.ndarray], max_len: int = 50, batch_size: int = 128,
                    terms: str = "both", count_self: bool = False) -> list[np.ndarray]:
    """Cascade effects of all interactions, a list of float64 arrays, each value at least 1.

    histories: list of int arrays of item ids (1 or more), oldest first; only each one's last
        max_len items count, as source and as target, and the result is aligned to those.
    batch_size: b of Eq. 11; m is len(histories). b / m is not clipped.
    terms: "both" (Eq. 11), "temporal" (1 + T - t) or "cross" (1 + the sum over other users).
    count_self: let a user's own occurrences count in the sum, as Algorithm 1 is printed;
        Eq. 11 leaves them out (k != i).
    """
    arrays = checks.histories("histories", histories)
    offsets = np.cumsum([0, *map(len, arrays)])
    items = np.concatenate([np.zeros(0, np.int64), *arrays])
    flat = cascade_effects_flat(items, offsets, max_len, batch_size, terms, count_self)
    lengths = np.minimum(np.diff(offsets), max_len)
    return np.split(flat, np.cumsum(lengths)[:-1]) if arrays else []


def cascade_effects_flat(items: np.ndarray, offsets: np.ndarray, max_len: int = 50,
                         batch_size: int = 128, terms: str = "both", count_self: bool = False
                        ) -> np.ndarray:
    """The same on flat arrays: history i is items[offsets[i]:offsets[i + 1]].

    Returns one float64 array, the concatenation of the lists of `cascade_effects` (so it is
    shorter than `items` where a history is longer than max_len). Two passes over the
    interactions, as in Algorithm 1: O(interactions + largest id). Besides the result it holds one
    number per id and what a block of them needs, and a copy where histories are cut.
    """
    one_of("terms", terms, TERMS)
    max_len = number("max_len", max_len, low=1, kind=int)
    batch_size = number("batch_size", batch_size, low=1, kind=int)
    one_of("count_self", count_self, (True, False))
    items = row("items", items, "allowed are ids of 1 or more (0 pads) in one row", low=1)
    offsets = row("offsets", offsets)
    if (len(offsets) == 0 or offsets[0] != 0 or offsets[-1] != len(items)
            or (np.diff(offsets) < 0).any()):
        raise ValueError(f"offsets is {checks.shown(offsets)}; allowed are ascending offsets that "
                         f"start at 0 and end at {len(items)}, the number of items")
    lengths, m = np.diff(offsets), len(offsets) - 1
    if lengths.max(initial=0) > max_len:  # only the last max_len items of each history count
        to_end = np.repeat(offsets[1:], lengths) - np.arange(len(items))
        items = items[to_end <= max_len]
        offsets = np.append(0, np.cumsum(np.minimum(lengths, max_len)))
    effects = np.empty(len(items))
    for a, b, ends in blocks(offsets):
        effects[a:b] = np.repeat(ends, np.diff(ends, prepend=a)) - np.arange(a, b)  # 1 + T - t
    if terms == "temporal" or len(items) == 0:
        return effects
    totals = np.bincount(items, weights=effects)  # Algorithm 1, lines 3 to 7: D
    for a, b, _ in blocks(offsets):
        temporal, others = effects[a:b], totals[items[a:b]]  # lines 9 to 13
        if not count_self:
            history = np.arange(a, b) + temporal.astype(np.int64)  # where it ends: its number
            pair, _ = pd.factorize(history * (items[a:b].max(initial=0) + 1) + items[a:b])
            others -= np.bincount(pair, weights=temporal)[pair]  # of the item in its own history
        effects[a:b] = (1.0 if terms == "cross" else temporal) + batch_size / m * others
    return effects


def cascade_weights(effects: Sequence[np.ndarray], norm: str = "raw", mean: str = "inverse"
                   ) -> list[np.ndarray]:
    """The weights 1/C of Eq. 6, renormalised; a list of float64 arrays like `effects`.

    norm: "raw" takes C as Eq. 11 gives it; "minmax" takes 1 + min-max(C), since Algorithm 1's
        last line alone would make C = 0 and 1/C infinite.
    mean: "inverse" makes the mean *weight* 1, so that the total budget is adv_global's;
        "cascade" makes the mean of C 1, which leaves a mean weight above 1.
    ValueError where `effects` holds no number, or one below 1.
    """
    one_of("norm", norm, ("raw", "minmax"))
    one_of("mean", mean, ("inverse", "cascade"))
    try:
        flat = np.concatenate([np.asarray(e, dtype=np.float64) for e in effects])
    except (TypeError, ValueError):
        flat = np.zeros(0)
    if flat.ndim != 1 or not flat.size or not np.isfinite(flat).all() or flat.min() < 1:
        raise ValueError(f"effects is {checks.shown(effects)}; allowed are the arrays of "
                         "cascade_effects, numbers of at least 1")
    if norm == "minmax":
        spread = flat.max() - flat.min()
        flat = 1 + (flat - flat.min()) / (spread if spread > 0 else 1.0)
    inverse = 1 / flat
    weights = inverse / inverse.mean() if mean == "inverse" else inverse * flat.mean()
    return np.split(weights, np.cumsum([len(e) for e in effects])[:-1])
