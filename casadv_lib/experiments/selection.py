"""Choosing epsilon, lambda1 and the chance of a replacement, on the validation split alone.

The paper gives one setting for all (epsilon 10, lambda 1) and not over what its norms are taken.
So that every method has the same chance here, each family is tried at a few settings for a few
epochs from the same base. The choice is the trial with the best validation NDCG@10 after its last
epoch; scores that an entry of `selection.json` holds are not measured again. A run then names the
chosen values in its own configuration and can be repeated without this module.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import product
from pathlib import Path

from ..support.files import read_json, write_json
from .configuration import base_of, configure
from .runs import SPLITS

TRIAL_EPOCHS = 10
# Level 1's distance is not squared, so its weight matters; a BCE keeps the paper's weight, 1.
SIZES, CHANCES = (1.0, 3.0, 10.0, 20.0), (0.1, 0.2, 0.5)
CANDIDATES = {
    "adv_linear": tuple({"epsilon": e, "lambda1": 1.0} for e in SIZES),
    "adv_seq": tuple({"epsilon": e, "lambda1": 1.0} for e in SIZES),
    "adv_global": tuple({"epsilon": e, "lambda1": weight} for weight, e in product(
        (0.1, 1.0), SIZES)),
    "neighbour": tuple({"replace_probability": p} for p in CHANCES),
    "adv_neighbour": tuple({"replace_probability": p, "epsilon": e}
                           for p, e in product(CHANCES, SIZES[1:])),
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


def best(tried: list[dict], family: str) -> dict[str, float]:
    """The candidate with the best trial; of equals the first, with the smallest values.

    tried: as in `choose`. Only "validation" is read.
    """
    found = max(tried, key=lambda trial: trial["validation"]["ndcg@10"])
    return {name: found[name] for name in CANDIDATES[family][0]}


def choose(family: str, score: Score, data_hash: str, **asked) -> dict | None:
    """The entry of `selection.json` for one family, or None while a trial is missing.

    score: validation scores of a configuration, None where its run is not stored.
    """
    tried, configs = [], trials(family, **asked)
    for config in configs:
        found = score(config)
        if found is None:
            return None
        tried.append({name: config[name] for name in CANDIDATES[family][0]} | {
            "validation": found})
    first = configs[0]
    return {
        "dataset": first["dataset"], "backbone": first["backbone"], "family": family,
        "seed": first["seed"], "data_hash": data_hash, "base_epochs": first["epochs"],
        "dim": first["dim"], "trial_epochs": TRIAL_EPOCHS, "rule": "best validation ndcg@10",
        "base": score(base_of(first)), "tried": tried, "chosen": best(tried, family),
    }  # fmt: skip


def is_whole(entry: dict) -> bool:
    """Whether an entry has tried all candidates of today, and no others."""
    tried = [{name: value for name, value in trial.items() if name != "validation"}
             for trial in entry["tried"]]
    return tried == list(CANDIDATES.get(entry["family"], ()))


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
        entry = self._entry(family, config, data_hash)
        return entry["chosen"] if entry is not None and is_whole(entry) else None

    def _entry(self, family: str, config: Mapping, data_hash: str) -> dict | None:
        wanted = {
            "dataset": config["dataset"], "backbone": config["backbone"], "family": family,
            "data_hash": data_hash, "base_epochs": config["epochs"], "dim": config["dim"],
            "trial_epochs": TRIAL_EPOCHS,
        }  # fmt: skip
        return next((entry for entry in self.entries if wanted.items() <= entry.items()), None)

    def tried(self, family: str, config: Mapping, data_hash: str) -> dict[str, float] | None:
        """Validation scores of a trial that an entry holds, also one with fewer candidates."""
        entry = self._entry(family, config, data_hash) or {"tried": ()}
        wanted = {name: config[name] for name in CANDIDATES[family][0]}.items()
        return next((t["validation"] for t in entry["tried"] if wanted <= t.items()), None)

    def find(self, family: str, score: Score, data_hash: str, **asked) -> dict | None:
        """Choose if all trials are stored, here or in an entry; returns the new entry or None."""
        def known(config):
            own = config["method"] == family and self.tried(family, config, data_hash)
            return score(config) or own or None

        entry = choose(family, known, data_hash, **asked)
        if entry is not None:
            # its base may be stored elsewhere
            old = [one for one in self.entries if self._key(one) == self._key(entry)]
            entry["base"] = entry["base"] or next((one["base"] for one in old), None)
            self.entries = [one for one in self.entries if one not in old] + [entry]
        return entry

    def store(self) -> Path:
        """Write everything that was tried, and the choices; keeps those of another queue."""
        there = read_json(self.path) if self.path.exists() else []
        theirs = [self._key(entry) for entry in there if is_whole(entry)]
        # what this queue read with fewer candidates may be whole by now
        self.entries = [one for one in self.entries
                        if is_whole(one) or self._key(one) not in theirs]
        mine = [self._key(entry) for entry in self.entries]
        self.entries += [entry for entry in there if self._key(entry) not in mine]
        return write_json(self.path, self.entries)

    @staticmethod
    def _key(entry: dict) -> tuple:
        names = ("dataset", "backbone", "family", "data_hash", "base_epochs", "dim")
        return tuple(entry[name] for name in names)
