"""Settings as typed fields: a dataclass that pydantic checks, and one sentence for a bad value."""

from __future__ import annotations

import functools
from typing import Annotated, Literal

from annotated_types import Ge, Le
from pydantic import BeforeValidator, ConfigDict, ValidationError
from pydantic.dataclasses import dataclass

from .checks import MOST_SEED, instance, number, shown, wanted_number

Whole = Annotated[int, BeforeValidator(functools.partial(number, "", kind=int))]
Real = Annotated[float, BeforeValidator(functools.partial(number, ""))]
Count = Annotated[Whole, Ge(0)]
Seed = Annotated[Count, Le(MOST_SEED)]
Size = Annotated[Real, Ge(0)]
Momentum = Annotated[Real, Ge(0), Le(0.99999)]
Word = BeforeValidator(functools.partial(instance, "", kind=(str, bool)))  # 1 is not True here
Flag = Annotated[Literal[True, False], Word]
AutoFlag = Annotated[Literal["auto", True, False], Word]


def settings(kind: type) -> type:
    """A frozen dataclass checked by pydantic, whose errors are one sentence of ours each."""
    kind = dataclass(frozen=True, config=ConfigDict(extra="forbid"))(kind)
    checked = kind.__init__

    @functools.wraps(checked)
    def __init__(self, *values, **named):
        try:
            checked(self, *values, **named)
        except ValidationError as error:
            raise ValueError(_sentence(kind, error.errors()[0])) from None

    kind.__init__ = __init__
    return kind


def _sentence(kind: type, error: dict) -> str:
    """'epsilon is -1; allowed is a number of at least 0', of one error of pydantic."""
    name, said = error["loc"][0], str(error.get("ctx", {}).get("error", ""))
    if name not in kind.__pydantic_fields__:
        return f"{name!r} is not a setting; allowed are {', '.join(kind.__pydantic_fields__)}"
    if said.startswith(f"{name} is "):  # of choose_device, who knows more
        return said
    return f"{name} is {shown(error['input'])}; allowed {allowed(kind, name)}"


def allowed(kind: type, name: str) -> str:
    """What a field takes, in words: "is a number of at least 0", "are 'batch', 'literal'"."""
    field = kind.__pydantic_fields__[name]
    if choices := getattr(field.annotation, "__args__", ()):
        return f"are {', '.join(map(repr, choices))}"
    if field.annotation is str:
        return "are 'auto', 'cpu' and the names of this machine's devices in PyTorch"
    low = next((bound.ge for bound in field.metadata if isinstance(bound, Ge)), None)
    high = next((bound.le for bound in field.metadata if isinstance(bound, Le)), None)
    return f"is {wanted_number(low, high, field.annotation)}"


def split_settings(options: dict, *kinds: type) -> list:
    """An object of each kind, made of its part of `options`; ValueError for a name of none."""
    known = {name for kind in kinds for name in kind.__pydantic_fields__}
    for name in options:
        if name not in known:
            raise ValueError(f"{name!r} is not a setting; allowed are {', '.join(sorted(known))}")
    return [kind(**{name: value for name, value in options.items()
                    if name in kind.__pydantic_fields__}) for kind in kinds]
