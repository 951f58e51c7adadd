"""The cascade effect of one interaction taken apart: which others it reaches (Eq. 11)."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ..cascade import cascade_effects
from ..data import SequenceDataset, training_inputs
from ..support.checks import number

STEPS, USERS = 8, 5  # how many newest steps, and users, Figure 2 has room for on real data
LISTED = 12  # occurrences that a table lists


class Reach:
    """The training inputs of a data set, and what each interaction among them reaches.

    The inputs are those that training reads (`data.training_inputs`); m is the number of users who
    have any.
    """

    def __init__(self, data: SequenceDataset, max_len: int = 50):
        self.data, self.max_len = data, max_len
        self.users, self.inputs = training_inputs(data, max_len)
        self.m = len(self.inputs)
        # the second term is proportional to b: once for all batch sizes
        self.across = [self.m * (cross - 1)
                       for cross in cascade_effects(self.inputs, max_len, 1, "cross")]
        lengths = np.array([len(row) for row in self.inputs])
        self.items = np.concatenate(self.inputs)
        self.owner = np.repeat(np.arange(self.m), lengths)
        self.to_end = np.concatenate([np.arange(n, 0, -1) for n in lengths])

    def row_of(self, user: int) -> int:
        """Where a user (an index into data.sequences) stands among the inputs."""
        if user not in self.users:
            raise ValueError(f"user is {self.data.user_ids[user]!r} with one training item; "
                             "allowed are users with at least two")
        return int(np.searchsorted(self.users, user))

    def terms(self, user: int, batch_size: int) -> tuple[np.ndarray, np.ndarray]:
        """Both terms of C for the newest STEPS inputs of a user, oldest first."""
        number("batch_size", batch_size, 1, self.m, kind=int)
        across = self.across[self.row_of(user)][-STEPS:]
        return np.arange(len(across), 0, -1.0), batch_size / self.m * across

    def items_of(self, user: int) -> np.ndarray:
        """The newest STEPS inputs of a user, oldest first."""
        return self.inputs[self.row_of(user)][-STEPS:]

    def others(self, user: int, mark: int) -> pd.DataFrame:
        """The same item with other users: who, how many steps from the end, and 1 + T - l.

        mark: which of `items_of`. Sorted by what is reached, most first; column "row" is the place
        among the inputs.
        """
        row, items = self.row_of(user), self.items_of(user)
        number("mark", mark, 0, len(items) - 1, kind=int)
        there = np.flatnonzero((self.items == items[mark]) & (self.owner != row))
        there = there[np.argsort(-self.to_end[there], kind="stable")]
        names = [str(self.data.user_ids[self.users[k]]) for k in self.owner[there]]
        return pd.DataFrame({"user": names, "steps from the end": self.to_end[there] - 1,
                             "reaches": self.to_end[there], "row": self.owner[there]})

    def listed(self, user: int, mark: int) -> pd.DataFrame:
        """The first of `others` to be read, with the item's name."""
        found = self.others(user, mark).drop(columns="row")
        found.index = pd.RangeIndex(1, len(found) + 1)
        return found.head(LISTED)

    def sketch(self, user: int, mark: int, batch_size: int) -> dict:
        """The moving part of `figure2` for this interaction: the user and some of the others.

        Chosen are others whose occurrence lies among the newest STEPS, far from the end first.
        """
        row, found = self.row_of(user), self.others(user, mark)
        drawn = found[found["reaches"] <= STEPS].drop_duplicates("row").head(USERS - 1)["row"]
        rows = [row, *drawn]
        own = self.inputs[row]
        t = len(own) - len(self.items_of(user)) + mark
        return {"histories": [self.inputs[k] for k in rows], "mark": (0, t),
                "batch_size": batch_size,
                "users": [str(self.data.user_ids[self.users[k]])[:10] for k in rows],
                "others": (self.m, float(self.across[row][t]))}

    def words(self, user: int, mark: int, batch_size: int) -> str:
        """The effect of one interaction, as a sentence."""
        own, cross = self.terms(user, batch_size)
        found, item = self.others(user, mark), self.items_of(user)[mark]
        step = f"T-{len(own) - 1 - mark}" if mark < len(own) - 1 else "T"
        return (f"User {self.data.user_ids[user]}, {self.data.item_names[item]} at step {step}, "
                f"b = {batch_size}: C = {own[mark]:g} + {cross[mark]:.4g} = "
                f"{own[mark] + cross[mark]:.4g}. {found['row'].nunique():,} other users met it, "
                f"where it reaches {int(found['reaches'].sum()):,} interactions.")
