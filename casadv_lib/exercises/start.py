"""Notebook 00: two warm-ups."""

import numpy as np

from ..cascade import cascade_weights
from .common import exercise


@exercise([
    ([[3, 1], [3, 2], [3]], 1),
    ([[4, 4, 4], [2], [2]], 2),  # occurrences count, not users
    ([[9, 1], [5, 9], [5, 1]], 3),  # all alike: the smaller number first
], "the list")
def check_most_popular(histories, count):
    """function(histories, count) -> a list of items, the most frequent first."""
    occurrences = np.bincount(np.concatenate(histories))
    return np.argsort(-occurrences[1:], kind="stable")[:count] + 1  # item 0 is padding


@exercise([
    (np.eye(2), np.ones(2)), (np.ones((3, 2)), np.array([1.0, 2.0, 4.0])),
    (np.linspace(-2, 3, 20).reshape(5, 4), np.array([9.0, 1.5, 4.0, 2.2, 7.1])),
])
def check_guided(A, C):
    """function(A, C) -> each row of A times 1/C, divided by the mean of 1/C."""
    return cascade_weights([C])[0][:, None] * A
