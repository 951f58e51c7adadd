"""The exercises of notebook 07: solutions pass, wrong answers are told what is wrong."""

import re

import numpy as np
import pytest
from _exercise_cases import open_and_broken_are_reported, said, solution_passes

from casadv_lib.exercises import sweep as exercises_sweep
from casadv_lib.experiments import notebooks as batch

EXERCISES = {"check_epsilon_for": "epsilon_for", "check_literal_epsilon": "literal_epsilon",
             "check_choose": "choose"}


def check_of(name):
    return getattr(exercises_sweep, name)


@pytest.mark.parametrize("check", EXERCISES)
def test_solutions_pass(check, capsys):
    solution_passes(check_of(check), "07_epsilon_sweep", EXERCISES[check], capsys)


@pytest.mark.parametrize("check", EXERCISES)
def test_open_and_broken_functions_are_reported_and_raise_nothing(check, capsys):
    open_and_broken_are_reported(check_of(check), capsys, "case 1")


def by_test(validation, test):
    best = max(test, key=test.get)
    return best, test[best]


WRONG = {
    "n in place of its root": (
        "check_epsilon_for", lambda s, x, n: s * x.mean() * n, "case 2 of 3 differs: epsilon is"),
    "the batch is forgotten": ("check_epsilon_for", lambda s, x, n: s * x.mean(), "case 2 of 3"),
    "no number": ("check_epsilon_for", lambda s, x, n: np.nan, "epsilon is nan"),
    "all of them": ("check_epsilon_for", lambda s, x, n: s * x * n**0.5, "it returns 4 value(s)"),
    "upside down": (
        "check_literal_epsilon", lambda e, n, k: e * (n / k) ** 0.5, "in the library 1."),
    "unchanged": ("check_literal_epsilon", lambda e, n, k: e, "case 2 of 4"),
    "chosen by the test": ("check_choose", by_test, "case 1 of 3 differs: epsilon is 10"),
    "first of equals": (
        "check_choose", lambda v, t: (max(v, key=v.get), t[max(v, key=v.get)]) if 30.0 not in v
        else (5.0, 0.04), "case 2 of 3 differs: epsilon is 5"),
    "validation reported": (
        "check_choose", lambda v, t: (max(v, key=v.get), max(v.values())), "the test score is"),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_answers_are_caught(name, capsys):
    check, function, message = WRONG[name]
    text = said(check_of(check), function, capsys)
    assert message in text and "is right" not in text


def test_every_check_of_the_notebook_has_a_solution():
    path = batch.notebooks_folder() / "07_epsilon_sweep.ipynb"
    used = re.findall(r"tasks\.(check_\w+)\(", path.read_text(encoding="utf-8"))
    assert set(used) == set(EXERCISES)
