"""Sums over equal pairs, against a dictionary."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from casadv_lib.support.flat import MIX, sums_of_repeats


def by_dictionary(owners, items, values):
    sums = {}
    for owner, item, value in zip(owners, items, values):
        sums[owner, item] = sums.get((owner, item), 0) + value
    return [sums[pair] for pair in zip(owners, items)]


def check(owners, items):
    owners, items = np.array(owners, dtype=np.int64), np.array(items, dtype=np.int64)
    values = np.arange(1.0, len(items) + 1)
    before = values.copy()
    sums = sums_of_repeats(owners, items, values)
    assert sums.tolist() == by_dictionary(owners.tolist(), items.tolist(), values)
    assert (values == before).all()


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(1, 5)), min_size=1, max_size=20))
def test_sums_are_those_of_a_dictionary(pairs):
    check(*zip(*pairs))


@pytest.mark.parametrize(("owner", "item"), [
    (4, 9), (5, 1), (6, 1), (5, 2), (3, 9), (4, 8), (5, 9),  # whose codes lie side by side
    (4 + 2**16, 9), (4 + 2**32, 9),  # that look alike in 16 or 32 bits
])
def test_pairs_that_look_alike_are_told_apart(owner, item):
    check([4, 4, owner, owner, 7], [9, 9, item, item, 9])


def test_two_pairs_with_the_same_32_bits_are_two():
    # (owner 1, item x) and (owner 0, item y) with equal item + owner * MIX modulo 2^32
    x = 5
    y = (x + MIX) % 2**32
    check([1, 0, 1], [x, y, 7])
    check([1, 0, 1, 0], [x, y, x, 3])
