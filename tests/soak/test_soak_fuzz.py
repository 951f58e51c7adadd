"""The fuzzing of tests/test_fuzz.py with CASADV_FUZZ_CASES cases (50,000) in all."""

import os

import pytest
from _fuzz import FUZZ, fuzz

pytestmark = pytest.mark.soak
CASES = int(os.environ.get("CASADV_FUZZ_CASES", 50_000))


@pytest.mark.parametrize("name", FUZZ)
def test_data_or_a_clear_error(name):
    fuzz(name, CASES // len(FUZZ))
