"""The GRU with a backward pass by hand against PyTorch's own."""

import torch
from torch import nn
from torch.nn.utils.rnn import PackedSequence

from casadv_lib.support.recurrence import recur

SIZES = torch.tensor([4, 4, 2, 1, 1])


def layer_and_input():
    torch.manual_seed(0)
    layer = nn.GRU(5, 3).double()
    return layer, torch.randn(int(SIZES.sum()), 5, dtype=torch.float64, requires_grad=True)


def test_states_and_gradients_are_those_of_pytorch():
    layer, x = layer_and_input()
    ours, theirs = recur(layer, x, SIZES), layer(PackedSequence(x, SIZES))[0].data
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-14)
    wanted, direction = [x, *layer.parameters()], torch.randn_like(ours)
    for a, b in zip(*(torch.autograd.grad(h, wanted, direction) for h in (ours, theirs))):
        torch.testing.assert_close(a, b, rtol=1e-12, atol=1e-13)


def test_frozen_weights_get_no_gradient():
    layer, x = layer_and_input()
    (wanted,) = torch.autograd.grad(recur(layer, x, SIZES).sum(), x)
    layer.requires_grad_(False)
    recur(layer, x, SIZES).sum().backward()
    torch.testing.assert_close(x.grad, wanted, rtol=0, atol=0)
    assert all(p.grad is None for p in layer.parameters())


def test_cudnn_is_asked_in_training_mode_where_a_gradient_is_wanted(monkeypatch):
    """It refuses the gradients that an attack takes of a model in evaluation mode otherwise."""
    layer, x = layer_and_input()
    wanted, modes = recur(layer, x, SIZES), []
    monkeypatch.setattr(torch.backends.cudnn, "is_acceptable", lambda tensor: True)
    layer.register_forward_pre_hook(lambda rnn, _: modes.append(rnn.training))
    torch.testing.assert_close(recur(layer.eval(), x, SIZES), wanted, rtol=0, atol=1e-14)
    with torch.no_grad():
        recur(layer.train(), x, SIZES)
    assert modes == [True, False]  # without a gradient it need not keep what a backward pass wants
