"""Cascade effects (Eq. 11 and 12, Algorithm 1) and the weights made of them.

The interaction at step t of a history of length T (right-aligned, the newest has t = T) has

    C(i, t) = 1 + T - t  +  (b / m) * sum over other users k, steps l: (1 + T - l) [v_k^l = v_i^t]

The first term counts the interactions it precedes in its own history, itself included. The
second counts, for each occurrence of the same item with another user, what that one precedes,
times the chance b / m that both users meet in a batch. Nothing of it depends on T itself:
1 + T - t is the number of steps from the interaction to the end of its history.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from .support import checks
from .support.checks import flag, number, one_of, whole_numbers
from .support.repeats import sums_of_repeats

TERMS = ("both", "temporal", "cross")
BLOCK = 1 << 15  # interactions that are worked on together


def cascade_effects(
    histories: Sequence[np.ndarray], max_len: int = 50, batch_size: int = 128, terms: str = "both",
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
    arrays = checks.histories("histories", histories)
    offsets = np.concatenate([[0], np.cumsum([len(a) for a in arrays])]).astype(np.int64)
    items = np.concatenate(arrays) if arrays else np.zeros(0, np.int64)
    flat = cascade_effects_flat(items, offsets, max_len, batch_size, terms, count_self)
    recent = np.minimum(np.diff(offsets), max_len)
    return np.split(flat, np.cumsum(recent)[:-1]) if len(recent) else []


def cascade_effects_flat(
    items: np.ndarray, offsets: np.ndarray, max_len: int = 50, batch_size: int = 128,
    terms: str = "both", count_self: bool = False,
) -> np.ndarray:
    """The same on flat arrays: history i is items[offsets[i]:offsets[i + 1]].

    Returns one float64 array, the concatenation of the lists of `cascade_effects` (so it is
    shorter than `items` where a history is longer than max_len). Two passes over the
    interactions, as in Algorithm 1: O(interactions + items). Besides the result it holds one
    number per item and what `BLOCK` interactions need.
    """
    one_of("terms", terms, TERMS)
    max_len = number("max_len", max_len, low=1, kind=int)
    batch_size = number("batch_size", batch_size, low=1, kind=int)
    flag("count_self", count_self)
    items, offsets = _recent(*_checked(items, offsets), max_len)
    m = len(offsets) - 1
    effects = np.empty(len(items))
    for a, b, ends in _blocks(offsets):
        lengths = np.diff(ends, prepend=a)
        np.subtract(np.repeat(ends, lengths), np.arange(a, b), out=effects[a:b])  # 1 + T - t
    if terms == "temporal" or len(items) == 0:
        return effects
    totals = np.bincount(items, weights=effects)  # Algorithm 1, lines 3 to 7: D
    for a, b, _ in _blocks(offsets):
        temporal, others = effects[a:b], totals.take(items[a:b])  # lines 9 to 13
        if not count_self:
            history = np.arange(a, b) + temporal.astype(np.int64)  # where it ends: its number
            others -= sums_of_repeats(history, items[a:b], temporal)
        others *= batch_size / m
        np.add(others, 1.0 if terms == "cross" else temporal, out=temporal)
    return effects


def _recent(items: np.ndarray, offsets: np.ndarray, max_len: int) -> tuple[np.ndarray, np.ndarray]:
    """The last max_len items of each history."""
    lengths = np.diff(offsets)
    if len(lengths) == 0 or lengths.max() <= max_len:
        return items, offsets
    recent = np.minimum(lengths, max_len)
    cuts = np.concatenate([[0], np.cumsum(recent)])
    where = np.arange(cuts[-1]) + np.repeat(offsets[1:] - cuts[1:], recent)
    return items[where], cuts


def _blocks(offsets: np.ndarray) -> Iterator[tuple[int, int, np.ndarray]]:
    """Whole histories, about `BLOCK` interactions at a time: first, end, ends of the histories.

    Blocks stay in the processor's cache, and what is done inside one costs the same however many
    blocks there are: so the whole is linear, sorting included.
    """
    first, users = 0, len(offsets) - 1
    while first < users:
        end = int(np.searchsorted(offsets, offsets[first] + BLOCK, side="right")) - 1
        end = max(end, first + 1)  # a history longer than a block
        yield int(offsets[first]), int(offsets[end]), offsets[first + 1 : end + 1]
        first = end


def _checked(items, offsets) -> tuple[np.ndarray, np.ndarray]:
    items, offsets = whole_numbers("items", items), whole_numbers("offsets", offsets)
    if len(items) and items.min() < 1:
        where = int(np.argmin(items))
        raise ValueError(f"items[{where}] is {items[where]}; allowed are ids of 1 or more (0 pads)")
    if len(offsets) == 0 or offsets[0] != 0 or offsets[-1] != len(items):
        raise ValueError(f"offsets is {checks.shown(offsets)}; allowed are offsets that start at 0 "
                         f"and end at {len(items)}, the number of items")
    if (np.diff(offsets) < 0).any():
        raise ValueError("offsets decrease; allowed are offsets in ascending order")
    return items.astype(np.int64, copy=False), offsets


def _flat_effects(effects) -> np.ndarray:
    """All effects in one array; ValueError for anything but lists of numbers of at least 1."""
    try:
        flat = np.concatenate([np.asarray(e, dtype=np.float64) for e in effects])
        fits = flat.ndim == 1 and len(flat) > 0 and bool(((flat >= 1) & np.isfinite(flat)).all())
    except (TypeError, ValueError):
        fits = False
    if not fits:
        raise ValueError(f"effects is {checks.shown(effects)}; allowed are the arrays of "
                         "cascade_effects, numbers of at least 1")
    return flat


def cascade_weights(
    effects: Sequence[np.ndarray], norm: str = "raw", mean: str = "inverse",
) -> list[np.ndarray]:
    """The weights 1/C of Eq. 6, renormalised; a list of float64 arrays like `effects`.

    norm: "raw" takes C as Eq. 11 gives it; "minmax" takes 1 + min-max(C), since Algorithm 1's
        last line alone would make C = 0 and 1/C infinite.
    mean: "inverse" makes the mean *weight* 1, so that the total budget is adv_global's;
        "cascade" makes the mean of C 1, which leaves a mean weight above 1.
    """
    one_of("norm", norm, ("raw", "minmax"))
    one_of("mean", mean, ("inverse", "cascade"))
    flat = _flat_effects(effects)
    if norm == "minmax":
        spread = flat.max() - flat.min()
        flat = 1 + (flat - flat.min()) / (spread if spread > 0 else 1.0)
    inverse = 1 / flat
    weights = inverse / inverse.mean() if mean == "inverse" else inverse * flat.mean()
    return np.split(weights, np.cumsum([len(e) for e in effects])[:-1])
