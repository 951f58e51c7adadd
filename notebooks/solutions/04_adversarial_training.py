"""Solutions to the exercises of 04_adversarial_training.ipynb."""

import torch
from torch.nn.functional import softplus


def sign_step(loss, x, epsilon):
    copy = x.clone().requires_grad_()
    (g,) = torch.autograd.grad(loss(copy), copy)
    return epsilon * g.sign()


def pgd(distance, start, epsilon, steps):
    A = start
    for _ in range(steps):
        A = A.detach().clone().requires_grad_()
        (g,) = torch.autograd.grad(distance(A), A)
        A = A.detach() + 2 * epsilon / steps * g / g.norm()
        A = A * min(1.0, epsilon / A.norm())
    return A


def bce(w, positive, negative):  # as in the notebook
    return (softplus(-(w * positive).sum(1)) + softplus((w * negative).sum(1))).mean()


def worst_scores(w, positive, negative, epsilon):  # as in the notebook
    doubt_j = torch.sigmoid(-(w * positive).sum(1, keepdim=True))
    doubt_n = torch.sigmoid((w * negative).sum(1, keepdim=True))
    h = doubt_n * negative - doubt_j * positive, -doubt_j * w, doubt_n * w
    return [epsilon * x / x.norm() for x in h]


def factorisation_step(W, E, i, j, n, epsilon, rate):
    W, E = W.clone().requires_grad_(), E.clone().requires_grad_()
    rows = W[i], E[j], E[n]
    deltas = worst_scores(*(x.detach() for x in rows), epsilon)
    loss = bce(*rows) + bce(*(x + delta for x, delta in zip(rows, deltas)))
    loss.backward()
    return (W - rate * W.grad).detach(), (E - rate * E.grad).detach()
