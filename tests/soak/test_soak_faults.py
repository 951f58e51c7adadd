"""Many kills of runs: CASADV_KILLS sets how many."""

import os
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "experiments"))
from test_faults import random_cuts, uncut  # noqa: E402, F401  (a fixture)

pytestmark = pytest.mark.soak
KILLS = int(os.environ.get("CASADV_KILLS", 50))


def test_many_kills_at_random_moments(uncut, tmp_path):  # noqa: F811
    print(f"{KILLS} kills in {random_cuts(uncut, tmp_path, KILLS, seed=100)} runs")
