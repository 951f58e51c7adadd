"""Notebook 03: the second term of a cascade effect (Eq. 11)."""

from ..cascade import cascade_effects
from .common import exercise

TEN = [[1 + k * step % 11 for step in range(1, 3 + k % 5)] for k in range(1, 11)]


@exercise([
    ([[1, 2, 3], [4, 2], [2, 5, 6, 7]], 3),  # b = m
    ([[1, 2], [2, 1]], 1),  # b < m
    ([[3, 1, 3], [3, 2]], 2),  # a user who meets an item twice does not count itself
    (TEN, 5),  # no item twice in a history
], "history")
def check_cross_term(histories, batch_size):
    """function(histories, batch_size) -> (b/m) times the sum over other users, a list of lists."""
    return [row - 1 for row in cascade_effects(histories, 50, batch_size, "cross")]
