"""The checks behind the exercises: they run the reader's function and the library's on cases.

A check prints which case differs and how, and never raises, so that a notebook with open
exercises still runs from top to bottom. Solutions that pass are in notebooks/solutions/.
"""

import copy
import functools
from collections.abc import Callable

import numpy as np
import pandas as pd
import torch

from ..adversarial import METHODS, scaled, score_perturbations
from ..attacks import excluded
from ..backbones import SASRecBlock, no_dropout
from ..batching import pack
from ..cascade import cascade_effects, cascade_weights
from ..datasets.sources import k_core
from ..evaluation import ndcg, paired_bootstrap
from ..losses import CrossEntropy, bce
from ..settings import AdversarialSettings


def drawn(*shapes) -> tuple[torch.Tensor, ...]:
    """Normal numbers in tensors of these shapes, the same at every call."""
    generator = torch.Generator().manual_seed(0)
    return tuple(torch.randn(shape, generator=generator) for shape in shapes)


def exercise(cases: list[tuple], tolerance: float = 1e-6):
    """Make a function into the check of an exercise: check(f) says whether f does the same.

    tolerance: of a number, times the length of what is wanted, or times 1.
    """
    def check_of(reference: Callable) -> Callable[[Callable], None]:
        def check(function: Callable) -> None:
            name = getattr(function, "__name__", "your function")
            for number, case in enumerate(cases, start=1):
                try:
                    answer = function(*copy.deepcopy(case))  # a copy: it may change its arguments
                    if answer is None and number == 1:
                        return print(f"{name} is not solved yet: it returns nothing.")
                    compare(answer, reference(*copy.deepcopy(case)), tolerance)
                except Exception as error:  # a reader's code may raise and return anything
                    print(f"{name} fails in case {number} of {len(cases)}, {type(error).__name__}:")
                    shown = (getattr(x, "__name__", repr(x)[:800]) for x in case)
                    return print(error, "The case was:", *shown, sep="\n")
            print(f"{name} is right: it agrees with the library on all {len(cases)} cases.")

        return functools.wraps(reference)(check)

    return check_of


def compare(answer, wanted, tolerance: float) -> None:
    """Raise AssertionError where an answer differs from what is wanted."""
    if not isinstance(wanted, tuple):
        answer, wanted = (answer,), (wanted,)
    for number, both in enumerate(zip(answer, wanted, strict=True), start=1):
        mine, right = (np.asarray(x.detach() if torch.is_tensor(x) else x, float) for x in both)
        np.testing.assert_allclose(mine, right, err_msg=f"value {number} of {len(wanted)}",
                                   strict=True, rtol=0,
                                   atol=tolerance * max(1, np.linalg.norm(right)))


# Notebook 01: the k-core and popularity

COLUMNS = ["user", "item"]
SQUARE = pd.DataFrame([(1, 7), (1, 8), (2, 7), (2, 8), (1, 9), (3, 7)], columns=COLUMNS)
CHAIN = pd.DataFrame([*((user, item) for user in range(1, 6) for item in (user, user + 1)), (1, 3)],
                     columns=COLUMNS)


@exercise([(SQUARE, 2), (CHAIN, 2), (SQUARE, 1), (CHAIN, 3)])
def check_k_core(frame, k):
    """function(frame, k) -> the rows of the k-core; frame has columns user and item."""
    return k_core(frame, k)


@exercise([
    ([[3, 1], [3, 2], [3]], 1),
    ([[4, 4, 4], [2], [2]], 2),  # occurrences count, not users
    ([[9, 1], [5, 9], [5, 1]], 3),  # all alike: the smaller number first
])
def check_most_popular(histories, count):
    """function(histories, count) -> a list of items, the most frequent first."""
    occurrences = np.bincount(np.concatenate(histories))
    return np.argsort(-occurrences[1:], kind="stable")[:count] + 1  # item 0 is padding


# Notebook 02: a whole attention block

def rows_and_block(n, d, scale=1.0):
    """Rows (n, d), and a block of one head whose layer norms do something, too."""
    block = SASRecBlock(d, n_heads=1).requires_grad_(False)
    for weight in block.parameters():
        weight.copy_(drawn(weight.shape)[0] * d**-0.5)
    return scale * drawn((n, d))[0], block


@exercise([rows_and_block(1, 4), rows_and_block(3, 5), rows_and_block(6, 9),
           rows_and_block(5, 8, 300.0)], 1e-4)  # exp alone would overflow
