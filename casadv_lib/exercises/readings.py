"""The checks behind the exercises of notebook 11, in the manner of `exercises`."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..cascade import cascade_weights
from .common import _number_differs, compare


def check_weights(function: Callable) -> None:
    """function(effects, mean) -> weights 1/C with mean "inverse" or "cascade", flat arrays."""
    rng = np.random.default_rng(0)
    cases = [(np.array([1.0, 2.0, 4.0]), "inverse"), (np.array([1.0, 2.0, 4.0]), "cascade"),
             (np.array([3.0, 3.0]), "cascade"), (1 + rng.gamma(2.0, 9.0, 50), "inverse"),
             (1 + rng.gamma(2.0, 9.0, 50), "cascade")]

    def differs(found, wanted):
        mine = np.asarray(found, dtype=float)
        if mine.shape == wanted.shape and np.allclose(mine, wanted):
            return ""
        return f"yours is {mine.round(3).tolist()}, in the library {wanted.round(3).tolist()}."

    print(compare(function, lambda c, mean: cascade_weights([c], mean=mean)[0], cases, differs))


def interval_level(level: float, comparisons: int) -> float:
    """The level of each interval so that all hold together with `level` (Bonferroni)."""
    return 1 - (1 - level) / comparisons


def check_level(function: Callable) -> None:
    """function(level, comparisons) -> level of each single interval."""
    cases = [(0.95, 1), (0.95, 10), (0.9, 4), (0.99, 22)]
    print(compare(function, interval_level, cases, _number_differs()))
