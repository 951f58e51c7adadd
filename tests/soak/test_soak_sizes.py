"""A million users and a hundred thousand items; CASADV_FUZZ_CASES (50,000) pieces of bad data."""

import os

import pytest
from load import run_load
from test_fuzz import FUZZ, fuzz

pytestmark = pytest.mark.soak
CASES = int(os.environ.get("CASADV_FUZZ_CASES", 50_000))


def test_a_million_users_within_eight_gigabytes(capsys):
    with capsys.disabled():
        measured = run_load(1_000_000, 100_000)
    assert measured["peak_megabytes"] < 8_000


@pytest.mark.parametrize("name", FUZZ)
def test_bad_data_give_data_or_a_clear_error(name):
    fuzz(name, CASES // len(FUZZ))
