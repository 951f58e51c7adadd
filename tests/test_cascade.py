"""Cascade effects against Eq. 11 by brute force, and the weights."""

from unittest import mock

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracles import cascade_by_loops

from casadv_lib.cascade import TERMS, cascade_effects, cascade_weights
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


def test_no_histories_no_spread_and_minmax_by_hand():
    assert cascade_effects([]) == []
    np.testing.assert_array_equal(cascade_weights([[1.0, 1.0]], "minmax")[0], [1.0, 1.0])
    np.testing.assert_allclose(  # 1 + min-max(C) is 1, 1.5 and 2
        cascade_weights([[1.0, 2.0], [3.0]], "minmax")[0][1], (1 / 1.5) / ((1 + 1 / 1.5 + 0.5) / 3))
    np.testing.assert_allclose(cascade_weights([[1.0, 3.0]], mean="cascade")[0], [2, 2 / 3])
    with pytest.raises(ValueError, match=r"histories\[1\] is \[0, 1\].*0 pads"):
        cascade_effects([[2], [0, 1]])


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
