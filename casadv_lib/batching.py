"""Packed batches: a batch as one flat list of real interactions, with no padding to compute.

Amazon histories average 7 to 9 items while T = 50, so a padded batch computes nine positions for
one that counts. Here a batch is one flat list of `n` real tokens, sequence after sequence. All
that works position by position (embeddings, linear layers, norms, losses) runs on that list.
Only what mixes positions sees more structure, and asks the batch for it:

- `batch.blocks(f, x, ...)` calls `f` on (users, length, d) blocks of similar length (attention);
- `batch.recur(rnn, x)` runs a recurrent layer over each sequence (GRU);
- `batch.earlier(x, by)` gives each token's neighbour `by` steps earlier (convolution).

Blocks are aligned at the *left*, so a causal layer never looks at what fills a block's end.
Which users meet in a batch, and so the mathematics, is exactly that of a padded batch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from .support import checks
from .support.recurrence import recur

MOST_GROUPS = 4  # length groups per batch: more means less padding, but more small operations


class Group(NamedTuple):
    """Neighbouring sequences of a batch that share one block of shape (users, length)."""

    users: int
    length: int


@dataclass(frozen=True)
class PackedBatch:
    """A batch of `u` sequences with `n` tokens in all; integer tensors are int64.

    step: (n,) place in its own sequence, 0 for the oldest token.
    from_end: (n,) steps to the newest token of its sequence, 0 for the newest.
    sequence: (n,) which of the u sequences a token belongs to.
    last: (u,) flat index of each sequence's newest token.
    users: (u,) index of each sequence in the list that was packed (numpy, on the host).
    inputs, positives, negatives: (n,) item ids; the latter two in training batches only.
    weights: (n,) cascade weights of the tokens, or None.
    """

    step: Tensor
    from_end: Tensor
    sequence: Tensor
    last: Tensor
    users: np.ndarray
    groups: tuple[Group, ...]
    pad: Tensor  # (places,) the token in each place of the blocks, block after block
    unpad: Tensor  # (n,) the place of each token
    by_step: Tensor  # (n,) tokens in order of step, longest sequence first: a PackedSequence's
    from_step: Tensor  # (n,) the inverse permutation
    step_sizes: Tensor  # (longest,) sequences that have a token at that step; on the host
    inputs: Tensor
    positives: Tensor | None = None
    negatives: Tensor | None = None
    weights: Tensor | None = None

    def __len__(self) -> int:
        """Number of tokens."""
        return len(self.step)

    def blocks(self, f: Callable[..., Tensor], *flat: Tensor) -> Tensor:
        """Apply `f` to the (users, length, d) blocks of flat (n, d) tensors; returns (n, d')."""
        sizes = [group.users * group.length for group in self.groups]
        # one gather for all blocks: many small ones would cost more than what they move
        parts = zip(*(x.index_select(0, self.pad).split(sizes) for x in flat), strict=True)
        found = [
            f(*(x.view(*group, -1) for x in part)).reshape(size, -1)
            for group, size, part in zip(self.groups, sizes, parts, strict=True)
        ]
        return torch.cat(found).index_select(0, self.unpad)

    def recur(self, rnn: torch.nn.GRU, x: Tensor) -> Tensor:
        """Hidden states (n, d') of a recurrent layer that starts from zero in every sequence."""
        hidden = recur(rnn, x.index_select(0, self.by_step), self.step_sizes)
        return hidden.index_select(0, self.from_step)

    def earlier(self, x: Tensor, by: int) -> Tensor:
        """The rows of x `by` steps earlier in the same sequence, zero where there is none."""
        index = (torch.arange(len(x), device=x.device) - by).clamp_min(0)
        return x.index_select(0, index) * (self.step >= by).unsqueeze(1)

    def to(self, device) -> PackedBatch:
        """The same batch on another device (also "meta")."""
        def move(value):
            return value.to(device) if isinstance(value, Tensor) else value

        moved = {f.name: move(getattr(self, f.name)) for f in fields(self)}
        return replace(self, **moved | {"step_sizes": self.step_sizes})


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


class TokenTable:
    """All sequences flat on one device, ready to be cut into packed batches.

    inputs (and targets, weights): lists aligned with `histories`, each array of a history's
    length. Histories must not be empty. Only host numpy arrays decide shapes, so that no step
    ever waits for the device.
    """

    def __init__(self, histories: Sequence[np.ndarray], device="cpu", targets=None, weights=None):
        self.lengths = np.array([len(h) for h in histories], dtype=np.int64)
        if len(self.lengths) == 0 or self.lengths.min() == 0:
            raise ValueError("histories holds an empty history; allowed are histories of 1 or more")
        self.offsets = np.concatenate([[0], np.cumsum(self.lengths)])
        self.edges = length_edges(self.lengths)
        self.device = torch.device(device)
        self.inputs = self._flat(histories, torch.int64)
        self.targets = None if targets is None else self._flat(targets, torch.int64)
        self.weights = None if weights is None else self._flat(weights, torch.float32)

    def _flat(self, arrays, dtype) -> Tensor:
        return torch.as_tensor(np.concatenate(arrays)).to(self.device, dtype)

    def batches(
        self, order: np.ndarray, batch_size: int, negatives: Tensor | None = None,
        inputs: Tensor | None = None,
    ) -> Iterator[PackedBatch]:  # fmt: skip
        """Cut the sequences `order` (host indices) into packed batches of `batch_size` users.

        All index tensors of the epoch are made in one vectorised pass and sent to the device at
        once; a batch is then a set of slices. negatives: (all tokens,), in the table's own order;
        inputs: the same, other items in place of the table's.
        """
        plan = _Plan(self, np.asarray(order), batch_size)
        # positions of the plan's tokens in the table: one gather per epoch, not per step
        source = torch.as_tensor(plan.source).to(self.device)
        content = {"inputs": (self.inputs if inputs is None else inputs)[source]}
        if self.targets is not None:
            content["positives"] = self.targets[source]
        if negatives is not None:
            content["negatives"] = negatives[source]
        if self.weights is not None:
            content["weights"] = self.weights[source]
        yield from plan.cut(content, self.device)


class _Plan:
    """The index arrays of one epoch, on the host."""

    def __init__(self, table: TokenTable, order: np.ndarray, batch_size: int):
        lengths = table.lengths[order]
        batch = np.arange(len(order)) // batch_size
        by_length = np.lexsort((lengths, batch))  # inside a batch: shortest first
        self.users, self.lengths = order[by_length], lengths[by_length]
        self.block_length = table.edges[np.searchsorted(table.edges, self.lengths)]
        self.user_cuts = np.append(np.arange(0, len(order), batch_size), len(order))
        starts = np.concatenate([[0], np.cumsum(self.lengths)])
        self.token_cuts = starts[self.user_cuts]
        owner = np.repeat(np.arange(len(order)), self.lengths)
        self.step = np.arange(starts[-1]) - starts[owner]
        self.from_end = self.lengths[owner] - 1 - self.step
        self.source = table.offsets[self.users][owner] + self.step
        self.sequence = owner - self.user_cuts[batch[owner]]
        self.last = starts[1:] - 1 - self.token_cuts[batch]
        # time-major order for recurrences: by batch, then step, then longest sequence first
        major = np.lexsort((-owner, self.step, batch[owner]))
        shift = self.token_cuts[batch[owner]]
        self.by_step = major - shift  # a batch's tokens keep their range, so the shift agrees
        self.from_step = np.empty_like(major)
        self.from_step[major] = np.arange(len(major))
        self.from_step -= shift

    def cut(self, content: dict[str, Tensor], device) -> Iterator[PackedBatch]:
        names = ("step", "from_end", "sequence", "by_step", "from_step")
        tokens = {name: torch.as_tensor(getattr(self, name)).to(device) for name in names}
        tokens |= content
        last = torch.as_tensor(self.last).to(device)
        bounds = list(zip(self.user_cuts[:-1], self.user_cuts[1:], strict=True))
        layouts = [_layout(self.lengths[a:b], self.block_length[a:b]) for a, b in bounds]
        # one transfer for the places of all batches: a copy inside a step would wait for the GPU
        pad = torch.as_tensor(np.concatenate([pad for _, pad, _ in layouts])).to(device)
        pads = pad.split([len(pad) for _, pad, _ in layouts])
        unpad = torch.as_tensor(np.concatenate([unpad for _, _, unpad in layouts])).to(device)
        for (a, b), (groups, _, _), pad, i, j in zip(
            bounds, layouts, pads, self.token_cuts[:-1], self.token_cuts[1:], strict=True
        ):
            sizes = np.cumsum(np.bincount(self.lengths[a:b])[::-1])[::-1][1:]
            yield PackedBatch(
                **{name: value[i:j] for name, value in tokens.items()},
                last=last[a:b],
                users=self.users[a:b],
                step_sizes=torch.as_tensor(sizes.copy()),
                groups=groups,
                pad=pad,
                unpad=unpad[i:j],
            )


def _layout(
    lengths: np.ndarray, block_length: np.ndarray
) -> tuple[tuple[Group, ...], np.ndarray, np.ndarray]:
    """A batch's groups with `pad` and `unpad`, on the host."""
    groups, pads, unpads, tokens, places = [], [], [], 0, 0
    for edge in np.unique(block_length):
        own = lengths[block_length == edge]
        longest = int(own.max())  # the block need not be longer than its longest member
        starts = np.cumsum(own) - own
        place = np.arange(longest)
        # the end of a short row repeats its last token: finite numbers that nobody reads
        pad = (starts[:, None] + np.minimum(place, own[:, None] - 1)).reshape(-1)
        pads.append(tokens + pad)
        unpads.append(places + np.flatnonzero(place < own[:, None]))
        groups.append(Group(len(own), longest))
        tokens, places = tokens + int(own.sum()), places + len(pad)
    return tuple(groups), np.concatenate(pads), np.concatenate(unpads)


def pack(histories: Sequence[np.ndarray], max_len: int = 50, device="cpu") -> PackedBatch:
    """One packed batch of the last `max_len` items of each history (lists or int arrays)."""
    max_len = checks.number("max_len", max_len, low=1, kind=int)
    cut = [h[-max_len:] for h in checks.histories("histories", histories)]
    if not cut or not all(map(len, cut)):
        raise ValueError(f"histories is {checks.shown(histories)}; an empty history has nothing to "
                         "pack: allowed is one history or more, each with an item or more")
    table = TokenTable(cut, device)
    return next(table.batches(np.arange(len(cut)), len(cut)))
