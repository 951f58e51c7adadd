"""The core object, `SequenceDataset`, and the leave-one-out split of the paper's Section 5.1.

`datasets.load_dataset` makes it from a name or a file: the histories of all users, renumbered
and in time order. `training_sequences` and `held_out` split them.
"""

import hashlib
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from .support.checks import DataError, one_of, shown

SHORTEST = 3  # with one to validate and one to test; to be trained on takes 4


@dataclass(frozen=True, eq=False)
class SequenceDataset:
    """All histories of one data set. Items are numbered 1..n_items; 0 is padding.

    sequences: list of int64 arrays, one a user, oldest item first, held-out items included
    n_items: the size of the catalogue, also of items that none of the users has
    item_ids, item_names: length n_items + 1, index = item; original ids, and titles where the
        source has them, else the ids as text; both "" at 0
    user_ids: original ids, aligned with `sequences`
    notes: what was dropped and why, one sentence each
    world: the synthetic world that made the data, or None
    """

    name: str
    sequences: list[np.ndarray]
    n_items: int
    item_ids: list
    item_names: list[str]
    user_ids: list
    notes: list[str] = field(default_factory=list)
    world: object = None

    def __post_init__(self):
        lengths = {"item_ids": self.n_items + 1, "user_ids": self.n_users,
                   "item_names": self.n_items + 1}
        for name, wanted in lengths.items():
            if (found := len(getattr(self, name))) != wanted:
                raise DataError(f"{self.name}: {name} has {found} entries; allowed are {wanted}")
        for user, one in enumerate(self.sequences):
            if not isinstance(one, np.ndarray) or one.dtype != np.int64 or one.ndim != 1:
                raise DataError(f"{self.name}: sequences[{user}] is {shown(one)}; allowed is a "
                                "one-dimensional int64 array")
        if not self.sequences or min(map(len, self.sequences)) < SHORTEST:
            raise DataError(f"{self.name}: every sequence needs {SHORTEST} items, and there must "
                            "be at least one")
        items = np.concatenate(self.sequences)
        if items.min() < 1 or items.max() > self.n_items:
            raise DataError(f"{self.name}: sequences hold items from {items.min()} to "
                            f"{items.max()}; allowed are 1 to {self.n_items}")

    @property
    def n_users(self) -> int:
        return len(self.sequences)

    @property
    def n_interactions(self) -> int:
        return sum(len(sequence) for sequence in self.sequences)

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 over the sequences and the catalogue's size: equal data, equal text."""
        digest = hashlib.sha256()
        lengths = [len(sequence) for sequence in self.sequences]
        for part in ([self.n_items, self.n_users], lengths, *self.sequences):
            digest.update(np.asarray(part, dtype="<i8").tobytes())
        return digest.hexdigest()

    def statistics(self) -> dict[str, float]:
        """The row of Table 2, held-out items included; density in percent."""
        users, items, interactions = self.n_users, self.n_items, self.n_interactions
        return {"users": users, "items": items, "interactions": interactions,
                "density_percent": 100.0 * interactions / (users * items),
                "mean_length": interactions / users}

    def __repr__(self) -> str:
        return (f"SequenceDataset({self.name!r}, {self.n_users:,} users, {self.n_items:,} items, "
                f"{self.n_interactions:,} interactions)")


def training_sequences(data: SequenceDataset) -> list[np.ndarray]:
    """Return what a model may learn from: each history without its last two items (length >= 1)."""
    return [sequence[:-2] for sequence in data.sequences]


def training_inputs(data: SequenceDataset, max_len: int) -> tuple[np.ndarray, list[np.ndarray]]:
    """Return (users, inputs): who has an input to learn from, and these inputs, in that order.

    A training sequence v_1 ... v_n gives the inputs v_1 ... v_{n-1}, the newest max_len of them;
    one item alone predicts nothing, and who has met every item has none for a negative. users:
    int64 indices into `data.sequences`, ascending.
    """
    met = training_sequences(data)
    users = np.array([user for user, s in enumerate(met)
                      if len(s) > 1 and (len(s) < data.n_items
                                         or len(np.unique(s)) < data.n_items)], dtype=np.int64)
    return users, [met[user][:-1][-max_len:] for user in users]


def held_out(data: SequenceDataset, split: str) -> tuple[list[np.ndarray], np.ndarray]:
    """Return (histories, targets) of the leave-one-out split, in the order of `data.sequences`.

    "test": the target is the last item, the history all before it. "validation": the target is
    the last but one, the history all before that. targets: int64 array (n_users,).
    """
    back = 1 if one_of("split", split, ("test", "validation")) == "test" else 2
    histories = [sequence[:-back] for sequence in data.sequences]
    return histories, np.array([sequence[-back] for sequence in data.sequences], dtype=np.int64)
