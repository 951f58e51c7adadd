"""Every exercise of the notebooks: its solution passes, wrong answers are told what is wrong."""

import re
import runpy
from collections import Counter
from importlib import import_module

import numpy as np
import pytest
import torch

from casadv_lib.support.repository import root

MODULES = {"01": "data", "02": "backbones", "03": "cascade", "04": "adversarial",
           **dict.fromkeys(("05", "06", "07", "10", "11"), "results"),
           "08": "first_middle_last", "09": "last_k", "12": "losses"}
SOLVED = {path.stem[:2]: runpy.run_path(str(path))
          for path in (root() / "notebooks" / "solutions").glob("*.py")}
CALL = re.compile(r"\.(check_\w+)\((\w+)\)")  # tasks.check_this(that)
CALLED = {(MODULES[path.name[:2]], check): SOLVED[path.name[:2]].get(name)
          for path in sorted((root() / "notebooks").glob("*.ipynb"))
          for check, name in CALL.findall(path.read_text(encoding="utf-8"))}


def check_of(module, name):
    return getattr(import_module(f"casadv_lib.exercises.{module}"), name)


@pytest.fixture
def said(capsys):
    def said(module, name, function):
        check_of(module, name)(function)
        return capsys.readouterr().out

    return said


def test_every_check_belongs_to_a_notebook_and_has_wrong_answers():
    checks = {(module, name) for module in MODULES.values()
              for name in vars(import_module(f"casadv_lib.exercises.{module}"))
              if name.startswith("check_")}
    assert checks == set(CALLED) == {(module, check) for module, check, *_ in WRONG}


@pytest.mark.parametrize("module, check", CALLED)
def test_the_solution_passes_and_what_is_none_is_told_so(module, check, said):
    solution = CALLED[module, check]
    assert f"{solution.__name__} is right" in said(module, check, solution)
    assert "not solved yet" in said(module, check, lambda *arguments: None)
    assert "case 1" in (text := said(module, check, lambda *a: 1 / 0))
    assert "ZeroDivisionError" in text
    assert "is right" not in said(module, check, lambda *arguments: "soup")
    assert check_of(module, check).__doc__


def test_a_function_that_changes_its_arguments_spoils_nothing(said):
    def greedy(histories, count):
        everything = [history.pop() for history in histories for _ in list(history)]
        return SOLVED["01"]["most_popular"]([everything], count)

    assert "greedy is right" in said("data", "check_most_popular", greedy)


# Answers with one slip each

def by_users(histories, count):
    items = sorted({item for history in histories for item in history})
    return sorted(items, key=lambda v: -sum(v in history for history in histories))[:count]


def large_first(histories, count):
    occurrences = Counter(item for history in histories for item in history)
    return sorted(occurrences, key=lambda item: (-occurrences[item], -item))[:count]


def one_pass(frame, k):
    users = frame.groupby("user")["item"].transform("size")
    items = frame.groupby("item")["user"].transform("size")
    return frame[(users >= k) & (items >= k)]


def block(mask=True, scale=True, shifted=True, residual=True):
    def attention_block(x, block):
        q = block.norm_attention(x)
        keys, values = block.key_value(x).chunk(2, dim=-1)
        scores = block.query(q) @ keys.T / (x.shape[1] ** 0.5 if scale else 1)
        if mask:
            scores = scores.masked_fill(torch.ones_like(scores).triu(1).bool(), -torch.inf)
        shares = scores.softmax(-1) if shifted else scores.exp() / scores.exp().sum(-1)[:, None]
        y = block.norm_ffn((q if residual else x) + block.output(shares @ values))
        return y + block.ffn_out(torch.relu(block.ffn_in(y)))

    return attention_block


def cross(own_too=False, share=True, once=False):
    def cross_term(histories, b):
        def reached(item, i):
            total = 0
            for k, other in enumerate(histories):
                back = [len(other) - s for s, v in enumerate(other) if v == item]
                total += sum(back[:1] if once else back) if own_too or k != i else 0
            return total * (b / len(histories) if share else 1)

        return [[reached(item, i) for item in history] for i, history in enumerate(histories)]

    return cross_term


