"""Clocks: actions that take turns, and the peak of this process's memory."""

from __future__ import annotations

import gc
import resource
import time
from collections.abc import Callable
from pathlib import Path

from casadv_lib.support.checks import number


def timed(action: Callable[[], object]) -> Callable[[], float]:
    """The action as a function that returns the seconds it took."""

    def run() -> float:
        started = time.perf_counter()
        action()
        return time.perf_counter() - started

    return run


def take_turns(clocks: dict[str, Callable[[], float]], repeats: int) -> dict[str, list[float]]:
    """What each clock says in `repeats` turns, A B A B ..., after one turn that is not counted.

    A slow moment of the machine so meets all of them. What exists before the turns is left
    alone by the garbage collector, so that its size says nothing about theirs.
    """
    found: dict[str, list[float]] = {name: [] for name in clocks}
    gc.collect()
    gc.freeze()
    for turn in range(number("repeats", repeats, low=1, kind=int) + 1):
        for name, clock in clocks.items():
            gc.collect()
            seconds = clock()
            if turn:
                found[name].append(seconds)
    gc.unfreeze()
    return found


def peak_bytes() -> int:
    """The most memory that this process has held at a time."""
    status = Path("/proc/self/status")
    if status.exists():  # getrusage would count the parent's size at the fork
        line = next(x for x in status.read_text().splitlines() if x.startswith("VmHWM"))
        return int(line.split()[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # macOS: bytes already
