"""A million users and a hundred thousand items: preparation, cascade effects, ranking."""

import pytest
from load import run_load

pytestmark = pytest.mark.soak
USERS, ITEMS, GROUPS = 1_000_000, 100_000, 100
MOST_MEGABYTES, MOST_SECONDS = 8_000, 900


def test_a_million_users_within_eight_gigabytes(capsys):
    with capsys.disabled():
        measured = run_load(USERS, ITEMS, GROUPS, timeout=MOST_SECONDS)
    assert measured["peak_megabytes"] < MOST_MEGABYTES
