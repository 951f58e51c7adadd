"""The exercises of notebook 00: solutions pass, wrong answers are told what is wrong."""

import runpy

import numpy as np
import pytest

from casadv_lib.exercises import start as exercises_start
from casadv_lib.experiments import notebooks as batch

SOLUTIONS = batch.notebooks_folder() / "solutions" / "00_start_here.py"
EXERCISES = {"check_most_popular": "most_popular", "check_guided": "guided_moves"}


def said(check, function, capsys):
    getattr(exercises_start, check)(function)
    return capsys.readouterr().out


@pytest.mark.parametrize("check", EXERCISES)
def test_solutions_pass(check, capsys):
    name = EXERCISES[check]
    assert f"{name} is right" in said(check, runpy.run_path(str(SOLUTIONS))[name], capsys)


@pytest.mark.parametrize("check", EXERCISES)
def test_open_and_broken_answers_are_reported(check, capsys):
    assert "not solved yet" in said(check, lambda *arguments: None, capsys)
    assert "ZeroDivisionError" in said(check, lambda *arguments: 1 / 0, capsys)
    assert "'soup'" in said(check, lambda *arguments: "soup", capsys)


def by_users(histories, count):
    items = sorted({item for history in histories for item in history})
    return sorted(items, key=lambda v: -sum(v in history for history in histories))[:count]


WRONG = {
    "users, not occurrences": ("check_most_popular", by_users, "case 2 of 3"),
    "as they come": ("check_most_popular", lambda h, n: [3, 4, 9][:n], "case 2 of 3"),
    "large first": (
        "check_most_popular",
        lambda h, n: sorted({v for x in h for v in x},
                            key=lambda v: (-sum(x.count(v) for x in h), -v))[:n], "case 3 of 3"),
    "not scaled": ("check_guided", lambda A, C: A / C[:, None], "case 2 of 3"),
    "times C": ("check_guided", lambda A, C: A * C[:, None] / C.mean(), "case 2 of 3"),
    "mean of C": ("check_guided", lambda A, C: A / C[:, None] * C.mean(), "case 2 of 3"),
    "wrong shape": ("check_guided", lambda A, C: A.sum(axis=1), "shape (2,)"),
    "nothing moves": ("check_guided", lambda A, C: np.zeros_like(A), "case 1 of 3"),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_answers_are_caught(name, capsys):
    check, function, message = WRONG[name]
    text = said(check, function, capsys)
    assert message in text and "is right" not in text and "The case was:" in text
