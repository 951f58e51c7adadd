"""Measurements around one batch: distances, masks, the spread of user vectors."""

import numpy as np
import pytest
import torch
from conftest import build

from casadv_lib.adversarial import bce, distance
from casadv_lib.widgets.probing import (
    bce_along,
    distances_along,
    gradient_at,
    masks_distance,
    one_batch,
    spread,
)


def test_a_batch_has_what_training_reads(toy):
    model = build("sasrec")
    batch = one_batch(model, toy, batch_size=10, seed=1)
    assert len(batch.last) == 10
    assert len(batch.inputs) == len(batch.positives) == len(batch.negatives) == len(batch.weights)
    assert one_batch(model, toy, terms=None).weights is None
    other = one_batch(model, toy, batch_size=10, seed=2)
    assert not np.array_equal(batch.users, other.users)


def test_distances_start_at_zero_and_agree_with_one_pass(toy):
    model = build("sasrec")
    batch = one_batch(model, toy)
    rows = model.embed(batch.inputs).detach()
    A = torch.randn(rows.shape, generator=torch.Generator().manual_seed(0))
    found = distances_along(model, batch, 7 * A, [0.0, 0.5, 1.0])
    assert found[0] == 0 and found[1] < found[2]
    moved = model.encode(rows + A / A.norm(), batch)
    apart = distance(moved, model(batch)).mean().item()
    assert found[2] == pytest.approx(apart, rel=1e-4)


def test_bce_moves_only_what_is_named(toy):
    model = build("gru4rec")
    batch = one_batch(model, toy)
    positive, negative = (model.embed(x).detach() for x in (batch.positives, batch.negatives))
    w = model(batch).detach()
    still = float(bce(model.score(w, positive), model.score(w, negative)))
    assert bce_along(model, batch, (None, None, None), [0, 9]) == pytest.approx([still] * 2)
    moved = bce_along(model, batch, (None, -w, None), [0.0, 5.0])
    shift = positive - 5 * w / w.norm()
    assert moved[1] == pytest.approx(float(bce(model.score(w, shift), model.score(w, negative))))
    assert moved[1] > moved[0]


def test_only_independent_masks_measure_dropout(toy):
    model = build("sasrec", dropout=0.5)
    batch = one_batch(model, toy)
    assert masks_distance(model, batch, same=True) == 0
    assert masks_distance(model, batch, same=False) > 0.1
    A = torch.ones_like(model.embed(batch.inputs))
    assert masks_distance(model, batch, same=True, A=A) > 0
    with pytest.raises(ValueError, match="same is 1"):
        masks_distance(model, batch, same=1)


def test_spread_is_zero_for_a_collapsed_encoder(toy):
    model = build("sasrec")
    assert 0.1 < spread(model, toy) <= 1
    with torch.no_grad():
        model.norm.weight.zero_()  # the last layer norm now gives its bias for every user
        model.norm.bias.fill_(3.0)
    assert spread(model, toy) == pytest.approx(0, abs=1e-5)
    with torch.no_grad():
        model.norm.bias.zero_()
    assert spread(model, toy) == 0


def test_the_gradient_vanishes_at_zero_alone(toy):
    model = build("sasrec")
    batch = one_batch(model, toy)
    zero = torch.zeros_like(model.embed(batch.inputs))
    assert torch.linalg.vector_norm(gradient_at(model, batch, zero)) == 0
    start = torch.rand(zero.shape, generator=torch.Generator().manual_seed(0)) * 1e-3
    assert torch.linalg.vector_norm(gradient_at(model, batch, start)) > 0
