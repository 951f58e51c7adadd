"""Which token goes where: the index arrays of packed batches, on the host, in numpy alone.

Sequences of similar length share a block, and all arrays of an epoch are made in one vectorised
pass: so a batch is a set of slices, and no step of training waits for the device.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

MOST_GROUPS = 4  # length groups per batch: more means less padding, but more small operations


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
    cuts = []
    for _ in range(min(most, len(distinct)) - 1):
        # trial[i, j]: the last group holds lengths distinct[i + 1 .. j], i < j
        trial = cost[:, None] + (before[None, 1:] - before[1:, None]) * price[None, :]
        trial[np.tril_indices(len(distinct))] = np.inf
        best = np.vstack([trial, cost[None, :]])
        cuts.append(best.argmin(axis=0))
        cost = best.min(axis=0)
    edges, j = [distinct[-1]], len(distinct) - 1
    for cut in reversed(cuts):
        if cut[j] < j:
            j = cut[j]
            edges.append(distinct[j])
    return np.array(sorted(edges))


@dataclass(frozen=True)
class Plan:
    """An epoch: per token, per sequence and per cell of the blocks; and where each batch is cut.

    Tokens lie sequence after sequence, inside a batch the shortest first. The arrays of a batch
    mean what `PackedBatch` says of them; source: (tokens,) where a token lies in the table.
    """

    users: np.ndarray
    last: np.ndarray
    source: np.ndarray
    step: np.ndarray
    from_end: np.ndarray
    sequence: np.ndarray
    by_step: np.ndarray
    from_step: np.ndarray
    pad: np.ndarray
    unpad: np.ndarray
    groups: list[tuple[Group, ...]]  # a tuple a batch
    step_sizes: list[np.ndarray]  # an array a batch
    cuts: list[tuple[slice, slice, slice]]  # a batch's part of users, of tokens, of cells


def plan_epoch(lengths: np.ndarray, edges: np.ndarray, order: np.ndarray, batch_size: int) -> Plan:
    """Cut the sequences `order` into batches; lengths: of all sequences of the table."""
    offsets = np.cumsum(lengths) - lengths
    batch = np.arange(len(order)) // batch_size
    users = order[np.lexsort((lengths[order], batch))]  # inside a batch: shortest first
    own = lengths[users]
    user_cuts = np.append(np.arange(0, len(order), batch_size), len(order))
    starts = np.concatenate([[0], np.cumsum(own)])
    token_cuts = starts[user_cuts]
    owner = np.repeat(np.arange(len(order)), own)
    shift = token_cuts[batch[owner]]
    step = np.arange(starts[-1]) - starts[owner]
    # time-major order for recurrences: by batch, then step, then longest sequence first
    major = np.lexsort((-owner, step, batch[owner]))
    inverse = np.empty_like(major)
    inverse[major] = np.arange(len(major))
    block_length = edges[np.searchsorted(edges, own)]
    bounds = [slice(a, b) for a, b in zip(user_cuts, user_cuts[1:])]
    layouts = [_layout(own[part], block_length[part]) for part in bounds]
    cell_cuts = np.concatenate([[0], np.cumsum([len(pad) for _, pad, _ in layouts])])
    return Plan(
        users=users,
        last=starts[1:] - 1 - token_cuts[batch],
        source=offsets[users][owner] + step,
        step=step,
        from_end=own[owner] - 1 - step,
        sequence=owner - user_cuts[batch[owner]],
        by_step=major - shift,  # a batch's tokens keep their range, so the shift agrees
        from_step=inverse - shift,
        pad=np.concatenate([pad for _, pad, _ in layouts]),
        unpad=np.concatenate([unpad for _, _, unpad in layouts]),
        groups=[groups for groups, _, _ in layouts],
        step_sizes=[np.cumsum(np.bincount(own[part])[::-1])[::-1][1:].copy() for part in bounds],
        cuts=[(part, slice(*token_cuts[i : i + 2]), slice(*cell_cuts[i : i + 2]))
              for i, part in enumerate(bounds)],
    )


def _layout(
    lengths: np.ndarray, block_length: np.ndarray
) -> tuple[tuple[Group, ...], np.ndarray, np.ndarray]:
    """A batch's groups with `pad` and `unpad`."""
    groups, pads, unpads, tokens, cells = [], [], [], 0, 0
    for edge in np.unique(block_length):
        own = lengths[block_length == edge]
        longest = int(own.max())  # the block need not be longer than its longest member
        starts = np.cumsum(own) - own
        column = np.arange(longest)
        # the end of a short row repeats its last token: finite numbers that nobody reads
        pad = (starts[:, None] + np.minimum(column, own[:, None] - 1)).reshape(-1)
        pads.append(tokens + pad)
        unpads.append(cells + np.flatnonzero(column < own[:, None]))
        groups.append(Group(len(own), longest))
        tokens, cells = tokens + int(own.sum()), cells + len(pad)
    return tuple(groups), np.concatenate(pads), np.concatenate(unpads)
