"""Length groups against all possible ones."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from casadv_lib.support.packing import length_edges


@given(st.lists(st.integers(1, 9), min_size=1, max_size=30), st.integers(1, 4))
def test_length_edges_are_the_best(lengths, most):
    lengths = np.array(lengths)

    def cost(edges):
        upper = edges[np.searchsorted(edges, lengths)]
        return (upper * (upper + 16.0)).sum()

    found = length_edges(lengths, most)
    distinct = np.unique(lengths)
    assert len(found) <= most and found[-1] == distinct[-1]
    options = [
        np.array([*inner, distinct[-1]])
        for size in range(min(most, len(distinct)))
        for inner in combinations(distinct[:-1], size)
    ]
    assert cost(found) == pytest.approx(min(cost(edges) for edges in options))
