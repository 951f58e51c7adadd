"""Every exercise of the notebooks: its solution passes, wrong answers are told what is wrong."""

import re
import runpy

import numpy as np
import pytest
import torch

from casadv_lib import exercises
from casadv_lib.support.machine import root

SOLVED = {path.stem[:2]: runpy.run_path(str(path))
          for path in (root() / "notebooks" / "solutions").glob("*.py")}
CALL = re.compile(r"\.(check_\w+)\((\w+)\)")  # exercises.check_this(that)
CALLED = {check: SOLVED[path.name[:2]].get(name)
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
    assert checks == {*CALLED} == {check for check, *_ in WRONG}


@pytest.mark.parametrize("check", CALLED)
def test_the_solution_passes_and_what_is_none_is_told_so(check, said):
    solution = CALLED[check]
    assert f"{solution.__name__} is right" in said(check, solution)
    assert "not solved yet" in said(check, lambda *arguments: None)
    assert "case 1" in (text := said(check, lambda *a: 1 / 0)) and "ZeroDivisionError" in text
    assert "is right" not in said(check, lambda *arguments: "soup")
    assert getattr(exercises, check).__doc__


def test_a_function_that_changes_its_arguments_spoils_nothing(said):
    def greedy(histories, count):
        everything = [history.pop() for history in histories for _ in list(history)]
        return SOLVED["01"]["most_popular"]([everything], count)

    assert "greedy is right" in said("check_most_popular", greedy)


# Answers with one slip each

def by_users(histories, count):
    items = sorted({item for history in histories for item in history})
    return sorted(items, key=lambda v: -sum(v in history for history in histories))[:count]


def large_first(histories, count):
    occurrences = np.bincount(np.concatenate(histories))
    return np.lexsort((-np.arange(len(occurrences)), -occurrences))[:count]


def one_pass(frame, k):
    users = frame.groupby("user")["item"].transform("size")
    items = frame.groupby("item")["user"].transform("size")
    return frame[(users >= k) & (items >= k)]


def block(mask=True, shifted=True, residual=True):
    def attention_block(x, block):
        q = block.norm_attention(x)
        keys, values = block.key_value(x).chunk(2, dim=-1)
        scores = block.query(q) @ keys.T / x.shape[1] ** 0.5
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


def pgd(shrink=True, anew=True):
    def steps_of(distance, start, epsilon, steps):
        A, first = start, slope(distance, start)
        for _ in range(steps):
            g = slope(distance, A) if anew else first
            A = A + 2 * epsilon / steps * g / g.norm()
            A = A * min(1.0, epsilon / A.norm()) if shrink else A
        return A

    return steps_of


def training_step(clean=1.0, per_row=False, item=True):
    used = SOLVED["04"]

    def step(W, E, i, j, n, epsilon, rate):
        W, E = W.clone().requires_grad_(), E.clone().requires_grad_()
        rows = W[i], E[j], E[n]
        deltas = used["worst_scores"](*(x.detach() for x in rows), epsilon)
        if per_row:
            deltas = [epsilon * x / x.norm(dim=1, keepdim=True) for x in deltas]
        moved = used["bce"](*(x + delta for x, delta in zip(rows, deltas)))
        loss = clean * used["bce"](*rows) + moved
        g_W, g_E = torch.autograd.grad(loss, (W, E))
        return W - rate * g_W, E - rate * g_E if item else E

    return step


def scored(tie, hide=True):
    """NDCG of scores with a way to treat ties; hide: leave out padding and the history."""
    def ndcg(scores, histories, targets):
        gains = []
        for history, target in zip(histories, targets):
            rivals = np.array(scores, dtype=float)
            rivals[[0, *history] if hide else [0]] = -np.inf
            ties = (rivals == scores[target]).sum() - 1
            rank = 1 + (rivals > scores[target]).sum() + tie * ties
            gains.append(1 / np.log2(rank + 1) if rank <= 10 else 0)
        return np.mean(gains)

    return ndcg


def unpaired(ranks, reference):
    gain, other = (np.where(r <= 10, 1 / np.log2(r + 1), 0.0) for r in (ranks, reference))
    half = 1.96 * np.sqrt((gain.var() + other.var()) / len(ranks))
    return gain.mean() - other.mean() - half, gain.mean() - other.mean() + half


def best_by(split):
    return lambda curve: max(curve, key=lambda entry: entry[split]["ndcg@10"])["epoch"]


def never_stops(curve, patience):
    return curve[-1]["epoch"], best_by("validation")(curve)


def any_fall_counts(curve, patience):
    falls = np.cumsum(np.diff([entry["validation"]["ndcg@10"] for entry in curve]) < 0)
    end = curve[min(np.searchsorted(falls, patience) + 1, len(curve) - 1)]
    return end["epoch"], best_by("validation")(curve)


def share_of_the_level(curve, start, share):
    return SOLVED["06"]["reached_at"](curve, 0, share)


def chosen_by_test(validation, test):
    best = max(test, key=test.get)
    return best, test[best]


def ahead(refuses=True, padding=False):
    def nearest(E, item, g, refused):
        apart = np.linalg.norm(E - E[item], axis=1)
        apart[[item, *(refused if refuses else []), *([] if padding else [0])]] = np.inf
        lies_ahead = np.where((E - E[item]) @ g > 0, apart, np.inf)
        return (lies_ahead if np.isfinite(lies_ahead).any() else apart).argmin()

    return nearest


def by_one_rule(rule):
    return lambda *case: SOLVED["08"]["rank_by_rule"](*case[:-1], rule)


def last_items(anew=True, twice=False):
    def attack(gradient_of, E, history, k, eta, refused):
        changed, chosen = list(history), []
        for t in range(1, k + 1):
            g = gradient_of(changed if anew else history)[-t]
            apart = np.linalg.norm(E - E[history[-t]] - eta * g / np.linalg.norm(g), axis=1)
            apart[[0, *history, *refused, *([] if twice else chosen)]] = np.inf
            changed[-t] = int(apart.argmin())
            chosen.append(changed[-t])
        return chosen

    return attack


WRONG = [  # check, an answer, what must be said about it
    ("check_most_popular", by_users, "case 2 of 3"),
    ("check_most_popular", large_first, "case 3 of 3"),
    ("check_k_core", one_pass, "case 2 of 4"),
    ("check_k_core", lambda frame, k: frame[:0], "shapes (0, 2), (4, 2) mismatch"),
    ("check_attention_block", block(mask=False), "case 2 of 4"),
    ("check_attention_block", block(shifted=False), "case 4 of 4"),
    ("check_attention_block", block(residual=False), "case 1 of 4"),
    ("check_cross_term", cross(own_too=True), "value 1 of 3"),
    ("check_cross_term", cross(share=False), "case 2 of 4"),
    ("check_cross_term", cross(once=True), "case 3 of 4"),
    ("check_cross_term", lambda h, b: cross()(h, b)[:1], "argument 2 is longer than argument 1"),
    ("check_sign_step", lambda loss, x, e: -e * slope(loss, x).sign(), "case 1 of 3"),
    ("check_sign_step",  # a coordinate without a slope stays
     lambda loss, x, e: e * torch.where(slope(loss, x) < 0, -1.0, 1.0), "case 2 of 3"),
    ("check_pgd", pgd(shrink=False), "case 1 of 3"),
    ("check_pgd", pgd(anew=False), "case 2 of 3"),
    ("check_training_step", training_step(clean=0.0), "value 1 of 2"),
    ("check_training_step", training_step(per_row=True), "case 2 of 3"),
    ("check_training_step", training_step(item=False), "value 2 of 2"),
    ("check_ndcg_of_scores", scored(tie=0), "case 3 of 4"),
    ("check_ndcg_of_scores", scored(0.5, hide=False), "case 2 of 4"),
    ("check_interval", unpaired, "case 1 of 3"),
    ("check_best_ndcg", lambda p: np.sort(p)[:, -10:].sum(1).mean(), "case 1 of 3"),
    ("check_best_epoch", best_by("test"), "case 1 of 3"),
    ("check_best_epoch", lambda curve: best_by("validation")(curve[::-1]), "case 3 of 3"),
    ("check_early_stopping", never_stops, "case 2 of 6"),
    ("check_early_stopping", any_fall_counts, "case 4 of 6"),
    ("check_first_reaching", share_of_the_level, "case 2 of 3"),
    ("check_epsilon_for", lambda s, x, n: s * x.mean() * n, "case 2 of 3"),
    ("check_epsilon_for", lambda s, x, n: np.nan, "nan"),
    ("check_epsilon_for", lambda s, x, n: s * x * n**0.5, "shapes (4,), () mismatch"),
    ("check_literal_epsilon", lambda e, n, k: e * (n / k) ** 0.5, "DESIRED: array(1.)"),
    ("check_choose", chosen_by_test, "case 1 of 2"),
    ("check_choose", lambda v, t: (e := max(reversed(v), key=v.get), t[e]), "case 2 of 2"),
    ("check_nearest_ahead", ahead(padding=True), "case 1 of 6"),
    ("check_nearest_ahead", ahead(refuses=False), "case 2 of 6"),
    ("check_rank_by_rule", by_one_rule("both"), "case 1 of 3"),
    ("check_rank_by_rule", by_one_rule("original"), "case 2 of 3"),
    ("check_greedy", last_items(anew=False), "case 3 of 3"),  # the joint attack
    ("check_greedy", last_items(twice=True), "case 2 of 3"),
    ("check_softmax_gradients",  # the positive is not pulled
     lambda w, E, j: ((p := (E @ w).softmax(0)) @ E, torch.outer(p, w)), "value 1 of 2"),
    ("check_added", lambda r, a, e: 100 * (1 + r * a / e), "case 1"),
    ("check_weights", lambda c, m: (1 / c) / (1 / c).mean(), "case 2"),
    ("check_level", lambda level, n: level ** (1 / n), "case 2"),
]


@pytest.mark.parametrize("check, answer, message", WRONG)
def test_a_wrong_answer_is_told_what_is_wrong(check, answer, message, said):
    text = said(check, answer)
    assert message in text and "is right" not in text and "The case was:" in text
    assert " at 0x" not in text  # an object without words