@torch.no_grad()
def check_attention_block(x, block):
    """function(x, block) -> the rows after one block of SASRec, (n, d), without dropout."""
    return block(x, pack([range(1, len(x) + 1)], len(x)), no_dropout)


# Notebook 03: the second term of a cascade effect (Eq. 11)

TEN = [[1 + k * step % 11 for step in range(1, 3 + k % 5)] for k in range(1, 11)]


@exercise([
    ([[1, 2, 3], [4, 2], [2, 5, 6, 7]], 3),  # b = m
    ([[1, 2], [2, 1]], 1),  # b < m
    ([[3, 1, 3], [3, 2]], 2),  # a user who meets an item twice does not count itself
    (TEN, 5),  # no item twice in a history
])
def check_cross_term(histories, batch_size):
    """function(histories, batch_size) -> (b/m) times the sum over other users, a list of lists."""
    return tuple(row - 1 for row in cascade_effects(histories, 50, batch_size, "cross"))


# Notebook 04: a step along the sign, many steps, and a step of training (Eq. 2, 7 and 10)

def bowl(x):
    return (x * x).sum()


def bend(x):
    """Not the same from everywhere: later steps of PGD turn away from the first."""
    return ((x @ drawn((3, 3))[0]).tanh() - 1).norm(dim=1).sum()


@exercise([(bowl, torch.tensor([1.0, -2.0, 0.5]), 0.1), (bowl, torch.tensor([[0.0, 3.0]]), 2.0),
           (bend, *drawn((4, 3)), 1.0)])
def check_sign_step(loss, x, epsilon):
    """function(loss, x, epsilon) -> delta of Eq. 2."""
    x = x.clone().requires_grad_()
    return epsilon * torch.autograd.grad(loss(x), x)[0].sign()


@exercise([(bend, *drawn((2, 3)), 1.0, 1), (bend, 1e-3 * drawn((4, 3))[0], 2.0, 5),
           (bowl, *drawn((3, 2)), 5.0, 2)], 1e-3)
def check_pgd(distance, start, epsilon, steps):
    """function(distance, start, epsilon, steps) -> A after the steps, no longer than epsilon."""
    A = start
    for _ in range(steps):
        A = A.detach().clone().requires_grad_()
        A = A + scaled(torch.autograd.grad(distance(A), A)[0], 2 * epsilon / steps)
        A = A * min(1.0, float(epsilon / A.detach().norm()))
    return A


def _tables(users, items, dim, batch):
    rows = (torch.arange(0, batch * step, step) % high
            for step, high in ((1, users), (3, items), (5, items)))
    return *drawn((users, dim), (items, dim)), *rows


@exercise([(*_tables(2, 3, 4, 1), 1.0, 0.1), (*_tables(3, 5, 4, 8), 3.0, 0.5),
           (*_tables(9, 4, 2, 30), 10.0, 2.0)], 1e-3)
def check_training_step(W, E, i, j, n, epsilon, rate):
    """function(W, E, i, j, n, epsilon, rate) -> both tables after a step on L_B + L_adv2."""
    W, E = W.clone().requires_grad_(), E.clone().requires_grad_()
    rows = (W[i], E[j], E[n])
    settings = AdversarialSettings(epsilon=epsilon).of(METHODS["adv_linear"])

    def loss_of(w, positive, negative):
        return bce((w * positive).sum(1), (w * negative).sum(1))

    clean = loss_of(*rows)
    loss = clean + loss_of(*map(torch.add, rows, score_perturbations(clean, rows, settings)))
    return tuple(x - rate * g for x, g in zip((W, E), torch.autograd.grad(loss, (W, E))))


# Notebooks 05, 06, 07, 10 and 11: scores, intervals, curves, an epsilon, costs, readings

RNG = np.random.default_rng(0)
RANKS = RNG.geometric(0.05, 1000).astype(float)
FALLING = np.concatenate([[0.0], np.arange(30.0, 0, -1)])
TIED = np.concatenate([[99.0], np.arange(30) % 7])  # padding must never compete


@exercise([
    (FALLING, [[2], [9], [30]], [1, 5, 12]),
    (FALLING, [[1, 2, 3], [1]], [4, 11]),  # the history leaves the ranking
    (TIED, [[1], [2], [3], [4], [5]], [11, 12, 13, 14, 15]),
    (np.ones(15), [[1, 2], [3]], [4, 5]),  # a collapsed model: the middle rank
])
def check_ndcg_of_scores(scores, histories, targets):
    """function(scores, histories, targets) -> NDCG@10; all users share the scores."""
    ranks = []
    for history, target in zip(histories, targets):
        apart = np.delete(scores, [0, *history]) - scores[target]  # the target's own among them
        ranks.append((1 + (apart > 0).sum() + (apart >= 0).sum()) / 2)
    return ndcg(ranks)


