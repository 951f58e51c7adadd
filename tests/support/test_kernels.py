"""What the training step and the cascade effects are made of, each against a plain way to do it."""

from itertools import combinations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from casadv_lib.support.flat import length_edges
from casadv_lib.support.layers import Dropout, recur

SIZES = torch.tensor([4, 4, 2, 1, 1])


@given(st.lists(st.integers(1, 9), min_size=1, max_size=30), st.integers(1, 4))
def test_length_edges_are_the_best(lengths, most):
    lengths = np.array(lengths)

    def cost(edges):
        upper = edges[np.searchsorted(edges, lengths)]
        return (upper * (upper + 16.0)).sum()

    edges, distinct = length_edges(lengths, most), np.unique(lengths)
    assert len(edges) <= most and edges[-1] == distinct[-1]
    assert cost(edges) == pytest.approx(min(
        cost(np.array([*inner, distinct[-1]])) for size in range(min(most, len(distinct)))
        for inner in combinations(distinct[:-1], size)))


@pytest.mark.parametrize("rate", [0.1, 0.2, 0.5])
def test_dropout_has_its_rate_and_keeps_the_mean(rate):
    out = Dropout(rate, torch.Generator().manual_seed(1))(torch.ones(400, 250))
    assert (out == 0).float().mean() == pytest.approx(rate, abs=0.006)  # 4 standard errors
    assert out.mean() == pytest.approx(1, abs=0.02) and out.unique().numel() == 2


def test_masks_come_again_unless_fresh_ones_are_asked_for():
    x = torch.ones(3, 100)
    drop = Dropout(0.5, torch.Generator().manual_seed(0))
    first = [drop(x), drop(x[:2])]
    drop.rewind()
    assert all(torch.equal(a, b) for a, b in zip(first, [drop(x), drop(x[:2])]))
    assert not torch.equal(drop.rewind(fresh=True)(x), first[0])


@pytest.mark.parametrize("layer", [
    nn.GRU(5, 3, num_layers=2), nn.GRU(5, 3, bidirectional=True), nn.GRU(5, 3, bias=False),
    nn.LSTM(5, 3)], ids=str)
def test_a_layer_that_would_be_computed_wrongly_is_refused(layer):
    with pytest.raises(ValueError, match="rnn is .*allowed is a GRU of one layer"):
        recur(layer, torch.zeros(int(SIZES.sum()), 5), SIZES)


def test_cudnn_is_asked_in_training_mode_where_a_gradient_is_wanted(monkeypatch):
    """It refuses the gradients that an attack takes of a model in evaluation mode otherwise."""
    torch.manual_seed(0)
    layer = nn.GRU(5, 3).double()
    x = torch.randn(int(SIZES.sum()), 5, dtype=torch.float64, requires_grad=True)
    wanted, modes = recur(layer, x, SIZES), []
    monkeypatch.setattr(torch.backends.cudnn, "is_acceptable", lambda tensor: True)
    layer.register_forward_pre_hook(lambda rnn, _: modes.append(rnn.training))
    torch.testing.assert_close(recur(layer.eval(), x, SIZES), wanted, rtol=0, atol=1e-14)
    with torch.no_grad():
        recur(layer.train(), x, SIZES)
    assert modes == [True, False]  # without a gradient it need not keep what a backward pass wants
