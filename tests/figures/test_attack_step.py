"""The attack step as a picture and in motion: the circle, the substitute, the frames, the curve."""

import base64
import io
import re

import matplotlib.image
import numpy as np
import pandas as pd
import pytest

from casadv_lib.figures.attack_step import (
    GOES,
    ITEM,
    attack_plane,
    attack_player,
    step_curve,
    two_lists,
)

STEP = 0.4


@pytest.fixture
def case():
    """(plane, refused, substitute, radius): items in six dimensions, item 1 is replaced."""
    rng = np.random.default_rng(3)
    table, g = rng.normal(size=(60, 6)), rng.normal(size=6)
    direction = g / np.linalg.norm(g)
    offset = table - table[1]
    along = offset @ direction
    away = np.linalg.norm(offset - np.outer(along, direction), axis=1)
    apart = np.linalg.norm(offset - STEP * direction, axis=1)
    refused = [1, *(1 + apart[1:].argsort()[:2])]  # the nearest items of all are not allowed
    apart[[0, *refused]] = np.inf
    return np.stack([along, away], axis=1), refused, int(apart.argmin()), apart.min()


def test_the_circle_around_the_goal_touches_the_substitute(case):
    plane, refused, substitute, radius = case
    names = {1: "a $5 film", 7: "another", substitute: "this one"}
    [axis] = attack_plane(plane, STEP, refused, names).axes
    [circle] = [line for line in axis.lines if len(line.get_xdata()) > 50 and line.get_ls() == "-"]
    x, y = circle.get_data()
    np.testing.assert_allclose(np.hypot(x - STEP, y), radius)
    dots = {tuple(line.get_xydata()[0]): line.get_color() for line in axis.lines
            if len(line.get_xdata()) == 1}
    assert set(dots) == {tuple(plane[item]) for item in names}
    assert [at for at, color in dots.items() if color == circle.get_color()] == [
        tuple(plane[substitute])]
    as_it_is = {text.get_text() for text in axis.texts if not text.get_parse_math()}
    assert as_it_is >= {"a $5 film", "another", "this one"}


def test_the_player_moves_from_one_list_to_the_other(case):
    plane, refused, substitute, _ = case
    names = [f"film ${item}, <b>" for item in range(60)]
    lists = np.arange(20, 30), np.arange(25, 35)
    page = attack_player(plane, STEP, refused, names, lists, 21, (2, 40))
    frames = [matplotlib.image.imread(io.BytesIO(base64.b64decode(data)))
              for data in re.findall(r'data:image/png;base64,(.*?)"', page, re.S)]
    assert len(frames) == 20 and len(page) < 1.5e6
    middle = frames[0].shape[1] * 3 // 5  # the plane is on the left, the list on the right
    np.testing.assert_array_equal(frames[0], frames[1])  # it starts with a rest
    lefts, rights = ([np.abs(after - before)[:, part].max() for before, after in
                      zip(frames[1:], frames[2:])] for part in (np.s_[:middle], np.s_[middle:]))
    assert min(lefts[:10]) > 0.1 and max(lefts[10:]) == 0  # slide and snap
    assert max(rights[:10]) == 0 and min(rights[10:]) > 0.1  # then the list


def test_the_curve_has_a_point_for_each_step_and_a_line_for_the_random_item():
    rows = [("base", "gradient", 0.0, -5.0, 1.0), ("base", "gradient", 1.0, -90.0, 1.1),
            ("base", "random", 0.0, -60.0, 1.8), ("adv_cas", "gradient", 0.0, -3.0, 1.0),
            ("adv_cas", "gradient", 1.0, -80.0, 1.2), ("adv_cas", "random", 0.0, -50.0, 1.9)]
    curve = pd.DataFrame(rows, columns=["method", "pick", "step", "change", "distance"])
    figure = step_curve(curve, 1.0)
    for axis, column in zip(figure.axes, ("change", "distance"), strict=True):
        drawn = [list(line.get_ydata()) for line in axis.lines]
        for method, own in curve.groupby("method"):
            assert list(own[column][own["pick"] == "gradient"]) in drawn, method
            assert [own[column].iloc[-1]] * 2 in drawn, method
        assert [list(line.get_xdata()) for line in axis.lines][-1] == [1, 1]  # the marked step
        assert [label.get_text() for label in axis.get_xticklabels()] == ["0", "1"]
    assert len(step_curve(curve).axes[0].lines) == 4  # nothing marked


def test_lines_join_what_stands_in_both_lists():
    names = ["", "one", "two $3", "three", "four"]
    figure = two_lists([1, 2, 3], [3, 4, 1], names, ("then", "now"), guess=3)
    axis, = figure.axes
    assert axis.get_title() == "2 of 3 stay (your guess: 3)"
    ends = sorted(tuple(map(int, line.get_ydata())) for line in axis.lines)
    assert ends == [(1, 3), (3, 1)]
    colors = {text.get_text(): text.get_color() for text in axis.texts if not text.get_parse_math()}
    assert colors["one  1"] == colors["3  one"] == ITEM
    assert colors["two $3  2"] == colors["2  four"] == GOES
    assert two_lists([1], [2], names).axes[0].get_title() == "0 of 1 stay"
    figure.savefig("/dev/null", format="png")
