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

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from .support import checks
from .support.flat import ARRAYS, Group, layout, length_edges
from .support.layers import recur


@dataclass(frozen=True)
class PackedBatch:
    """A batch of `u` sequences with `n` tokens in all; integer tensors are int64."""

    inputs: Tensor  # (n,) item ids, sequence after sequence, the shortest first
    step: Tensor  # (n,) position in its own sequence, 0 for the oldest token
    from_end: Tensor  # (n,) steps to the newest token of its sequence, 0 for the newest
    sequence: Tensor  # (n,) which of the u sequences a token belongs to
    last: Tensor  # (u,) flat index of each sequence's newest token
    users: np.ndarray  # (u,) index of each sequence in the list that was packed; on the host
    groups: tuple[Group, ...]
    pad: Tensor  # (cells,) the token in each cell of the blocks, block after block
    unpad: Tensor  # (n,) the cell of each token
    by_step: Tensor  # (n,) tokens in order of step, longest sequence first: a PackedSequence's
    from_step: Tensor  # (n,) the inverse permutation
    step_sizes: np.ndarray  # (longest,) sequences that have a token at that step; on the host
    positives: Tensor | None = None  # (n,) the next items, and
    negatives: Tensor | None = None  # (n,) items drawn; both in training batches only
    weights: Tensor | None = None  # (n,) cascade weights

    def __len__(self) -> int:
        """Number of tokens."""
        return len(self.step)

    def blocks(self, f: Callable[..., Tensor], *flat: Tensor) -> Tensor:
        """Apply `f` to the (users, length, d) blocks of flat (n, d) tensors; returns (n, d')."""
        sizes = [group.users * group.length for group in self.groups]
        # one gather for all blocks: many small ones would cost more than what they move
        parts = zip(*(x.index_select(0, self.pad).split(sizes) for x in flat), strict=True)
        blocks = [f(*(x.view(*group, -1) for x in part)).reshape(size, -1)
                  for group, size, part in zip(self.groups, sizes, parts, strict=True)]
        return torch.cat(blocks).index_select(0, self.unpad)

    def recur(self, rnn: torch.nn.GRU, x: Tensor) -> Tensor:
        """Hidden states (n, d') of a recurrent layer that starts from zero in every sequence."""
        hidden = recur(rnn, x.index_select(0, self.by_step), self.step_sizes)
        return hidden.index_select(0, self.from_step)

    def earlier(self, x: Tensor, by: int) -> Tensor:
        """The rows of x `by` steps earlier in the same sequence, zero where there is none."""
        index = (torch.arange(len(x), device=x.device) - by).clamp_min(0)
        return x.index_select(0, index) * (self.step >= by).unsqueeze(1)


class TokenTable:
    """All sequences flat on one device, ready to be cut into packed batches.

    inputs (and targets, weights): lists aligned with `histories`, each array of a history's
    length. Histories must not be empty. Only host numpy arrays decide shapes, so that no step
    ever waits for the device.
    """

    def __init__(self, histories: Sequence[np.ndarray], device="cpu", targets=None, weights=None):
        self.lengths = np.array([len(h) for h in histories], dtype=np.int64)
        if len(self.lengths) == 0 or self.lengths.min() == 0:
            raise ValueError("histories holds an empty history, or none at all; allowed is one "
                             "history or more, each with an item or more")
        self.offsets = np.cumsum([0, *self.lengths])
        self.edges = length_edges(self.lengths)
        self.device = torch.device(device)
        self.inputs = self._flat(histories, torch.int64)
        self.targets = None if targets is None else self._flat(targets, torch.int64)
        self.weights = None if weights is None else self._flat(weights, torch.float32)

    def _flat(self, arrays, dtype) -> Tensor:
        return torch.as_tensor(np.concatenate(arrays)).to(self.device, dtype)

    def batches(self, order: np.ndarray, batch_size: int, negatives: Tensor | None = None,
                inputs: Tensor | None = None) -> Iterator[PackedBatch]:
        """Cut the sequences `order` (host indices) into packed batches of `batch_size` users.

        negatives: (all tokens,), in the table's own order; inputs: the same, other items in place
        of the table's.
        """
        order = np.asarray(order)
        parts = [order[a : a + batch_size] for a in range(0, len(order), batch_size)]
        users = [part[np.argsort(self.lengths[part], kind="stable")] for part in parts]
        plans = [layout(self.offsets[own], self.lengths[own], self.edges) for own in users]

        def on_device(name: str) -> tuple[Tensor, ...]:
            # of all batches at once, each of them a slice: no step waits for the device
            arrays = [plan.pop(name) for plan in plans]
            whole = torch.as_tensor(np.concatenate(arrays)).to(self.device)
            return whole.split([len(array) for array in arrays])

        columns = {name: on_device(name) for name in ARRAYS}
        tokens = {"inputs": self.inputs if inputs is None else inputs, "positives": self.targets,
                  "negatives": negatives, "weights": self.weights}
        for i, source in enumerate(columns.pop("source")):
            arrays = {name: slices[i] for name, slices in columns.items()}
            arrays |= {name: x[source] for name, x in tokens.items() if x is not None}
            yield PackedBatch(users=users[i], **plans[i], **arrays)


