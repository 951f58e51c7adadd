"""A million users and a hundred thousand items: preparation, cascade effects, ranking."""

import pytest
from _load import check_load, run_load

pytestmark = pytest.mark.soak
USERS, ITEMS, GROUPS = 1_000_000, 100_000, 100
MOST_MEGABYTES, MOST_SECONDS = 8_000, 900


def test_a_million_users_within_eight_gigabytes(capsys):
    found = run_load(USERS, ITEMS, GROUPS, timeout=MOST_SECONDS)
    with capsys.disabled():
        for name, part in found["parts"].items():
            print(f"\n{name:32} {part['seconds']:6.1f} s {part['megabytes']:6.0f} MB", end="")
        print(f"\npeak {found['peak_megabytes']:.0f} MB")
    check_load(found, USERS, ITEMS)
    assert found["peak_megabytes"] < MOST_MEGABYTES, found["parts"]
