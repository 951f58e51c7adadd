"""Plain, slow, independent versions of the library's central parts, to compare against."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch.nn.functional import conv1d, dropout, pad
from torch.nn.utils.rnn import pad_sequence

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
    """Eq. 11 over all pairs of interactions."""
    cut = [list(h)[-max_len:] for h in histories]

    def effect(i, t, item):
        met = sum(len(other) - step for k, other in enumerate(cut) if count_self or k != i
                  for step, candidate in enumerate(other) if candidate == item)
        temporal, cross = len(cut[i]) - t, batch_size / len(cut) * met
        return {"both": temporal + cross, "temporal": temporal, "cross": 1 + cross}[terms]

    return [[effect(i, t, item) for t, item in enumerate(own)] for i, own in enumerate(cut)]


def padded_sasrec(model, block, real, rate=0.0):
    """User vectors (users, T, d) in the usual style: every layer over every place.

    block: (users, T, d) embeddings, padded at the left; real: (users, T), where there is an item.
    """
    users, T, d = block.shape
    real = real.unsqueeze(-1)
    later = torch.ones(T, T, dtype=torch.bool, device=block.device).triu(1)
    own = torch.eye(T, dtype=torch.bool, device=block.device)
    # a real place reads real places up to itself; a padded one itself, or its row would be NaN
    hidden = (later | ~real.transpose(1, 2)) & ~own
    x = dropout(block * math.sqrt(d) + model.positions.weight[-T:], rate) * real
    for layer in model.blocks:
        q_in = layer.norm_attention(x)
        query, (key, value) = layer.query(q_in), layer.key_value(x).chunk(2, -1)
        q, k, v = (y.view(users, T, layer.n_heads, -1).transpose(1, 2)
                   for y in (query, key, value))
        scores = (q @ k.transpose(-1, -2)) * q.shape[-1] ** -0.5
        weights = scores.masked_fill(hidden.unsqueeze(1), -torch.inf).softmax(-1)
        mixed = (dropout(weights, rate) @ v).transpose(1, 2).reshape(users, T, -1)
        y = layer.norm_ffn(q_in + layer.output(mixed))
        inner = dropout(torch.relu(layer.ffn_in(y)), rate)
        x = (y + dropout(layer.ffn_out(inner), rate)) * real
    return model.norm(x)


def padded_gru4rec(model, block, real, rate=0.0):
    """The same of PyTorch's GRU; padded at the right, it meets no padding before an item."""
    x = dropout(block * math.sqrt(block.shape[-1]), rate)
    return model.gru(x.transpose(0, 1))[0].transpose(0, 1)


def padded_causalcnn(model, block, real, rate=0.0):
    """Dilated convolutions by conv1d, padded at the left, which is set to zero at each layer."""
    d, real = block.shape[-1], real.unsqueeze(-1)
    x = block * math.sqrt(d)
    for layer, (convolution, norm) in enumerate(zip(model.convolutions, model.norms)):
        reach = 2**layer
        # Linear's taps are (now, earlier, earliest); conv1d wants the oldest first
        kernel = convolution.weight.view(d, 3, d).flip(1).permute(0, 2, 1)
        earlier = pad(x.transpose(1, 2), (2 * reach, 0))
        found = conv1d(earlier, kernel, convolution.bias, dilation=reach)
        x = (x + torch.relu(norm(found.transpose(1, 2)))) * real
    return x


PADDED = {"sasrec": (padded_sasrec, "left"), "gru4rec": (padded_gru4rec, "right"),
          "causalcnn": (padded_causalcnn, "left")}


class PaddedModel:
    """The padded oracle behind the packed interface: flat rows in, flat user vectors out."""

    def __init__(self, model, name):
        self.model, self.input_scale = model, model.input_scale
        self.padded, self.side = PADDED[name]

    def embed(self, items):
        return self.model.items.weight[items]

    def score(self, w, rows):
        return torch.einsum("nd,nd->n", w, rows)

    def encode(self, rows, batch, drop=None):
        own = [rows[batch.sequence == user] for user in range(len(batch.last))]
        block = pad_sequence(own, True, padding_side=self.side)
        real = pad_sequence([torch.ones(len(one), dtype=torch.bool) for one in own], True,
                            padding_side=self.side)
        return self.padded(self.model, block, real)[real]
