"""What every benchmark measures with: clocks that take turns, peak memory, rows of a table."""

import gc
import multiprocessing
import os
import resource
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd

TESTS = Path(__file__).resolve().parents[1]


def timed(action: Callable[[], object]) -> Callable[[], float]:
    """The action as a function that returns the seconds it took."""
    def run() -> float:
        started = time.perf_counter()
        action()
        return time.perf_counter() - started

    return run


def take_turns(clocks: dict[str, Callable[[], float]], repeats: int) -> pd.DataFrame:
    """What each clock (a column) says in `repeats` turns, A B A B ..., after one not counted.

    A slow moment of the machine so meets all of them. What exists before the turns is left
    alone by the garbage collector, so that its size says nothing about theirs.
    """
    seconds = {name: [] for name in clocks}
    gc.collect()
    gc.freeze()
    for _ in range(repeats + 1):
        for name, clock in clocks.items():
            gc.collect()
            seconds[name].append(clock())
    gc.unfreeze()
    return pd.DataFrame(seconds).iloc[1:]


def peak_bytes() -> int:
    """The most memory that this process has held at a time."""
    status = Path("/proc/self/status")
    if status.exists():  # getrusage would count the parent's size at the fork
        line = next(x for x in status.read_text().splitlines() if x.startswith("VmHWM"))
        return int(line.split()[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # macOS: bytes already


def exponent(sizes: Sequence[float], seconds) -> np.ndarray:
    """The p of seconds ~ size ** p, by a straight line through the logarithms; 1 is linear.

    seconds: a row a turn and a column a size, all above 0. Returns one p for each turn.
    """
    return np.polyfit(np.log(sizes), np.log(np.asarray(seconds).T), 1)[0]


def row(what: str, here, unit: str = "s", than: str | None = None, other=None, *,
        faster: bool = False, target: float | None = None, headline: bool = False) -> dict:
    """A row of a benchmark's table, out of what was measured here and for `than`, turn by turn.

    The ratio says how many times the cost of the other the library has, or, with `faster`, how
    many times as fast it is. target: the most that the ratio (the measurement itself where there
    is no other) may be, with `faster` the least.
    """
    here = np.asarray(here, dtype=float)
    compared = None if other is None else _spread(other, unit)
    ratio = None
    if other is not None:
        ratio = _spread(np.asarray(other) / here if faster else here / np.asarray(other), "x")
    value = (ratio or _spread(here, unit))["median"]
    return {"what": what, "here": _spread(here, unit), "against": than, "other": compared,
            "ratio": ratio, "headline": headline,
            "target": None if target is None else {"at_least" if faster else "at_most": target},
            "met": None if target is None else value >= target if faster else value <= target}


def _spread(values, unit: str) -> dict:
    """Median, least and most of repeated measurements."""
    return {"median": float(np.median(values)), "low": float(np.min(values)),
            "high": float(np.max(values)), "unit": unit, "repeats": len(values)}


def line(turns: pd.DataFrame) -> dict:
    """A line of the growth figure, a value a column of `turns`; None where it was not measured."""
    found = turns.agg(["median", "min", "max"]).astype(object)
    return dict(zip(("median", "low", "high"), found.where(found.notna(), None).values.tolist()))


def environment() -> dict[str, str]:
    """This process's environment on one thread, in which the library and this folder are there."""
    path = os.pathsep.join([str(TESTS.parent), str(TESTS)])
    threads = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    return os.environ | threads | {"PYTHONPATH": path, "CI": "1"}


def call(function: Callable, **arguments):
    """What a function returns that is run in a process of its own, with a peak of memory of its
    own."""
    os.environ |= environment()
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as process:
        return process.submit(function, **arguments).result()
