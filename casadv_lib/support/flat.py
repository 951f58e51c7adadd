"""Flat histories: the last items of each, a block of whole ones at a time, sums of repeats."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

BLOCK = 1 << 15  # interactions that are worked on together
MIX = 2654435761  # spreads owners over 32 bits: 2^32 / golden ratio


def recent(items: np.ndarray, offsets: np.ndarray, max_len: int) -> tuple[np.ndarray, np.ndarray]:
    """The last max_len items of each history."""
    lengths = np.diff(offsets)
    if len(lengths) == 0 or lengths.max() <= max_len:
        return items, offsets
    sizes = np.minimum(lengths, max_len)
    cuts = np.concatenate([[0], np.cumsum(sizes)])
    where = np.arange(cuts[-1]) + np.repeat(offsets[1:] - cuts[1:], sizes)
    return items[where], cuts


def blocks(offsets: np.ndarray) -> Iterator[tuple[int, int, np.ndarray]]:
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


def sums_of_repeats(owners: np.ndarray, items: np.ndarray, values: np.ndarray) -> np.ndarray:
    """(n,) for each entry the sum of `values` over all entries with its owner and item.

    owners, items: (n,) int64, at least 0.
    """
    # 32 bits a pair are fast to sort, and equal pairs stay equal
    mixed = (items + owners * MIX).astype(np.uint32)
    ordered = np.sort(mixed)
    twice = ordered[1:][ordered[1:] == ordered[:-1]]
    if len(twice) == 0:
        return values  # no item twice for any user, as in the paper's data sets
    # few pairs come twice: only they, and the few that look alike in 16 bits, are told apart
    suspect = np.zeros(1 << 16, dtype=bool)
    suspect[twice & 0xFFFF] = True
    some = np.flatnonzero(suspect[mixed & 0xFFFF])
    pair = owners[some] * (items.max() + 1) + items[some]
    _, group = np.unique(pair, return_inverse=True)
    sums = values.copy()
    sums[some] = np.bincount(group, weights=values[some])[group]
    return sums
