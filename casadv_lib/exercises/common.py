"""What every check does: run the reader's function and the library's on cases, and compare.

A check prints which case differs and how, and never raises, so that a notebook with open
exercises still runs from top to bottom. Solutions that pass are in notebooks/solutions/.
"""

import copy
import functools
from collections.abc import Callable

import numpy as np
import torch


def drawn(*shapes) -> tuple[torch.Tensor, ...]:
    """Normal numbers in tensors of these shapes, the same at every call."""
    generator = torch.Generator().manual_seed(0)
    return tuple(torch.randn(shape, generator=generator) for shape in shapes)


def exercise(cases: list[tuple], names: str | tuple = "the answer",
             tolerance: float = 1e-6) -> Callable:
    """Make a function into the check of an exercise: check(f) says whether f does the same."""
    def check_of(reference: Callable) -> Callable[[Callable], None]:
        @functools.wraps(reference)
        def check(function: Callable) -> None:
            print(compare(function, reference, cases, names, tolerance))

        return check

    return check_of


def compare(function, reference, cases, names, tolerance) -> str:
    """One sentence about the first case in which both functions differ, or praise."""
    name = getattr(function, "__name__", "your function")
    for number, case in enumerate(cases, start=1):
        where, shown = f"{name}, case {number} of {len(cases)}", "\n".join(
            ["\nThe case was:", *(getattr(x, "__name__", repr(x)[:800]) for x in case)])
        try:
            answer = function(*copy.deepcopy(case))  # a copy: it may change its arguments
        except Exception as error:  # a reader's code may raise anything
            return f"{where} stops with {type(error).__name__}: {error}{shown}"
        if answer is None and number == 1:
            return f"{name} is not solved yet: it returns nothing."
        try:
            said = difference(answer, reference(*copy.deepcopy(case)), names, tolerance)
        except Exception as error:  # and return anything
            said = f"returns {answer!r}, which cannot be compared ({error})"
        if said:
            return f"{where} differs: {said}{shown}"
    return f"{name} is right: it agrees with the library on all {len(cases)} cases."


def difference(answer, wanted, names: str | tuple, tolerance: float) -> str:
    """How an answer differs from what is wanted, in words; "" where it does not.

    An array agrees if the length of the difference is at most `tolerance` times that of the wanted
    one (or times 1); a tuple or a list part by part. names: of all parts, or one to be numbered.
    """
    if isinstance(wanted, tuple) or (isinstance(wanted, list) and wanted and np.ndim(wanted[0])):
        if isinstance(names, str):
            names = [f"{names} {index}" for index in range(len(wanted))]
        if len(answer) != len(wanted):
            return f"it returns {len(answer)} values; wanted are {len(wanted)}: {', '.join(names)}."
        parts = (difference(*part, tolerance) for part in zip(answer, wanted, names))
        return next(filter(None, parts), "")
    mine, right = (np.asarray(x.detach().cpu() if isinstance(x, torch.Tensor) else x, dtype=float)
                   for x in (answer, wanted))
    if mine.shape != right.shape:
        return f"{names} has shape {mine.shape}, in the library {right.shape}."
    own, size = np.linalg.norm(mine), np.linalg.norm(right)
    if np.linalg.norm(mine - right) <= tolerance * max(1.0, size):
        return ""
    if mine.ndim == 0:
        return f"{names} is {mine:.6g}, in the library {right:.6g}."
    worst = tuple(int(i) for i in np.unravel_index(np.abs(mine - right).argmax(), mine.shape))
    return (f"{names} is {mine[worst]:.6g} at {', '.join(map(str, worst))}, in the library "
            f"{right[worst]:.6g}; its length is {own:.4g}, in the library {size:.4g}, and the "
            f"cosine between both is {(mine * right).sum() / ((own * size) or 1):.3f}.")
