"""The pictures of cascade effects hold the numbers they were given."""

import numpy as np
import pytest

from casadv_lib.cascade import cascade_effects
from casadv_lib.figures.cascade import effect_map, stacked_terms

ITEMS = [np.array([1, 2, 3]), np.array([2, 4, 5, 1, 3])]
BOTH = cascade_effects(ITEMS, 50, 2)
OWN = cascade_effects(ITEMS, 50, 2, "temporal")
CROSS = [both - own for both, own in zip(BOTH, OWN)]


def test_the_map_is_aligned_at_the_newest_item():
    axis = effect_map(BOTH, ITEMS, ["a", "b"]).axes[0]
    grid = np.ma.filled(axis.collections[0].get_array(), np.nan)
    assert np.isnan(grid[0, :2]).all()
    np.testing.assert_allclose(grid[0, 2:], BOTH[0])
    np.testing.assert_allclose(grid[1], BOTH[1])
    texts = {text.get_position(): text.get_text() for text in axis.texts}
    assert texts[(4.5, 0.5)] == f"item 3\n{BOTH[0][-1]:.1f}" and len(texts) == 8
    assert [tick.get_text() for tick in axis.get_yticklabels()] == ["a", "b"]
    axis = effect_map(BOTH, ITEMS, steps=2).axes[0]
    np.testing.assert_allclose(axis.collections[0].get_array(), [BOTH[0][-2:], BOTH[1][-2:]])
    assert [tick.get_text() for tick in axis.get_xticklabels()] == ["T-1", "T"]


def test_the_bars_stack_up_to_the_effect():
    figure = stacked_terms(OWN, CROSS, ITEMS, ["a", "b"])
    for axis, own, both in zip(figure.axes, OWN, BOTH):
        lower, upper = axis.containers
        np.testing.assert_allclose([bar.get_height() for bar in lower], own)
        np.testing.assert_allclose([bar.get_y() + bar.get_height() for bar in upper], both)


@pytest.mark.parametrize("own, cross", [(OWN, [CROSS[0], CROSS[1][:2]]), ([], [])])
def test_what_does_not_fit_is_refused(own, cross):
    with pytest.raises(ValueError, match="own and cross have the lengths"):
        stacked_terms(own, cross, ITEMS, ["a", "b"])


def test_an_effect_of_zero_is_refused():
    with pytest.raises(ValueError, match="effects holds 0"):
        effect_map([np.array([0.0, 1.0])], [np.array([1, 2])])
