"""Dropout, causal attention and the GRU with fewer operations than the textbook has."""

import functools

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import linear
from torch.nn.utils.rnn import PackedSequence

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
            zeros = round(self.rate * 256)  # so many of the 256 values of a byte stand for zero
            values = (torch.arange(256, device=device) >= zeros) * (256 / (256 - zeros))
            self.pool = values.index_select(0, bits.view(torch.uint8).int())
        mask, self.pool = self.pool[:size], self.pool[size:]
        return mask


# (length, length) on a device, of a dtype: minus infinity where the key is later than the query
causal_mask = functools.lru_cache(maxsize=256)(nn.Transformer.generate_square_subsequent_mask)


def folded(query: nn.Linear, key_value: nn.Linear, output: nn.Linear, q: Tensor, x: Tensor
          ) -> tuple[Tensor, Tensor, Tensor]:
    """Queries, keys and values of one head with two of its four projections folded away.

    A score is (W_q q + b_q)' (W_k x + b_k) = (W_k' (W_q q + b_q))' x + what all keys share,
    which the softmax ignores; and the output's W_o sum(p v) = sum(p W_o v). So x is its own key,
    and a third of a block's multiplications goes. q, x: (n, d). Of the output its bias is left.
    """
    w_key, w_value = key_value.weight.chunk(2)
    b_value = key_value.bias.chunk(2)[1]
    queries = linear(q, w_key.T @ query.weight, query.bias @ w_key)
    return queries, x, linear(x, output.weight @ w_value, output.weight @ b_value)


def recur(rnn: nn.GRU, x: Tensor, step_sizes: np.ndarray) -> Tensor:
    """Hidden states (n, d') of a GRU of one layer that starts every sequence from zero.

    x: (n, d) in the order of a PackedSequence: step by step, the longest sequence first.
    step_sizes: (steps,) int64 on the host, the sequences that have a token at that step.
    """
    if not isinstance(rnn, nn.GRU) or rnn.num_layers > 1 or rnn.bidirectional or not rnn.bias:
        raise ValueError(f"rnn is {rnn}; allowed is a GRU of one layer and direction, with biases")
    if torch.backends.cudnn.is_acceptable(x):
        # cuDNN keeps what its backward pass needs in training mode only, and an attack asks a
        # model in evaluation mode for gradients; one layer has no dropout, so nothing else differs
        rnn.train(torch.is_grad_enabled())
        return rnn(PackedSequence(x, torch.as_tensor(step_sizes)))[0].data
    gates = linear(x, rnn.weight_ih_l0, rnn.bias_ih_l0)
    gates = gates.to(rnn.weight_hh_l0.dtype)  # mixed precision is for products, not for states
    return _Recurrence.apply(gates, rnn.weight_hh_l0, rnn.bias_hh_l0, step_sizes.tolist())


class _Recurrence(torch.autograd.Function):
    """h_1 ... h_T from gx, (n, 3d) in packed order; its gradients go to gx, W_h and b_h.

    With the input's part gx_t = W_x x_t + b_x and the state's part gh_t = W_h h_(t-1) + b_h, each
    in three thirds (r, z, n), a step of a GRU is

        r = s(gx_r + gh_r)    z = s(gx_z + gh_z)    n = tanh(gx_n + r * gh_n)
        h_t = (1 - z) * n + z * h_(t-1)

    Automatic differentiation records a dozen small operations a step. By hand, all that does not
    depend on later steps, the gradient of W_h among it, is computed for all tokens at once.
    """

    @staticmethod
    def forward(ctx, gx: Tensor, weight: Tensor, bias: Tensor, sizes: list[int]) -> Tensor:
        d = weight.shape[1]
        gates = gx.new_empty(len(gx), 2 * d)  # r and z
        old, own, h = (gx.new_empty(len(gx), d) for _ in range(3))  # gh_n, n, h
        state = gx.new_zeros(sizes[0], d)
        steps = zip(*(tensor.split(sizes) for tensor in (gx, gates, old, own, h)), strict=True)
        before = []  # h_(t-1) of every token
        for gx_t, gates_t, old_t, own_t, h_t in steps:
            state = state[: len(gx_t)]
            before.append(state)
            gh = torch.addmm(bias, state, weight.t())
            torch.add(gx_t[:, : 2 * d], gh[:, : 2 * d], out=gates_t).sigmoid_()
            old_t.copy_(gh[:, 2 * d :])
            torch.addcmul(gx_t[:, 2 * d :], gates_t[:, :d], old_t, out=own_t).tanh_()
            state = torch.lerp(own_t, state, gates_t[:, d:], out=h_t)
        ctx.sizes = sizes
        ctx.save_for_backward(weight, gates, old, own, torch.cat(before))
        return h

    @staticmethod
    def backward(ctx, grad: Tensor):
        weight, gates, old, own, before = ctx.saved_tensors
        r, z = gates.chunk(2, dim=1)
        # how gx_n, and how gh, answer to a change of h_t: elementwise, so for all tokens at once
        d_own = (1 - z) * (1 - own.square())
        d_gh = torch.cat([d_own * old * r * (1 - r), (before - own) * z * (1 - z), d_own * r], 1)
        d_h = torch.empty_like(grad)
        steps = zip(*(t.split(ctx.sizes) for t in (grad, d_h, z, d_gh)), strict=True)
        later = grad.new_zeros(0, grad.shape[1])  # what later steps send back
        for grad_t, d_h_t, z_t, d_gh_t in reversed(list(steps)):
            d_h_t.copy_(grad_t)
            d_h_t[: len(later)] += later
            d_gh_t.view(len(d_h_t), 3, -1).mul_(d_h_t.unsqueeze(1))  # now the gradient itself
            later = torch.addmm(d_h_t * z_t, d_gh_t, weight)
        d_gx = torch.cat([d_gh[:, : -grad.shape[1]], d_h * d_own], dim=1)
        return d_gx, d_gh.t() @ before, d_gh.sum(0), None
