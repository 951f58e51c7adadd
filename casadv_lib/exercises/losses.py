"""Notebook 12: the gradients of cross-entropy."""

import torch

from ..losses import CrossEntropy
from .common import drawn, exercise


@exercise([(*drawn((4,), (6, 4)), 3), (*drawn((2,), (9, 2)), 1), (*drawn((5,), (3, 5)), 3)],
          ("the gradient of w", "the gradient of E"), 1e-4)
def check_softmax_gradients(w, E, j):
    """function(w, E, j) -> the gradients of -log p_j, (d,) and (items, d)."""
    w, E = w.clone().requires_grad_(), E.clone().requires_grad_()
    loss = CrossEntropy.apply(w.unsqueeze(0), E, torch.tensor([j - 1]))
    return torch.autograd.grad(loss, (w, E))
