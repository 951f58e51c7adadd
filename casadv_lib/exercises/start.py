"""The checks behind the exercises of notebook 00: two warm-ups."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..cascade import cascade_weights
from .cascade import arrays_differ
from .common import compare


def most_popular(histories, count: int) -> list[int]:
    """The `count` items with the most occurrences; of equal ones the smaller number first."""
    occurrences = np.bincount(np.concatenate([np.asarray(h) for h in histories]))
    order = np.argsort(-occurrences[1:], kind="stable") + 1  # item 0 is padding
    return order[:count].tolist()


def check_most_popular(function: Callable) -> None:
    """function(histories, count) -> a list of items, the most frequent first."""
    cases = [
        ([[3, 1], [3, 2], [3]], 1),
        ([[4, 4, 4], [2], [2]], 2),  # occurrences count, not users
        ([[9, 1], [5, 9], [5, 1]], 3),  # all alike: the smaller number first
    ]

    def differs(found, wanted):
        found = [int(item) for item in found]
        return "" if found == wanted else f"yours gives {found}, the library {wanted}."

    print(compare(function, most_popular, cases, differs))


def check_guided(function: Callable) -> None:
    """function(A, C) -> each row of A times 1/C, divided by the mean of 1/C."""
    rng = np.random.default_rng(0)
    cases = [
        (np.array([[1.0, 0.0], [0.0, 2.0]]), np.array([1.0, 1.0])),
        (np.ones((3, 2)), np.array([1.0, 2.0, 4.0])),
        (rng.normal(size=(5, 4)), rng.uniform(1, 9, 5)),
    ]
    print(compare(function, lambda A, C: cascade_weights([C])[0][:, None] * A, cases,
                  arrays_differ()))