def slope(loss, x):
    x = x.detach().clone().requires_grad_()
    return torch.autograd.grad(loss(x), x)[0]


def pgd(size=2.0, shrink=True, anew=True):
    def steps_of(distance, start, epsilon, steps):
        A, first = start, slope(distance, start)
        for _ in range(steps):
            g = slope(distance, A) if anew else first
            A = A + size * epsilon / steps * g / g.norm()
            A = A * min(1.0, epsilon / A.norm()) if shrink else A
        return A

    return steps_of


def training_step(detach=True, clean=1.0, moved=1.0, per_row=False, item=True):
    used = SOLVED["04"]

    def step(W, E, i, j, n, epsilon, rate):
        W, E = W.clone().requires_grad_(), E.clone().requires_grad_()
        rows = W[i], E[j], E[n]
        deltas = used["worst_scores"](*(x.detach() if detach else x for x in rows), epsilon)
        if per_row:
            deltas = [epsilon * x / x.norm(dim=1, keepdim=True) for x in deltas]
        loss = clean * used["bce"](*rows)
        loss = loss + moved * used["bce"](*(x + delta for x, delta in zip(rows, deltas)))
        g_W, g_E = torch.autograd.grad(loss, (W, E))
        return W - rate * g_W, E - rate * g_E if item else E

    return step


def scored(tie, hide=True, cutoff=10):
    """NDCG of scores with a way to treat ties; hide: leave out padding and the history."""
    def ndcg(scores, histories, targets):
        gains = []
        for history, target in zip(histories, targets):
            rivals = np.array(scores, dtype=float)
            rivals[[0, *history] if hide else [0]] = -np.inf
            ties = (rivals == scores[target]).sum() - 1
            rank = 1 + (rivals > scores[target]).sum() + tie * ties
            gains.append(1 / np.log2(rank + 1) if rank <= cutoff else 0)
        return np.mean(gains)

    return ndcg


def unpaired(ranks, reference):
    gain, other = (np.where(r <= 10, 1 / np.log2(r + 1), 0.0) for r in (ranks, reference))
    half = 1.96 * np.sqrt((gain.var() + other.var()) / len(ranks))
    return gain.mean() - other.mean() - half, gain.mean() - other.mean() + half


def best_by(split):
    return lambda curve: max(curve, key=lambda entry: entry[split]["ndcg@10"])["epoch"]


def latest(curve):
    return best_by("validation")(curve[::-1])


def never_stops(curve, patience):
    return curve[-1]["epoch"], best_by("validation")(curve)


def any_fall_counts(curve, patience):
    falls, values = 0, [entry["validation"]["ndcg@10"] for entry in curve]
    for index in range(1, len(curve)):
        falls += values[index] < values[index - 1]
        if falls == patience:
            return curve[index]["epoch"], best_by("validation")(curve)
    return never_stops(curve, patience)


def share_of_the_level(curve, start, share):
    end = curve[-1]["test"]["ndcg@10"]
    return next(entry["epoch"] for entry in curve if entry["test"]["ndcg@10"] >= share * end)


def chosen_by_test(validation, test):
    best = max(test, key=test.get)
    return best, test[best]


def ahead(refuses=True, sign=1, padding=False):
    def nearest(E, item, g, refused):
        apart = np.linalg.norm(E - E[item], axis=1)
        apart[[item, *(refused if refuses else []), *([] if padding else [0])]] = np.inf
        lies_ahead = np.where(sign * (E - E[item]) @ g > 0, apart, np.inf)
        return (lies_ahead if np.isfinite(lies_ahead).any() else apart).argmin()

    return nearest


def by_one_rule(rule, padding=False):
    def rank(scores, target, before, after, _):
        return SOLVED["08"]["rank_by_rule"](
            np.append(scores, scores[0]) if padding else scores, target, before, after, rule)

    return rank


