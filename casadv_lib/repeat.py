"""Making a stored run once more, from its stored base, to see whether its numbers come again."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

import numpy as np

from .data import SequenceDataset, load_dataset
from .files import read_json
from .profiles import base_of
from .runs import SPLITS, canonical, folder_of, run

NUMBERS = ("last", "best", "curve", "losses", "versus_base")  # all of metrics.json but the times


class Unequal(RuntimeError):
    """A run made again gave other numbers; the message names the parts."""


def differences(config: dict, data: SequenceDataset | None = None) -> list[str]:
    """Make the run of a configuration again in a folder of its own; [] where all is equal.

    Compared to the last digit: the metrics, the curve, the losses and every user's rank, on both
    splits. Raises FileNotFoundError where the run is not stored.
    """
    config = canonical(config)
    data = data or load_dataset(config["dataset"])
    stored, base = folder_of(config, data), folder_of(base_of(config), data)
    if not (stored / "metrics.json").exists():
        raise FileNotFoundError(f"no run is stored in {stored}; `run` with the same words makes it")
    before = os.environ.get("CASADV_RUNS")
    with tempfile.TemporaryDirectory() as folder:
        if base != stored:
            shutil.copytree(base, Path(folder) / base.name)
        os.environ["CASADV_RUNS"] = folder
        try:
            again = run(config, data, progress=False).folder
        finally:
            os.environ.pop("CASADV_RUNS")
            if before is not None:
                os.environ["CASADV_RUNS"] = before
        return compared(stored, again)


def compared(first: Path, second: Path) -> list[str]:
    """The parts in which two folders of one run differ."""
    old, new = (read_json(folder / "metrics.json") for folder in (first, second))
    found = [name for name in NUMBERS if old.get(name) != new.get(name)]
    with np.load(first / "ranks.npz") as old, np.load(second / "ranks.npz") as new:
        names = [f"{split} {which}" for split in SPLITS for which in ("last", "best")]
        found += [f"ranks, {name}" for name in names if not np.array_equal(old[name], new[name])]
    return found
