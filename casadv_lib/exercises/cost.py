"""The checks behind the exercises of notebook 10, in the manner of `exercises`."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..cascade import cascade_effects
from ..results.cost import added_percent
from .common import _number_differs, compare


def check_added(function: Callable) -> None:
    """function(ratio, adv_epochs, epochs) -> the second phase's time in percent of the first."""
    cases = [(3.92, 100, 500), (8 / 3, 100, 500), (2.0, 16, 80), (1.0, 50, 200), (3.0, 0, 10)]
    print(compare(function, added_percent, cases, _number_differs()))


def check_two_passes(function: Callable) -> None:
    """function(histories, batch_size) -> list of lists of Eq. 11, no item twice in a history."""
    rng = np.random.default_rng(0)
    drawn = [rng.permutation(np.arange(1, 9))[: rng.integers(1, 7)].tolist() for _ in range(12)]
    cases = [([[1, 2, 3]], 1), ([[1, 2, 3], [2, 4]], 2), ([[5], [5], [5, 6]], 1), (drawn, 4)]

    def reference(histories, batch_size):
        arrays = [np.array(history) for history in histories]
        return [found.tolist() for found in cascade_effects(arrays, batch_size=batch_size)]

    def differs(found, wanted):
        for user, (mine, right) in enumerate(zip(found, wanted, strict=True)):
            if len(mine) != len(right) or not np.allclose(mine, right):
                return f"history {user} is {np.round(mine, 4).tolist()}, in the library {right}."
        return ""

    print(compare(function, reference, cases, differs))
