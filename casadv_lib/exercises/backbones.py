"""Notebook 02: a whole attention block."""

import torch

from ..backbones import SASRecBlock, no_dropout
from ..batching import pack
from .common import exercise


def rows_and_block(n, d, scale=1.0):
    """Rows (n, d) and a block whose layer norms do something, too."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(n)
        block = SASRecBlock(d, n_heads=1)
        for weight in block.parameters():
            torch.nn.init.normal_(weight, std=d**-0.5)
        return scale * torch.randn(n, d), block


@exercise([rows_and_block(1, 4), rows_and_block(3, 2), rows_and_block(6, 9),
           rows_and_block(5, 8, 300.0)],  # exp alone would overflow
          "the new rows", 1e-4)
@torch.no_grad()
def check_attention_block(x, block):
    """function(x, block) -> the rows after one block of SASRec, (n, d), without dropout.

    block: the layers norm_attention, query, key_value, output, norm_ffn, ffn_in, ffn_out.
    """
    return block(x, pack([range(1, len(x) + 1)], len(x)), no_dropout)
