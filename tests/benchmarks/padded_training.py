"""Phase 1 in the usual style: padded (users, T) blocks, every layer over every place.

The same model, batches, negatives, dropout rate, loss and optimiser as in `training.Trainer`, so
that nothing but the layout differs: `F.dropout` for each tensor, three look-ups in the item
table, the loss over the real places, and the optimiser as PyTorch gives it by default.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits as bce_of_logits
from torch.nn.functional import dropout

from casadv_lib.backbones import GRU4Rec, SASRec
from casadv_lib.batching import NegativeSampler
from casadv_lib.data import training_sequences
from casadv_lib.settings import TrainingSettings


def sasrec(model: SASRec, inputs: Tensor, rate: float) -> Tensor:
    """User vectors (users, T, d) of left-padded items (users, T); 0 is padding."""
    users, T = inputs.shape
    real = (inputs > 0).unsqueeze(-1)
    later = torch.ones(T, T, dtype=torch.bool, device=inputs.device).triu(1)
    own = torch.eye(T, dtype=torch.bool, device=inputs.device)
    # a real place reads real places up to itself; a padded one itself, or its row would be NaN
    hidden = (later | ~real.transpose(1, 2)) & ~own
    x = model.items(inputs) * model.input_scale + model.positions.weight[-T:]
    x = dropout(x, rate) * real
    for block in model.blocks:
        q_in = block.norm_attention(x)
        query, (key, value) = block.query(q_in), block.key_value(x).chunk(2, -1)
        q, k, v = (y.view(users, T, block.n_heads, -1).transpose(1, 2)
                   for y in (query, key, value))
        scores = (q @ k.transpose(-1, -2)) * q.shape[-1] ** -0.5
        weights = scores.masked_fill(hidden.unsqueeze(1), -torch.inf).softmax(-1)
        mixed = (dropout(weights, rate) @ v).transpose(1, 2).reshape(users, T, -1)
        y = block.norm_ffn(q_in + block.output(mixed))
        inner = dropout(torch.relu(block.ffn_in(y)), rate)
        x = (y + dropout(block.ffn_out(inner), rate)) * real
    return model.norm(x)


def gru4rec(model: GRU4Rec, inputs: Tensor, rate: float) -> Tensor:
    """User vectors (users, T, d) of right-padded items: the GRU never meets padding before it."""
    x = dropout(model.items(inputs) * model.input_scale, rate)
    return model.gru(x.transpose(0, 1))[0].transpose(0, 1)


ENCODERS = {"sasrec": (sasrec, "left"), "gru4rec": (gru4rec, "right")}


def padded(rows, T: int, side: str) -> Tensor:
    """A (rows, T) int64 block with zeros at that side."""
    block = np.zeros((len(rows), T), dtype=np.int64)
    for place, row in enumerate(rows):
        if side == "left":
            block[place, T - len(row):] = row
        else:
            block[place, : len(row)] = row
    return torch.as_tensor(block)


class PaddedTrainer:
    """`train_epoch` as `Trainer` has it, for phase 1, on padded batches."""

    def __init__(self, model, data, settings: TrainingSettings, name: str):
        self.model, self.settings, device = model.to(settings.device), settings, settings.device
        self.encode, side = ENCODERS[name]
        T = model.max_len
        met = [s for s in training_sequences(data) if len(s) > 1]
        self.inputs = padded([s[:-1][-T:] for s in met], T, side).to(device)
        self.targets = padded([s[1:][-T:] for s in met], T, side).to(device)
        lengths = np.array([min(len(s) - 1, T) for s in met])
        self.sampler = NegativeSampler(met, lengths, data.n_items, device)
        self.real = self.inputs > 0
        self.generator = torch.Generator(device)
        s = settings
        self.optimizer = torch.optim.AdamW(
            model.parameters(), s.learning_rate, (s.beta1, s.beta2), weight_decay=s.weight_decay
        )

    def loss(self, users: Tensor, negatives: Tensor) -> Tensor:
        """L_B (Eq. 5) of some users; negatives: (users, T)."""
        real, rate = self.real[users], self.model.dropout if self.model.training else 0.0
        w = self.encode(self.model, self.inputs[users], rate)
        total = 0.0
        for items, label in ((self.targets[users], 1.0), (negatives, 0.0)):
            logits = (w * self.model.items(items)).sum(-1)[real]
            total = total + bce_of_logits(logits, torch.full_like(logits, label))
        return total

    def train_epoch(self) -> float:
        """One pass over all users; returns the mean loss."""
        order = torch.as_tensor(np.random.default_rng(0).permutation(len(self.inputs)))
        negatives = torch.zeros_like(self.inputs)
        negatives[self.real] = self.sampler.draw(self.generator.manual_seed(0))
        self.model.train()
        losses = []
        for users in order.to(self.inputs.device).split(self.settings.batch_size):
            loss = self.loss(users, negatives[users])
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
            losses.append(loss.detach())
        return float(torch.stack(losses).mean())
