"""A load in a process of its own, so that its peak of memory is its own.

`python tests/load.py USERS ITEMS GROUPS` makes a world of that size, takes it through the library
and prints, last, a line of JSON: seconds and peak memory of each part, and what came out.
"""

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from benchmarks.measuring import peak_bytes
from scaled_world import make_scaled

import casadv_lib as cas
from casadv_lib.data import held_out, training_inputs
from casadv_lib.datasets import from_interactions
from casadv_lib.datasets.synthetic import WorldSettings
from casadv_lib.evaluation import rank_items

SAMPLE, DIM, MAX_LEN, MIN_COUNT = 2000, 64, 50, 5
TESTS = Path(__file__).parent


def run_load(users: int, items: int, groups: int, timeout: float) -> dict:
    """Run this file on one thread; return what it printed."""
    environment = os.environ | {"OMP_NUM_THREADS": "1", "CI": "1",
                                "PYTHONPATH": os.pathsep.join([str(TESTS.parent), str(TESTS)])}
    words = [sys.executable, str(TESTS / "load.py"), *map(str, (users, items, groups))]
    done = subprocess.run(words, env=environment, capture_output=True, text=True, timeout=timeout)
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


def interactions(data: cas.SequenceDataset, rng) -> pd.DataFrame:
    """All interactions as a reader may bring them: text ids, times, rows in any order."""
    lengths = [len(sequence) for sequence in data.sequences]
    users = np.array([f"u{user}" for user in data.user_ids], dtype=object)
    items = np.array([f"i{item}" for item in data.item_ids], dtype=object)
    steps = np.concatenate([np.arange(length) for length in lengths])
    frame = pd.DataFrame({"user": np.repeat(users, lengths),
                          "item": items[np.concatenate(data.sequences)],
                          "timestamp": 1_300_000_000 + 86_400 * steps})
    return frame.iloc[rng.permutation(len(frame))]


def work(users: int, items: int, groups: int) -> dict:
    rng, before, peaks = np.random.default_rng(0), peak_bytes() / 1e6, []
    with part("make the world", peaks):
        made = make_scaled(WorldSettings(n_users=users, n_items=items, n_groups=groups))
    assert (made.n_users, made.n_items) == (users, items)
    with part("its interactions as a table", peaks):
        frame = interactions(made, rng)
    with part(f"prepare, with the {MIN_COUNT}-core", peaks):
        data = from_interactions(frame, min_count=MIN_COUNT)
    for size in ("n_users", "n_items", "n_interactions"):
        assert 0.99 * getattr(made, size) <= getattr(data, size) <= getattr(made, size)
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
