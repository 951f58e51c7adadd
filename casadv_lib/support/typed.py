"""Settings as typed fields: a dataclass that pydantic checks, and one sentence for a bad value."""

import functools
from typing import Annotated, Literal

from pydantic import BeforeValidator, ConfigDict, StrictBool, ValidationError
from pydantic.dataclasses import dataclass

from .checks import MOST_SEED, number, shown, wanted_number


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
            name = known(first["loc"][0], kind)
            raise ValueError(f"{name} is {shown(first['input'])}; allowed {allowed(kind, name)}"
                             ) from None

    kind.__init__ = __init__
    return kind


def known(name: str, *kinds: type) -> str:
    """Return `name` if a kind has a setting of that name; raise ValueError otherwise."""
    names = [own for kind in kinds for own in kind.__pydantic_fields__]
    if name not in names:
        raise ValueError(f"{name!r} is not a setting; allowed are {', '.join(names)}")
    return name


def allowed(kind: type, name: str) -> str:
    """What a field takes, in words: "is a number of at least 0", "are 'batch', 'literal'"."""
    field = kind.__pydantic_fields__[name]
    choices = getattr(field.annotation, "__args__", ())
    words = [words for words in field.metadata if isinstance(words, str)]
    return words[0] if words else f"are {', '.join(map(repr, choices))}"


def split_settings(options: dict, *kinds: type) -> list:
    """An object of each kind, made of its part of `options`; ValueError for a name of none."""
    return [kind(**{name: value for name, value in options.items()
                    if known(name, *kinds) in kind.__pydantic_fields__}) for kind in kinds]
