"""The checks behind the exercises of notebook 03: cascade effects and their weights."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..cascade import cascade_effects, cascade_weights
from .common import compare


def arrays_differ(tolerance: float = 1e-6) -> Callable[[object, object], str]:
    """A `differs` for `compare`: shapes and values, the first place that differs in words."""

    def differs(found, wanted) -> str:
        mine, right = (np.asarray(x, dtype=np.float64) for x in (found, wanted))
        if mine.shape != right.shape:
            return f"yours has shape {mine.shape}, the library's {right.shape}."
        bad = ~np.isclose(mine, right, rtol=tolerance, atol=tolerance)
        if not bad.any():
            return ""
        place = tuple(int(i) for i in np.argwhere(bad)[0])
        where = f" at {place if len(place) > 1 else place[0]}" if place else ""
        return f"yours gives {mine[place]:.6g}{where}, the library {right[place]:.6g}."

    return differs


def lists_differ(found, wanted) -> str:
    """`arrays_differ` for one array a user."""
    if len(found) != len(wanted):
        return f"yours has {len(found)} histories, the library {len(wanted)}."
    for user, (mine, right) in enumerate(zip(found, wanted)):
        difference = arrays_differ()(mine, right)
        if difference:
            return f"history {user}: {difference}"
    return ""


def check_own_term(function: Callable) -> None:
    """function(length, max_len) -> 1 + T - t of the last max_len items, oldest first."""
    cases = [(5, 50), (1, 50), (7, 3), (4, 4)]

    def reference(length, max_len):
        return cascade_effects([np.arange(1, length + 1)], max_len, 1, "temporal")[0]

    print(compare(function, reference, cases, arrays_differ()))


def check_cross_term(function: Callable) -> None:
    """function(histories, batch_size) -> (b/m) times the sum over other users, a list of lists."""
    rng = np.random.default_rng(0)
    drawn = [rng.permutation(9)[:size].tolist() for size in rng.integers(2, 7, 20)]
    cases = [
        ([[1, 2, 3], [4, 2], [2, 5, 6, 7]], 3),  # b = m
        ([[1, 2], [2, 1]], 1),  # b < m
        ([[3, 1, 3], [3, 2]], 2),  # a user who meets an item twice does not count itself
        ([[item + 1 for item in history] for history in drawn], 5),
    ]

    def reference(histories, batch_size):
        found = cascade_effects(histories, max(map(len, histories)), batch_size, "cross")
        return [row - 1 for row in found]

    print(compare(function, reference, cases, lists_differ))


def check_weights(function: Callable) -> None:
    """function(effects) -> 1/C divided by its mean over all positions of all users."""
    rng = np.random.default_rng(1)
    cases = [
        ([[1.0, 2.0], [4.0]],),
        ([[3.0, 3.0, 3.0]],),
        ([rng.uniform(1, 20, size).tolist() for size in (4, 1, 9)],),
    ]

    def reference(effects):
        return cascade_weights([np.array(row) for row in effects])

    print(compare(function, reference, cases, lists_differ))
