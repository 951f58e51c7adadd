"""Notebook 02: attention, the GRU's step, padding."""

import numpy as np
import torch

from ..backbones import SASRecBlock
from .common import exercise


def drawn(*shapes):
    generator = torch.Generator().manual_seed(0)
    return tuple(torch.randn(shape, generator=generator) for shape in shapes)


@exercise([drawn(*[(n, d)] * 3) for n, d in ((1, 4), (3, 2), (6, 9))]
          + [tuple(30 * x for x in drawn(*[(6, 9)] * 3))],  # exp alone would overflow
          tolerance=1e-4)
def check_causal_attention(q, k, v):
    """function(q, k, v) -> what each step reads, (n, d); q, k, v: (n, d) tensors, one head."""
    return (SASRecBlock.attention_weights(q[None], k[None]) @ v[None])[0]


@exercise([drawn(d, d, (3 * d, d), (3 * d, d), 3 * d, 3 * d) for d in (1, 2, 5)]
          + [(torch.ones(2), torch.zeros(2), *drawn((6, 2), (6, 2), 6, 6))],  # the first step
          "the new state", 1e-4)
@torch.no_grad()
def check_gru_step(x, state, W, U, b, c):
    """function(x, state, W, U, b, c) -> the new state, (d,), as torch.nn.GRUCell computes it.

    W and U: (3d, d), b and c: (3d,), in PyTorch's order: reset, update, candidate.
    """
    cell = torch.nn.GRUCell(len(x), len(x))
    for parameter, value in zip(cell.parameters(), (W, U, b, c)):
        parameter.copy_(value)
    return cell(x[None], state[None])[0]


@exercise([([3, 5, 2], 5), ([4, 4], 4), ([7, 2, 9], 4), ([1] * 10, 50)], "the share")
def check_wasted_share(lengths, max_len):
    """function(lengths, max_len) -> the share of a padded (users, max_len) block without items."""
    return 1 - np.minimum(lengths, max_len).mean() / max_len
