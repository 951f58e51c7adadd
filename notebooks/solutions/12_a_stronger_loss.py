"""Solution to the exercise of 12_a_stronger_loss.ipynb."""

import torch


def softmax_gradients(w, E, j):
    p = (E @ w).softmax(0)
    p[j - 1] -= 1
    return p @ E, torch.outer(p, w)
