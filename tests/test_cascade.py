"""Cascade effects against Eq. 11 by brute force, and the weights."""

from unittest import mock

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracles import cascade_by_loops

from casadv_lib.cascade import TERMS, cascade_effects, cascade_effects_flat, cascade_weights
from casadv_lib.support import flat

histories = st.lists(st.lists(st.integers(1, 8), max_size=9), min_size=1, max_size=7)


@given(histories, st.integers(1, 6), st.integers(1, 200), st.sampled_from(TERMS), st.booleans(),
       st.integers(1, 12))
def test_equals_the_double_loop(lists, max_len, batch_size, terms, count_self, block):
    with mock.patch.object(flat, "BLOCK", block):  # of any size
        found = cascade_effects(lists, max_len, batch_size, terms, count_self)
    expected = cascade_by_loops(lists, max_len, batch_size, terms, count_self)
    assert len(found) == len(expected)
    for ours, theirs in zip(found, expected):
        np.testing.assert_allclose(ours, theirs, rtol=1e-12)


@pytest.mark.parametrize("block", [1, 3, 5])
def test_a_block_holds_whole_histories_and_no_more_than_it_should(block, monkeypatch):
    monkeypatch.setattr(flat, "BLOCK", block)
    offsets = np.array([0, 2, 3, 3, 7, 9])
    blocks = [(a, b, ends.tolist()) for a, b, ends in flat.blocks(offsets)]
    assert blocks == {
        1: [(0, 2, [2]), (2, 3, [3, 3]), (3, 7, [7]), (7, 9, [9])],
        3: [(0, 3, [2, 3, 3]), (3, 7, [7]), (7, 9, [9])],
        5: [(0, 3, [2, 3, 3]), (3, 7, [7]), (7, 9, [9])],
    }[block]


@pytest.mark.parametrize(("items", "offsets", "said"), [
    ([1, 0, 2], [0, 3], r"items is array\(\[1, 0, 2\]\); allowed are ids of 1 or more"),
    ([1, 2], [], "offsets is .*start at 0"), ([1, 2], [1, 2], "offsets is .*start at 0"),
    ([1, 2], [0, 1], "end at 2"), ([1, 2], [0, 2, 1, 2], "offsets is .*ascending"),
])
def test_bad_flat_arrays_are_named(items, offsets, said):
    with pytest.raises(ValueError, match=said):
        cascade_effects_flat(np.array(items), np.array(offsets, dtype=np.int64))
    with pytest.raises(ValueError, match=r"histories\[1\] is \[0, 1\].*0 pads"):
        cascade_effects([[2], [0, 1]])


def test_no_histories_no_spread_and_minmax_by_hand():
    assert cascade_effects([]) == []
    np.testing.assert_array_equal(cascade_weights([[1.0, 1.0]], "minmax")[0], [1.0, 1.0])
    np.testing.assert_allclose(  # 1 + min-max(C) is 1, 1.5 and 2
        cascade_weights([[1.0, 2.0], [3.0]], "minmax")[0][1], (1 / 1.5) / ((1 + 1 / 1.5 + 0.5) / 3))


@given(histories.filter(any))
def test_weights_have_mean_one_and_keep_the_order(lists):
    effects = [e for e in cascade_effects(lists) if len(e)]
    for norm in ("raw", "minmax"):
        weights = cascade_weights(effects, norm)
        flat, C = np.concatenate(weights), np.concatenate(effects)
        assert np.isfinite(flat).all() and (flat > 0).all()
        assert flat.mean() == pytest.approx(1)
        order = np.argsort(C)
        assert (np.diff(flat[order]) <= 1e-12).all()


def test_mean_cascade_leaves_more_budget():
    effects = cascade_effects([[1, 2, 3, 4], [2, 5]])
    C = np.concatenate(effects)
    weights = np.concatenate(cascade_weights(effects, mean="cascade"))
    np.testing.assert_allclose(1 / weights, C / C.mean())
    assert weights.mean() > 1
