"""Making a run once more, to see whether its numbers come again to the last digit.

`differences` compares with a run in the runs folder and starts from its stored base;
`against_record` compares with a record of a results.json and needs no stored run.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ..data import SequenceDataset
from ..datasets import load_dataset
from ..support.files import read_json
from . import kept
from .configuration import base_of
from .runs import SPLITS, canonical, folder_of, record_of, run

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
    with _another_folder() as folder:
        if base != stored:
            shutil.copytree(base, folder / base.name)
        return compared(stored, run(config, data, progress=False).folder)


def against_record(record: dict, data: SequenceDataset | None = None,
                   progress: bool = True) -> list[str]:
    """Make the run of a stored record, and its base, from nothing; [] where all is equal.

    Compared as in `kept.differences`. Raises ValueError where the data are not those of the record.
    """
    data = data or load_dataset(record["config"]["dataset"])
    if data.fingerprint != record["provenance"]["data_hash"]:
        raise ValueError(f"the data set {data.name!r} has the hash {data.fingerprint}; allowed is "
                         f"{record['provenance']['data_hash']}, that of the record")
    with _another_folder():
        again = record_of(run(record["config"], data, progress))
    return kept.differences(record, again)


@contextlib.contextmanager
def _another_folder() -> Iterator[Path]:
    """An empty folder of runs for a while."""
    before = os.environ.get("CASADV_RUNS")
    with tempfile.TemporaryDirectory() as folder:
        os.environ["CASADV_RUNS"] = folder
        try:
            yield Path(folder)
        finally:
            os.environ.pop("CASADV_RUNS")
            if before is not None:
                os.environ["CASADV_RUNS"] = before


def compared(first: Path, second: Path) -> list[str]:
    """The parts in which two folders of one run differ."""
    old, new = (read_json(folder / "metrics.json") for folder in (first, second))
    found = [name for name in NUMBERS if old.get(name) != new.get(name)]
    with np.load(first / "ranks.npz") as old, np.load(second / "ranks.npz") as new:
        names = [f"{split} {which}" for split in SPLITS for which in ("last", "best")]
        found += [f"ranks, {name}" for name in names if not np.array_equal(old[name], new[name])]
    return found
