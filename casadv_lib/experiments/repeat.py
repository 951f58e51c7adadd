"""Making a run once more, to see whether its numbers come again to the last digit."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import patch

import numpy as np

from ..data import SequenceDataset
from ..datasets import load_dataset
from ..support.files import read_json
from .configuration import Configuration
from .runs import SPLITS, Run, run

NUMBERS = ("last", "best", "curve", "losses")  # all of metrics.json but the times


class Unequal(RuntimeError):
    """A run made again gave other numbers; the message names the parts."""


@contextlib.contextmanager
def another_folder() -> Iterator[Path]:
    """An empty folder of runs for a while."""
    with (tempfile.TemporaryDirectory() as folder,
          patch.dict(os.environ, {"CASADV_RUNS": folder})):
        yield Path(folder)


def differences(config: Configuration, data: SequenceDataset | None = None) -> list[str]:
    """Make a stored run again, from its stored base; [] where all is equal.

    Compared to the last digit: the metrics, the curve, the losses and every user's rank, on both
    splits. Raises FileNotFoundError where the run is not stored.
    """
    made = Run(config, data or load_dataset(config.dataset))
    stored, base = made.folder, made.base.folder
    if not made.is_complete:
        raise FileNotFoundError(f"no run is stored in {stored}; `run` with the same words makes it")
    with another_folder() as folder:
        if base != stored:
            shutil.copytree(base, folder / base.name)
        again = run(config, made.data, progress=False).folder
        old, new = (read_json(one / "metrics.json") for one in (stored, again))
        parts = [name for name in NUMBERS if old.get(name) != new.get(name)]
        with np.load(stored / "ranks.npz") as old, np.load(again / "ranks.npz") as new:
            names = [f"{split} {which}" for split in SPLITS for which in ("last", "best")]
            return parts + [f"ranks, {n}" for n in names if not np.array_equal(old[n], new[n])]
