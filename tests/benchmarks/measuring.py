"""What every benchmark measures with: clocks that take turns, peak memory, rows of a table.

`call("cascade", "measure", size=100000)` runs a benchmark's function in a fresh process, so that
its peak of memory is its own; arguments and result are plain values.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median

TESTS = Path(__file__).resolve().parents[1]


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
    seconds: dict[str, list[float]] = {name: [] for name in clocks}
    gc.collect()
    gc.freeze()
    for turn in range(repeats + 1):
        for name, clock in clocks.items():
            gc.collect()
            taken = clock()
            if turn:
                seconds[name].append(taken)
    gc.unfreeze()
    return seconds


def peak_bytes() -> int:
    """The most memory that this process has held at a time."""
    status = Path("/proc/self/status")
    if status.exists():  # getrusage would count the parent's size at the fork
        line = next(x for x in status.read_text().splitlines() if x.startswith("VmHWM"))
        return int(line.split()[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # macOS: bytes already


def spread(values: Sequence[float], unit: str) -> dict:
    """Median, least and most of repeated measurements."""
    return {"median": median(values), "low": min(values), "high": max(values), "unit": unit,
            "repeats": len(values)}


def faster(what: str, here: Sequence[float], against: str, other: Sequence[float],
           at_least: float | None = None, headline: bool = False) -> dict:
    """How many times as fast as `other` the library is; the seconds of a turn make a pair."""
    ratios = spread([b / a for a, b in zip(here, other, strict=True)], "x")
    return _row(what, here, "s", against, other, ratios, {"ratio_at_least": at_least}, headline)


def dearer(what: str, here: Sequence[float], against: str, other: Sequence[float],
           at_most: float | None = None, headline: bool = False) -> dict:
    """How many times the cost of `other` the library's work has."""
    ratios = spread([a / b for a, b in zip(here, other, strict=True)], "x")
    return _row(what, here, "s", against, other, ratios, {"ratio_at_most": at_most}, headline)


def measured(what: str, here: Sequence[float], unit: str, at_most: float | None = None,
             headline: bool = False) -> dict:
    """A measurement that is compared with nothing but its target."""
    return _row(what, here, unit, None, None, None, {"at_most": at_most}, headline)


def _row(what, here, unit, against, other, ratio, target, headline) -> dict:
    row = {"what": what, "here": spread(here, unit), "against": against,
           "other": None if other is None else spread(other, unit), "ratio": ratio,
           "headline": headline, "target": None, "met": None}
    [(kind, bound)] = target.items()
    if bound is not None:
        value = (ratio or row["here"])["median"]
        row |= {"target": target,
                "met": bool(value >= bound if kind == "ratio_at_least" else value <= bound)}
    return row


def environment() -> dict[str, str]:
    """This process's environment on one thread, in which the library and this folder are there."""
    path = os.pathsep.join([str(TESTS.parent), str(TESTS)])
    threads = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    return os.environ | threads | {"PYTHONPATH": path, "CI": "1"}


def call(module: str, function: str, **arguments):
    """What benchmarks.<module>.<function>(**arguments) returns, run in a process of its own."""
    asked = [sys.executable, "-m", "benchmarks.measuring", module, function, json.dumps(arguments)]
    child = subprocess.run(asked, env=environment(), stdout=subprocess.PIPE, text=True)
    if child.returncode:
        raise RuntimeError(f"{module}.{function}({arguments}) ended with {child.returncode}; its "
                           "message stands above")
    return json.loads(child.stdout.splitlines()[-1])


if __name__ == "__main__":
    name, wanted, given = sys.argv[1:]
    print(json.dumps(getattr(importlib.import_module(f"benchmarks.{name}"), wanted)(
        **json.loads(given))))
