"""The checks behind the exercises: they run the reader's function on cases with known answers.

A check prints which case differs and how, and never raises, so that a notebook with open
exercises still runs from top to bottom. Solutions that pass are in notebooks/solutions/.
"""

import copy
from collections.abc import Callable
from itertools import zip_longest

import numpy as np
import pandas as pd
import torch

from ..adversarial import METHODS, scaled, score_perturbations
from ..backbones import SASRecBlock, no_dropout
from ..batching import pack
from ..cascade import cascade_effects, cascade_weights
from ..datasets.sources import k_core
from ..evaluation import paired_bootstrap
from ..losses import bce
from ..settings import AdversarialSettings


def drawn(*shapes) -> tuple[torch.Tensor, ...]:
    """Normal numbers in tensors of these shapes, the same at every call."""
    generator = torch.Generator().manual_seed(0)
    return tuple(torch.randn(shape, generator=generator) for shape in shapes)


def exercise(cases: list[tuple], answers: Callable | list, tolerance: float = 1e-6):
    """The check of an exercise, a function of the reader's function.

    cases: arguments. answers: the library's function, or one answer a case, by hand. tolerance: of
    a number, times the length of the answer, or times 1.
    """
    def check(function: Callable) -> None:
        name = getattr(function, "__name__", "your function")
        for number, case in enumerate(cases, start=1):
            try:
                answer = function(*copy.deepcopy(case))  # a copy: it may change its arguments
                if answer is None and number == 1:
                    return print(f"{name} is not solved yet: it returns nothing.")
                right = (answers(*copy.deepcopy(case)) if callable(answers) else
                         answers[number - 1])
                compare(answer, right, tolerance)
            except Exception as error:  # a reader's code may raise and return anything
                print(f"{name} fails in case {number} of {len(cases)}, {type(error).__name__}:")
                names = getattr(getattr(function, "__code__", None), "co_varnames", ())
                shown = (f"{name}:\n{getattr(x, '__name__', repr(x)[:800])}"
                         for name, x in zip_longest(names[:len(case)], case, fillvalue="?"))
                words = str(error).replace("ACTUAL", "yours").replace("DESIRED", "right")
                return print(words, "The case was:", *shown, sep="\n")
        print(f"{name} is right: it agrees with the library on all {len(cases)} cases.")

    return check


def compare(answer, wanted, tolerance: float) -> None:
    """Raise AssertionError where an answer differs from what is wanted."""
    if not isinstance(wanted, tuple):
        answer, wanted = (answer,), (wanted,)
    if len(answer) != len(wanted):
        raise AssertionError(f"return {len(wanted)} values, not {len(answer)}")
    for number, both in enumerate(zip(answer, wanted), start=1):
        mine, right = (np.asarray(x.detach() if torch.is_tensor(x) else x, float) for x in both)
        np.testing.assert_allclose(mine, right, err_msg=f"value {number} of {len(wanted)}",
                                   strict=True, rtol=0,
                                   atol=tolerance * max(1, np.linalg.norm(right)))


# Notebook 01: the k-core and popularity

COLUMNS = ["user", "item"]
SQUARE = pd.DataFrame([(1, 7), (1, 8), (2, 7), (2, 8), (1, 9), (3, 7)], columns=COLUMNS)
CHAIN = pd.DataFrame([*((user, item) for user in range(1, 6) for item in (user, user + 1)), (1, 3)],
                     columns=COLUMNS)

check_k_core = exercise([(SQUARE, 2), (CHAIN, 2), (SQUARE, 1), (CHAIN, 3)], k_core)

check_most_popular = exercise([
        ([[3, 1], [3, 2], [3]], 1),
        ([[4, 4, 4], [2], [2]], 2),  # occurrences count, not users
        ([[9, 1], [5, 9], [5, 1]], 3),  # all alike: the smaller number first
    ], [[3], [4, 2], [1, 5, 9]])


# Notebook 02: a whole attention block

def rows_and_block(n, d, scale=1.0):
    """Rows (n, d), and a block of one head whose layer norms do something, too."""
    block = SASRecBlock(d, n_heads=1).requires_grad_(False)
    for weight in block.parameters():
        weight.copy_(drawn(weight.shape)[0] * d**-0.5)
    return scale * drawn((n, d))[0], block


check_attention_block = exercise(
    [rows_and_block(1, 4), rows_and_block(3, 5), rows_and_block(6, 9),
     rows_and_block(5, 8, 300.0)],  # exp alone would overflow
    lambda x, block: block(x, pack([range(1, len(x) + 1)], len(x)), no_dropout), 1e-4)


# Notebook 03: the second term of a cascade effect (Eq. 11)

TEN = [[1 + k * step % 11 for step in range(1, 3 + k % 5)] for k in range(1, 11)]

