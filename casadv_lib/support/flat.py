"""Flat histories and packed batches, on the host: what lies where, in numpy."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

BLOCK = 1 << 15  # interactions that are worked on together
MOST_GROUPS = 4  # length groups per batch: more means less padding, but more small operations
ARRAYS = ("source", "step", "from_end", "sequence", "last", "pad", "unpad", "by_step", "from_step")


def blocks(offsets: np.ndarray) -> Iterator[tuple[int, int, np.ndarray]]:
    """Whole histories, about `BLOCK` interactions at a time: first, end, ends of the histories.
    They stay in the processor's cache, so an interaction costs the same however many there are."""
    first, users = 0, len(offsets) - 1
    while first < users:
        end = int(np.searchsorted(offsets, offsets[first] + BLOCK, side="right")) - 1
        end = max(end, first + 1)  # a history longer than a block
        yield int(offsets[first]), int(offsets[end]), offsets[first + 1 : end + 1]
        first = end


class Group(NamedTuple):
    """Neighbouring sequences of a batch that share one block of shape (users, length)."""

    users: int
    length: int


def length_edges(lengths: np.ndarray, most: int = MOST_GROUPS) -> np.ndarray:
    """Upper lengths of at most `most` groups, chosen so that blocks hold little padding.

    A dynamic program over the distinct lengths: a sequence in a group of upper length L costs
    L * (L + 16), about what attention costs in a block of that length.
    """
    distinct, counts = np.unique(lengths, return_counts=True)
    before = np.concatenate([[0], np.cumsum(counts)])
    price = distinct * (distinct + 16.0)
    cost = before[1:] * price  # cost[j]: lengths up to distinct[j] in the groups so far
    cuts = []  # one more group always costs less, so none is left out
    for _ in range(min(most, len(distinct)) - 1):
        # trial[i, j]: the last group holds lengths distinct[i + 1 .. j], i < j
        trial = cost[:, None] + (before[None, 1:] - before[1:, None]) * price[None, :]
        trial[np.tril_indices(len(distinct))] = np.inf
        cuts.append(trial.argmin(axis=0))
        cost = trial.min(axis=0)
    edges, j = [distinct[-1]], len(distinct) - 1
    for cut in reversed(cuts):
        j = cut[j]
        edges.append(distinct[j])
    return np.array(sorted(edges))


def layout(offsets: np.ndarray, lengths: np.ndarray, edges: np.ndarray) -> dict:
    """The index arrays of one batch, named as in `PackedBatch`; and "source", where tokens lie.

    offsets, lengths: of its sequences, the shortest first. edges: upper lengths of its groups.
    """
    starts = np.cumsum(lengths) - lengths
    sequence = np.repeat(np.arange(len(lengths)), lengths)
    step = np.arange(len(sequence)) - starts[sequence]
    by_step = np.lexsort((-sequence, step))  # at each step the longest sequence first
    groups, pads, unpads, tokens, cells = [], [], [], 0, 0
    for own in np.split(lengths, np.searchsorted(lengths, edges, side="right")):
        if len(own):
            longest = int(own[-1])  # the block need not be longer than its longest member
            column = np.arange(longest)
            # the end of a short row repeats its last token: finite numbers that nobody reads
            cell = (np.cumsum(own) - own)[:, None] + np.minimum(column, own[:, None] - 1)
            pads.append(tokens + cell.reshape(-1))
            unpads.append(cells + np.flatnonzero(column < own[:, None]))
            groups.append(Group(len(own), longest))
            tokens, cells = tokens + int(own.sum()), cells + cell.size
    return {
        "source": offsets[sequence] + step,
        "step": step,
        "from_end": lengths[sequence] - 1 - step,
        "sequence": sequence,
        "last": starts + lengths - 1,
        "pad": np.concatenate(pads),
        "unpad": np.concatenate(unpads),
        "by_step": by_step,
        "from_step": np.argsort(by_step),
        "groups": tuple(groups),
        "step_sizes": np.bincount(step),
    }
