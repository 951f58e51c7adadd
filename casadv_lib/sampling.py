"""Negative sampling: for every position, one uniform item the user has not met in training."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor


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

    def __init__(
        self, met: Sequence[np.ndarray], tokens: np.ndarray, n_items: int, device="cpu"
    ):
        distinct = [np.unique(items) for items in met]
        sizes = np.array([len(items) for items in distinct])
        if len(sizes) and sizes.max() >= n_items:
            raise ValueError(
                f"user {int(sizes.argmax())} has met all {n_items} items; a negative needs at "
                "least one item outside the user's training history"
            )
        owner = np.repeat(np.arange(len(sizes)), sizes)
        starts = np.cumsum(sizes) - sizes
        place = np.arange(len(owner)) - starts[owner]
        keys = np.concatenate(distinct) - place - 1 + owner * (n_items + 1)
        user = np.repeat(np.arange(len(sizes)), tokens)

        def on_device(values):
            return torch.as_tensor(values).to(device)

        self.keys = on_device(keys)
        self.allowed = on_device((n_items - sizes)[user])
        self.offset = on_device(user * (n_items + 1))
        self.start = on_device(starts[user])

    def draw(self, generator: torch.Generator | None = None) -> Tensor:
        """(all tokens,) int64 items in 1..n_items, uniform over the items not met."""
        # float64: with float32 the largest ranks of a big catalogue would never be drawn
        uniform = torch.rand(
            len(self.allowed), generator=generator, device=self.keys.device, dtype=torch.float64
        )
        rank = torch.minimum((uniform * self.allowed).long(), self.allowed - 1)
        passed = torch.searchsorted(self.keys, rank + self.offset, right=True) - self.start
        return rank + 1 + passed
