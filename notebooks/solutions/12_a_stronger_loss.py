"""Solutions to the exercises of 12_a_stronger_loss.ipynb."""

import torch
from torch.nn.functional import logsigmoid


def bce_with_negatives(r_j, r_n, beta=1.0):
    answers = beta * logsigmoid(r_j) + logsigmoid(-r_n).sum(1)
    return -2 / (r_n.shape[1] + 1) * answers.mean()


def softmax_loss(w, E, positives):
    scores = w @ E.T
    r_j = scores.gather(1, (positives - 1).unsqueeze(1)).squeeze(1)
    return (scores.logsumexp(1) - r_j).mean()


def softmax_gradients(w, E, j):
    p = (E @ w).softmax(0)
    p[j - 1] -= 1
    return p @ E, torch.outer(p, w)
