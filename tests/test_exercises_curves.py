"""The exercises of notebook 06: solutions pass, wrong answers are told what is wrong."""

import re

import pytest
from _exercise_cases import open_and_broken_are_reported, said, solution_passes

from casadv_lib.exercises import curves as exercises_curves
from casadv_lib.experiments import notebooks as batch

EXERCISES = {"check_best_epoch": "best_epoch_of", "check_early_stopping": "stop_early",
             "check_first_reaching": "reached_at"}


def check_of(name):
    return getattr(exercises_curves, name)


@pytest.mark.parametrize("check", EXERCISES)
def test_solutions_pass(check, capsys):
    solution_passes(check_of(check), "06_learning_curves", EXERCISES[check], capsys)


@pytest.mark.parametrize("check", EXERCISES)
def test_open_and_broken_functions_are_reported_and_raise_nothing(check, capsys):
    open_and_broken_are_reported(check_of(check), capsys, "case 1")


def by(split):
    return lambda curve: max(curve, key=lambda entry: entry[split]["ndcg@10"])["epoch"]


def latest(curve):
    return max(curve[::-1], key=lambda entry: entry["validation"]["ndcg@10"])["epoch"]


def never_stops(curve, patience):
    return curve[-1]["epoch"], by("validation")(curve)


def any_fall_counts(curve, patience):
    falls, values = 0, [entry["validation"]["ndcg@10"] for entry in curve]
    for place in range(1, len(curve)):
        falls += values[place] < values[place - 1]
        if falls == patience:
            return curve[place]["epoch"], by("validation")(curve)
    return never_stops(curve, patience)


WRONG = {
    "chosen by the test": ("check_best_epoch", by("test"), "differs: yours gives"),
    "last of equals": ("check_best_epoch", latest, "case 3 of 3 differs: yours gives 20"),
    "place in place of epoch": (
        "check_best_epoch", lambda curve: by("validation")(curve) // 5, "case 1"),
    "never stops": ("check_early_stopping", never_stops, "case 2 of 6"),
    "falls counted, not waits": ("check_early_stopping", any_fall_counts, "differs"),
    "one value": ("check_early_stopping", lambda c, p: (5,), "wanted are 2"),
    "share of the level": (
        "check_first_reaching", lambda curve, start, share: next(
            e["epoch"] for e in curve if e["test"]["ndcg@10"] >= share * curve[-1]["test"][
                "ndcg@10"]), "differs"),
    "the last epoch": ("check_first_reaching", lambda c, s, p: c[-1]["epoch"], "case 1 of 4"),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_answers_are_caught(name, capsys):
    check, function, message = WRONG[name]
    text = said(check_of(check), function, capsys)
    assert message in text and "is right" not in text


def test_every_check_of_the_notebook_has_a_solution():
    path = batch.notebooks_folder() / "06_learning_curves.ipynb"
    used = re.findall(r"tasks\.(check_\w+)\(", path.read_text(encoding="utf-8"))
    assert set(used) == set(EXERCISES)
