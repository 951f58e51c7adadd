"""Notebook 01: the k-core, popularity, and users whose test item the timestamps leave open."""

import numpy as np
import pandas as pd

from ..datasets.kcore import k_core
from .common import exercise


def _frame(*rows):
    return pd.DataFrame(rows, columns=["user", "item", "timestamp"][: len(rows[0])])


SQUARE = _frame(*[(user, item) for user in "ab" for item in "xy"], ("a", "z"), ("c", "x"))
CHAIN = _frame(*[(user, item) for user in range(1, 6) for item in (user, user + 1)], (1, 3))


def _other_rows(answer, wanted, *_) -> str:
    mine, right = (list(map(tuple, table[["user", "item"]].to_numpy().tolist()))
                   for table in (answer, wanted))
    if extra := set(mine) - set(right):
        return f"yours keeps the row {min(extra)}, which the library takes out."
    if missing := set(right) - set(mine):
        return f"yours takes out the row {min(missing)}, which the library keeps."
    return "" if len(mine) == len(right) else "the same row stands in yours more than once."


# function(frame, k) -> the rows of the k-core; frame has columns user and item
check_k_core = exercise([(SQUARE, 2), (CHAIN, 2), (SQUARE, 1), (CHAIN, 3)],
                        differs=_other_rows)(k_core)


@exercise([
    ([[3, 1], [3, 2], [3]], 1),
    ([[4, 4, 4], [2], [2]], 2),  # occurrences count, not users
    ([[9, 1], [5, 9], [5, 1]], 3),  # all alike: the smaller number first
], "the list")
def check_most_popular(histories, count):
    """function(histories, count) -> a list of items, the most frequent first."""
    occurrences = np.bincount(np.concatenate(histories))
    return np.argsort(-occurrences[1:], kind="stable")[:count] + 1  # item 0 is padding


@exercise([
    (_frame(("a", 1, 1), ("a", 2, 2), ("a", 3, 2), ("b", 1, 1), ("b", 2, 2), ("b", 3, 3)),),
    (_frame(("a", 1, 1), ("a", 2, 1), ("a", 3, 2)),),  # a tie, but not at the end
    (_frame(("a", 3, 9), ("a", 1, 1), ("a", 2, 9), ("b", 2, 9), ("b", 3, 8)),),  # not sorted
], "the share")
def check_ambiguous_share(frame):
    """function(frame) -> share of users with several interactions at their newest timestamp."""
    newest = frame["timestamp"] == frame.groupby("user")["timestamp"].transform("max")
    return (newest.groupby(frame["user"]).sum() > 1).mean()