@exercise([(RANKS, np.maximum(1, RANKS + RNG.integers(-most, 4, 1000))) for most in (1, 3, 9)],
          tolerance=0.002)  # the intervals are about 0.02 wide
def check_interval(ranks, reference):
    """function(ranks, reference) -> (low, high), close to the paired bootstrap of NDCG@10."""
    return tuple(paired_bootstrap(ranks, reference)[end] for end in ("low", "high"))


@exercise([(RNG.dirichlet(np.full(40, spread), 20),) for spread in (0.1, 1.0, 10.0)])
def check_best_ndcg(chance):
    """function(chance) -> the best NDCG@10 to expect; chance: p(next item), one row a user."""
    likeliest = np.sort(chance, axis=1)[:, :-11:-1]
    return (likeliest / np.log2(np.arange(2, 12))).sum(axis=1).mean()


def made_curve(validation: list[float], test: list[float] | None = None, every: int = 5) -> list:
    """A curve with an entry every `every` epochs; test is the validation's reverse by default."""
    return [{"epoch": every * count, "validation": {"ndcg@10": one}, "test": {"ndcg@10": two}}
            for count, (one, two) in enumerate(zip(validation, test or validation[::-1]), 1)]


RISING = made_curve([0.02, 0.04, 0.05, 0.06])
HUMP = made_curve([0.05, 0.09, 0.08, 0.06, 0.07], [0.05, 0.06, 0.07, 0.10, 0.08])
TWO_TOPS = made_curve([0.03, 0.07, 0.05, 0.07, 0.06, 0.08, 0.02], every=2)
STEEP = made_curve([0.1] * 5, [0.10, 0.13, 0.14, 0.145, 0.15], every=1)


@exercise([(RISING,), (HUMP,), (TWO_TOPS[:4],)])
def check_best_epoch(curve):
    """function(curve) -> the epoch with the best validation NDCG@10, the earliest of equals."""
    return max(curve, key=lambda entry: entry["validation"]["ndcg@10"])["epoch"]


@exercise([(RISING, 2), (HUMP, 2), (HUMP, 9), (TWO_TOPS, 2), (TWO_TOPS, 4), (TWO_TOPS, 1)])
def check_early_stopping(curve, patience):
    """function(curve, patience) -> (epoch of the end, epoch that is kept)."""
    scores = [entry["validation"]["ndcg@10"] for entry in curve]
    for end in range(len(curve)):
        best = np.argmax(scores[:end + 1])
        if end - best == patience:
            break
    return curve[end]["epoch"], curve[best]["epoch"]


@exercise([(STEEP, 0.05, 0.5), (STEEP, 0.05, 0.85), (HUMP, 0.04, 1.0)])
def check_first_reaching(curve, start, share):
    """function(curve, start, share) -> the first epoch with that share of the gain (test)."""
    goal = start + share * (curve[-1]["test"]["ndcg@10"] - start)
    return next(entry["epoch"] for entry in curve if entry["test"]["ndcg@10"] >= goal)


@exercise([(1.0, np.ones(4), 1), (0.5, np.array([1.0, 3.0]), 100), (0.1, np.arange(1.0, 3), 726)])
def check_epsilon_for(share, lengths, n):
    """function(share, lengths, n) -> the epsilon over a batch of n positions."""
    return share * np.mean(lengths) * n**0.5


@exercise([(10.0, 100, 100), (10.0, 900, 9), (3.0, 726, 6), (20.0, 1000, 50)])
def check_literal_epsilon(epsilon, n, length):
    """function(epsilon, n, length) -> the epsilon per sequence that moves a position as far."""
    return epsilon * (length / n) ** 0.5


@exercise([
    ({1.0: 0.05, 3.0: 0.06, 10.0: 0.04}, {1.0: 0.05, 3.0: 0.055, 10.0: 0.07}),
    ({30.0: 0.02, 0.1: 0.03, 5.0: 0.03}, {30.0: 0.01, 0.1: 0.02, 5.0: 0.04}),  # the smaller one
])
def check_choose(validation, test):
    """function(validation, test) -> (epsilon, its test score), chosen on validation alone."""
    epsilon = max(sorted(validation), key=validation.get)
    return epsilon, test[epsilon]


