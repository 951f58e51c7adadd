"""Notebooks 05, 06, 07, 10 and 11: scores, intervals, curves, an epsilon, costs, readings."""

import numpy as np
import torch

from ..backbones import BACKBONES
from ..cascade import cascade_weights
from ..evaluation import ndcg, paired_bootstrap, rank_items
from .common import exercise

RNG = np.random.default_rng(0)
RANKS = RNG.geometric(0.05, 1000).astype(float)
FALLING = np.concatenate([[0.0], np.arange(30.0, 0, -1)])
TIED = np.concatenate([[99.0], np.arange(30) % 7])  # padding must never compete


@exercise([
    (FALLING, [[2], [9], [30]], [1, 5, 12]),
    (FALLING, [[1, 2, 3], [1]], [4, 11]),  # the history leaves the ranking
    (TIED, [[1], [2], [3], [4], [5]], [11, 12, 13, 14, 15]),
    (np.ones(15), [[1, 2], [3]], [4, 5]),  # a collapsed model: the middle rank
], "NDCG@10")
@torch.no_grad()
def check_ndcg_of_scores(scores, histories, targets):
    """function(scores, histories, targets) -> NDCG@10; all users share the scores."""
    model = BACKBONES["sasrec"](len(scores) - 1, dim=1)
    model.norm.weight.zero_()  # so every user vector is the last layer norm's bias, 1,
    model.norm.bias.fill_(1.0)
    model.items.weight[:, 0] = torch.tensor(scores)  # and an item's embedding is its score
    histories = [np.array(history) for history in histories]
    return ndcg(rank_items(model, histories, np.array(targets), histories)[0])


@exercise([(RANKS, np.maximum(1, RANKS + RNG.integers(-most, 4, 1000))) for most in (1, 3, 9)],
          ("low", "high"), tolerance=0.002)  # the intervals are about 0.02 wide
def check_interval(ranks, reference):
    """function(ranks, reference) -> (low, high), close to the paired bootstrap of NDCG@10."""
    return tuple(paired_bootstrap(ranks, reference)[end] for end in ("low", "high"))


@exercise([(RNG.dirichlet(np.full(40, spread), 20),) for spread in (0.1, 1.0, 10.0)], "NDCG@10")
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


@exercise([(RISING,), (HUMP,), (TWO_TOPS[:4],)], "the epoch")
def check_best_epoch(curve):
    """function(curve) -> the epoch with the best validation NDCG@10, the earliest of equals."""
    return max(curve, key=lambda entry: entry["validation"]["ndcg@10"])["epoch"]


@exercise(
    [(RISING, 2), (HUMP, 2), (HUMP, 9), (TWO_TOPS, 2), (TWO_TOPS, 4), (TWO_TOPS, 1)],
    ("the epoch of the end", "the epoch that is kept"))
def check_early_stopping(curve, patience):
    """function(curve, patience) -> (epoch of the end, epoch that is kept)."""
    entry, best, waited = curve[0], curve[0], 0
    for entry in curve[1:]:
        is_better = entry["validation"]["ndcg@10"] > best["validation"]["ndcg@10"]
        best, waited = (entry, 0) if is_better else (best, waited + 1)
        if waited == patience:
            break
    return entry["epoch"], best["epoch"]


@exercise([(STEEP, 0.05, 0.5), (STEEP, 0.05, 0.85), (HUMP, 0.04, 1.0)], "the epoch")
def check_first_reaching(curve, start, share):
    """function(curve, start, share) -> the first epoch with that share of the gain (test)."""
    goal = start + share * (curve[-1]["test"]["ndcg@10"] - start)
    return next(entry["epoch"] for entry in curve if entry["test"]["ndcg@10"] >= goal)


@exercise([(1.0, np.ones(4), 1), (0.5, np.array([1.0, 3.0]), 100), (0.1, np.arange(1.0, 3), 726)],
          "epsilon")
def check_epsilon_for(share, lengths, n):
    """function(share, lengths, n) -> the epsilon over a batch of n positions."""
    return share * np.mean(lengths) * n**0.5


@exercise([(10.0, 100, 100), (10.0, 900, 9), (3.0, 726, 6), (20.0, 1000, 50)], "epsilon")
def check_literal_epsilon(epsilon, n, length):
    """function(epsilon, n, length) -> the epsilon per sequence that moves a position as far."""
    return epsilon * (length / n) ** 0.5


@exercise([
    ({1.0: 0.05, 3.0: 0.06, 10.0: 0.04}, {1.0: 0.05, 3.0: 0.055, 10.0: 0.07}),
    ({30.0: 0.02, 0.1: 0.03, 5.0: 0.03}, {30.0: 0.01, 0.1: 0.02, 5.0: 0.04}),  # the smaller one
], ("epsilon", "the test score"))
def check_choose(validation, test):
    """function(validation, test) -> (epsilon, its test score), chosen on validation alone."""
    epsilon = max(sorted(validation), key=validation.get)
    return epsilon, test[epsilon]


@exercise([(3.92, 100, 500), (8 / 3, 100, 500), (2.0, 16, 80), (3.0, 0, 10)], "the time")
def check_added(ratio, adv_epochs, epochs):
    """function(ratio, adv_epochs, epochs) -> the second phase's time in percent of the first."""
    return 100 * ratio * adv_epochs / epochs


@exercise([(np.array([1.0, 2.0, 4.0]), "inverse"), (np.array([1.0, 2.0, 4.0]), "cascade"),
           (np.array([3.0, 3.0]), "cascade"), (np.arange(1.0, 9.0), "inverse")])
def check_weights(effects, mean):
    """function(effects, mean) -> weights 1/C with mean "inverse" or "cascade", flat arrays."""
    return cascade_weights([effects], mean=mean)[0]


@exercise([(0.95, 1), (0.95, 10), (0.9, 4), (0.99, 22)], "the level")
def check_level(level, comparisons):
    """function(level, comparisons) -> level of each interval, so that all hold with `level`."""
    return 1 - (1 - level) / comparisons
