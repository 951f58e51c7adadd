"""Notebook 09: the greedy attack."""

import numpy as np

from .common import exercise

E = np.random.default_rng(0).normal(size=(12, 3))  # row 0 is padding
E[5] = E[4] + 0.01  # both want the same substitute


def gradient_of(history):
    """A gradient that depends on all items of the history, (items, d)."""
    rows = E[np.asarray(history)]
    return np.cos(np.arange(len(rows))[:, None] + rows + rows.sum(0))


@exercise([(gradient_of, E, [1, 2, 3], 1, 2.0, [7]), (gradient_of, E, [1, 4, 5], 2, 0.3, [3]),
           (gradient_of, E, [2, 9, 6, 8], 4, 2.0, [])], "the item")
def check_greedy(gradient_of, E, history, k, eta, refused):
    """function(gradient_of, E, history, k, eta, refused) -> k substitutes, newest first."""
    changed, chosen = list(history), []
    for t in range(1, k + 1):
        g = gradient_of(changed)[-t]
        apart = np.linalg.norm(E - E[history[-t]] - eta * g / np.linalg.norm(g), axis=1)
        apart[[0, *history, *refused, *chosen]] = np.inf
        changed[-t] = int(apart.argmin())
        chosen.append(changed[-t])
    return chosen
