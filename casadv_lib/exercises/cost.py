"""Notebook 10: the price of the second phase."""

from .common import exercise


@exercise([(3.92, 100, 500), (8 / 3, 100, 500), (2.0, 16, 80), (3.0, 0, 10)], "the time")
def check_added(ratio, adv_epochs, epochs):
    """function(ratio, adv_epochs, epochs) -> the second phase's time in percent of the first."""
    return 100 * ratio * adv_epochs / epochs
