"""The checks behind the exercises of notebook 06: reading learning curves.

As in `exercises`: a check prints which case differs and how, and never raises.
"""

from __future__ import annotations

from collections.abc import Callable

from ..results.curves import best_entry, early_stopping, first_reaching
from .common import compare


def made_curve(validation: list[float], test: list[float] | None = None, every: int = 5) -> list:
    """A curve with an entry every `every` epochs; test is the validation's reverse by default."""
    pairs = zip(validation, test or validation[::-1], strict=True)
    return [{"epoch": every * place, "phase": 1, "loss": 1 / place,
             "validation": {"ndcg@10": one, "hr@10": 2 * one},
             "test": {"ndcg@10": two, "hr@10": 2 * two}}
            for place, (one, two) in enumerate(pairs, start=1)]


RISING = made_curve([0.02, 0.04, 0.05, 0.06])
FALLING = made_curve([0.05, 0.09, 0.08, 0.06, 0.07], [0.05, 0.06, 0.07, 0.10, 0.08])
TWO_TOPS = made_curve([0.03, 0.07, 0.05, 0.07, 0.06, 0.08, 0.02], every=2)


def _epochs_differ(found, wanted) -> str:
    mine = tuple(map(float, found)) if isinstance(wanted, tuple) else (float(found),)
    right = wanted if isinstance(wanted, tuple) else (wanted,)
    if len(mine) != len(right):
        return f"it returns {len(mine)} values; wanted are {len(right)}."
    if mine == right:
        return ""
    return f"yours gives {', '.join(f'{x:g}' for x in mine)}, the library " \
           f"{', '.join(f'{x:g}' for x in right)}."


def check_best_epoch(function: Callable) -> None:
    """function(curve) -> the epoch with the best validation NDCG@10, the earliest of equals."""
    cases = [(RISING,), (FALLING,), (made_curve([0.03, 0.07, 0.05, 0.07]),)]

    def reference(curve):
        return best_entry(curve)["epoch"]

    print(compare(function, reference, cases, _epochs_differ))


def check_early_stopping(function: Callable) -> None:
    """function(curve, patience) -> (epoch of the end, epoch that is kept)."""
    cases = [(RISING, 2), (FALLING, 2), (FALLING, 9), (TWO_TOPS, 2), (TWO_TOPS, 4), (TWO_TOPS, 1)]
    print(compare(function, early_stopping, cases, _epochs_differ))


def check_first_reaching(function: Callable) -> None:
    """function(curve, start, share) -> the first epoch with that share of the gain (test)."""
    steep = made_curve([0.1] * 5, [0.10, 0.13, 0.14, 0.145, 0.15], every=1)
    bumpy = made_curve([0.1] * 4, [0.12, 0.09, 0.11, 0.13], every=3)
    cases = [(steep, 0.05, 0.5), (steep, 0.05, 0.85), (bumpy, 0.08, 0.75), (bumpy, 0.08, 1.0)]

    def reference(curve, start, share):
        return first_reaching(curve, start, share, "test")

    print(compare(function, reference, cases, _epochs_differ))
