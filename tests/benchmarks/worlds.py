"""Data for benchmarks: a sample of a real data set, and made-up histories of any size."""

from dataclasses import replace

import numpy as np
import torch

from casadv_lib import BACKBONES, Backbone, SequenceDataset
from casadv_lib.experiments.configuration import MAX_LEN

PLATEAU = 50  # items that are equally popular; also the longest history without repeats


def sample(data: SequenceDataset, users: int) -> SequenceDataset:
    """Some users, drawn at random, with the whole catalogue; all of them if there are no more."""
    if users >= data.n_users:
        return data
    kept = np.sort(np.random.default_rng(0).permutation(data.n_users)[:users])
    return replace(data, sequences=[data.sequences[u] for u in kept],
                   user_ids=[data.user_ids[u] for u in kept])


def model_of(backbone: str, dataset: str, n_items: int, dim: int) -> Backbone:
    """A fresh model with the paper's T of that data set."""
    torch.manual_seed(0)
    return BACKBONES[backbone](n_items, max_len=MAX_LEN.get(dataset, 50), dim=dim)


def lengths_of(interactions: int, rng: np.random.Generator) -> np.ndarray:
    """Lengths of histories with that sum: 5 to 50, many short ones, about 9 on average."""
    drawn = 5 + rng.exponential(4.6, interactions // 5 + 1).astype(np.int64)
    ends = np.cumsum(np.minimum(drawn, PLATEAU))
    users = int(np.searchsorted(ends, interactions))
    return np.diff(np.concatenate([[0], ends[:users], [interactions]]))


def interactions_of(size: int, n_items: int | None = None, repeats: bool = False
                    ) -> tuple[np.ndarray, np.ndarray]:
    """Made-up histories, flat: (items, offsets), int64, with `size` interactions.

    Popularity follows Zipf's law, rank ** -1; n_items None: 16 interactions an item, as in
    Amazon Beauty. repeats=False: no user has an item twice, which costs nothing to arrange:
    items come in plateaus of PLATEAU equally popular ones, and neighbours in the list never have
    the same place on a plateau. repeats=True: independent draws.
    """
    rng = np.random.default_rng(0)
    offsets = np.concatenate([[0], np.cumsum(lengths_of(size, rng))])
    n_items = n_items or max(size // 16, 2 * PLATEAU)
    ranks = n_items if repeats else n_items // PLATEAU
    items, chunk = np.empty(size, dtype=np.int64), 1 << 20
    for a in range(0, size, chunk):  # so that making the data is no peak of memory
        place = np.arange(a, min(a + chunk, size))
        # u uniform: n ** u has density 1 / x on [1, n]
        drawn = np.minimum(((ranks + 1.0) ** rng.random(len(place))).astype(np.int64), ranks)
        items[place] = drawn if repeats else (drawn - 1) * PLATEAU + place % PLATEAU + 1
    return items, offsets


def dataset_of(users: int, n_items: int, length: int | None = None) -> SequenceDataset:
    """A made-up data set; length None: histories of about 9 items, else all of that length."""
    rng = np.random.default_rng(0)
    if length is None:
        lengths = np.minimum(5 + rng.exponential(4.6, users).astype(np.int64), PLATEAU)
        items, _ = interactions_of(int(lengths.sum()), n_items, repeats=True)
    else:
        lengths = np.full(users, length)
        items = rng.integers(1, n_items + 1, users * length)
    ids = ["", *(str(i) for i in range(1, n_items + 1))]
    sequences = np.split(items, np.cumsum(lengths)[:-1])
    return SequenceDataset("made up", sequences, n_items, ids, ids, list(range(users)))
