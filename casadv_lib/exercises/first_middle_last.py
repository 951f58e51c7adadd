"""Notebook 08: the substitute of an item, and what an attack changes."""

import numpy as np

from ..evaluation import ndcg
from .common import exercise

RNG = np.random.default_rng(0)
LINE = np.array([[2.2], [0.0], [1.0], [2.0], [3.0], [4.5]])  # item i stands at i - 1; row 0 pads


@exercise([
    (LINE, 2, np.array([5.0]), 1.1, []),  # a long gradient, a short step
    (LINE, 2, np.array([1.0]), 1.2, [3]),  # the nearest is refused; padding is near, too
    (LINE, 3, np.array([0.0]), 0.9, [2]),  # no direction
    *((RNG.normal(size=(30, 4)), item, RNG.normal(size=4), 1.5, [4, 9]) for item in range(3, 8)),
], "the substitute")
def check_substitute(table, item, g, eta, refused):
    """function(table, item, g, eta, refused) -> the allowed item nearest to e + eta * g / ||g||."""
    goal = table[item] + eta * g / (np.linalg.norm(g) or 1.0)
    apart = np.linalg.norm(table - goal, axis=1)
    apart[[0, item, *refused]] = np.inf
    return apart.argmin()


@exercise([
    (np.array([3.0, 1.0, 20.0]), np.array([1.0, 1.0, 12.0])),
    (np.array([11.0, 2.0]), np.array([10.0, 2.0])),  # just out of the list
    (np.array([4.0, 30.0]), np.array([11.0, 40.0])),  # nothing to lose: 0
], "the change")
def check_change(after, before):
    """function(after, before) -> relative change of NDCG@10 in percent."""
    clean = ndcg(before)
    return 100 * (ndcg(after) / clean - 1) if clean else 0.0
