"""The benchmarks behind `make bench`: what the library costs, beside what people use today.

    python -m benchmarks [--only NAME] [--device cuda] [--table]

Each benchmark runs in a process of its own, on one thread, and its numbers are stored in one JSON
file with their provenance. NAME is a name of the list or the beginning of some ("padded" runs all
three data sets of it).

A benchmark is a function of sizes that returns a dict:

    title   what is measured, one line
    rows    made by `faster`, `dearer` and `measured` of measuring.py
    notes   sentences on what is compared, and how
    data    optional: the fingerprint of the data set
    others  optional: versions of other implementations
    curves  optional: what the growth figure draws

Nothing here is timed by `make test`, which only runs every benchmark once on a tiny world.
"""

from __future__ import annotations

import argparse
import importlib
import time
from pathlib import Path

import psutil
import torch
from benchmarks import curves, tables
from benchmarks.measuring import call

from casadv_lib.experiments.environment import provenance
from casadv_lib.support.files import write_bytes, write_json

# fewer users where histories are long, so that no benchmark takes more than some minutes
BATCHES = {"beauty": 24, "video": 24, "ml-1m": 8}

# name: (module, function, its arguments)
BENCHMARKS = {
    **{f"padded-{name}": ("epochs", "padded", {"dataset": name, "batches": batches})
       for name, batches in BATCHES.items()},
    **{f"{other}-{name}": ("public", "main", {"name": other, "dataset": name, "batches": batches})
       for other in ("recbole", "rectools") for name, batches in BATCHES.items()},
    "adversarial": ("epochs", "adversarial", {}),
    "ranking": ("ranking", "ranking", {}),
    "attack": ("ranking", "attack", {}),
    "shares": ("epochs", "shares", {}),
    "cascade": ("cascade", "main", {}),
    "growth": ("growth", "main", {}),
    "memory": ("memory", "main", {}),
    "slider": ("slider_latency", "main", {}),
}
NEEDS_NO_DEVICE = ("cascade", "slider_latency")


def chosen(only: str | None) -> list[str]:
    """The names that are `only` or begin with it; all of them for None."""
    names = [name for name in BENCHMARKS if only is None or name == only]
    names = names or [name for name in BENCHMARKS if name.startswith(only)]
    if not names:
        raise ValueError(f"only is {only!r}; allowed are {', '.join(BENCHMARKS)}")
    return names


def run_one(name: str, device: str, folder: str) -> dict:
    """Run a benchmark in this process and store what it found."""
    module, function, arguments = BENCHMARKS[name]
    if module not in NEEDS_NO_DEVICE:
        arguments = arguments | {"device": device}
    torch.set_num_threads(1)
    # how busy the machine is before anything of ours starts
    busy = psutil.cpu_percent(interval=1.0)
    started = time.perf_counter()
    record = getattr(importlib.import_module(f"benchmarks.{module}"), function)(**arguments)
    seconds = time.perf_counter() - started
    fingerprint = record.pop("data", "none: made up by the benchmark")
    origin = provenance(fingerprint, torch.device(device), seconds)
    record |= {"name": name, "provenance": origin | {"processor_use_before_percent": busy}}
    write_json(Path(folder, f"{name}.json"), record)
    return record


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser("python -m benchmarks", description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("--only", help=f"the beginning of: {', '.join(BENCHMARKS)}")
    add("--device", default="cpu", help="where PyTorch computes")
    add("--folder", help="where the results go; default: figures/bench")
    add("--table", action="store_true", help="measure nothing, write tables and figure anew")
    options = parser.parse_args(arguments)
    names, failed = chosen(options.only), []
    folder = options.folder or str(tables.folder_of(options.device))
    for name in () if options.table else names:
        print(f"\n{name}", flush=True)
        try:
            record = call("suite", "run_one", name=name, device=options.device, folder=folder)
            print(tables.markdown([record]))
        except RuntimeError:  # its message stands above
            failed.append(name)
    write_summary(Path(folder))
    if failed:
        print(f"did not run: {', '.join(failed)}; their stored numbers are unchanged")
    return 1 if failed else 0


def write_summary(folder: Path) -> None:
    """The Markdown table of all stored benchmarks, and the growth figure."""
    stored = tables.load(folder)
    write_bytes(folder / "table.md", tables.markdown(stored).encode())
    if any("curves" in record for record in stored):
        curves.write(stored, folder)
