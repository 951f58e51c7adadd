"""Notebook 04: a step along the sign, many steps, and a step of training (Eq. 2, 7 and 10)."""

import torch

from ..adversarial import METHODS, scaled, score_perturbations
from ..losses import bce
from ..settings import AdversarialSettings
from .common import drawn, exercise


def bowl(x):
    return (x * x).sum()


def bend(x):
    """Not the same from everywhere: later steps of PGD turn away from the first."""
    return ((x @ drawn((3, 3))[0]).tanh() - 1).norm(dim=1).sum()


@exercise([(bowl, torch.tensor([1.0, -2.0, 0.5]), 0.1), (bowl, torch.tensor([[0.0, 3.0]]), 2.0),
           (bend, *drawn((4, 3)), 1.0)], "delta")
def check_sign_step(loss, x, epsilon):
    """function(loss, x, epsilon) -> delta of Eq. 2."""
    x = x.clone().requires_grad_()
    return epsilon * torch.autograd.grad(loss(x), x)[0].sign()


@exercise([(bend, *drawn((2, 3)), 1.0, 1), (bend, 1e-3 * drawn((4, 3))[0], 2.0, 5),
           (bowl, *drawn((3, 2)), 5.0, 2)], "A", 1e-3)
def check_pgd(distance, start, epsilon, steps):
    """function(distance, start, epsilon, steps) -> A after the steps, no longer than epsilon."""
    A = start
    for _ in range(steps):
        A = A.detach().clone().requires_grad_()
        A = A + scaled(torch.autograd.grad(distance(A), A)[0], 2 * epsilon / steps)
        A = A * min(1.0, float(epsilon / A.detach().norm()))
    return A


def _tables(users, items, dim, batch):
    generator = torch.Generator().manual_seed(1)
    rows = [torch.randint(high, (batch,), generator=generator) for high in (users, items, items)]
    return *drawn((users, dim), (items, dim)), *rows


@exercise([(*_tables(2, 3, 4, 1), 1.0, 0.1), (*_tables(3, 5, 4, 8), 3.0, 0.5),
           (*_tables(9, 4, 2, 30), 10.0, 2.0)], ("the table of users", "the table of items"), 1e-3)
def check_training_step(W, E, i, j, n, epsilon, rate):
    """function(W, E, i, j, n, epsilon, rate) -> both tables after a step on L_B + L_adv2."""
    W, E = W.clone().requires_grad_(), E.clone().requires_grad_()
    rows = (W[i], E[j], E[n])
    clean, settings = _bce(*rows), AdversarialSettings(epsilon=epsilon).of(METHODS["adv_linear"])
    moved = map(torch.add, rows, score_perturbations(clean, rows, settings))
    loss = clean + _bce(*moved)
    return tuple(x - rate * g for x, g in zip((W, E), torch.autograd.grad(loss, (W, E))))


def _bce(w, positive, negative):
    return bce((w * positive).sum(1), (w * negative).sum(1))
