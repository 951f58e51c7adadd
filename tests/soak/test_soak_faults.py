"""Many kills: runs, the grid and Papermill. CASADV_KILLS sets how many of the first."""

import json
import os
import time

import numpy as np
import pytest
from _faults import (
    Kill,
    content,
    grid_words,
    run_once,
    whole_files,
    without_times,
    write_data,
)
from test_faults import cut_notebooks, random_cuts, uncut  # noqa: F401  (a fixture)

pytestmark = pytest.mark.soak
KILLS = int(os.environ.get("CASADV_KILLS", 50))


def test_many_kills_at_random_moments(uncut, tmp_path):  # noqa: F811
    print(f"{KILLS} kills in {random_cuts(uncut, tmp_path, KILLS, seed=100)} runs")


def test_kills_in_the_grid(tmp_path):
    data = write_data(tmp_path / "own.txt", users=60)
    started = time.perf_counter()
    run_once(grid_words(data, tmp_path / "whole"), tmp_path / "whole-runs")
    seconds, rng, hits = time.perf_counter() - started, np.random.default_rng(2), 0
    words = grid_words(data, tmp_path / "cut")
    for _ in range(24):
        if hits == 6:
            break
        kill = Kill(share=rng.uniform(0.05, 0.4))
        hits += run_once(words, tmp_path / "cut-runs", kill, seconds)
        whole_files(tmp_path / "cut-runs")
    run_once(words, tmp_path / "cut-runs")
    assert content(tmp_path / "cut-runs") == content(tmp_path / "whole-runs")
    found = [without_times(json.loads((tmp_path / name / "results.json").read_text()))
             for name in ("whole", "cut")]
    assert found[0] == found[1]
    assert hits == 6


def test_kills_in_the_middle_of_papermill(tmp_path):
    assert cut_notebooks(tmp_path, 6, seed=3) == 6
