"""The exercises of notebook 04: solutions pass, wrong answers are told what is wrong."""

import re
import runpy

import pytest
import torch
from _exercise_cases import open_and_broken_are_reported, said, solution_passes

from casadv_lib.exercises import adversarial as exercises_adversarial
from casadv_lib.experiments import notebooks as batch

SOLUTIONS = runpy.run_path(
    str(batch.notebooks_folder() / "solutions" / "04_adversarial_training.py"))
EXERCISES = {"check_perturbation": "perturbation_at", "check_score_moves": "score_moves",
             "check_guided": "guided_by"}


def check_of(name):
    return getattr(exercises_adversarial, name)


@pytest.mark.parametrize("check", EXERCISES)
def test_solutions_pass(check, capsys):
    solution_passes(check_of(check), "04_adversarial_training", EXERCISES[check], capsys)


@pytest.mark.parametrize("check", EXERCISES)
def test_open_and_broken_functions_are_reported_and_raise_nothing(check, capsys):
    open_and_broken_are_reported(check_of(check), capsys, "case 1")


def from_zero(encode, S, start, epsilon):
    return SOLUTIONS["perturbation_at"](encode, S, torch.zeros_like(start), epsilon)


def per_row(encode, S, start, epsilon):
    A = SOLUTIONS["perturbation_at"](encode, S, start, epsilon)
    return epsilon * A / A.norm(dim=-1, keepdim=True)


def swapped(w, positive, negative, epsilon):
    i, j, n = SOLUTIONS["score_moves"](w, positive, negative, epsilon)
    return i, n, j


def one_size(w, positive, negative, epsilon):
    moves = SOLUTIONS["score_moves"](w, positive, negative, epsilon)
    return [epsilon * move / move.norm() for move in moves]


WRONG = {
    "the trap": ("check_perturbation", from_zero, "A holds values that are no numbers"),
    "no epsilon": (
        "check_perturbation", lambda f, S, a, e: SOLUTIONS["perturbation_at"](f, S, a, 1.0),
        "case 3 of 3 differs: A has size 1, in the library 10"),
    "a size for each row": ("check_perturbation", per_row, "in the library 1;"),
    "the start itself": (
        "check_perturbation", lambda f, S, a, e: e * a / a.norm(), "the cosine between"),
    "positive and negative swapped": (
        "check_score_moves", swapped, "delta_j has size 1, in the library 1; the cosine between "
        "both directions is -1.000"),
    "one size for the batch": ("check_score_moves", one_size, "case 2 of 3"),
    "two values": (
        "check_score_moves", lambda *a: SOLUTIONS["score_moves"](*a)[:2], "wanted are 3"),
    "not renormalised": (
        "check_guided", lambda A, C: A / C.unsqueeze(-1), "the guided perturbation has size"),
    "C in place of 1/C": (
        "check_guided", lambda A, C: A * (C / C.mean()).unsqueeze(-1), "case 2 of 3 differs"),
    "weights across coordinates": ("check_guided", lambda A, C: A[:, :2], "has shape (2, 2)"),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_answers_are_caught(name, capsys):
    check, function, message = WRONG[name]
    text = said(check_of(check), function, capsys)
    assert message in text and "is right" not in text
    assert not re.search(r" at 0x", text)


def test_every_check_of_the_notebook_has_a_solution():
    path = batch.notebooks_folder() / "04_adversarial_training.ipynb"
    used = re.findall(r"tasks\.(check_\w+)\(", path.read_text(encoding="utf-8"))
    assert set(used) == set(EXERCISES)
