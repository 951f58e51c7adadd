"""The checks behind the exercises of notebook 07: what an epsilon is, and how one is chosen.

As in `exercises`: a check prints which case differs and how, and never raises.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..results.sweep import choose, epsilon_for, literal_epsilon
from .common import compare


def _numbers_differ(names: tuple[str, ...]):
    def differs(found, wanted) -> str:
        mine = np.atleast_1d(np.asarray(found, dtype=float))
        right = np.atleast_1d(np.asarray(wanted, dtype=float))
        if mine.shape != right.shape:
            return f"it returns {mine.size} value(s); wanted: {', '.join(names)}."
        for name, one, other in zip(names, mine, right, strict=True):
            if not abs(one - other) <= 1e-6 * max(1.0, abs(other)):
                return f"{name} is {one:.6g}, in the library {other:.6g}."
        return ""

    return differs


def check_epsilon_for(function: Callable) -> None:
    """function(share, lengths, n) -> the epsilon over a batch of n positions."""
    rng = np.random.default_rng(0)
    cases = [(1.0, np.ones(4), 1), (0.5, np.array([1.0, 3.0]), 100),
             (0.1, rng.uniform(0.5, 3, 50), 726)]
    print(compare(function, epsilon_for, cases, _numbers_differ(("epsilon",))))


def check_literal_epsilon(function: Callable) -> None:
    """function(epsilon, n, length) -> the epsilon per sequence that moves a position as far."""
    cases = [(10.0, 100, 100), (10.0, 900, 9), (3.0, 726, 6), (20.0, 1000, 50)]
    print(compare(function, literal_epsilon, cases, _numbers_differ(("epsilon",))))


def check_choose(function: Callable) -> None:
    """function(validation, test) -> (epsilon, its test score), chosen on validation alone."""
    cases = [
        ({1.0: 0.05, 3.0: 0.06, 10.0: 0.04}, {1.0: 0.05, 3.0: 0.055, 10.0: 0.07}),
        ({30.0: 0.02, 0.1: 0.03, 5.0: 0.03}, {30.0: 0.01, 0.1: 0.02, 5.0: 0.04}),  # equal ones
        ({2.0: 0.5}, {2.0: 0.4}),
    ]
    print(compare(function, choose, cases, _numbers_differ(("epsilon", "the test score"))))
