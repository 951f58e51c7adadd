"""Solution to the exercise of 02_backbones.ipynb."""

import torch


def attention_block(x, block):
    q = block.norm_attention(x)
    keys, values = block.key_value(x).chunk(2, dim=-1)
    scores = block.query(q) @ keys.T / x.shape[-1] ** 0.5
    future = torch.ones_like(scores, dtype=torch.bool).triu(1)
    shares = scores.masked_fill(future, -torch.inf).softmax(-1)
    y = block.norm_ffn(q + block.output(shares @ values))
    return y + block.ffn_out(torch.relu(block.ffn_in(y)))
