"""Call a benchmark's function in a fresh process, so that its peak of memory is its own.

    call("cascade", "measure", size=100000)      # a dict of plain values, through JSON
"""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]


def environment(**changes: str) -> dict[str, str]:
    """This process's environment on one thread, in which the library and this folder are found."""
    path = os.pathsep.join([str(TESTS.parent), str(TESTS)])
    threads = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    return os.environ | threads | {"PYTHONPATH": path, "CI": "1"} | changes


def call(module: str, function: str, **arguments):
    """What benchmarks.<module>.<function>(**arguments) returns, run in a process of its own."""
    asked = [sys.executable, "-m", "benchmarks.own_process", module, function,
             json.dumps(arguments)]
    child = subprocess.run(asked, env=environment(), stdout=subprocess.PIPE, text=True)
    if child.returncode:
        raise RuntimeError(f"{module}.{function}({arguments}) ended with {child.returncode}; its "
                           "message stands above")
    return json.loads(child.stdout.splitlines()[-1])


if __name__ == "__main__":
    name, wanted, given = sys.argv[1:]
    found = getattr(importlib.import_module(f"benchmarks.{name}"), wanted)(**json.loads(given))
    print(json.dumps(found))
