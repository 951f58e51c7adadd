"""A load in a process of its own, so that its peak of memory is its own.

`python tests/load.py USERS ITEMS` makes up histories, takes them through the library and prints the
seconds and the peak memory of each part; the last line is JSON.
"""

import contextlib
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from benchmarks.measuring import environment, peak_bytes
from benchmarks.worlds import lengths_of

import casadv_lib as cas
from casadv_lib.data import held_out, training_inputs
from casadv_lib.evaluation import rank_items

SAMPLE, DIM, MAX_LEN, MIN_COUNT = 2000, 64, 50, 5
INTERACTIONS_A_USER = 9


def run_load(users: int, items: int, timeout: float) -> dict:
    """Run this file on one thread; return what it printed."""
    words = [sys.executable, __file__, str(users), str(items)]
    done = subprocess.run(words, env=environment(), capture_output=True, text=True,
                          timeout=timeout)
    assert done.returncode == 0, done.stderr[-3000:]
    *table, result = done.stdout.splitlines()
    print("\n".join(table))
    return json.loads(result)


@contextlib.contextmanager
def part(name: str, peaks: list[float]):
    """Print the seconds and the peak megabytes of a part of the work."""
    with contextlib.suppress(OSError):  # Linux forgets the old peak; elsewhere it stays
        Path("/proc/self/clear_refs").write_text("5")
    started = time.perf_counter()
    yield
    peaks.append(peak_bytes() / 1e6)
    print(f"{name:40} {time.perf_counter() - started:7.1f} s {peaks[-1]:6.0f} MB", flush=True)


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


def work(users: int, items: int) -> dict:
    rng, before, peaks = np.random.default_rng(0), peak_bytes() / 1e6, []
    with part("interactions as a table", peaks):
        frame = interactions(users, items, rng)
    with part(f"prepare, with the {MIN_COUNT}-core", peaks):
        data = cas.load_dataset(frame, min_count=MIN_COUNT)
    assert data.n_users > 0.9 * users and data.n_items > 0.99 * items
    assert data.n_interactions > 0.99 * len(frame)
    with tempfile.TemporaryDirectory() as folder:
        frame.to_csv(Path(folder, "own.csv"), index=False)
        del frame
        with part("the same from a CSV", peaks):
            read = cas.load_dataset(Path(folder, "own.csv"), min_count=MIN_COUNT)
    assert read.fingerprint == data.fingerprint and read.user_ids == data.user_ids
    del read
    inputs = training_inputs(data, MAX_LEN)[1]
    with part("cascade effects, flat", peaks):
        offsets = np.concatenate([[0], np.cumsum([len(one) for one in inputs])])
        flat = cas.cascade_effects_flat(np.concatenate(inputs), offsets, MAX_LEN)
    assert len(flat) == offsets[-1] > 2 * users and flat.min() >= 1
    with part("cascade effects, as lists", peaks):
        lists = cas.cascade_effects(inputs, MAX_LEN)
    assert np.array_equal(np.concatenate(lists), flat)
    with part("build SASRec", peaks):
        torch.manual_seed(0)
        model = cas.SASRec(data.n_items, MAX_LEN, dim=DIM)
    histories, targets = held_out(data, "test")
    sample = rng.choice(data.n_users, SAMPLE, replace=False)
    few = [histories[user] for user in sample]
    with part(f"rank all items for {len(sample):,} users", peaks):
        ranks, _ = rank_items(model, few, targets[sample], few)
    # an untrained model: neither all good nor all bad
    assert 1 <= ranks.min() < data.n_items / 10 < 0.9 * data.n_items < ranks.max()
    return {"peak_megabytes": max(peaks), "megabytes_above_imports": max(peaks) - before}


if __name__ == "__main__":
    print(json.dumps(work(*map(int, sys.argv[1:]))))
