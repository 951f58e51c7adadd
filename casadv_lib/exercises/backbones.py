"""The checks behind the exercises of notebook 02: attention, the GRU's step, padding."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

from ..backbones import SASRecBlock
from .cascade import arrays_differ
from .common import compare


def _plain(value):
    """Tensors as numpy arrays; anything else as it is."""
    return value.detach().cpu().numpy() if isinstance(value, torch.Tensor) else value


def _tensors_differ(found, wanted) -> str:
    return arrays_differ(1e-4)(_plain(found), _plain(wanted))


def check_causal_attention(function: Callable) -> None:
    """function(q, k, v) -> what each step reads, (n, d); q, k, v: (n, d) tensors, one head."""
    generator = torch.Generator().manual_seed(0)
    cases = [
        tuple(torch.randn(3, n, d, generator=generator)) for n, d in ((1, 4), (3, 2), (6, 9))
    ]
    cases.append(tuple(30 * x for x in cases[-1]))  # large scores: exp alone would overflow

    def reference(q, k, v):
        return (SASRecBlock.attention_weights(q[None], k[None]) @ v[None])[0]

    print(compare(function, reference, cases, _tensors_differ))


def check_gru_step(function: Callable) -> None:
    """function(x, state, W, U, b, c) -> the new state, (d,), as torch.nn.GRUCell computes it.

    W and U: (3d, d), b and c: (3d,), in PyTorch's order: reset, update, candidate.
    """
    generator = torch.Generator().manual_seed(0)
    cases = []
    for d in (1, 2, 5):
        shapes = ((d,), (d,), (3 * d, d), (3 * d, d), (3 * d,), (3 * d,))
        cases.append(tuple(torch.randn(shape, generator=generator) for shape in shapes))
    x, _, *weights = cases[-1]
    cases.append((x, torch.zeros(5), *weights))  # the first step of a history

    @torch.no_grad()
    def reference(x, state, W, U, b, c):
        cell = torch.nn.GRUCell(len(x), len(x))
        for parameter, value in zip(cell.parameters(), (W, U, b, c)):
            parameter.copy_(value)
        return cell(x[None], state[None])[0]

    print(compare(function, reference, cases, _tensors_differ))


def wasted_share(lengths, max_len: int) -> float:
    """The share of a padded (users, max_len) block that holds no real item.

    lengths: of the histories, any of them above max_len is cut.
    """
    kept = np.minimum(np.asarray(lengths), max_len)
    return float(1 - kept.sum() / (len(kept) * max_len))


def check_wasted_share(function: Callable) -> None:
    """function(lengths, max_len) -> the share of empty places in a padded block."""
    cases = [([3, 5, 2], 5), ([4, 4], 4), ([7, 2, 9], 4), ([1] * 10, 50)]
    print(compare(function, wasted_share, cases, arrays_differ()))
