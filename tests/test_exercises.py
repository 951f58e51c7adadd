"""The exercises: solutions pass their checks, wrong answers are told what is wrong."""

import re
import runpy

import numpy as np
import pytest

from casadv_lib.exercises import common as exercises
from casadv_lib.experiments import notebooks as batch

SOLUTIONS = batch.notebooks_folder() / "solutions"
# exercise: (notebook, name of the reader's function)
EXERCISES = {
    "check_leave_one_out": ("01_data_preparation", "leave_one_out"),
    "check_k_core": ("01_data_preparation", "my_k_core"),
    "check_ambiguous_share": ("01_data_preparation", "my_ambiguous_share"),
    "check_ndcg_of_scores": ("05_ranking_accuracy", "ndcg_of_scores"),
    "check_interval": ("05_ranking_accuracy", "interval"),
    "check_best_ndcg": ("05_ranking_accuracy", "best_ndcg"),
}


def said(check, function, capsys):
    getattr(exercises, check)(function)
    return capsys.readouterr().out


@pytest.mark.parametrize("check", EXERCISES)
def test_solutions_pass(check, capsys):
    notebook, name = EXERCISES[check]
    solution = runpy.run_path(str(SOLUTIONS / f"{notebook}.py"))[name]
    assert f"{name} is right" in said(check, solution, capsys)


@pytest.mark.parametrize("check", EXERCISES)
def test_open_exercises_say_so_and_raise_nothing(check, capsys):
    def unsolved(*arguments):
        ...

    def refused(*arguments):
        raise NotImplementedError

    assert "not solved yet" in said(check, unsolved, capsys)
    assert "not solved yet" in said(check, refused, capsys)


@pytest.mark.parametrize("check", EXERCISES)
def test_a_function_that_stops_or_returns_nonsense_is_reported(check, capsys):
    def broken(*arguments):
        return 1 / 0

    assert "case 1" in (text := said(check, broken, capsys)) and "ZeroDivisionError" in text
    assert "case 1" in (text := said(check, lambda *a: "soup", capsys)) and "'soup'" in text


def one_pass(frame, k):
    users = frame.groupby("user")["item"].transform("size")
    items = frame.groupby("item")["user"].transform("size")
    return frame[(users >= k) & (items >= k)]


def scored(tie, hide=True, cutoff=10):
    """NDCG of scores with a way to treat ties; hide: leave out padding and the history."""
    def ndcg(scores, histories, targets):
        found = []
        for history, target in zip(histories, targets):
            rivals = np.array(scores, dtype=float)
            rivals[[0, *history] if hide else [0]] = -np.inf
            ties = (rivals == scores[target]).sum() - 1
            rank = 1 + (rivals > scores[target]).sum() + tie * ties
            found.append(1 / np.log2(rank + 1) if rank <= cutoff else 0)
        return np.mean(found)

    return ndcg


def half_interval(ranks, reference):
    def gain(values):
        return np.where(values <= 10, 1 / np.log2(values + 1), 0.0)

    # as if the two models had been tested on different users
    half = 1.96 * np.sqrt((gain(ranks).var() + gain(reference).var()) / len(ranks))
    middle = gain(ranks).mean() - gain(reference).mean()
    return middle - half, middle + half


WRONG = {
    "the validation item also trains": (
        "check_leave_one_out", lambda s: (s[:-1], s[-2], s[-1]), "the training part is"),
    "targets swapped": (
        "check_leave_one_out", lambda s: (s[:-2], s[-1], s[-2]), "the validation item is 1"),
    "two values only": ("check_leave_one_out", lambda s: (s[:-2], s[-1]), "three values"),
    "one pass": ("check_k_core", one_pass, "case 2 of 4 differs: yours keeps the row"),
    "nothing filtered": ("check_k_core", lambda frame, k: frame, "keeps the row"),
    "everything dropped": ("check_k_core", lambda frame, k: frame[:0], "takes out the row"),
    "rows doubled": (
        "check_k_core", lambda frame, k: frame.loc[frame.index.repeat(2)], "differs"),
    "any tie counts": (
        "check_ambiguous_share",
        lambda f: (f.groupby("user").timestamp.nunique() < f.groupby("user").size()).mean(),
        "case 2 of 3 differs: yours gives 1, the library 0"),
    "file order is trusted": (
        "check_ambiguous_share",
        lambda f: (f.groupby("user").timestamp.agg(lambda t: t.iloc[-2:].nunique()) == 1).mean(),
        "case 3 of 3"),
    "ties ignored": ("check_ndcg_of_scores", scored(tie=0), "the library"),
    "all ties lost": ("check_ndcg_of_scores", scored(tie=1), "the library"),
    "the history stays": ("check_ndcg_of_scores", scored(0.5, hide=False), "differs"),
    "no cut-off": ("check_ndcg_of_scores", scored(0.5, cutoff=99), "case 1"),
    "unpaired": ("check_interval", half_interval, "the bootstrap's"),
    "ends swapped": ("check_interval", lambda a, b: half_interval(a, b)[::-1], "low is"),
    "mean of the largest": (
        "check_best_ndcg", lambda chance: chance.max(axis=1).mean(), "case 1 of 3 differs"),
    "hit ratio": (
        "check_best_ndcg", lambda chance: np.sort(chance)[:, -10:].sum(1).mean(), "differs"),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_answers_are_caught(name, capsys):
    check, function, message = WRONG[name]
    text = said(check, function, capsys)
    assert message in text and "is right" not in text
    assert "The case was:" in text


def test_every_check_of_the_notebooks_has_a_solution():
    used = set()
    for path in batch.committed():
        used |= set(re.findall(r"exercises\.(check_\w+)\(", path.read_text(encoding="utf-8")))
    assert used == set(EXERCISES)


def test_a_function_that_changes_its_arguments_spoils_nothing(capsys):
    def greedy(sequence):
        test, validation = sequence.pop(), sequence.pop()
        return sequence, validation, test

    assert "greedy is right" in said("check_leave_one_out", greedy, capsys)
