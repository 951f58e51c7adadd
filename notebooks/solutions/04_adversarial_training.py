"""Solutions to the exercises of 04_adversarial_training.ipynb."""

import torch
from torch.nn.functional import softplus


def history_move(f, S, w, start, epsilon):
    A = start.clone().requires_grad_()
    (g,) = torch.autograd.grad((f(S + A) - w).norm(dim=1).sum(), A)
    return epsilon * g / g.norm()


def bce(w, positive, negative):  # as in the notebook
    return (softplus(-(w * positive).sum(1)) + softplus((w * negative).sum(1))).mean()


def score_moves(w, positive, negative, epsilon):
    doubt_j = torch.sigmoid(-(w * positive).sum(1, keepdim=True))
    doubt_n = torch.sigmoid((w * negative).sum(1, keepdim=True))
    g = doubt_n * negative - doubt_j * positive, -doubt_j * w, doubt_n * w
    return tuple(epsilon * x / x.norm() for x in g)


def factorisation_step(W, E, i, j, n, epsilon, rate):
    W, E = W.clone().requires_grad_(), E.clone().requires_grad_()
    rows = W[i], E[j], E[n]
    deltas = score_moves(*(x.detach() for x in rows), epsilon)
    loss = bce(*rows) + bce(*(x + delta for x, delta in zip(rows, deltas)))
    loss.backward()
    return (W - rate * W.grad).detach(), (E - rate * E.grad).detach()
