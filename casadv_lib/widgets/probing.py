"""Measurements around one batch: how far user vectors move, and whether they still differ.

Notebook 04 uses it to look at perturbations from outside; training itself does not need it.
"""

from __future__ import annotations

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
from ..support.checks import flag
from ..support.dropout import Dropout
from ..training import training_table


def one_batch(
    model: Backbone,
    data: SequenceDataset,
    terms: str | None = "both",
    batch_size: int = 128,
    seed: int = 0,
) -> PackedBatch:
    """A training batch of `batch_size` random users, with negatives and cascade weights.

    terms: as in `cascade_effects`; None leaves the weights out. The weights have mean 1 over the
    whole training set, so their mean over one batch is only near 1.
    """
    device = next(model.parameters()).device
    settings = AdversarialSettings()
    table, sampler = training_table(model, data, device, terms, batch_size, settings)
    negatives = sampler.draw(torch.Generator(device).manual_seed(seed))
    order = np.random.default_rng(seed).permutation(len(table.lengths))
    return next(table.batches(order, batch_size, negatives))


@torch.no_grad()
def distances_along(
    model: Backbone, batch: PackedBatch, A: Tensor, epsilons: Sequence[float]
) -> np.ndarray:
    """The mean of ||w_moved - w|| (Eq. 6) when S moves by epsilon * A / ||A||, for each epsilon.

    A: (n, d), only its direction matters. Returns (len(epsilons),) float64; no dropout.
    """
    rows = model.embed(batch.inputs)
    w, unit = model.encode(rows, batch), A / torch.linalg.vector_norm(A)
    moved = [model.encode(rows + epsilon * unit, batch) for epsilon in epsilons]
    return np.array([float(distance(w_moved, w).mean()) for w_moved in moved])


@torch.no_grad()
def bce_along(
    model: Backbone, batch: PackedBatch, moves: Sequence[Tensor | None], epsilons: Sequence[float]
) -> np.ndarray:
    """L_adv2 (Eq. 8) when w, e_j and e_n move by epsilon times three unit directions.

    moves: the directions of w, the positives and the negatives, (n, d) each; None keeps one of
    them in place. Returns (len(epsilons),) float64; no dropout.
    """
    parts = (model(batch), model.embed(batch.positives), model.embed(batch.negatives))
    units = [0.0 if move is None else move / torch.linalg.vector_norm(move) for move in moves]
    found = []
    for epsilon in epsilons:
        w, positive, negative = (x + epsilon * unit for x, unit in zip(parts, units, strict=True))
        found.append(float(bce(model.score(w, positive), model.score(w, negative))))
    return np.array(found)


@torch.no_grad()
def masks_distance(
    model: Backbone, batch: PackedBatch, same: bool, A: Tensor | None = None, seed: int = 0
) -> float:
    """The mean of ||w_moved - w|| in training, with dropout in both passes.

    same: whether the second pass uses the first one's masks. A: (n, d), added to S in the second
    pass; None adds nothing, so that what remains is dropout alone.
    """
    flag("same", same)
    rows = model.embed(batch.inputs)
    drop = Dropout(model.dropout, torch.Generator(rows.device).manual_seed(seed))
    w = model.encode(rows, batch, drop)
    again = drop.rewind() if same else Dropout(model.dropout, drop.generator)
    moved = model.encode(rows if A is None else rows + A, batch, again)
    return float(distance(moved, w).mean())


@torch.no_grad()
def spread(model: Backbone, data: SequenceDataset, split: str = "test") -> float:
    """How much user vectors differ, from 0 (all users have the same one) to 1.

    The length of the deviations from the mean user vector, as a share of the length of all user
    vectors: sqrt(sum ||w_u - mean||^2 / sum ||w_u||^2). 0 where all are zero.
    """
    w = user_vectors(model, held_out(data, split)[0])
    whole = w.square().sum()
    return float(((w - w.mean(0)).square().sum() / whole).sqrt()) if whole > 0 else 0.0


def gradient_at(model: Backbone, batch: PackedBatch, A: Tensor, drop=no_dropout) -> Tensor:
    """The gradient of sum ||w(S + A) - w(S)|| with respect to A, at that A, (n, d)."""
    rows = model.embed(batch.inputs).detach()
    w = model.encode(rows, batch, drop).detach()
    A = A.detach().requires_grad_()
    (g,) = torch.autograd.grad(distance(model.encode(rows + A, batch, drop), w).sum(), A)
    return g
