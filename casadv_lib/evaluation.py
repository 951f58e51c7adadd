"""Evaluation: NDCG@10 and HR@10 over all items, per-user ranks, paired bootstrap (Section 5.4)."""

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from .backbones import Backbone
from .batching import packed
from .data import SequenceDataset, held_out
from .support import checks
from .support.checks import MOST_SEED, instance, number, one_of
from .support.machine import progress_bar

CUTOFF = 10
METRICS = {"ndcg@10": "NDCG@10", "hr@10": "HR@10"}  # and how they are written
RESAMPLES = 2000
BATCH = 256  # users that are read at once
CHUNK = 128  # users whose scores stay in the processor's cache


def gains(ranks: np.ndarray, metric: str) -> np.ndarray:
    """What each user adds to a metric, (users,) float64: 1 / log2(rank + 1), or 1, up to rank 10,
    else 0. ranks: (users,) numbers of at least 1, a user or more; else ValueError."""
    one_of("metric", metric, METRICS)
    ranks = checks.ranks("ranks", ranks)
    gain = 1 / np.log2(ranks + 1) if metric == "ndcg@10" else 1.0
    return np.where(ranks <= CUTOFF, gain, 0.0)


def ndcg(ranks: np.ndarray) -> float:
    """NDCG@10 with one relevant item a user: the mean of 1 / log2(rank + 1) up to rank 10."""
    return float(gains(ranks, "ndcg@10").mean())


def hit_ratio(ranks: np.ndarray) -> float:
    """HR@10 (the paper's HT): the share of users whose held-out item ranks in the first 10."""
    return float(gains(ranks, "hr@10").mean())


def summary(ranks: np.ndarray) -> dict[str, float]:
    """Both metrics of (users,) ranks: {"ndcg@10", "hr@10"}, each from 0 to 1."""
    return {"ndcg@10": ndcg(ranks), "hr@10": hit_ratio(ranks)}


@torch.no_grad()
def user_vectors(model: Backbone, histories: Sequence[np.ndarray]) -> Tensor:
    """w after the newest item of each history, (users, d), in the order given."""
    device = model.items.weight.device
    batches = packed(histories, model.max_len, device, BATCH)
    with model.evaluating():
        users, w = zip(*((batch.users, model(batch)[batch.last]) for batch in batches))
    return torch.cat(w)[torch.as_tensor(np.argsort(np.concatenate(users))).to(device)]


def chunks(items: Sequence[np.ndarray], device: torch.device, size: int
           ) -> Iterator[tuple[slice, tuple[Tensor, Tensor]]]:
    """`size` users at a time: which, and where their items stand in a (size, n_items) matrix of
    scores, as two int64 tensors of rows and of columns."""
    # of all: no chunk waits for the device; column 0 is item 1
    columns = torch.as_tensor(np.concatenate(items).astype(np.int64) - 1).to(device)
    ends = np.cumsum([0, *map(len, items)])
    rows = torch.as_tensor(np.repeat(np.arange(len(items)), np.diff(ends))).to(device)
    for a in range(0, len(items), size):
        b = min(a + size, len(items))
        part = slice(ends[a], ends[b])
        yield slice(a, b), (rows[part] - a, columns[part])


