"""Dropout whose masks can be used again, drawn many at a time."""

from __future__ import annotations

import torch
from torch import Tensor


class Dropout:
    """Dropout that can be replayed: the n-th call after `rewind` uses the n-th mask again.

    With independent masks, `L_adv1` would mostly measure dropout: the distance between two
    thinned networks instead of the effect of the perturbation.

    rate: chance of a zero, rounded to 1/256; what stays is scaled so that the mean is kept.
    Masks are cut from a larger draw, `POOL` values at a time, since many small draws would cost
    more than what they are for.
    """

    POOL = 1 << 17

    def __init__(self, rate: float, generator: torch.Generator | None = None):
        self.rate, self.generator = rate, generator
        self.masks: list[Tensor] = []
        self.calls = 0
        self.pool, self.used = None, 0
        self.meaning: Tensor | None = None  # the mask value that each byte stands for

    def __call__(self, x: Tensor) -> Tensor:
        if self.rate == 0:
            return x
        if self.calls == len(self.masks):
            self.masks.append(self._mask(x))
        self.calls += 1
        return x * self.masks[self.calls - 1]

    def rewind(self) -> Dropout:
        """Start over: the next calls use the same masks."""
        self.calls = 0
        return self

    def _mask(self, x: Tensor) -> Tensor:
        wanted = x.numel()
        if self.pool is None or self.used + wanted > len(self.pool):
            self.pool, self.used = self._draw(max(wanted, self.POOL), x.device), 0
        self.used += wanted
        return self.pool[self.used - wanted : self.used].view(x.shape)

    def _draw(self, size: int, device) -> Tensor:
        # a mask value costs one random byte, eight of which are one draw, and a look-up of what
        # the byte stands for; without its lower bound random_ would leave the sign bit at zero
        bits = torch.empty((size + 7) // 8, dtype=torch.int64, device=device)
        bits.random_(-(2**63), None, generator=self.generator)
        if self.meaning is None:
            dropped = round(self.rate * 256)
            self.meaning = (torch.arange(256, device=device) >= dropped) * (256 / (256 - dropped))
        return self.meaning.index_select(0, bits.view(torch.uint8).int())
