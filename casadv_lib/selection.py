"""Choosing epsilon and lambda1 for each family of methods, on the validation split alone.

The paper gives one setting for all (epsilon 10, lambda 1) and not over what its norms are taken.
So that every method has the same chance here, each family is tried at a few settings for a few
epochs from the same base. The choice is the trial with the best validation NDCG@10 after its last
epoch. A run then names the chosen values in its own configuration and can be repeated without
this module.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import product
from pathlib import Path

from .files import read_json, write_json
from .profiles import base_of, configure
from .runs import SPLITS

TRIAL_EPOCHS = 10
# Level 1's distance is not squared, so its weight matters; a BCE keeps the paper's weight, 1.
CANDIDATES = {
    "adv_linear": tuple({"epsilon": e, "lambda1": 1.0} for e in (1.0, 3.0, 10.0)),
    "adv_seq": tuple({"epsilon": e, "lambda1": 1.0} for e in (1.0, 3.0, 10.0)),
    "adv_global": tuple(
        {"epsilon": e, "lambda1": weight} for weight, e in product((0.1, 1.0), (1.0, 3.0, 10.0))
    ),
}
VALIDATION = SPLITS[0]
Score = Callable[[dict], "dict[str, float] | None"]


def trials(family: str, **asked) -> list[dict]:
    """The configurations of a family's trials; asked: `profiles.configure` without the method."""
    return [configure(method=family, **{**asked, **candidate, "adv_epochs": TRIAL_EPOCHS})
            for candidate in CANDIDATES[family]]


def validation_scores(folder: Path) -> dict[str, float] | None:
    """NDCG@10 and HR@10 of a stored run on validation, last epoch; None if it is not stored."""
    path = folder / "metrics.json"
    if not path.exists():
        return None
    found = read_json(path)["last"][VALIDATION]
    return {name: found[name] for name in ("ndcg@10", "hr@10")}


def best(tried: list[dict]) -> dict[str, float]:
    """{"epsilon", "lambda1"} of the best trial; of equals the first, with the smallest values.

    tried: as in `choose`. Only "validation" is read.
    """
    found = max(tried, key=lambda trial: trial["validation"]["ndcg@10"])
    return {name: found[name] for name in ("epsilon", "lambda1")}


def choose(family: str, score: Score, data_hash: str, **asked) -> dict | None:
    """The entry of `selection.json` for one family, or None while a trial is missing.

    score: validation scores of a configuration, None where its run is not stored.
    """
    tried = []
    for config in trials(family, **asked):
        found = score(config)
        if found is None:
            return None
        tried.append({"epsilon": config["epsilon"], "lambda1": config["lambda1"],
                      "validation": found})
    first = trials(family, **asked)[0]
    return {
        "dataset": first["dataset"], "backbone": first["backbone"], "family": family,
        "seed": first["seed"], "data_hash": data_hash, "base_epochs": first["epochs"],
        "dim": first["dim"], "trial_epochs": TRIAL_EPOCHS, "rule": "best validation ndcg@10",
        "base": score(base_of(first)), "tried": tried, "chosen": best(tried),
    }  # fmt: skip


class Choices:
    """The choices made so far: those of `selection.json` in a folder, and new ones.

    `get` gives the chosen values or None; `find` looks whether they can be chosen now. An entry
    counts only for the same data, epochs of the base and dimension.
    """

    def __init__(self, folder: Path | str):
        self.path = Path(folder) / "selection.json"
        self.entries: list[dict] = read_json(self.path) if self.path.exists() else []

    def get(self, family: str, config: Mapping, data_hash: str) -> dict[str, float] | None:
        """config: a configuration of any method on the data set and backbone in question."""
        wanted = {
            "dataset": config["dataset"], "backbone": config["backbone"], "family": family,
            "data_hash": data_hash, "base_epochs": config["epochs"], "dim": config["dim"],
            "trial_epochs": TRIAL_EPOCHS,
        }  # fmt: skip
        fitting = [entry["chosen"] for entry in self.entries if wanted.items() <= entry.items()]
        return fitting[0] if fitting else None

    def find(self, family: str, score: Score, data_hash: str, **asked) -> dict | None:
        """Choose if all trials are stored; returns the new entry or None."""
        entry = choose(family, score, data_hash, **asked)
        if entry is not None:
            self.entries.append(entry)
        return entry

    def store(self) -> Path:
        """Write everything that was tried, and the choices; keeps those of another queue."""
        there = read_json(self.path) if self.path.exists() else []
        mine = [self._key(entry) for entry in self.entries]
        self.entries += [entry for entry in there if self._key(entry) not in mine]
        return write_json(self.path, self.entries)

    @staticmethod
    def _key(entry: dict) -> tuple:
        names = ("dataset", "backbone", "family", "data_hash", "base_epochs", "dim")
        return tuple(entry[name] for name in names)
