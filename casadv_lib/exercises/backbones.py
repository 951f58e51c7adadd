"""Notebook 02: a whole attention block."""

import torch

from ..backbones import SASRecBlock, no_dropout
from ..batching import pack
from .common import drawn, exercise


def rows_and_block(n, d, scale=1.0):
    """Rows (n, d), and a block of one head whose layer norms do something, too."""
    block = SASRecBlock(d, n_heads=1).requires_grad_(False)
    weights = list(block.parameters())
    for weight, values in zip(weights, drawn(*(weight.shape for weight in weights))):
        weight.copy_(values * d**-0.5)
    return scale * drawn((n, d))[0], block


@exercise([rows_and_block(1, 4), rows_and_block(3, 5), rows_and_block(6, 9),
           rows_and_block(5, 8, 300.0)],  # exp alone would overflow
          "the new rows", 1e-4)
@torch.no_grad()
def check_attention_block(x, block):
    """function(x, block) -> the rows after one block of SASRec, (n, d), without dropout."""
    return block(x, pack([range(1, len(x) + 1)], len(x)), no_dropout)
