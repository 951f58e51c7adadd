"""The benchmarks behind `make bench`: what the library costs, beside what people use today.

    python -m benchmarks [--only NAME] [--device cuda] [--table]

Each benchmark of benchmarks.json runs in a process of its own, on one thread, and its numbers are
stored in one JSON file with their provenance. NAME is a name of the list or the beginning of some
("padded" runs all three data sets of it). A benchmark is a function of sizes that returns a dict:

    rows    made by `row` of measuring.py
    notes   optional: sentences on what is compared, besides those of benchmarks.json
    data    optional: the fingerprint of the data set
    others  optional: versions of other implementations
    curves  optional: what the growth figure draws

Nothing here is timed by `make test`, which only runs every benchmark once on a tiny world.
"""

import argparse
import importlib
import time
import traceback
from pathlib import Path

import psutil
import torch
from benchmarks import report
from benchmarks.measuring import call

from casadv_lib.experiments.runs import provenance
from casadv_lib.support.files import read_json, write_json

# name: {"run": "module.function", "arguments", "title", "notes"}
BENCHMARKS = read_json(Path(__file__).with_name("benchmarks.json"))


def chosen(only: str | None) -> list[str]:
    """The names that are `only` or begin with it; all of them for None."""
    names = [name for name in BENCHMARKS if only is None or name == only]
    names = names or [name for name in BENCHMARKS if name.startswith(only)]
    if not names:
        raise ValueError(f"only is {only!r}; allowed are {', '.join(BENCHMARKS)}")
    return names


def run_one(name: str, device: str, folder: Path) -> dict:
    """Run a benchmark in this process and store what it found."""
    one = BENCHMARKS[name]
    module, function = one["run"].split(".")
    torch.set_num_threads(1)
    busy = psutil.cpu_percent(interval=1.0)  # how busy the machine is before anything of ours
    started = time.perf_counter()
    run = getattr(importlib.import_module(f"benchmarks.{module}"), function)
    record = run(device=device, **one["arguments"])
    seconds = time.perf_counter() - started
    fingerprint = record.pop("data", "none: made up by the benchmark")
    origin = provenance(fingerprint, torch.device(device), seconds)
    record |= {"name": name, "title": one["title"], "notes": record.get("notes", []) + one["notes"],
               "provenance": origin | {"processor_use_before_percent": busy}}
    write_json(folder / f"{name}.json", record)
    return record


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser("python -m benchmarks", description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("--only", help=f"the beginning of: {', '.join(BENCHMARKS)}")
    add("--device", default="cpu", help="where PyTorch computes")
    add("--folder", help="where the results go; by default figures/bench, or bench-<device>")
    add("--table", action="store_true", help="measure nothing, write table and figure anew")
    options = parser.parse_args(arguments)
    own = "bench" if options.device == "cpu" else f"bench-{options.device.replace(':', '')}"
    folder, failed = Path(options.folder or report.FOLDER.with_name(own)), []
    for name in () if options.table else chosen(options.only):
        print(f"\n{name}", flush=True)
        try:
            record = call(run_one, name=name, device=options.device, folder=folder)
            print(report.markdown([record]))
        except Exception:  # of whatever kind: the others run
            traceback.print_exc()
            failed.append(name)
    report.write(folder)
    if failed:
        print(f"did not run: {', '.join(failed)}; their stored numbers are unchanged")
    return 1 if failed else 0
