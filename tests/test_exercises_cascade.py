"""The exercises of notebook 03: solutions pass, wrong answers are told what is wrong."""

import runpy

import numpy as np
import pytest

from casadv_lib.exercises import cascade as exercises_cascade
from casadv_lib.experiments import notebooks as batch

SOLUTIONS = batch.notebooks_folder() / "solutions" / "03_cascade_effects.py"
EXERCISES = {"check_own_term": "own_term", "check_cross_term": "cross_term",
             "check_weights": "inverse_weights"}


def said(check, function, capsys):
    getattr(exercises_cascade, check)(function)
    return capsys.readouterr().out


@pytest.mark.parametrize("check", EXERCISES)
def test_solutions_pass(check, capsys):
    name = EXERCISES[check]
    assert f"{name} is right" in said(check, runpy.run_path(str(SOLUTIONS))[name], capsys)


@pytest.mark.parametrize("check", EXERCISES)
def test_open_and_broken_answers_are_reported(check, capsys):
    assert "not solved yet" in said(check, lambda *arguments: None, capsys)
    assert "ZeroDivisionError" in said(check, lambda *arguments: 1 / 0, capsys)
    text = said(check, lambda *arguments: "soup", capsys)
    assert "'soup'" in text or "yours has 4 histories" in text


def cross(own_too=False, share=True, once=False):
    """The second term with one slip each."""
    def cross_term(histories, b):
        found = []
        for i, history in enumerate(histories):
            row = []
            for item in history:
                total = 0
                for k, other in enumerate(histories):
                    places = [len(other) - s for s, v in enumerate(other) if v == item]
                    if own_too or k != i:
                        total += sum(places[:1] if once else places)
                row.append(total * (b / len(histories) if share else 1))
            found.append(row)
        return found

    return cross_term


def mean_of_effects(effects):
    mean = np.mean(np.concatenate(effects))
    return [[mean / value for value in row] for row in effects]


WRONG = {
    "T is the length": ("check_own_term", lambda n, T: [1 + T - t for t in range(1, n + 1)],
                        "case 1 of 4 differs: yours gives 50"),
    "newest first": ("check_own_term", lambda n, T: range(1, min(n, T) + 1), "the library 5"),
    "never cut": ("check_own_term", lambda n, T: range(n, 0, -1), "shape (7,)"),
    "from zero": ("check_own_term", lambda n, T: range(min(n, T) - 1, -1, -1), "differs"),
    "counts itself": ("check_cross_term", cross(own_too=True), "history 0: yours gives"),
    "no b/m": ("check_cross_term", cross(share=False), "case 2 of 4"),
    "first occurrence only": ("check_cross_term", cross(once=True), "case 3 of 4"),
    "flat": ("check_cross_term", lambda h, b: [0.0], "yours has 1 histories"),
    "not scaled": ("check_weights", lambda e: [[1 / v for v in row] for row in e], "differs"),
    "per history": (
        "check_weights",
        lambda e: [(1 / np.array(row)) / np.mean(1 / np.array(row)) for row in e], "case 1 of 3"),
    "mean of C": ("check_weights", mean_of_effects, "case 1 of 3"),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_answers_are_caught(name, capsys):
    check, function, message = WRONG[name]
    text = said(check, function, capsys)
    assert message in text and "is right" not in text and "The case was:" in text
