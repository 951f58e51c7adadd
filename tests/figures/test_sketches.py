"""Figures 1 and 2: circles, arrows and boxes are what the arrays say."""

import numpy as np
import pandas as pd
import pytest
from conftest import build
from matplotlib.collections import EllipseCollection
from matplotlib.quiver import Quiver

import casadv_lib as cas
from casadv_lib.adversarial import generic_perturbation
from casadv_lib.data import training_inputs, training_sequences
from casadv_lib.figures.sketches import FIGURE2_TOY, PerturbedUser, figure1, figure2, stacked_terms


def drawn(axis):
    """The circles and the arrows of a panel of Figure 1."""
    return ([one for one in axis.collections if isinstance(one, kind)][0]
            for kind in (EllipseCollection, Quiver))


def test_figure1_draws_circles_of_the_perturbations_size_and_arrows_to_their_rims(results):
    whole = results.figure1  # the plane hides a part of these perturbations
    figure = figure1(**whole)
    for axis, name, radius in zip(figure.axes, ("generic", "guided"), whole["radii"], strict=True):
        circles, arrows = drawn(axis)
        np.testing.assert_allclose(circles.get_widths(), 2 * np.array(radius))
        np.testing.assert_allclose(circles.get_offsets(), whole["points"])
        expected = np.array(whole[name])
        expected *= (np.array(radius) / np.linalg.norm(expected, axis=1))[:, None]
        np.testing.assert_allclose(np.column_stack([arrows.U, arrows.V]), expected, atol=1e-6)
    assert [text.get_text() for text in figure.axes[1].texts] == [
        f"{t}: {c:.1f}" for t, c in enumerate(whole["effects"], start=1)]
    assert len(figure.axes[0].texts) == len(whole["points"])
    figure.draw_without_rendering()
    assert all(axis.title.get_window_extent().y1 < figure.bbox.y1 for axis in figure.axes)


@pytest.fixture(params=["sasrec", "gru4rec"])
def model(request):
    return build(request.param).eval()


def test_alone_in_a_batch_it_is_the_training_code(model, toy):
    user, epsilon = int(np.argmax([len(sequence) for sequence in toy.sequences])), 2.5
    one = PerturbedUser(model, toy, user, [1.0, epsilon], batch_size=1)
    batch = cas.pack([training_sequences(toy)[user][:-1]], model.max_len)
    rows, w, A = generic_perturbation(model, batch, epsilon)
    moved = model.encode(rows + A, batch)[-1:].detach()
    assert one.moved["generic"]["distance"][epsilon] == pytest.approx(
        float((moved - w[-1]).norm()), rel=1e-4)
    assert float(one.A["generic"].norm()) == pytest.approx(1, rel=1e-5)
    # the list and the rank of the next item are those of the moved user vector
    scores = (moved @ model.item_table().T)[0].detach().numpy()
    target = training_sequences(toy)[user][-1]
    met = set(one.inputs.tolist()) - {target}
    order = [item for item in np.argsort(-scores, kind="stable") + 1 if item not in met]
    assert one.moved["generic"]["best"][epsilon] == order[:10]
    assert one.moved["generic"]["rank"][epsilon] == 1 + order.index(target)


def test_in_a_batch_it_gets_its_share_and_the_weights_of_the_training_set(model, toy):
    user = int(np.argmax([len(sequence) for sequence in toy.sequences]))
    one = PerturbedUser(model, toy, user, [1.0, 4.0], batch_size=12)
    assert 0 < float(one.A["generic"].norm()) < 1
    users, inputs = training_inputs(toy, model.max_len)
    effects, own = cas.cascade_effects(inputs, model.max_len, 12), users.tolist().index(user)
    assert one.effects == pytest.approx(effects[own])
    ratio = one.A["guided"].norm(dim=1) / one.A["generic"].norm(dim=1)
    assert ratio.numpy() == pytest.approx(cas.cascade_weights(effects)[own], rel=1e-4)
    figure = one.picture(4.0)
    for axis, A in zip(figure.axes, one.A.values()):
        circles, _ = drawn(axis)
        assert circles.get_widths() == pytest.approx(8 * A.norm(dim=1).numpy()[-10:], rel=1e-4)
    marks = [line for line in figure.axes[2].lines if len(line.get_xdata()) == 1]
    assert [float(line.get_ydata()[0]) for line in marks] == [
        one.moved[kind]["distance"][4.0] for kind in ("generic", "guided")]


def boxes(figure):
    """{(user, distance from the newest): what the box is}"""
    found = {text.get_position(): text.get_gid() for text in figure.axes[0].texts}
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
    assert "= 11," in figure.axes[0].get_title()


def test_figure2_with_b_below_m_and_a_part_of_the_users():
    histories = [[1, 2, 3], [5, 6, 7], [8, 1, 2], []]
    figure = figure2(histories, mark=(0, 0), batch_size=1)
    kinds = boxes(figure)
    # User 1 never met the item; user 2's occurrence counts 2, times b/m = 1/4.
    assert {place for place, kind in kinds.items() if kind == "other"} == {(2, 1), (2, 0)}
    assert "own history) + b/m · 2 (other" in figure.axes[0].get_title()
    assert "= 3.5,  b/m = 1/4" in figure.axes[0].get_title()
    axis = figure2(histories, (0, 0), 8, users=["a", "b", "c", ""], others=(80, 30.0)).axes[0]
    assert "= 6,  b/m = 8/80" in axis.get_title()
    assert [label.get_text() for label in axis.get_yticklabels()] == ["a", "b", "c", ""]


@pytest.mark.parametrize("mark", [(5, 0), (0, 5), (-1, 0), (0, "1"), (0, -1)])
def test_figure2_refuses_a_mark_outside(mark):
    with pytest.raises(ValueError, match="mark"):
        figure2(**(FIGURE2_TOY | {"mark": mark}))


def test_the_bars_stack_up_to_the_effect_and_one_is_framed_and_told_in_words():
    inputs = pd.DataFrame({"item": [7, 9], "reaches": [2, 1], "across": [30.0, 8.0]})
    axis = stacked_terms(inputs, 0.5, mark=1, top=50).axes[0]
    lower, upper, [frame] = axis.containers
    assert [bar.get_height() for bar in lower] == [2, 1]
    assert [bar.get_y() + bar.get_height() for bar in upper] == [17, 5]
    assert (frame.get_center()[0], frame.get_height(), axis.get_ylim()) == (1, 5, (0, 50))
    assert axis.get_title() == "marked: item 9, C = 1 + 4 = 5"
    assert [label.get_text() for label in axis.get_xticklabels()] == ["7", "9"]
