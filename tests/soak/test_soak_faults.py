"""Many kills of runs at random moments: CASADV_KILLS sets how many."""

import os
import sys
from pathlib import Path

import pytest
from faults import random_kills

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "experiments"))
from test_faults import cut_and_go_on, uncut  # noqa: E402, F401  (a fixture)

pytestmark = pytest.mark.soak
KILLS = int(os.environ.get("CASADV_KILLS", 50))


def test_many_kills_at_random_moments(uncut, tmp_path):  # noqa: F811
    hits, number = 0, 0
    while hits < KILLS:
        kills = random_kills(min(5, KILLS - hits), 100 + number)
        hits += cut_and_go_on(uncut, tmp_path / f"runs{number}", kills)
        number += 1
