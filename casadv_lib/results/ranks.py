"""The users' ranks behind a result, as far as NDCG@10 and HR@10 look at them: one byte a user.

Both metrics look at the first ten ranks alone, so the rest can be left out. What remains is small
enough to lie beside the tables, in `ranks/`: intervals of new comparisons can then be drawn where
the run itself is long gone. A file holds "columns" (names), "codes" (columns, users) uint8,
and arrays "substitutes NAME", the items that each attack put in.
"""

from __future__ import annotations

import zipfile
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ..evaluation import CUTOFF
from ..settings import EXCLUDES
from ..support.files import DamagedFile, write_arrays

NOT_RANKED = 255  # the code of a user who was not ranked, or not attacked
EPOCHS = ("last", "best")  # the columns of the run itself; best: on validation


def encode(ranks: np.ndarray) -> np.ndarray:
    """Twice the rank where it is at most 10 (ties have half ranks), 0 elsewhere; uint8."""
    return np.where(ranks <= CUTOFF, np.rint(2 * ranks), 0).astype(np.uint8)


def decode(codes: np.ndarray) -> np.ndarray:
    """Ranks, float64; 11 stands for every rank behind the tenth. No code is NOT_RANKED."""
    return np.where(codes == 0, CUTOFF + 1.0, codes / 2)


@dataclass(frozen=True)
class UserRanks:
    """The ranks of a run on test.

    codes: {column: (users,) uint8}: "last", "best", for each attack "ATTACK clean", and for each
        attack and rule of exclusion "ATTACK-RULE attacked".
    substitutes: {attack without its k: (users, k) int32} for the largest k, 0 where nobody was
        attacked: those of k items are the first of those of k + 1. Those of pick "random" follow
        from the seed and are left out.
    """

    codes: dict[str, np.ndarray]
    substitutes: dict[str, np.ndarray] = field(default_factory=dict)

    def users(self, column: str) -> np.ndarray:
        """(users,) bool: whom the column is about."""
        return self.codes[column] != NOT_RANKED

    def ranks(self, column: str = "last") -> np.ndarray:
        """Ranks of those users, as `decode` gives them."""
        return decode(self.codes[column][self.users(column)])

    def has_attack(self, attack: str) -> bool:
        """Whether the ranks after an attack (see `runs.attack_name`) are there, by all rules."""
        return all(f"{attack}-{rule} attacked" in self.codes for rule in EXCLUDES)


def ranks_file(folder: Path, run: str) -> Path:
    """Where the ranks of a run lie; folder: that of the tables."""
    return folder / "ranks" / f"{run}.npz"


def write_ranks(folder: Path, run: str, ranks: UserRanks) -> Path:
    """Store a run's ranks beside the tables."""
    return write_arrays(ranks_file(folder, run), {
        "columns": np.array(list(ranks.codes)), "codes": np.stack(list(ranks.codes.values())),
        **{f"substitutes {name}": items for name, items in ranks.substitutes.items()}})


def read_ranks(folder: Path, run: str) -> UserRanks:
    """The stored ranks of a run; raises DamagedFile where the file is not whole."""
    path = ranks_file(folder, run)
    try:
        with np.load(path, allow_pickle=False) as stored:
            codes = dict(zip(stored["columns"].tolist(), stored["codes"], strict=True))
            substitutes = {name.removeprefix("substitutes "): stored[name] for name in stored
                           if name.startswith("substitutes ")}
        whole = set(EPOCHS) <= set(codes) and all(one.dtype == np.uint8 for one in codes.values())
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise DamagedFile(f"{path} does not hold the ranks of a run ({error}); delete it, and its "
                          "run is made again") from error
    if not whole:
        raise DamagedFile(f"{path} does not hold the ranks of a run; delete it, and its run is "
                          "made again")
    return UserRanks(codes, substitutes)
