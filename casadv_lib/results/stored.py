"""Which runs are stored: for the choice of a data set, a backbone and a method without training."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from ..data import SequenceDataset
from ..datasets import load_dataset
from ..experiments.configuration import NOT_IDENTITY, base_of
from ..experiments.runs import Run, canonical, folder_of, is_complete, runs_folder
from ..support.files import read_json
from .records import known_first


def stored_configs() -> list[dict]:
    """The configurations of all complete runs in the folder of runs."""
    whole = sorted(runs_folder().glob("*/metrics.json"))
    return [read_json(path.parent / "config.json") for path in whole]


def values(configs: list[dict], name: str, order=(), **fixed) -> list:
    """The values that a setting takes where others are fixed, those in `order` first."""
    there = [c[name] for c in configs if fixed.items() <= c.items()]
    return known_first(there, order)


def most_like(configs: list[dict], wanted: dict, **fixed) -> dict:
    """Of the configurations with the `fixed` settings, the one closest to `wanted`.

    Closest: the fewest settings with another value; the first of equals. ValueError for none.
    """
    fitting = [config for config in configs if fixed.items() <= config.items()]
    if not fitting:
        words = ", ".join(f"{name} {value!r}" for name, value in fixed.items())
        raise ValueError(f"no stored run has {words}; allowed is what `casadv_lib run` has made")
    names = set(wanted) - set(NOT_IDENTITY)
    return min(fitting, key=lambda c: sum(c.get(name) != wanted[name] for name in names))


@lru_cache(maxsize=4)
def dataset_of(name: str) -> SequenceDataset:
    """A data set by its name, read once."""
    return load_dataset(name)


def stored_pair(config: dict, data: SequenceDataset | None = None) -> dict[str, Run]:
    """{"base": run, method: run} of a stored configuration; one entry where it is a base.

    Raises ValueError where the base is not stored or the runs were made from other data.
    """
    data = data or dataset_of(config["dataset"])
    pair = {"base": base_of(config), config["method"]: config}
    for method, one in pair.items():
        if not is_complete(one, data):
            raise ValueError(f"method is {config['method']!r}; its {method} run is not stored for "
                             f"{data.name} as it is now, allowed are methods that are")
    return {method: Run(canonical(one), folder_of(canonical(one), data), data)
            for method, one in pair.items()}


def short_name(dataset: str) -> str:
    """How a choice shows a data set: its name, or the name of its file."""
    return Path(dataset).stem
