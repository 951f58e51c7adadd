"""Measurements around one batch, with which notebook 04 looks at perturbations from outside."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from ..adversarial import bce, distance
from ..backbones import Backbone, no_dropout
from ..batching import PackedBatch
from ..data import SequenceDataset, held_out
from ..evaluation import user_vectors
from ..settings import AdversarialSettings
from ..support.dropout import Dropout
from ..training import training_table


def one_batch(model: Backbone, data: SequenceDataset, terms: str | None = "both",
              batch_size: int = 128, seed: int = 0) -> PackedBatch:
    """A training batch of random users, with negatives and cascade weights.

    terms: as in `cascade_effects`; None leaves the weights out. The weights have mean 1 over the
    whole training set, so their mean over one batch is only near 1.
    """
    device = model.items.weight.device
    table, sampler = training_table(model, data, device, terms, batch_size, AdversarialSettings())
    negatives = sampler.draw(torch.Generator(device).manual_seed(seed))
    order = np.random.default_rng(seed).permutation(len(table.lengths))
    return next(table.batches(order, batch_size, negatives))


@torch.no_grad()
def distances_along(model: Backbone, batch: PackedBatch, A: Tensor, epsilons: Sequence[float]
                    ) -> np.ndarray:
    """The mean of ||w_moved - w|| (Eq. 6) when S moves by epsilon * A / ||A||, for each epsilon."""
    rows, unit = model.embed(batch.inputs), A / torch.linalg.vector_norm(A)
    w = model.encode(rows, batch)
    moved = [model.encode(rows + epsilon * unit, batch) for epsilon in epsilons]
    return np.array([float(distance(w_moved, w).mean()) for w_moved in moved])


@torch.no_grad()
def bce_along(model: Backbone, batch: PackedBatch, moves: Sequence[Tensor | None],
              epsilons: Sequence[float]) -> np.ndarray:
    """L_adv2 (Eq. 8) when w, e_j and e_n move by epsilon times three unit directions.

    moves: the directions, (n, d) each; None keeps one of the three in place.
    """
    parts = (model(batch), model.embed(batch.positives), model.embed(batch.negatives))
    units = [0.0 if move is None else move / torch.linalg.vector_norm(move) for move in moves]
    losses = []
    for epsilon in epsilons:
        w, positive, negative = (x + epsilon * unit for x, unit in zip(parts, units, strict=True))
        losses.append(float(bce(model.score(w, positive), model.score(w, negative))))
    return np.array(losses)


@torch.no_grad()
def masks_distance(model: Backbone, batch: PackedBatch, same: bool, A: Tensor | None = None,
                   seed: int = 0) -> float:
    """The mean of ||w_moved - w|| with dropout in both passes, by the same masks or others.

    A: (n, d), added to S in the second pass; None adds nothing, so that dropout alone remains.
    """
    rows = model.embed(batch.inputs)
    drop = Dropout(model.dropout, torch.Generator(rows.device).manual_seed(seed))
    w = model.encode(rows, batch, drop)
    again = drop.rewind() if same else Dropout(model.dropout, drop.generator)
    return float(distance(model.encode(rows if A is None else rows + A, batch, again), w).mean())


@torch.no_grad()
def spread(model: Backbone, data: SequenceDataset, split: str = "test") -> float:
    """sqrt(sum ||w_u - mean||^2 / sum ||w_u||^2): how much user vectors differ, 0 (not) to 1."""
    w = user_vectors(model, held_out(data, split)[0])
    return float(((w - w.mean(0)).square().sum() / w.square().sum().clamp_min(1e-30)).sqrt())


def gradient_at(model: Backbone, batch: PackedBatch, A: Tensor, drop=no_dropout) -> Tensor:
    """The gradient of sum ||w(S + A) - w(S)|| with respect to A, at that A, (n, d)."""
    rows = model.embed(batch.inputs).detach()
    w = model.encode(rows, batch, drop).detach()
    A = A.detach().requires_grad_()
    return torch.autograd.grad(distance(model.encode(rows + A, batch, drop), w).sum(), A)[0]
