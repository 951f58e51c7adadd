"""The checks behind the notebooks' exercises: a reader's function against the library's.

A check runs both on small cases and says which case differs and how. It prints and never raises,
so that a notebook with open exercises still runs from top to bottom. Solutions that pass are in
notebooks/solutions/.
"""

from __future__ import annotations

import copy
from collections.abc import Callable

import numpy as np
import pandas as pd
import torch

from ..backbones import Backbone, no_dropout
from ..data import SequenceDataset, held_out, training_sequences
from ..datasets.kcore import k_core
from ..datasets.synthetic import WorldSettings, make_world
from ..evaluation import ndcg, paired_bootstrap, rank_items


def compare(function: Callable, reference: Callable, cases: list[tuple],
            differs: Callable[[object, object], str]) -> str:
    """Run both functions on every case; one sentence about the first that differs, or praise.

    differs(found, wanted) returns "" where they agree, else how they differ in words. The
    function gets copies, so that one that changes its arguments spoils nothing.
    """
    name = getattr(function, "__name__", "your function")
    for place, case in enumerate(cases, start=1):
        where = f"{name}, case {place} of {len(cases)}"
        try:
            found = function(*copy.deepcopy(case))
        except NotImplementedError:
            found = None
        except Exception as error:  # a reader's code may raise anything
            return f"{where} stops with {type(error).__name__}: {error}\n{_shown(case)}"
        if found is None and place == 1:
            return f"{name} is not solved yet: it returns nothing."
        wanted = reference(*copy.deepcopy(case))
        try:
            difference = differs(found, wanted)
        except (TypeError, ValueError, KeyError, IndexError, AttributeError) as error:
            difference = f"returns {found!r}, which cannot be compared ({error})"
        if difference:
            return f"{where} differs: {difference}\n{_shown(case)}"
    return f"{name} is right: it agrees with the library on all {len(cases)} cases."


def _shown(case: tuple) -> str:
    """The arguments of a case, cut to what fits on a screen."""
    texts = [a.to_string(index=False) if isinstance(a, pd.DataFrame) else repr(a) for a in case]
    texts = [text if len(text) <= 800 else text[:800] + " ..." for text in texts]
    return "The case was:\n" + "\n".join(texts)


def _number_differs(tolerance: float = 1e-6):
    def differs(found, wanted) -> str:
        if abs(float(found) - wanted) <= tolerance * max(1.0, abs(wanted)):
            return ""
        return f"yours gives {float(found):.6g}, the library {wanted:.6g}."

    return differs


# Notebook 01

def check_leave_one_out(function: Callable) -> None:
    """function(sequence) -> (training items, validation item, test item)."""
    cases = [([4, 2, 9, 7, 1],), ([3, 1, 2],), ([5, 5, 8, 5],), (list(range(1, 13)),)]
    parts = ("the training part", "the validation item", "the test item")

    def reference(sequence):
        top = max(sequence)
        names = [""] + [str(item) for item in range(1, top + 1)]
        data = SequenceDataset("case", [np.array(sequence)], top, names, names, ["1"])
        targets = [int(held_out(data, split)[1][0]) for split in ("validation", "test")]
        return training_sequences(data)[0].tolist(), *targets

    def differs(found, wanted):
        if len(found) != len(parts):
            return f"it returns {found!r}; wanted are three values, {', '.join(parts)}."
        for part, mine, right in zip(parts, found, wanted, strict=True):
            mine = np.asarray(mine).tolist()
            if mine != right:
                return f"{part} is {mine}, in the library {right}."
        return ""

    print(compare(function, reference, cases, differs))


def check_k_core(function: Callable) -> None:
    """function(frame, k) -> the rows of the k-core; frame has columns user and item."""
    def frame(*pairs):
        return pd.DataFrame(pairs, columns=["user", "item"])

    chain = frame(*[(user, item) for user in range(1, 6) for item in (user, user + 1)], (1, 3))
    square = frame(*[(user, item) for user in "ab" for item in "xy"], ("a", "z"), ("c", "x"))
    cases = [(square, 2), (chain, 2), (square, 1), (chain, 3)]

    def rows(table):
        return sorted(map(tuple, table[["user", "item"]].to_numpy().tolist()))

    def differs(found, wanted):
        mine, right = rows(found), rows(wanted)
        extra = [row for row in mine if row not in right]
        missing = [row for row in right if row not in mine]
        if extra:
            return f"yours keeps the row {extra[0]}, which the library takes out."
        if missing:
            return f"yours takes out the row {missing[0]}, which the library keeps."
        return "" if mine == right else "the same row stands in yours more than once."

    print(compare(function, k_core, cases, differs))


