"""Figures 1 and 2: circles, arrows and boxes are what the arrays say; bars on one interaction."""

import numpy as np
import pytest
from matplotlib.patches import Circle

from casadv_lib.figures.sketches import FIGURE2_TOY, figure1, figure2


def titles(figure):
    return [axis.get_title() for axis in figure.axes]


def test_figure1_draws_circles_of_the_perturbations_size(results):
    arrays = {name: np.array(results.figure1[name])
              for name in ("points", "generic", "guided", "effects")}
    figure = figure1(**arrays)
    for axis, name in zip(figure.axes, ("generic", "guided"), strict=True):
        filled = [patch for patch in axis.patches if isinstance(patch, Circle) and patch.fill]
        assert np.allclose([c.radius for c in filled], np.linalg.norm(arrays[name], axis=1))
        assert np.allclose([c.center for c in filled], arrays["points"])
        (arrows,) = [c for c in axis.collections if hasattr(c, "U")]
        assert np.allclose(np.column_stack([arrows.U, arrows.V]), arrays[name])
    # where the plane hides a part of them, arrows keep their direction and reach the rims
    radii = results.figure1["radii"]
    drawn = [c for axis in figure1(**results.figure1).axes for c in axis.collections
             if hasattr(c, "U")]
    for arrows, name, radius in zip(drawn, ("generic", "guided"), radii, strict=True):
        moves = np.column_stack([arrows.U, arrows.V])
        assert np.allclose(np.hypot(*moves.T), radius)
        assert np.allclose(np.cross(np.pad(moves, ((0, 0), (0, 1))),
                                    np.pad(arrays[name], ((0, 0), (0, 1)))), 0, atol=1e-6)
    written = [text.get_text() for text in figure.axes[1].texts]
    assert written == [f"{t}\nC={c:.1f}" for t, c in enumerate(arrays["effects"], start=1)]
    assert len(figure.axes[0].texts) == len(arrays["points"])


def test_figure1_labels_stay_in_the_panel(results):
    for axis in figure1(**results.figure1).axes:
        for text in axis.texts:
            x, y = text.get_position()
            assert axis.get_xlim()[0] < x < axis.get_xlim()[1]
            assert axis.get_ylim()[0] < y < axis.get_ylim()[1]


@pytest.mark.parametrize("name, value", [("generic", np.zeros((3, 2))), ("effects", np.zeros(7))])
def test_figure1_refuses_arrays_that_do_not_fit(results, name, value):
    with pytest.raises(ValueError, match=name):
        figure1(**(results.figure1 | {name: value}))


def boxes(figure):
    """{(user, distance from the newest): what the box is}"""
    found = {text.get_position(): text.get_gid() for text in figure.axes[0].texts if text.get_gid()}
    newest = max(x for x, _ in found)
    return {(y, newest - x): gid for (x, y), gid in found.items()}


def test_figure2_toy_has_the_papers_value_and_reach():
    figure = figure2(**FIGURE2_TOY)
    kinds = boxes(figure)
    assert len(kinds) == sum(map(len, FIGURE2_TOY["histories"]))
    reached = {at: kind for at, kind in kinds.items() if kind != "plain"}
    assert reached == {(0, 3): "mark", **dict.fromkeys([(0, 2), (0, 1), (0, 0)], "own"),
                       **dict.fromkeys([(1, 3), (1, 2), (1, 1), (1, 0), (2, 0), (3, 1), (3, 0)],
                                       "other")}
    assert "= 11," in titles(figure)[0]


def test_figure2_with_b_below_m_and_short_memory():
    histories = [np.array([9, 1, 2, 3]), np.array([1, 4, 5, 6, 7]), np.array([8, 1, 2])]
    figure = figure2(histories, mark=(0, 1), max_len=3, batch_size=1, names={1: "one"})
    kinds = boxes(figure)
    # User 1 met the item too long ago; user 2's occurrence counts 2, times b/m = 1/3.
    assert {place for place, kind in kinds.items() if kind == "other"} == {(2, 1), (2, 0)}
    assert f"= {1 + 2 + 2 / 3:.4g}," in titles(figure)[0]
    assert [text.get_text().strip() for text in figure.axes[0].texts].count("one") == 2


@pytest.mark.parametrize("mark", [(5, 0), (0, 5), (-1, 0), (0, "1")])
def test_figure2_refuses_a_mark_outside(mark):
    with pytest.raises(ValueError, match="mark"):
        figure2(**(FIGURE2_TOY | {"mark": mark}))
