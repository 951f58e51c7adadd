"""Checks of arguments and settings; an error names the parameter, its value, what is allowed."""

import contextlib
import difflib
import functools
import math
import numbers
from collections.abc import Collection
from typing import Annotated, Literal

import numpy as np
from pydantic import BeforeValidator, ConfigDict, StrictBool, ValidationError
from pydantic.dataclasses import dataclass

MOST_SEED = 2**63 - 1  # what PyTorch's generators take
LARGEST = 100_000  # of a dimension, a length, a number of layers
MOST_SHOWN = 200  # characters of a value in a message


class DataError(ValueError):
    """Data that cannot be used; the message names the file (and line) and what is allowed."""


def shown(value) -> str:
    """A value for a message: its repr, cut where it is long."""
    text = repr(value)
    return text if len(text) <= MOST_SHOWN else text[:MOST_SHOWN] + "..."


def one_of(name: str, value, allowed: Collection):
    """Return `value` if it is one of `allowed`, of the same type; raise ValueError otherwise."""
    # 1 is not True here, and an array is never compared
    if any(isinstance(value, type(choice)) and choice == value for choice in allowed):
        return value
    choices = ", ".join(repr(choice) for choice in allowed)
    close = difflib.get_close_matches(str(value)[:MOST_SHOWN], map(str, allowed), 1)
    meant = f" (did you mean {close[0]}?)" if close else ""
    raise ValueError(f"{name} is {shown(value)}{meant}; allowed are {choices}")


def number(name: str, value, low, high=None, kind=float):
    """Return `value` as `kind` (int or float) if it is a finite number in [low, high], and no text
    that spells one: "10" for epsilon is most often a quoting slip."""
    fits = False
    if isinstance(value, numbers.Real) and not isinstance(value, bool):
        with contextlib.suppress(OverflowError, ValueError):  # no number, or too large for `kind`
            plain = kind(value)
            fits = (math.isfinite(plain) and low <= plain and (high is None or plain <= high)
                    and (kind is float or plain == value))
    if not fits:
        raise ValueError(f"{name} is {shown(value)}; allowed is {wanted_number(low, high, kind)}")
    return plain


def wanted_number(low, high, kind) -> str:
    """'a number of at least 0': what `number` allows, in words."""
    words = "a whole number" if kind is int else "a number"
    return f"{words} of at least {low}" if high is None else f"{words} from {low} to {high}"


def instance(name: str, value, kind):
    """Return `value` if it is a `kind`; raise ValueError otherwise."""
    if not isinstance(value, kind):
        raise ValueError(f"{name} is {shown(value)}; allowed is a {kind.__name__}")
    return value


def row(name: str, values, rule: str = "allowed are whole numbers in one row", kind=np.int64,
        low=-math.inf, least: int = 0) -> np.ndarray:
    """Return `values` as a one-dimensional array of `kind` if they are `least` or more numbers in
    one row, each at least `low`; raise ValueError, with the rule, otherwise."""
    try:
        array = np.asarray(values)
    except (ValueError, TypeError):
        array = np.array(None)
    kinds = "iu" if kind is np.int64 else "iuf"  # numpy's, for whole numbers and for others
    if array.ndim != 1 or len(array) < least or array.size and not (
            array.dtype.kind in kinds and (array >= low).all()):
        raise ValueError(f"{name} is {shown(values)}; {rule}")
    return array.astype(kind, copy=False)


def histories(name: str, value) -> list[np.ndarray]:
    """Return `value` as a list of one-dimensional int64 arrays of items, 1 or more."""
    rule = "allowed is a list of lists of item numbers, each a whole number of at least 1 (0 pads)"
    if isinstance(value, (str, bytes, dict)) or not hasattr(value, "__len__"):
        raise ValueError(f"{name} is {shown(value)}; {rule}")
    return [row(f"{name}[{i}]", one, rule, low=1) for i, one in enumerate(value)]


def ranks(name: str, value) -> np.ndarray:
    """Return `value` as a float64 array of ranks, each at least 1 (possibly infinite)."""
    return row(name, value, "allowed are ranks, numbers of at least 1", np.float64, 1, least=1)


def Number(kind: type, low, high=None):
    """The type of a field: a finite number from `low` to `high`, of `kind` (int or float)."""
    check = functools.partial(number, "", low=low, high=high, kind=kind)
    return Annotated[kind, BeforeValidator(check), "is " + wanted_number(low, high, kind)]


Count, Seed = Number(int, 0), Number(int, 0, MOST_SEED)
Size, Momentum = Number(float, 0), Number(float, 0, 0.99999)
Flag = Annotated[StrictBool, "are True, False"]
AutoFlag = Annotated[Literal["auto"] | StrictBool, "are 'auto', True, False"]


def settings(kind: type) -> type:
    """A frozen dataclass checked by pydantic, whose errors are one sentence of ours each."""
    kind = dataclass(frozen=True, config=ConfigDict(extra="forbid"))(kind)
    checked = kind.__init__

    @functools.wraps(checked)
    def __init__(self, *values, **named):
        try:
            checked(self, *values, **named)
        except ValidationError as error:
            first = error.errors()[0]
            name = one_of("setting", first["loc"][0], kind.__pydantic_fields__)
            raise ValueError(f"{name} is {shown(first['input'])}; allowed {allowed(kind, name)}"
                             ) from None

    kind.__init__ = __init__
    return kind


def allowed(kind: type, name: str) -> str:
    """What a field takes, in words: "is a number of at least 0", "are 'batch', 'literal'"."""
    field = kind.__pydantic_fields__[name]
    choices = getattr(field.annotation, "__args__", ())
    words = [words for words in field.metadata if isinstance(words, str)]
    return words[0] if words else f"are {', '.join(map(repr, choices))}"