check_cross_term = exercise([
        ([[1, 2, 3], [4, 2], [2, 5, 6, 7]], 3),  # b = m
        ([[1, 2], [2, 1]], 1),  # b < m
        ([[3, 1, 3], [3, 2]], 2),  # a user who meets an item twice does not count itself
        (TEN, 5),  # no item twice in a history
    ], lambda histories, b: tuple(row - 1 for row in cascade_effects(histories, 50, b, "cross")))


# Notebook 04: both perturbations (Eq. 7 and 9), and a step of training

def bend(x):
    """Rows that move unlike each other, (n, 3) from (n, 3)."""
    return (x @ drawn((3, 3))[0].to(x)).tanh()


ROWS, START = drawn((4, 3), (4, 3))

check_history_move = exercise(
    [(bend, size * ROWS, bend(size * ROWS), 1e-3 * START, epsilon)
     for size, epsilon in ((1.0, 1.0), (0.3, 10.0))],
    lambda f, S, w, start, epsilon: scaled(torch.func.grad(
        lambda A: (f(S + A) - w).norm(dim=1).sum())(start), epsilon), 1e-3)


def score_moves(w, positive, negative, epsilon):
    rows = [x.clone().requires_grad_() for x in (w, positive, negative)]
    loss = bce((rows[0] * rows[1]).sum(1), (rows[0] * rows[2]).sum(1))
    settings = AdversarialSettings(epsilon=epsilon).of(METHODS["adv_linear"])
    return tuple(score_perturbations(loss, rows, settings))


check_score_moves = exercise(
    [(*drawn((5, 4), (5, 4), (5, 4)), epsilon) for epsilon in (1.0, 10.0)], score_moves, 1e-3)


def tables(users, items, dim, batch):
    rows = (torch.arange(0, batch * step, step) % high
            for step, high in ((1, users), (3, items), (5, items)))
    return *drawn((users, dim), (items, dim)), *rows


def training_step(W, E, i, j, n, epsilon, rate):
    W, E = W.clone().requires_grad_(), E.clone().requires_grad_()
    rows = (W[i], E[j], E[n])
    moves = score_moves(*(x.detach() for x in rows), epsilon)
    loss = sum(bce((w * positive).sum(1), (w * negative).sum(1))
               for w, positive, negative in (rows, map(torch.add, rows, moves)))
    return tuple(x - rate * g for x, g in zip((W, E), torch.autograd.grad(loss, (W, E))))


check_training_step = exercise(
    [(*tables(2, 3, 4, 1), 1.0, 0.1), (*tables(3, 5, 4, 8), 3.0, 0.5),
     (*tables(9, 4, 2, 30), 10.0, 2.0)], training_step, 1e-3)


# Notebooks 05, 06, 07 and 11: scores, intervals, curves, an epsilon, readings

RNG = np.random.default_rng(0)
RANKS = RNG.geometric(0.05, 1000).astype(float)
FALLING = np.concatenate([[0.0], np.arange(30.0, 0, -1)])
TIED = np.concatenate([[99.0], np.arange(30) % 7])  # padding must never compete

check_ndcg_of_scores = exercise([
        (FALLING, [[2], [9], [30]], [1, 5, 12]),
        (FALLING, [[1, 2, 3], [1]], [4, 11]),  # the history leaves the ranking
        (TIED, [[1], [2], [3], [4], [5]], [11, 12, 13, 14, 15]),
        (np.ones(15), [[1, 2], [3]], [4, 5]),  # a collapsed model: the middle rank
    ], [0.4622842691, 0.6445324132, 0.1794609901, 0.3386717641])

check_interval = exercise(
    [(RANKS, np.maximum(1, RANKS + RNG.integers(-most, 4, 1000))) for most in (1, 3, 9)],
    lambda *ranks: tuple(paired_bootstrap(*ranks)[end] for end in ("low", "high")),
    tolerance=0.002)  # the intervals are about 0.02 wide

check_best_ndcg = exercise(
    [(np.hstack([np.zeros((20, 1)), RNG.dirichlet(np.full(40, spread), 20)]),)  # 0: padding
     for spread in (0.1, 1.0, 10.0)],
    [0.6492904486, 0.3143213721, 0.1714287521])


def made_curve(validation: list[float], test: list[float] | None = None, every: int = 5) -> list:
    """A curve with an entry every `every` epochs; test is the validation's reverse by default."""
    return [{"epoch": every * count, "validation": {"ndcg@10": one}, "test": {"ndcg@10": two}}
            for count, (one, two) in enumerate(zip(validation, test or validation[::-1]), 1)]


RISING = made_curve([0.02, 0.04, 0.05, 0.06])
HUMP = made_curve([0.05, 0.09, 0.08, 0.06, 0.07], [0.05, 0.06, 0.07, 0.10, 0.08])
TWO_TOPS = made_curve([0.03, 0.07, 0.05, 0.07, 0.06, 0.08, 0.02], every=2)
STEEP = made_curve([0.1] * 5, [0.10, 0.13, 0.14, 0.145, 0.15], every=1)

check_best_epoch = exercise([(RISING,), (HUMP,), (TWO_TOPS[:4],)], [20, 10, 4])