def packed(histories: Sequence[np.ndarray], max_len: int, device, batch_size: int
          ) -> Iterator[PackedBatch]:
    """Packed batches of the last `max_len` items of each history, the shortest first.

    Users of similar length share a batch: less padding, the same numbers up to rounding.
    """
    table = TokenTable([np.asarray(history)[-max_len:] for history in histories], device)
    return table.batches(np.argsort(table.lengths, kind="stable"), batch_size)


def pack(histories: Sequence[np.ndarray], max_len: int = 50, device="cpu") -> PackedBatch:
    """One packed batch of the last `max_len` items of each history (lists or int arrays)."""
    max_len = checks.number("max_len", max_len, low=1, kind=int)
    histories = checks.histories("histories", histories)
    return next(packed(histories, max_len, device, len(histories)))


class NegativeSampler:
    """Draw exactly uniform negatives for all tokens at once, without rejection.

    A user with h distinct training items has n_items - h allowed ones. Draw a rank r below that
    number and step over the user's items: with the items sorted as i_0 < i_1 < ..., the r-th
    allowed item is r + 1 + #{j : i_j - j - 1 <= r}. One binary search over the keys
    i_j - j - 1 of all users, kept apart by a large offset per user, counts them for every token.

    met: per user the items of the training history (any order, repeats allowed).
    tokens: per user the number of negatives wanted in a draw.
    Raises ValueError where a user has met every item.
    """

    def __init__(self, met: Sequence[np.ndarray], tokens: np.ndarray, n_items: int, device="cpu"):
        distinct = [np.unique(items) for items in met]
        sizes = np.array([len(items) for items in distinct])
        if sizes.max(initial=0) >= n_items:
            raise ValueError(f"user {int(sizes.argmax())} has met all {n_items} items; allowed are "
                             "users with one at least that can be a negative")
        owner = np.repeat(np.arange(len(sizes)), sizes)
        starts = np.cumsum(sizes) - sizes
        j = np.arange(len(owner)) - starts[owner]  # an item's number among its user's
        keys = np.concatenate(distinct) - j - 1 + owner * (n_items + 1)
        user = np.repeat(np.arange(len(sizes)), tokens)

        self.keys, self.allowed, self.offset, self.start = (
            torch.as_tensor(values).to(device)
            for values in (keys, (n_items - sizes)[user], user * (n_items + 1), starts[user]))

    def draw(self, generator: torch.Generator | None = None) -> Tensor:
        """(all tokens,) int64 items in 1..n_items, uniform over the items not met."""
        # float64: with float32 the largest ranks of a big catalogue would never be drawn
        uniform = torch.rand(len(self.allowed), generator=generator, device=self.keys.device,
                             dtype=torch.float64)
        rank = torch.minimum((uniform * self.allowed).long(), self.allowed - 1)
        passed = torch.searchsorted(self.keys, rank + self.offset, right=True) - self.start
        return rank + 1 + passed
