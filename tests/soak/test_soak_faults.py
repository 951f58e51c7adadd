"""Many kills: runs, and the grid. CASADV_KILLS sets how many of the first."""

import os
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from faults import Kill, content, run_once, write_data

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "experiments"))
from test_faults import random_cuts, uncut  # noqa: E402, F401  (a fixture)

pytestmark = pytest.mark.soak
KILLS = int(os.environ.get("CASADV_KILLS", 50))


def test_many_kills_at_random_moments(uncut, tmp_path):  # noqa: F811
    print(f"{KILLS} kills in {random_cuts(uncut, tmp_path, KILLS, seed=100)} runs")


def test_kills_in_the_grid(tmp_path):
    data = write_data(tmp_path / "own.txt", users=60)

    def words(name):
        small = {"epochs": 2, "adv_epochs": 1, "dim": 8, "eval_every": 1, "batch_size": 32}
        return ["grid", "--dataset", str(data), "--backbone", "causalcnn", "--workers", "2",
                "--folder", str(tmp_path / name),
                *(word for k, v in small.items() for word in ("--set", f"{k}={v}"))]

    started = time.perf_counter()
    run_once(words("whole"), tmp_path / "whole-runs")
    seconds, rng, hits = time.perf_counter() - started, np.random.default_rng(2), 0
    for _ in range(24):
        if hits == 6:
            break
        kill = Kill(share=rng.uniform(0.05, 0.4))
        hits += run_once(words("cut"), tmp_path / "cut-runs", kill, seconds)
        content(tmp_path / "cut-runs")
        for probe in (tmp_path / "cut-runs").glob(".casadv-*"):
            probe.unlink()
    run_once(words("cut"), tmp_path / "cut-runs")
    assert content(tmp_path / "cut-runs") == content(tmp_path / "whole-runs")
    assert hits == 6