def ambiguous_share(frame: pd.DataFrame) -> float:
    """The share of users whose newest timestamp belongs to several of their interactions.

    frame: columns user, item, timestamp. For these users the test item depends on the order of
    the file, not on time.
    """
    newest = frame["timestamp"] == frame.groupby("user")["timestamp"].transform("max")
    return float((newest.groupby(frame["user"]).sum() > 1).mean())


def check_ambiguous_share(function: Callable) -> None:
    """function(frame) -> share of users whose test item the timestamps leave open."""
    def frame(*rows):
        return pd.DataFrame(rows, columns=["user", "item", "timestamp"])

    cases = [
        (frame(("a", 1, 1), ("a", 2, 2), ("a", 3, 2), ("b", 1, 1), ("b", 2, 2), ("b", 3, 3)),),
        (frame(("a", 1, 1), ("a", 2, 1), ("a", 3, 2)),),  # a tie, but not at the end
        (frame(("a", 3, 9), ("a", 1, 1), ("a", 2, 9), ("b", 2, 9), ("b", 3, 8)),),  # not sorted
    ]
    print(compare(function, ambiguous_share, cases, _number_differs()))


# Notebook 05

class GivenScores(Backbone):
    """A backbone that gives item i the score scores[i], whatever the history."""

    def __init__(self, scores):
        super().__init__(len(scores) - 1, dim=1)
        with torch.no_grad():
            self.items.weight[:, 0] = torch.tensor(scores, dtype=torch.float32)

    def encode(self, rows, batch, drop=no_dropout):
        return torch.ones_like(rows)


def check_ndcg_of_scores(function: Callable) -> None:
    """function(scores, histories, targets) -> NDCG@10; all users share the scores."""
    rng = np.random.default_rng(0)
    falling = np.concatenate([[0.0], np.arange(30.0, 0, -1)])
    tied = np.round(rng.normal(size=31), 1)
    tied[0] = 99.0  # padding, which must never compete
    cases = [
        (falling, [[2], [9], [30]], [1, 5, 12]),
        (falling, [[1, 2, 3], [1]], [4, 11]),  # the history leaves the ranking
        (tied, [[1], [2], [3], [4], [5]], [11, 12, 13, 14, 15]),
        (np.ones(15), [[1, 2], [3]], [4, 5]),  # a collapsed model: the middle rank
    ]

    def reference(scores, histories, targets):
        histories = [np.array(history) for history in histories]
        return ndcg(rank_items(GivenScores(scores), histories, np.array(targets), histories)[0])

    print(compare(function, reference, cases, _number_differs()))


def check_interval(function: Callable) -> None:
    """function(ranks, reference) -> (low, high), close to the paired bootstrap of NDCG@10."""
    rng = np.random.default_rng(0)
    cases = []
    for users, worse in ((400, 1.0), (2000, 1.3), (1000, 0.7)):
        ranks = rng.geometric(0.05, users).astype(float)
        cases.append((ranks, np.maximum(1, np.round(ranks * worse + rng.normal(0, 2, users)))))

    def reference(ranks, other):
        found = paired_bootstrap(ranks, other)
        return found["low"], found["high"]

    def differs(found, wanted):
        width = wanted[1] - wanted[0]
        for end, mine, right in zip(("low", "high"), found, wanted, strict=True):
            if abs(float(mine) - right) > 0.15 * width:
                return (f"{end} is {float(mine):.5f}, the bootstrap's {right:.5f}; allowed is "
                        f"a distance of 15% of its width, {0.15 * width:.5f}.")
        return ""

    print(compare(function, reference, cases, differs))


def check_best_ndcg(function: Callable) -> None:
    """function(chance) -> the best NDCG@10 to expect; chance: p(next item), one row a user."""
    settings = [WorldSettings(n_users=20, n_items=40, n_groups=3, max_length=20, misclick=rate)
                for rate in (0.0, 0.2, 0.9)]
    worlds = [make_world(setting, seed=seed) for seed, setting in enumerate(settings)]
    cases = [(world.next_item_distribution(held_out(world.dataset, "test")[0]),)
             for world in worlds]
    optima = iter(world.optimum("test")["ndcg@10"] for world in worlds)
    print(compare(function, lambda chance: next(optima), cases, _number_differs()))