def last_items(anew=True, twice=False, oldest_first=False):
    def attack(gradient_of, E, history, k, eta, refused):
        changed, chosen = list(history), []
        for t in range(k, 0, -1) if oldest_first else range(1, k + 1):
            g = gradient_of(changed if anew else history)[-t]
            apart = np.linalg.norm(E - E[history[-t]] - eta * g / np.linalg.norm(g), axis=1)
            apart[[0, *history, *refused, *([] if twice else chosen)]] = np.inf
            changed[-t] = int(apart.argmin())
            chosen.append(changed[-t])
        return chosen

    return attack


WRONG = [  # module, check, an answer, what must be said about it
    ("data", "check_most_popular", by_users, "case 2 of 3"),
    ("data", "check_most_popular", lambda h, n: [3, 4, 9][:n], "case 2 of 3"),
    ("data", "check_most_popular", large_first, "case 3 of 3"),
    ("data", "check_k_core", one_pass, "case 2 of 4 differs: the table has shape"),
    ("data", "check_k_core", lambda frame, k: frame[:0], "shape (0, 2), in the library (4, 2)"),
    ("data", "check_k_core", lambda frame, k: SOLVED["01"]["my_k_core"](
        frame, k).pipe(lambda core: core.loc[core.index.repeat(2)]), "case 1 of 4"),
    ("backbones", "check_attention_block", block(mask=False), "case 2 of 4"),
    ("backbones", "check_attention_block", block(scale=False), "case 2 of 4"),
    ("backbones", "check_attention_block", block(shifted=False), "case 4 of 4"),
    ("backbones", "check_attention_block", block(residual=False), "case 1 of 4"),
    ("backbones", "check_attention_block", lambda x, block: block.norm_attention(x)[-1], "shape"),
    ("cascade", "check_cross_term", cross(own_too=True), "history 0 is"),
    ("cascade", "check_cross_term", cross(share=False), "case 2 of 4"),
    ("cascade", "check_cross_term", cross(once=True), "case 3 of 4"),
    ("cascade", "check_cross_term", lambda h, b: [0.0], "it returns 1 values; wanted are 3"),
    ("adversarial", "check_sign_step",
     lambda loss, x, e: e * slope(loss, x) / slope(loss, x).norm(), "delta is"),
    ("adversarial", "check_sign_step", lambda loss, x, e: -e * slope(loss, x).sign(), "-1.000"),
    ("adversarial", "check_sign_step",  # a coordinate without a slope stays
     lambda loss, x, e: e * torch.where(slope(loss, x) < 0, -1.0, 1.0), "case 2 of 3"),
    ("adversarial", "check_pgd", pgd(size=1.0), "case 1 of 3 differs: A is"),
    ("adversarial", "check_pgd", pgd(shrink=False), "in the library 1,"),
    ("adversarial", "check_pgd", pgd(anew=False), "case 2 of 3"),
    ("adversarial", "check_pgd", lambda d, a, e, k: pgd()(d, a, e, 1), "case 2 of 3"),
    ("adversarial", "check_training_step", training_step(clean=0.0), "the table of users is"),
    ("adversarial", "check_training_step", training_step(moved=0.0), "case 1 of 3"),
    ("adversarial", "check_training_step", training_step(detach=False), "case 1 of 3"),
    ("adversarial", "check_training_step", training_step(per_row=True), "case 2 of 3"),
    ("adversarial", "check_training_step", training_step(item=False), "the table of items is"),
    ("results", "check_ndcg_of_scores", scored(tie=0), "case 3 of 4"),
    ("results", "check_ndcg_of_scores", scored(tie=1), "case 3 of 4"),
    ("results", "check_ndcg_of_scores", scored(0.5, hide=False), "case 2 of 4"),
    ("results", "check_ndcg_of_scores", scored(0.5, cutoff=99), "case 1 of 4"),
    ("results", "check_interval", unpaired, "low is"),
    ("results", "check_interval", lambda a, b: SOLVED["05"]["normal_interval"](a, b)[::-1],
     "low is"),
    ("results", "check_best_ndcg", lambda chance: chance.max(axis=1).mean(), "case 1 of 3"),
    ("results", "check_best_ndcg", lambda p: np.sort(p)[:, -10:].sum(1).mean(), "differs"),
    ("results", "check_best_epoch", best_by("test"), "differs: the epoch is"),
    ("results", "check_best_epoch", latest, "case 3 of 3 differs: the epoch is 8"),
    ("results", "check_best_epoch", lambda curve: best_by("validation")(curve) // 5, "case 1"),
    ("results", "check_early_stopping", never_stops, "case 2 of 6"),
    ("results", "check_early_stopping", any_fall_counts, "differs"),
    ("results", "check_early_stopping", lambda curve, patience: (5,), "wanted are 2"),
    ("results", "check_first_reaching", share_of_the_level, "differs"),
    ("results", "check_first_reaching", lambda c, s, p: c[-1]["epoch"], "case 1 of 3"),
    ("results", "check_epsilon_for", lambda s, x, n: s * x.mean() * n,
     "case 2 of 3 differs: epsilon is"),
    ("results", "check_epsilon_for", lambda s, x, n: np.nan, "epsilon is nan"),
    ("results", "check_epsilon_for", lambda s, x, n: s * x * n**0.5, "has shape (4,)"),
    ("results", "check_literal_epsilon", lambda e, n, k: e * (n / k) ** 0.5, "in the library 1."),
    ("results", "check_choose", chosen_by_test, "case 1 of 2 differs: epsilon is 10"),
    ("results", "check_choose", lambda v, t: (e := max(reversed(v), key=v.get), t[e]),
     "case 2 of 2 differs: epsilon is 5"),
    ("results", "check_choose", lambda v, t: (max(v, key=v.get), max(v.values())),
     "the test score"),
    ("first_middle_last", "check_nearest_ahead", ahead(padding=True), "the substitute is 0"),
    ("first_middle_last", "check_nearest_ahead", ahead(sign=-1), "case 1"),
    ("first_middle_last", "check_nearest_ahead", ahead(refuses=False), "case 2"),
    ("first_middle_last", "check_nearest_ahead",
     lambda E, item, g, refused: ahead()(E, item, g, [*refused, 4]), "case 1"),
    ("first_middle_last", "check_rank_by_rule", by_one_rule("both"), "case 1 of 3"),
    ("first_middle_last", "check_rank_by_rule", by_one_rule("original"), "case 2 of 3"),
    ("first_middle_last", "check_rank_by_rule", by_one_rule("original", padding=True), "case 1"),
    ("last_k", "check_greedy", last_items(anew=False), "case 3 of 3"),  # the joint attack
    ("last_k", "check_greedy", last_items(twice=True), "case 2 of 3"),
    ("last_k", "check_greedy", last_items(oldest_first=True), "case 3 of 3"),
    ("losses", "check_softmax_gradients",  # the positive is not pulled
     lambda w, E, j: ((p := (E @ w).softmax(0)) @ E, torch.outer(p, w)), "the gradient of w is"),
    ("losses", "check_softmax_gradients",
     lambda w, E, j: (SOLVED["12"]["softmax_gradients"](w, E, j)[0], E), "the gradient of E is"),
    ("results", "check_added", lambda r, a, e: 100 * r * e / max(a, 1), "case 1"),
    ("results", "check_added", lambda r, a, e: 100 * (1 + r * a / e), "case 1"),
    ("results", "check_weights", lambda c, m: (1 / c) / (1 / c).mean(), "case 2"),
    ("results", "check_weights", lambda c, m: 1 / c, "case 1"),
    ("results", "check_level", lambda level, n: level / n, "case 2"),
    ("results", "check_level", lambda level, n: level ** (1 / n), "case 2"),
]


@pytest.mark.parametrize("module, check, answer, message", WRONG)
def test_a_wrong_answer_is_told_what_is_wrong(module, check, answer, message, said):
    text = said(module, check, answer)
    assert message in text and "is right" not in text and "The case was:" in text
    assert " at 0x" not in text  # an object without words
