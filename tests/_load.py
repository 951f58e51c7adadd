"""A load in a process of its own, so that its peak of memory is its own.

`python tests/_load.py USERS ITEMS GROUPS` makes a world of that size, takes it through the library
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
from benchmarks.timing import peak_bytes

import casadv_lib as cas
from casadv_lib.data import held_out, training_inputs
from casadv_lib.datasets import from_interactions
from casadv_lib.datasets.synthetic import WorldSettings
from casadv_lib.datasets.synthetic_scaled import make_scaled
from casadv_lib.evaluation import rank_items

SAMPLE, DIM, MAX_LEN, MIN_COUNT = 2000, 64, 50, 5
TESTS = Path(__file__).parent


def run_load(users: int, items: int, groups: int, timeout: float) -> dict:
    """Run this file on one thread; return what it printed."""
    environment = os.environ | {"OMP_NUM_THREADS": "1", "CI": "1",
                                "PYTHONPATH": os.pathsep.join([str(TESTS.parent), str(TESTS)])}
    words = [sys.executable, str(TESTS / "_load.py"), *map(str, (users, items, groups))]
    done = subprocess.run(words, env=environment, capture_output=True, text=True, timeout=timeout)
    assert done.returncode == 0, done.stderr[-3000:]
    *table, result = done.stdout.splitlines()
    print("\n".join(table))
    return json.loads(result)


def check_load(found: dict, users: int, items: int) -> None:
    """What must be true of the results at any size."""
    made, prepared = found["made"], found["prepared"]
    assert made[:2] == [users, items]
    assert all(0.99 * before <= after <= before for before, after in zip(made, prepared))
    assert found["csv_gives_the_same"] and found["lists_give_the_same"]
    count, least, _ = found["effects"]
    assert count == found["inputs"] > 2 * users and least >= 1
    ranked, best, worst = found["ranks"]
    # an untrained model: neither all good nor all bad
    assert ranked == SAMPLE and 1 <= best < prepared[1] / 10 < 0.9 * prepared[1] < worst


class Parts:
    """Seconds and peak megabytes of each part of the work."""

    def __init__(self):
        self.found = {}

    @contextlib.contextmanager
    def part(self, name: str):
        with contextlib.suppress(OSError):  # Linux forgets the old peak; elsewhere it stays
            Path("/proc/self/clear_refs").write_text("5")
        started = time.perf_counter()
        yield
        self.found[name] = {"seconds": time.perf_counter() - started,
                            "megabytes": peak_bytes() / 1e6}
        print(f"{name:40} {self.found[name]['seconds']:7.1f} s "
              f"{self.found[name]['megabytes']:6.0f} MB", flush=True)


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
    measured, rng, before = Parts(), np.random.default_rng(0), peak_bytes() / 1e6
    with measured.part("make the world"):
        made = make_scaled(WorldSettings(n_users=users, n_items=items, n_groups=groups))
    with measured.part("its interactions as a table"):
        frame = interactions(made, rng)
    with measured.part(f"prepare, with the {MIN_COUNT}-core"):
        data = from_interactions(frame, min_count=MIN_COUNT)
    with tempfile.TemporaryDirectory() as folder:
        frame.to_csv(Path(folder, "own.csv"), index=False)
        del frame
        with measured.part("the same from a CSV"):
            read = cas.load_dataset(Path(folder, "own.csv"), min_count=MIN_COUNT)
    same = read.fingerprint == data.fingerprint and read.user_ids == data.user_ids
    del read
    inputs = training_inputs(data, MAX_LEN)[1]
    with measured.part("cascade effects, flat"):
        offsets = np.concatenate([[0], np.cumsum([len(one) for one in inputs])])
        flat = cas.cascade_effects_flat(np.concatenate(inputs), offsets, MAX_LEN)
    with measured.part("cascade effects, as lists"):
        lists = cas.cascade_effects(inputs, MAX_LEN)
    with measured.part("build SASRec"):
        torch.manual_seed(0)
        model = cas.SASRec(data.n_items, MAX_LEN, dim=DIM)
    histories, targets = held_out(data, "test")
    sample = rng.choice(data.n_users, min(SAMPLE, data.n_users), replace=False)
    few = [histories[user] for user in sample]
    with measured.part(f"rank all items for {len(sample):,} users"):
        ranks, _ = rank_items(model, few, targets[sample], few)
    peak = max(part["megabytes"] for part in measured.found.values())
    return {
        "parts": measured.found,
        "peak_megabytes": peak,
        "megabytes_above_imports": peak - before,
        "made": [made.n_users, made.n_items, made.n_interactions],
        "prepared": [data.n_users, data.n_items, data.n_interactions],
        "csv_gives_the_same": same,
        "effects": [len(flat), float(flat.min()), float(flat.max())],
        "inputs": int(offsets[-1]),
        "lists_give_the_same": bool(np.array_equal(np.concatenate(lists), flat)),
        "ranks": [len(ranks), float(ranks.min()), float(ranks.max())],
    }


if __name__ == "__main__":
    print(json.dumps(work(*map(int, sys.argv[1:]))))
