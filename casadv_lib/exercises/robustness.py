"""The checks behind the exercises of notebooks 08 and 09, in the manner of `exercises`."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

from ..attacks import replaced_indices
from ..evaluation import ndcg
from ..results.robustness import nearest_allowed
from .common import _number_differs, compare

# Notebook 08

def substitute_of(table: np.ndarray, item: int, g: np.ndarray, eta: float, refused) -> int:
    """The allowed item nearest to e + eta * g / ||g||; row 0 of the table is padding."""
    size = np.linalg.norm(g)
    goal = table[item] + (eta * g / size if size > 0 else 0.0)
    items = torch.as_tensor(table[1:], dtype=torch.float64)
    taken = [np.array([item, *refused])]
    return int(nearest_allowed(items, torch.as_tensor(goal).unsqueeze(0), taken)[0])


def check_substitute(function: Callable) -> None:
    """function(table, item, g, eta, refused) -> the substitute."""
    rng = np.random.default_rng(0)
    line = np.array([[2.2], [0.0], [1.0], [2.0], [3.0], [4.5]])  # item i stands at i - 1; 0 pads
    cases = [
        (line, 2, np.array([5.0]), 1.1, []),  # a long gradient, a short step
        (line, 2, np.array([-5.0]), 1.1, []),
        (line, 2, np.array([1.0]), 1.2, [3]),  # the nearest is refused; padding is near, too
        (line, 3, np.array([0.0]), 0.9, [2]),  # no direction
    ]
    for _ in range(6):
        table = rng.normal(size=(30, 4))
        cases.append((table, int(rng.integers(1, 30)), rng.normal(size=4), 1.5, [4, 9]))

    def differs(found, wanted):
        return "" if int(found) == wanted else f"yours picks item {found}, the library {wanted}."

    print(compare(function, substitute_of, cases, differs))


def change_percent(after: np.ndarray, before: np.ndarray) -> float:
    """Relative change of NDCG@10 in percent; 0 where the clean score is 0."""
    clean = ndcg(before)
    return 100 * (ndcg(after) / clean - 1) if clean else 0.0


def check_change(function: Callable) -> None:
    """function(after, before) -> relative change of NDCG@10 in percent."""
    rng = np.random.default_rng(0)
    before = rng.geometric(0.1, 200).astype(float)
    cases = [
        (np.array([3.0, 1.0, 20.0]), np.array([1.0, 1.0, 12.0])),
        (np.array([11.0, 2.0]), np.array([10.0, 2.0])),  # the last place of the list
        (before + rng.integers(0, 8, 200), before),
        (np.array([4.0, 30.0]), np.array([11.0, 40.0])),  # nothing to lose
    ]
    print(compare(function, change_percent, cases, _number_differs()))


# Notebook 09

def last_places(lengths, max_len: int, k: int) -> list[list[int]]:
    """Indices into the full histories of the last k items, newest first; users with k or more."""
    kept = [n for n in lengths if min(n, max_len) >= k]
    histories = [np.zeros(n, dtype=np.int64) for n in kept]
    return replaced_indices(histories, max_len, "last", k).tolist() if kept else []


def check_last_places(function: Callable) -> None:
    """function(lengths, max_len, k) -> one list of k indices, newest first, a kept user."""
    cases = [([4, 7], 50, 2), ([2, 5, 1, 3], 50, 3), ([9, 3], 2, 2), ([9, 3], 2, 3), ([6], 4, 1)]

    def differs(found, wanted):
        if len(found) != len(wanted):
            return f"yours keeps {len(found)} users, the library {len(wanted)}; yours: {found!r}"
        for mine, right in zip(found, wanted):
            if list(map(int, mine)) != right:
                return f"yours gives the places {list(mine)}, the library {right}."
        return ""

    print(compare(function, last_places, cases, differs))


def same_users_change(after: dict, before: dict) -> float:
    """Relative change of HR@10 in percent over the users that stand in both, {user: rank}."""
    users = [user for user in after if user in before]
    hits = [sum(ranks[user] <= 10 for user in users) for ranks in (after, before)]
    return 100 * (hits[0] / hits[1] - 1)


def check_same_users(function: Callable) -> None:
    """function(after, before) -> relative change of HR@10 in percent; {user: rank} each."""
    cases = [
        ({"a": 12.0, "b": 3.0}, {"a": 4.0, "b": 2.0}),
        ({"b": 3.0, "d": 30.0, "e": 9.0}, {"a": 1.0, "b": 2.0, "c": 5.0, "d": 7.0, "e": 40.0}),
        ({"a": 10.0, "b": 10.5}, {"c": 1.0, "b": 10.0, "a": 10.0}),
    ]
    print(compare(function, same_users_change, cases, _number_differs()))
