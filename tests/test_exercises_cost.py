"""The exercises of notebooks 10 and 11: solutions pass, wrong answers are told what is wrong."""

import pytest
from _exercise_cases import open_and_broken_are_reported, solution_passes, wrong_is_caught

from casadv_lib.exercises import cost as exercises_cost
from casadv_lib.exercises import readings as exercises_readings

EXERCISES = [
    (exercises_cost.check_added, "10_what_it_costs", "added_time"),
    (exercises_cost.check_two_passes, "10_what_it_costs", "two_passes"),
    (exercises_readings.check_weights, "11_ambiguities", "weights_of"),
    (exercises_readings.check_level, "11_ambiguities", "level_of_each"),
]


@pytest.mark.parametrize("check, notebook, name", EXERCISES)
def test_solutions_pass_and_open_ones_say_so(check, notebook, name, capsys):
    solution_passes(check, notebook, name, capsys)
    open_and_broken_are_reported(check, capsys)


def passes(histories, batch_size, own=False, from_start=False, users=None):
    def value(history, place):
        return place + 1 if from_start else len(history) - place

    total = {}
    for history in histories:
        for place, item in enumerate(history):
            total[item] = total.get(item, 0) + value(history, place)
    share = batch_size / (users or len(histories))
    return [[value(h, p) + share * (total[i] - (0 if own else value(h, p)))
             for p, i in enumerate(h)] for h in histories]


WRONG = {
    "the epochs are swapped": (
        exercises_cost.check_added, lambda r, a, e: 100 * r * e / max(a, 1), "case 1"),
    "the whole instead of the addition": (
        exercises_cost.check_added, lambda r, a, e: 100 * (1 + r * a / e), "case 1"),
    "a user counts itself": (
        exercises_cost.check_two_passes, lambda h, b: passes(h, b, own=True), "case 1"),
    "counted from the start": (
        exercises_cost.check_two_passes, lambda h, b: passes(h, b, from_start=True), "history 0"),
    "no b / m": (exercises_cost.check_two_passes, lambda h, b: passes(h, b, users=b), "case 3"),
    "always reading A": (
        exercises_readings.check_weights, lambda c, m: (1 / c) / (1 / c).mean(), "case 2"),
    "not renormalised": (exercises_readings.check_weights, lambda c, m: 1 / c, "case 1"),
    "the level is divided": (
        exercises_readings.check_level, lambda level, n: level / n, "case 2"),
    "independence is assumed": (
        exercises_readings.check_level, lambda level, n: level ** (1 / n), "case 2"),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_answers_are_caught(name, capsys):
    wrong_is_caught(*WRONG[name], capsys)
