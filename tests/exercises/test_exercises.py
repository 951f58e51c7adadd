"""Every exercise of the notebooks: its solution passes, slips in it are told what is wrong."""

import re
import runpy

import pytest

from casadv_lib import exercises
from casadv_lib.support.machine import root

SOLUTIONS = {path.stem[:2]: path for path in (root() / "notebooks" / "solutions").glob("*.py")}
CALL = re.compile(r"\.(check_\w+)\((\w+)\)")  # exercises.check_this(that)
CALLED = {check: (SOLUTIONS[path.name[:2]], name)
          for path in sorted((root() / "notebooks").glob("*.ipynb"))
          for check, name in CALL.findall(path.read_text(encoding="utf-8"))}


@pytest.fixture
def said(capsys):
    def said(check, function):
        getattr(exercises, check)(function)
        return capsys.readouterr().out

    return said


def test_every_check_belongs_to_a_notebook_and_has_wrong_answers():
    checks = {name for name in vars(exercises) if name.startswith("check_")}
    assert checks == {*CALLED} == {check for check, *_ in SLIPS}


@pytest.mark.parametrize("check", CALLED)
def test_the_solution_passes_and_what_is_none_is_told_so(check, said):
    path, name = CALLED[check]
    assert f"{name} is right" in said(check, runpy.run_path(str(path))[name])
    assert "not solved yet" in said(check, lambda *arguments: None)
    assert "case 1" in (text := said(check, lambda *a: 1 / 0)) and "ZeroDivisionError" in text
    assert "is right" not in said(check, lambda *arguments: "soup")


def test_a_function_that_changes_its_arguments_spoils_nothing(said):
    path, name = CALLED["check_most_popular"]

    def greedy(histories, count):
        everything = [history.pop() for history in histories for _ in list(history)]
        return runpy.run_path(str(path))[name]([everything], count)

    assert "greedy is right" in said("check_most_popular", greedy)


SLIPS = [  # check, what the solution has, what stands there instead, what must be said about it
    ("check_most_popular", "for item in history)", "for item in set(history))", "case 2 of 3"),
    ("check_most_popular", "[item], item)", "[item], -item)", "case 3 of 3"),
    ("check_k_core", "len(kept) == len(frame)", "True", "case 2 of 4"),
    ("check_k_core", "return kept", "return kept[:0]", "shapes (0, 2), (4, 2) mismatch"),
    ("check_attention_block", ".masked_fill(future, -torch.inf)", "", "case 2 of 4"),
    ("check_attention_block", ".softmax(-1)",
     ".exp()\n    shares = shares / shares.sum(-1, keepdim=True)", "case 4 of 4"),
    ("check_attention_block", "q + block.output", "x + block.output", "case 1 of 4"),
    ("check_cross_term", " - mine[item]", "", "value 1 of 3"),
    ("check_cross_term", "batch_size / len(histories)", "1", "case 2 of 4"),
    ("check_cross_term", "+= back", "= back", "case 3 of 4"),
    ("check_cross_term", "zip(histories,", "zip(histories[:1],", "return 3 values, not 1"),
    ("check_history_move", "A = start.clone()", "A = 0 * start", "case 1 of 2"),  # the kink
    ("check_history_move", "g / g.norm()", "g / g.norm(dim=1, keepdim=True)", "case 1 of 2"),
    ("check_history_move", "(f(S + A) - w)", "f(S + A)", "case 1 of 2"),
    ("check_score_moves", "torch.sigmoid(-(w", "torch.sigmoid((w", "value 1 of 3"),
    ("check_score_moves", "-doubt_j * w", "doubt_j * w", "value 2 of 3"),
    ("check_score_moves", "x / x.norm()", "x / x.norm(dim=1, keepdim=True)", "value 1 of 3"),
    ("check_training_step", "loss = bce(*rows) + bce", "loss = bce", "value 1 of 2"),
    ("check_training_step", "x / x.norm()", "x / x.norm(dim=1, keepdim=True)", "case 2 of 3"),
    ("check_training_step", "(E - rate * E.grad)", "E", "value 2 of 2"),
    ("check_ndcg_of_scores", " + (np.sum(rivals == own) - 1) / 2", "", "case 3 of 4"),
    ("check_ndcg_of_scores", "[0, *history]", "[0]", "case 2 of 4"),
    ("check_interval", "difference.std()", "np.hypot(gain(ranks).std(), gain(reference).std())",
     "case 1 of 3"),
    ("check_best_ndcg", "(best @ discount)", "best.sum(1)", "case 1 of 3"),
    ("check_best_epoch", '"validation"', '"test"', "case 1 of 3"),
    ("check_best_epoch", "max(curve", "max(curve[::-1]", "case 3 of 3"),
    ("check_early_stopping", "waited == patience", "False", "case 2 of 7"),
    ("check_early_stopping", '"] > best', '"] >= best', "case 4 of 7"),
    ("check_early_stopping", "entry, 0", "entry, waited - 1", "case 7 of 7"),
    ("check_first_reaching", "start + share * (end - start)", "share * end", "case 2 of 3"),
    ("check_choose", "min(e for e, value in validation.items() if value == best)",
     "max(test, key=test.get)", "case 1 of 3"),
    ("check_choose", "min(", "max(", "case 2 of 3"),
    ("check_choose", "min(e for e, value in validation.items() if value == best)",
     "max(validation, key=validation.get)", "case 3 of 3"),
    ("check_substitute", "[[0, item, *refused]]", "[[item, *refused]]", "case 1 of 5"),
    ("check_substitute", "[[0, item, *refused]]", "[[0, item]]", "case 2 of 5"),
    ("check_substitute", " / np.linalg.norm(g)", "", "case 1 of 5"),
    ("check_nearest_ahead", "[0, item, *refused]", "[item, *refused]", "case 1 of 6"),
    ("check_nearest_ahead", "[0, item, *refused]", "[0, item]", "case 2 of 6"),
    ("check_rank_by_rule", "[rule]", "['both']", "case 1 of 3"),
    ("check_rank_by_rule", "[rule]", "['original']", "case 2 of 3"),
    ("check_rank_by_rule", "scores[i] > scores", "scores[i] >= scores", "case 1 of 3"),
    ("check_greedy", "gradient_of(changed)", "gradient_of(history)", "case 3 of 3"),  # joint
    ("check_greedy", ", *chosen]", "]", "case 2 of 3"),
    ("check_bce_many", "beta * ", "", "case 2 of 2"),
    ("check_bce_many", "(r_n.shape[1] + 1)", "2", "case 2 of 2"),
    ("check_cross_entropy", "positives - 1", "positives % len(E)", "case 1 of 2"),
    ("check_softmax_gradients", "p[j - 1] -= 1", "pass", "value 1 of 2"),
    ("check_weights", "effects / effects.mean()", "effects", "case 2"),
    ("check_level", "1 - (1 - level) / comparisons", "level ** (1 / comparisons)", "case 2"),
]


@pytest.mark.parametrize("check, was, instead, message", SLIPS)
def test_a_wrong_answer_is_told_what_is_wrong(check, was, instead, message, said):
    path, name = CALLED[check]
    source, names = path.read_text(encoding="utf-8"), {}
    assert was in source
    exec(source.replace(was, instead), names)
    text = said(check, names[name])
    assert message in text and "is right" not in text and "The case was:" in text
    assert " at 0x" not in text  # an object without words