check_early_stopping = exercise(
    [(RISING, 2), (HUMP, 2), (HUMP, 9), (TWO_TOPS, 2), (TWO_TOPS, 4), (TWO_TOPS, 1),
     (made_curve([0.1, 0.0, 0.2, 0.0, 0.3, 0.0, 0.3], every=1), 2)],  # a better one: count anew
    [(20, 20), (20, 10), (25, 10), (8, 4), (14, 12), (6, 4), (7, 5)])

check_first_reaching = exercise(
    [(STEEP, 0.05, 0.5), (STEEP, 0.05, 0.85), (HUMP, 0.04, 1.0)], [1, 3, 20])

check_choose = exercise([
        ({1.0: 0.05, 3.0: 0.06, 10.0: 0.04}, {1.0: 0.05, 3.0: 0.055, 10.0: 0.07}),
        # of equal ones the smaller, in any order
        ({30.0: 0.02, 0.1: 0.03, 5.0: 0.03}, {30.0: 0.01, 0.1: 0.02, 5.0: 0.04}),
        ({5.0: 0.03, 1.0: 0.03, 0.1: 0.02}, {5.0: 0.07, 1.0: 0.06, 0.1: 0.01}),
    ], [(3.0, 0.055), (0.1, 0.02), (1.0, 0.06)])

check_weights = exercise(
    [(np.array([1.0, 2.0, 4.0]), "inverse"), (np.array([1.0, 2.0, 4.0]), "cascade"),
     (np.array([3.0, 3.0]), "cascade"), (np.arange(1.0, 9.0), "inverse")],
    lambda effects, mean: cascade_weights([effects], mean=mean)[0])

check_level = exercise(
    [(0.95, 1), (0.95, 10), (0.9, 4), (0.99, 22)], [0.95, 0.995, 0.975, 1 - 0.01 / 22])


# Notebook 08: the attack, another reading of it, and what a list may hold afterwards

RNG = np.random.default_rng(0)
WAVES = np.sin(np.arange(90.0).reshape(30, 3) ** 2)
LINE = np.array([[2.1], [0.0], [1.0], [2.0], [3.0], [4.5]])  # item i stands at i - 1; row 0 pads
SCORES = np.array([9.0, 7.0, 8.0, 5.0, 4.0, 5.0, 7.0])  # item 5 ties with the target

check_substitute = exercise([
        (LINE, 3, np.array([5.0]), 0.4, []),  # padding is nearest to the goal at 2.4
        (LINE, 3, np.array([-5.0]), 1.2, [2]),
        *((WAVES, item, np.array([0.5, -1.0, 2.0]), 1.0, [4, 9]) for item in range(5, 8)),
    ], [4, 1, 2, 1, 18])

check_nearest_ahead = exercise([
        (LINE, 3, np.array([5.0]), []),  # the nearest but padding lies at 3, ahead; 1 lies behind
        (LINE, 3, np.array([-0.5]), [2]),
        (LINE, 5, np.array([1.0]), [4]),  # nothing lies ahead
        *((RNG.normal(size=(30, 4)), item, RNG.normal(size=4), [4, 9]) for item in range(5, 8)),
    ], [4, 1, 3, 14, 22, 18])

check_rank_by_rule = exercise(
    [(SCORES, 3, [1, 4], [2, 6], rule) for rule in ("original", "attacked", "both")], [3, 2, 1])


# Notebook 09: the greedy attack

E = np.random.default_rng(0).normal(size=(12, 3))  # row 0 is padding
E[5] = E[4] + 0.01  # both want the same substitute


def gradient_of(history):
    """A gradient that depends on all items of the history, (items, d)."""
    rows = E[np.asarray(history)]
    return np.cos(np.arange(len(rows))[:, None] + rows + rows.sum(0))


check_greedy = exercise(
    [(gradient_of, E, [1, 2, 3], 1, 2.0, [7]), (gradient_of, E, [1, 4, 5], 2, 0.3, [3]),
     (gradient_of, E, [2, 9, 6, 8], 4, 2.0, [])], [[8], [10, 9], [7, 1, 10, 11]])


# Notebook 12: two losses, and the gradients of the second

check_bce_many = exercise(
    [(*drawn((4,), (4, 1)), 1.0), (*drawn((3,), (3, 5)), 0.4)], bce, 1e-4)

check_cross_entropy = exercise(
    [(*drawn((4, 3), (6, 3)), torch.tensor([1, 6, 2, 2])),
     (*drawn((2, 5), (9, 5)), torch.tensor([9, 1]))],
    lambda w, E, positives: torch.nn.functional.cross_entropy(w @ E.T, positives - 1), 1e-4)

check_softmax_gradients = exercise(
    [(*drawn((4,), (6, 4)), 3), (*drawn((2,), (9, 2)), 1), (*drawn((5,), (3, 5)), 3)],
    torch.func.grad(lambda w, E, j: -(E @ w).log_softmax(0)[j - 1], argnums=(0, 1)), 1e-4)
