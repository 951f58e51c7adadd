"""Dropout whose masks can be used again, drawn many at a time."""

import functools

import torch
from torch import Tensor

POOL = 1 << 17  # mask values drawn at once: many small draws would cost more than what they are for


class Dropout:
    """Dropout that can be replayed: the n-th call after `rewind` uses the n-th mask again.

    rate: chance of a zero, rounded to 1/256; what stays is scaled so that the mean is kept.
    """

    def __init__(self, rate: float, generator: torch.Generator | None = None):
        self.rate, self.generator = rate, generator
        self.masks: list[Tensor] = []
        self.calls = 0
        self.pool = torch.empty(0)

    def __call__(self, x: Tensor) -> Tensor:
        if self.rate == 0:
            return x
        if self.calls == len(self.masks):
            self.masks.append(self._mask(x.numel(), x.device).view(x.shape))
        self.calls += 1
        return x * self.masks[self.calls - 1]

    def rewind(self, fresh: bool = False) -> "Dropout":
        """Start over: the next calls use the same masks, or, if fresh, independent ones."""
        if fresh:
            return Dropout(self.rate, self.generator)
        self.calls = 0
        return self

    def _mask(self, size: int, device: torch.device) -> Tensor:
        if size > len(self.pool):
            # a mask value costs one random byte, eight of which are one draw; without its lower
            # bound random_ would leave the sign bit at zero
            bits = torch.empty((max(size, POOL) + 7) // 8, dtype=torch.int64, device=device)
            bits.random_(-(2**63), None, generator=self.generator)
            values = mask_values(round(self.rate * 256), device)
            self.pool = values.index_select(0, bits.view(torch.uint8).int())
        mask, self.pool = self.pool[:size], self.pool[size:]
        return mask


@functools.lru_cache
def mask_values(dropped: int, device: torch.device) -> Tensor:
    """(256,) what each byte stands for: zero for so many of them."""
    return (torch.arange(256, device=device) >= dropped) * (256 / (256 - dropped))
