"""Notebook 01: the k-core and popularity."""

import numpy as np
import pandas as pd

from ..datasets.kcore import k_core
from .common import exercise

COLUMNS = ["user", "item"]
SQUARE = pd.DataFrame([(1, 7), (1, 8), (2, 7), (2, 8), (1, 9), (3, 7)], columns=COLUMNS)
CHAIN = pd.DataFrame([*((user, item) for user in range(1, 6) for item in (user, user + 1)), (1, 3)],
                     columns=COLUMNS)


@exercise([(SQUARE, 2), (CHAIN, 2), (SQUARE, 1), (CHAIN, 3)], "the table")
def check_k_core(frame, k):
    """function(frame, k) -> the rows of the k-core; frame has columns user and item."""
    return k_core(frame, k)


@exercise([
    ([[3, 1], [3, 2], [3]], 1),
    ([[4, 4, 4], [2], [2]], 2),  # occurrences count, not users
    ([[9, 1], [5, 9], [5, 1]], 3),  # all alike: the smaller number first
], "the list")
def check_most_popular(histories, count):
    """function(histories, count) -> a list of items, the most frequent first."""
    occurrences = np.bincount(np.concatenate(histories))
    return np.argsort(-occurrences[1:], kind="stable")[:count] + 1  # item 0 is padding
