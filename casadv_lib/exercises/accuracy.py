"""Notebook 05: NDCG@10 with ties, an interval for a difference, the best value to expect."""

import numpy as np
import torch

from ..backbones import BACKBONES
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
    bounds = paired_bootstrap(ranks, reference)
    return bounds["low"], bounds["high"]


@exercise([(RNG.dirichlet(np.full(40, spread), 20),) for spread in (0.1, 1.0, 10.0)], "NDCG@10")
def check_best_ndcg(chance):
    """function(chance) -> the best NDCG@10 to expect; chance: p(next item), one row a user."""
    likeliest = np.sort(chance, axis=1)[:, :-11:-1]
    return (likeliest / np.log2(np.arange(2, 12))).sum(axis=1).mean()