@torch.no_grad()
def rank_items(model: Backbone, histories: Sequence[np.ndarray], targets: np.ndarray,
               seen: Sequence[np.ndarray]) -> tuple[np.ndarray, float]:
    """Ranks of the targets, (users,) float64, and the share of users with a tie at the target.

    rank = 1 + number of better items + half the number of equal others, among all items but those
    in `seen` (the target always takes part). A model that scores all alike gets the middle rank.
    """
    w, table = user_vectors(model, histories), model.item_table()
    if not (torch.isfinite(w).all() and torch.isfinite(table).all()):
        # the sign of a NaN is 0: such a model would look like one tie of all items
        raise ValueError("user vectors or item embeddings are not finite: the model has diverged; "
                         "try a smaller learning_rate or epsilon")
    # column i of the scores is item i + 1
    target = torch.as_tensor(np.asarray(targets, dtype=np.int64) - 1).to(w.device).unsqueeze(1)
    n_items, ranks, ties = len(table), [], []
    for own, met in progress_bar(iterable=chunks(seen, w.device, CHUNK), delay=2,  # seconds
                                 desc=f"ranking {CHUNK} users", total=-(-len(w) // CHUNK)):
        scores = w[own] @ table.T  # (chunk, n_items)
        # sign of (score - target's): +1 better, 0 equal, -1 worse; sums of these are exact
        sign = scores.sub_(scores.gather(1, target[own])).sign_()
        # what the user has met counts as worse; the target itself is always in
        sign[met] = -1.0
        sign.scatter_(1, target[own], 0.0)
        ranks.append((sign.sum(1).double() + n_items + 1) / 2)
        ties.append(sign.abs_().sum(1) < n_items - 1)
    return torch.cat(ranks).cpu().numpy(), float(torch.cat(ties).double().mean())


@torch.no_grad()
def scores_without(model: Backbone, w: Tensor, met: Sequence[np.ndarray]) -> Tensor:
    """(users, n_items) scores, column 0 is item 1; minus infinity for what a user has met."""
    scores = w @ model.item_table().T
    [(_, held)] = chunks(met, w.device, len(met))
    scores[held] = -torch.inf
    return scores


def ten_best(scores: Tensor) -> list[list[int]]:
    """Of each row the ten best items, or as many as no row leaves out, best first."""
    left = int(scores.isfinite().sum(1).min())
    return (scores.topk(min(CUTOFF, left), dim=1).indices + 1).tolist()


def evaluate(model: Backbone, data: SequenceDataset, split: str = "test") -> dict:
    """Rank each user's held-out item among all items but those before it in the full history.

    split: "test" (the last item) or "validation" (the one before it).
    Returns "ndcg@10" and "hr@10" (floats), "ranks" (float64, one per user in the order of
    data.sequences) and "tie_rate" (share of users with another item at the target's score).
    """
    instance("model", model, Backbone).check_items(data)
    histories, targets = held_out(data, split)
    ranks, tie_rate = rank_items(model, histories, targets, histories)
    return {**summary(ranks), "ranks": ranks, "tie_rate": tie_rate}


def paired_bootstrap(ranks: np.ndarray, reference: np.ndarray, metric: str = "ndcg@10",
                     resamples: int = RESAMPLES, seed: int = 0, level: float = 0.95
                    ) -> dict[str, float]:
    """Difference of a metric (ranks - reference) with its interval, by resampling users.

    ranks, reference: (users,) ranks of the *same* users under two models, or clean and
    attacked. Returns "difference", "low" and "high".
    """
    ranks, reference = checks.ranks("ranks", ranks), checks.ranks("reference", reference)
    if ranks.shape != reference.shape:
        raise ValueError(f"ranks has shape {ranks.shape}, reference {reference.shape}; allowed "
                         "are two equal shapes (users,), since users are compared in pairs")
    resamples = number("resamples", resamples, low=1, kind=int)
    seed = number("seed", seed, low=0, high=MOST_SEED, kind=int)
    level = number("level", level, low=0.5, high=0.9999)
    difference = gains(ranks, metric) - gains(reference, metric)
    mean, *resampled = resampled_gains(difference[:, None], seed, resamples)[:, 0]
    low, high = np.quantile(resampled, [(1 - level) / 2, (1 + level) / 2])
    return {"difference": float(mean), "low": float(low), "high": float(high)}


def resampled_gains(gain: np.ndarray, seed: int = 0, resamples: int = RESAMPLES,
                    chunk: int = 100) -> np.ndarray:
    """Means of the columns of `gain` (users, m) over the users and over resamples of them.

    Returns (1 + resamples, m) float64; row 0 is the mean over all users as they are. A resample
    draws as many users as there are, with replacement; chunk: so many at a time.
    """
    users, rng = len(gain), np.random.default_rng(seed)
    means = [gain.mean(0, keepdims=True)]
    for first in range(0, resamples, chunk):
        counts = np.stack([np.bincount(rng.integers(0, users, users), minlength=users)
                           for _ in range(min(chunk, resamples - first))])
        means.append(counts.astype(np.float64) @ gain / users)
    return np.concatenate(means)
