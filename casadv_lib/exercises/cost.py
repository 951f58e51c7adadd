"""Notebook 10: the price of the second phase, and cascade effects in two passes."""

from ..cascade import cascade_effects
from .cascade import TEN
from .common import exercise


@exercise([(3.92, 100, 500), (8 / 3, 100, 500), (2.0, 16, 80), (3.0, 0, 10)], "the time")
def check_added(ratio, adv_epochs, epochs):
    """function(ratio, adv_epochs, epochs) -> the second phase's time in percent of the first."""
    return 100 * ratio * adv_epochs / epochs


@exercise([([[1, 2, 3]], 1), ([[1, 2, 3], [2, 4]], 2), ([[5], [5], [5, 6]], 1), (TEN, 4)],
          "history")
def check_two_passes(histories, batch_size):
    """function(histories, batch_size) -> list of lists of Eq. 11, no item twice in a history."""
    return cascade_effects(histories, batch_size=batch_size)
