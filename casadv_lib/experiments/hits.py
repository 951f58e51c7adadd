"""Who was hit, and at which place: all that a comparison needs of a run, at one byte a user.

NDCG@10 and HR@10 look at the first ten places alone, so everything else of a run's ranks can be
left out. What remains is small enough to lie beside results.json, in `hits/`: intervals of new
pairs can then be drawn where the run itself, its checkpoint and its ranks are long gone.
"""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ..attacks import EXCLUDES
from ..evaluation import CUTOFF
from ..support.files import DamagedFile, write_arrays
from .runs import Run, arrays_path, stored_attacks

LEFT_OUT = 255  # the code of a user who was not ranked, or not attacked
EPOCHS = ("last", "best")  # the columns of the run itself; best: on validation


def encode(ranks: np.ndarray) -> np.ndarray:
    """Twice the rank where it is at most 10 (ties have half ranks), 0 elsewhere; uint8."""
    return np.where(ranks <= CUTOFF, np.rint(2 * ranks), 0).astype(np.uint8)


def decode(codes: np.ndarray) -> np.ndarray:
    """Ranks, float64; 11 stands for every place behind the tenth. LEFT_OUT must not be in it."""
    return np.where(codes == 0, CUTOFF + 1.0, codes / 2)


@dataclass(frozen=True)
class Outcome:
    """A run as comparisons see it; the run itself need not be stored here.

    run: the name of its folder. dataset: a name, also of a reader's own file. codes: {column:
    (users,) uint8}, the columns "last" and "best" and, for each attack and rule of exclusion,
    "STEM-RULE attacked", with one "STEM clean" for all rules (see `runs.attack_path`).
    substitutes: {STEM without its k: (users, k) int32} for the largest k, 0 where nobody was
    attacked; those of pick "random" follow from the seed alone and are left out.
    """

    run: str
    config: Mapping
    dataset: str
    data_hash: str
    codes: Mapping[str, np.ndarray]
    substitutes: Mapping[str, np.ndarray] = field(default_factory=dict)

    @property
    def attacks(self) -> list[str]:
        """The names of the attacks' records (stem and rule), sorted."""
        return sorted(name.removesuffix(" attacked") for name in self.codes
                      if name.endswith(" attacked"))

    def columns_of(self, attack: str) -> dict[str, str]:
        """The columns "attacked" and "clean" of an attack's record."""
        return {"attacked": f"{attack} attacked", "clean": f"{attack.rpartition('-')[0]} clean"}

    def users(self, column: str) -> np.ndarray:
        """(users,) bool: whom the column is about."""
        return self.codes[column] != LEFT_OUT

    def ranks(self, column: str = "last") -> np.ndarray:
        """Ranks of those users, as `decode` gives them."""
        return decode(self.codes[column][self.users(column)])


def outcome_of(one: Run) -> Outcome:
    """What comparisons need of a stored run and of the attacks on it, test split."""
    codes = {which: _column(one, encode(one.ranks("test", which))) for which in EPOCHS}
    substitutes: dict[str, np.ndarray] = {}
    for path in sorted({arrays_path(record) for record in stored_attacks(one)}):
        with np.load(path, allow_pickle=False) as stored:
            users = stored["users"]
            codes[f"{path.stem} clean"] = _column(one, encode(stored["clean"]), users)
            for rule in EXCLUDES:
                codes[f"{path.stem}-{rule} attacked"] = _column(one, encode(stored[rule]), users)
            if "-random-" not in path.stem:
                _add_substitutes(substitutes, path.stem, one, users, stored["substitutes"])
    return Outcome(one.folder.name, one.config, one.data.name, one.data.fingerprint, codes,
                   substitutes)


def _add_substitutes(found: dict, stem: str, one: Run, users: np.ndarray, items: np.ndarray
                     ) -> None:
    """Put (users, k) substitutes into one array for all k: those of k items are the first of
    those of k + 1."""
    k = items.shape[1]
    name = stem.replace(f"-{k}-", "-", 1)
    known = found.get(name, np.zeros((one.data.n_users, 0), np.int32))
    wide = np.zeros((len(known), max(known.shape[1], k)), np.int32)
    wide[:, : known.shape[1]] = known
    wide[users, :k] = items
    found[name] = wide


def _column(one: Run, codes: np.ndarray, users: np.ndarray | slice | None = None) -> np.ndarray:
    whole = np.full(one.data.n_users, LEFT_OUT, np.uint8)
    whole[slice(len(codes)) if users is None else users] = codes
    return whole


def hits_path(folder: Path, run: str) -> Path:
    """Where the hits of a run lie; folder: that of results.json."""
    return folder / "hits" / f"{run}.npz"


def write_hits(folder: Path, outcome: Outcome) -> Path:
    """Store an outcome's codes beside results.json."""
    names = list(outcome.codes)
    return write_arrays(hits_path(folder, outcome.run), {
        "columns": np.array(names), "codes": np.stack([outcome.codes[name] for name in names]),
        **{f"substitutes {name}": items for name, items in outcome.substitutes.items()}})


def read_hits(folder: Path, run: str) -> dict[str, np.ndarray]:
    """The codes of a run; raises DamagedFile where the file is not whole."""
    path = hits_path(folder, run)
    try:
        with np.load(path, allow_pickle=False) as stored:
            found = dict(zip(stored["columns"].tolist(), stored["codes"], strict=True))
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise DamagedFile(f"{path} does not hold the hits of a run ({error}); delete it, and its "
                          "run is made again") from error
    if not set(EPOCHS) <= set(found) or any(
            column.dtype != np.uint8 or column.ndim != 1 for column in found.values()):
        raise DamagedFile(f"{path} does not hold the hits of a run; delete it, and its run is made "
                          "again")
    return found
