"""Large data: a whole load in a process of its own, with its own peak of memory."""

import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from benchmarks.measuring import call, peak_bytes
from benchmarks.worlds import lengths_of

import casadv_lib as cas
from casadv_lib.data import held_out, training_inputs
from casadv_lib.evaluation import rank_items

SAMPLE, DIM, MAX_LEN, MIN_COUNT = 2000, 64, 50, 5
INTERACTIONS_A_USER = 9
# Measured: 67 to 84 MB above what Python and the packages hold. The tables that must not be would
# alone add as much as the bound or more: users x items 100 MB at one byte a cell, 800 MB as
# chances; items x items 200 MB.
SHORT_MEGABYTES = 100


def interactions(users: int, items: int, rng) -> pd.DataFrame:
    """All interactions as a reader may bring them: text ids, times, rows in any order.

    Histories have 5 to 50 items; the chance of item i falls like i ** -1/2, so that none is rare.
    """
    lengths = lengths_of(INTERACTIONS_A_USER * users, rng)
    steps = np.concatenate([np.arange(length) for length in lengths])
    drawn = (items * rng.random(len(steps)) ** 2).astype(np.int64)
    ids = np.array([f"i{item}" for item in range(items)], dtype=object)
    names = np.array([f"u{user}" for user in range(len(lengths))], dtype=object)
    frame = pd.DataFrame({"user": np.repeat(names, lengths), "item": ids[drawn],
                          "timestamp": 1_300_000_000 + 86_400 * steps})
    return frame.iloc[rng.permutation(len(frame))]


def work(users: int, items: int) -> dict[str, float]:
    rng, before = np.random.default_rng(0), peak_bytes()
    frame = interactions(users, items, rng)
    data = cas.load_dataset(frame, min_count=MIN_COUNT)
    assert data.n_users > 0.9 * users and data.n_items > 0.99 * items
    assert data.n_interactions > 0.99 * len(frame)
    with tempfile.TemporaryDirectory() as folder:
        frame.to_csv(Path(folder, "own.csv"), index=False)
        del frame
        read = cas.load_dataset(Path(folder, "own.csv"), min_count=MIN_COUNT)
    assert read.fingerprint == data.fingerprint and read.user_ids == data.user_ids
    del read
    inputs = training_inputs(data, MAX_LEN)[1]
    offsets = np.concatenate([[0], np.cumsum([len(one) for one in inputs])])
    flat = cas.cascade_effects_flat(np.concatenate(inputs), offsets, MAX_LEN)
    assert len(flat) == offsets[-1] > 2 * users and flat.min() >= 1
    assert np.array_equal(np.concatenate(cas.cascade_effects(inputs, MAX_LEN)), flat)
    torch.manual_seed(0)
    model = cas.SASRec(data.n_items, MAX_LEN, dim=DIM)
    histories, targets = held_out(data, "test")
    sample = rng.choice(data.n_users, SAMPLE, replace=False)
    few = [histories[user] for user in sample]
    ranks, _ = rank_items(model, few, targets[sample], few)
    # an untrained model: neither all good nor all bad
    assert 1 <= ranks.min() < data.n_items / 10 < 0.9 * data.n_items < ranks.max()
    peak = peak_bytes()
    return {"peak_megabytes": peak / 1e6, "megabytes_above_imports": (peak - before) / 1e6}


def test_a_fiftieth_of_the_load_of_the_soak_test():
    measured = call(work, users=20_000, items=5_000)
    assert measured["megabytes_above_imports"] < SHORT_MEGABYTES


@pytest.mark.soak
def test_a_million_users_within_eight_gigabytes():
    assert call(work, users=1_000_000, items=100_000)["peak_megabytes"] < 8_000