@exercise([(3.92, 100, 500), (8 / 3, 100, 500), (2.0, 16, 80), (3.0, 0, 10)])
def check_added(ratio, adv_epochs, epochs):
    """function(ratio, adv_epochs, epochs) -> the second phase's time in percent of the first."""
    return 100 * ratio * adv_epochs / epochs


@exercise([(np.array([1.0, 2.0, 4.0]), "inverse"), (np.array([1.0, 2.0, 4.0]), "cascade"),
           (np.array([3.0, 3.0]), "cascade"), (np.arange(1.0, 9.0), "inverse")])
def check_weights(effects, mean):
    """function(effects, mean) -> weights 1/C with mean "inverse" or "cascade", flat arrays."""
    return cascade_weights([effects], mean=mean)[0]


@exercise([(0.95, 1), (0.95, 10), (0.9, 4), (0.99, 22)])
def check_level(level, comparisons):
    """function(level, comparisons) -> level of each interval, so that all hold with `level`."""
    return 1 - (1 - level) / comparisons


# Notebook 08: another reading of the attack, and what a list may hold after it

RNG = np.random.default_rng(0)
LINE = np.array([[2.1], [0.0], [1.0], [2.0], [3.0], [4.5]])  # item i stands at i - 1; row 0 pads
SCORES = np.array([9.0, 7.0, 8.0, 5.0, 4.0, 6.0, 7.0])


@exercise([
    (LINE, 3, np.array([5.0]), []),  # the nearest but padding lies at 3, ahead; 1 lies behind
    (LINE, 3, np.array([-0.5]), [2]),
    (LINE, 5, np.array([1.0]), [4]),  # nothing lies ahead
    *((RNG.normal(size=(30, 4)), item, RNG.normal(size=4), [4, 9]) for item in range(5, 8)),
])
def check_nearest_ahead(E, item, g, refused):
    """function(E, item, g, refused) -> the allowed item nearest to e with (e' - e) . g > 0."""
    apart = np.linalg.norm(E - E[item], axis=1)
    apart[[0, item, *refused]] = np.inf
    ahead = np.where((E - E[item]) @ g > 0, apart, np.inf)
    return (ahead if np.isfinite(ahead).any() else apart).argmin()


@exercise([(SCORES, 3, [1, 4], [2, 6], rule) for rule in ("original", "attacked", "both")])
def check_rank_by_rule(scores, target, before, after, rule):
    """function(scores, target, before, after, rule) -> rank among all that the rule leaves in."""
    [left_out] = excluded([before], [after], rule)
    rivals = np.delete(scores, [0, *left_out])
    return 1 + (rivals > scores[target]).sum()


# Notebook 09: the greedy attack

E = np.random.default_rng(0).normal(size=(12, 3))  # row 0 is padding
E[5] = E[4] + 0.01  # both want the same substitute


def gradient_of(history):
    """A gradient that depends on all items of the history, (items, d)."""
    rows = E[np.asarray(history)]
    return np.cos(np.arange(len(rows))[:, None] + rows + rows.sum(0))


@exercise([(gradient_of, E, [1, 2, 3], 1, 2.0, [7]), (gradient_of, E, [1, 4, 5], 2, 0.3, [3]),
           (gradient_of, E, [2, 9, 6, 8], 4, 2.0, [])])
def check_greedy(gradient_of, E, history, k, eta, refused):
    """function(gradient_of, E, history, k, eta, refused) -> k substitutes, newest first."""
    changed, chosen = list(history), []
    for t in range(1, k + 1):
        g = gradient_of(changed)[-t]
        apart = np.linalg.norm(E - E[history[-t]] - eta * g / np.linalg.norm(g), axis=1)
        apart[[0, *history, *refused, *chosen]] = np.inf
        changed[-t] = int(apart.argmin())
        chosen.append(changed[-t])
    return chosen


# Notebook 12: the gradients of cross-entropy

@exercise([(*drawn((4,), (6, 4)), 3), (*drawn((2,), (9, 2)), 1), (*drawn((5,), (3, 5)), 3)], 1e-4)
def check_softmax_gradients(w, E, j):
    """function(w, E, j) -> the gradients of -log p_j, (d,) and (items, d)."""
    w, E = w.clone().requires_grad_(), E.clone().requires_grad_()
    loss = CrossEntropy.apply(w.unsqueeze(0), E, torch.tensor([j - 1]))
    return torch.autograd.grad(loss, (w, E))
