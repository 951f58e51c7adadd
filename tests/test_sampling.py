"""Negatives: never an item of the training history, and uniform over all others."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from casadv_lib.batching import NegativeSampler

some_sets = st.lists(st.sets(st.integers(1, 12), max_size=11), min_size=1, max_size=6)


@given(some_sets, st.integers(0, 5))
def test_never_an_item_of_the_history(sets, seed):
    met = [np.array(sorted(s), dtype=np.int64) for s in sets]
    sampler = NegativeSampler(met, np.full(len(met), 30), 12)
    drawn = sampler.draw(torch.Generator().manual_seed(seed)).numpy().reshape(len(met), 30)
    assert drawn.min() >= 1 and drawn.max() <= 12
    for items, row in zip(sets, drawn):
        assert items.isdisjoint(row.tolist())


def test_uniform_over_the_allowed_items():
    met = [np.array([3, 3, 1]), np.array([12, 6, 7, 8])]
    sampler = NegativeSampler(met, np.array([60_000, 60_000]), 12)
    drawn = sampler.draw(torch.Generator().manual_seed(0)).numpy().reshape(2, -1)
    for items, row in zip(met, drawn):
        allowed = np.setdiff1d(np.arange(1, 13), items)
        counts = np.bincount(row, minlength=13)[allowed]
        expected = len(row) / len(allowed)
        chi_square = ((counts - expected) ** 2 / expected).sum()
        # the 99.99% point of chi-square with 9 or 7 degrees of freedom is below 34
        assert counts.sum() == len(row) and chi_square < 34


def test_a_user_who_has_met_everything_is_named():
    with pytest.raises(ValueError, match="user 1 has met all 3 items"):
        NegativeSampler([np.array([1]), np.array([1, 2, 3])], np.array([1, 2]), 3)
