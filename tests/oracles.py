"""Plain, slow, independent versions of the library's central parts, to compare against."""

from __future__ import annotations

import math

import numpy as np
import torch

from casadv_lib import SequenceDataset


def dataset(sequences, n_items=None, name="toy") -> SequenceDataset:
    """A data set object from lists of item numbers."""
    arrays = [np.asarray(s, dtype=np.int64) for s in sequences]
    n_items = n_items or int(max(a.max() for a in arrays))
    ids = ["", *range(1, n_items + 1)]
    return SequenceDataset(
        name, arrays, n_items, ids, [str(i) for i in ids], list(range(1, len(arrays) + 1))
    )


def random_sequences(users, n_items, shortest=3, longest=12, seed=0):
    """Histories without repeats."""
    rng = np.random.default_rng(seed)
    sizes = rng.integers(shortest, longest + 1, users)
    return [rng.permutation(n_items)[:size] + 1 for size in sizes]


def cascade_by_loops(histories, max_len, batch_size, terms, count_self):
    """Eq. 11 as two nested loops over all pairs of interactions."""
    cut = [list(h)[-max_len:] for h in histories]
    m = len(histories)
    result = []
    for i, own in enumerate(cut):
        row = []
        for t, item in enumerate(own):
            total = 0
            for k, other in enumerate(cut):
                if k == i and not count_self:
                    continue
                for step, candidate in enumerate(other):
                    if candidate == item:
                        total += len(other) - step
            temporal = len(own) - t
            cross = batch_size / m * total
            row.append({"both": temporal + cross, "temporal": temporal, "cross": 1 + cross}[terms])
        result.append(row)
    return result


def layer_norm(x, norm):
    mean = x.mean(-1, keepdim=True)
    variance = ((x - mean) ** 2).mean(-1, keepdim=True)
    return (x - mean) / torch.sqrt(variance + norm.eps) * norm.weight + norm.bias


def pad_left(rows_per_user):
    """(users, T, d) block with zeros at the left, and its (users, T) mask of real tokens."""
    longest = max(len(r) for r in rows_per_user)
    d = rows_per_user[0].shape[-1]
    block, mask = [], []
    for rows in rows_per_user:
        gap = longest - len(rows)
        block.append(torch.cat([rows.new_zeros(gap, d), rows]))
        mask.append(torch.tensor([False] * gap + [True] * len(rows)))
    return torch.stack(block), torch.stack(mask)


def padded_sasrec(model, block, mask):
    """SASRec on a left-padded block, in the usual style: every matrix over every position."""
    users, T, d = block.shape
    place = model.positions.weight[model.max_len - T :]
    x = (block * math.sqrt(d) + place) * mask.unsqueeze(-1)
    allowed = torch.tril(torch.ones(T, T, dtype=torch.bool)) & mask.unsqueeze(1)
    allowed = allowed | torch.eye(T, dtype=torch.bool)  # a padded row attends to itself
    for layer in model.blocks:
        q_in = layer_norm(x, layer.norm_attention)
        q = q_in @ layer.query.weight.T + layer.query.bias
        kv = x @ layer.key_value.weight.T + layer.key_value.bias
        k, v = kv[..., :d], kv[..., d:]
        heads = []
        size = d // layer.n_heads
        for h in range(layer.n_heads):
            part = slice(h * size, (h + 1) * size)
            scores = torch.einsum("utd,usd->uts", q[..., part], k[..., part]) / math.sqrt(size)
            weights = torch.exp(scores - scores.amax(-1, keepdim=True)) * allowed
            weights = weights / weights.sum(-1, keepdim=True)
            heads.append(torch.einsum("uts,usd->utd", weights, v[..., part]))
        mixed = torch.cat(heads, -1) @ layer.output.weight.T + layer.output.bias
        y = layer_norm(q_in + mixed, layer.norm_ffn)
        hidden = torch.relu(y @ layer.ffn_in.weight.T + layer.ffn_in.bias)
        x = (y + hidden @ layer.ffn_out.weight.T + layer.ffn_out.bias) * mask.unsqueeze(-1)
    return layer_norm(x, model.norm)


def padded_gru4rec(model, block, mask):
    """A GRU step by step; a padded step leaves the zero state untouched."""
    users, T, d = block.shape
    gru, state, states = model.gru, block.new_zeros(users, d), []
    for t in range(T):
        x = block[:, t] * math.sqrt(d)
        from_input = x @ gru.weight_ih_l0.T + gru.bias_ih_l0
        from_state = state @ gru.weight_hh_l0.T + gru.bias_hh_l0
        reset, update, new = (from_input[:, i * d : (i + 1) * d] for i in range(3))
        h_reset, h_update, h_new = (from_state[:, i * d : (i + 1) * d] for i in range(3))
        z = torch.sigmoid(update + h_update)
        candidate = torch.tanh(new + torch.sigmoid(reset + h_reset) * h_new)
        state = torch.where(mask[:, t : t + 1], (1 - z) * candidate + z * state, state)
        states.append(state)
    return torch.stack(states, dim=1)


def padded_causalcnn(model, block, mask):
    """Dilated convolutions by conv1d over the padded block, padding set to zero at each layer."""
    d = block.shape[-1]
    x = block * math.sqrt(d)
    for layer, (convolution, norm) in enumerate(zip(model.convolutions, model.norms)):
        reach = 2**layer
        # Linear's taps are (now, earlier, earliest); conv1d wants the oldest first
        kernel = convolution.weight.view(d, 3, d).flip(1).permute(0, 2, 1)
        padded = torch.nn.functional.pad(x.transpose(1, 2), (2 * reach, 0))
        found = torch.nn.functional.conv1d(padded, kernel, convolution.bias, dilation=reach)
        x = x + torch.relu(layer_norm(found.transpose(1, 2), norm))
        x = x * mask.unsqueeze(-1)
    return x


PADDED = {"sasrec": padded_sasrec, "gru4rec": padded_gru4rec, "causalcnn": padded_causalcnn}


class PaddedModel:
    """The padded oracle behind the packed interface: flat rows in, flat user vectors out."""

    def __init__(self, model, name):
        self.model, self.name = model, name
        self.input_scale = model.input_scale

    def parameters(self):
        return self.model.parameters()

    def embed(self, items):
        return self.model.items.weight[items]

    def score(self, w, rows):
        return torch.einsum("nd,nd->n", w, rows)

    def encode(self, rows, batch, drop=None):
        users = len(batch.last)
        block, mask = pad_left([rows[batch.sequence == u] for u in range(users)])
        return PADDED[self.name](self.model, block, mask)[mask]
