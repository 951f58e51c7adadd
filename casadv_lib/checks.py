"""Checks of arguments: one sentence that names the parameter, its value and what is allowed."""

from __future__ import annotations

import math
import numbers
from collections.abc import Collection


def one_of(name: str, value, allowed: Collection):
    """Return `value` if it is one of `allowed`; raise ValueError otherwise."""
    if isinstance(value, str) or value is None or isinstance(value, (bool, int)):
        if value in allowed:
            return value
    choices = ", ".join(repr(choice) for choice in allowed)
    raise ValueError(f"{name} is {value!r}; allowed are {choices}")


def number(name: str, value, low=None, high=None, kind=float):
    """Return `value` as `kind` (int or float) if it is a finite number in [low, high].

    Text is refused even where it spells a number: "10" for epsilon is most often a quoting slip.
    """
    wanted = "a whole number" if kind is int else "a number"
    if low is not None and high is not None:
        wanted += f" from {low} to {high}"
    elif low is not None:
        wanted += f" of at least {low}"
    elif high is not None:
        wanted += f" of at most {high}"
    fits = isinstance(value, numbers.Real) and not isinstance(value, bool)
    fits = fits and math.isfinite(value) and (kind is not int or value == int(value))
    fits = fits and (low is None or value >= low) and (high is None or value <= high)
    if not fits:
        raise ValueError(f"{name} is {value!r}; allowed is {wanted}")
    return kind(value)


def flag(name: str, value) -> bool:
    """Return `value` if it is True or False; raise ValueError otherwise."""
    if not isinstance(value, bool):
        raise ValueError(f"{name} is {value!r}; allowed are True, False")
    return value
