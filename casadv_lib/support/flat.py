"""Flat histories: the last items of each, a block of whole ones at a time, sums of repeats."""

from collections.abc import Iterator

import numpy as np
import pandas as pd

BLOCK = 1 << 15  # interactions that are worked on together


def recent(items: np.ndarray, offsets: np.ndarray, max_len: int) -> tuple[np.ndarray, np.ndarray]:
    """The last max_len items of each history."""
    lengths = np.diff(offsets)
    if lengths.max(initial=0) <= max_len:
        return items, offsets
    sizes = np.minimum(lengths, max_len)
    cuts = np.concatenate([[0], np.cumsum(sizes)])
    where = np.arange(cuts[-1]) + np.repeat(offsets[1:] - cuts[1:], sizes)
    return items[where], cuts


def blocks(offsets: np.ndarray) -> Iterator[tuple[int, int, np.ndarray]]:
    """Whole histories, about `BLOCK` interactions at a time: first, end, ends of the histories.

    Blocks stay in the processor's cache, so each interaction costs the same however many there are.
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
    group, _ = pd.factorize(owners * (items.max(initial=0) + 1) + items)
    return np.bincount(group, weights=values)[group]
