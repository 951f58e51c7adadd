"""Causal attention in blocks: its mask, and one head with two projections folded away."""

from __future__ import annotations

import functools

import torch
from torch import Tensor, nn
from torch.nn.functional import linear


@functools.lru_cache(maxsize=256)
def future(length: int, device: torch.device, dtype: torch.dtype) -> Tensor:
    """(length, length): minus infinity where the key is later than the query, else 0."""
    return torch.full((length, length), -torch.inf, device=device, dtype=dtype).triu(1)


def folded(
    query: nn.Linear, key_value: nn.Linear, output: nn.Linear, q: Tensor, x: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Queries, keys and values of one head with two of its four projections folded away.

    A score is (W_q q + b_q)' (W_k x + b_k) = (W_k' (W_q q + b_q))' x + what all keys share,
    which the softmax ignores; and the output's W_o sum(p v) = sum(p W_o v). So x is its own
    key, and the products W_k' W_q and W_o W_v, once a batch, save a third of all the
    multiplications of a block. q, x: (n, d). What is left of the output is its bias.
    """
    w_key, w_value = key_value.weight.chunk(2)
    b_value = key_value.bias.chunk(2)[1]
    queries = linear(q, w_key.T @ query.weight, query.bias @ w_key)
    return queries, x, linear(x, output.weight @ w_value, output.weight @ b_value)
