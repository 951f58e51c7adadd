"""Solutions to the exercises of 04_adversarial_training.ipynb."""

import torch


def perturbation_at(encode, S, start, epsilon):
    S = S.detach()
    A = start.clone().requires_grad_()
    away = torch.linalg.vector_norm(encode(S + A) - encode(S).detach(), dim=-1).sum()
    (g,) = torch.autograd.grad(away, A)
    return epsilon * g / g.norm()


def score_moves(w, positive, negative, epsilon):
    def unit(x):
        return x / x.norm(dim=-1, keepdim=True)

    wrong_j = torch.sigmoid(-(w * positive).sum(-1, keepdim=True))
    wrong_n = torch.sigmoid((w * negative).sum(-1, keepdim=True))
    delta_i = epsilon * unit(wrong_n * negative - wrong_j * positive)
    # a row's own size cancels the sigmoid: only the direction, w, is left
    return delta_i, -epsilon * unit(w), epsilon * unit(w)


def guided_by(A, effects):
    weights = (1 / effects) / (1 / effects).mean()
    return weights.unsqueeze(-1) * A
