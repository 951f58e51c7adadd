"""2,000 pieces of bad data for all parsers; `make soak` takes 50,000 (see _fuzz.py)."""

import pytest
from _fuzz import FUZZ, fuzz

CASES = 2000


@pytest.mark.parametrize("name", FUZZ)
def test_data_or_a_clear_error(name):
    fuzz(name, CASES // len(FUZZ))
