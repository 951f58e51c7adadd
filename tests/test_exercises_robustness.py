"""The exercises of notebooks 08 and 09: solutions pass, wrong answers are told what is wrong."""

import numpy as np
import pytest
from _exercise_cases import open_and_broken_are_reported, solution_passes, wrong_is_caught

from casadv_lib.exercises import robustness as ex

EXERCISES = [
    (ex.check_substitute, "08_first_middle_last", "substitute_of"),
    (ex.check_change, "08_first_middle_last", "change_percent"),
    (ex.check_last_places, "09_last_k", "last_places"),
    (ex.check_same_users, "09_last_k", "same_users_change"),
]


@pytest.mark.parametrize("check, notebook, name", EXERCISES)
def test_solutions_pass_and_open_ones_say_so(check, notebook, name, capsys):
    solution_passes(check, notebook, name, capsys)
    open_and_broken_are_reported(check, capsys)


def substitute(table, item, g, eta, refused, length=True, hidden=True, sign=1):
    size = np.linalg.norm(g) if length else 1.0
    goal = table[item] + (sign * eta * g / size if size else 0)
    apart = np.linalg.norm(table - goal, axis=1)
    apart[[0, item, *(refused if hidden else [])]] = np.inf
    return apart.argmin()


def with_padding(table, item, g, eta, refused):
    goal = table[item] + eta * g / max(np.linalg.norm(g), 1e-9)
    apart = np.linalg.norm(table - goal, axis=1)
    apart[[item, *refused]] = np.inf
    return apart.argmin()


def change(metric, cutoff=10):
    def percent(after, before):
        a, b = (np.where(r <= cutoff, metric(r), 0).mean() for r in (after, before))
        return 100 * (a / b - 1) if b else 0.0

    return percent


def ndcg(ranks):
    return 1 / np.log2(ranks + 1)


WRONG = {
    "the gradient is not normalised": (
        ex.check_substitute, lambda *a: substitute(*a, length=False), "case 1"),
    "downhill": (ex.check_substitute, lambda *a: substitute(*a, sign=-1), "case 1"),
    "refused items are taken": (
        ex.check_substitute, lambda *a: substitute(*a, hidden=False), "the library"),
    "padding is an item": (ex.check_substitute, with_padding, "picks item 0"),
    "hits instead of gains": (ex.check_change, change(lambda r: np.ones_like(r)), "case 1"),
    "no cut-off": (ex.check_change, change(ndcg, cutoff=99), "case 1"),
    "absolute": (ex.check_change, lambda a, b: change(ndcg)(a, b) / 100, "the library"),
    "oldest first": (
        ex.check_last_places,
        lambda n, t, k: [[x - k + j for j in range(k)] for x in n if min(x, t) >= k], "case 1"),
    "short users stay": (
        ex.check_last_places, lambda n, t, k: [[x - 1 - j for j in range(k)] for x in n], "keeps"),
    "T is forgotten": (
        ex.check_last_places,
        lambda n, t, k: [[x - 1 - j for j in range(k)] for x in n if x >= k], "case 4"),
    "all users count": (
        ex.check_same_users,
        lambda a, b: 100 * (np.mean([r <= 10 for r in a.values()])
                            / np.mean([r <= 10 for r in b.values()]) - 1), "case 2"),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_answers_are_caught(name, capsys):
    wrong_is_caught(*WRONG[name], capsys)
