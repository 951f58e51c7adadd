"""What one interaction reaches, against the cascade effects; Figure 2 and the bars on it."""

import pytest

import casadv_lib as cas
from casadv_lib.data import training_sequences
from casadv_lib.figures.cascade import user_terms
from casadv_lib.figures.sketches import figure2
from casadv_lib.widgets.reach import STEPS, USERS, Reach


def test_what_an_interaction_reaches_adds_up(toy):
    reach = Reach(toy, max_len=8)
    inputs = [s[:-1] for s in training_sequences(toy) if len(s) > 1]
    effects = cas.cascade_effects(inputs, 8, 12)
    for user in (0, 7, 30):
        if len(training_sequences(toy)[user]) < 2:
            continue
        own, cross = reach.terms(user, 12)
        wanted = effects[reach.row_of(user)]
        assert own + cross == pytest.approx(wanted[-len(own):])
        for mark in range(len(own)):
            total = reach.others(user, mark)["reaches"].sum()
            assert cross[mark] == pytest.approx(12 / reach.m * total)
            assert f"reaches {total:,} interactions" in reach.words(user, mark, 12)


def test_figure2_on_data_shows_the_user_and_some_others(toy):
    reach = Reach(toy, max_len=8)
    user = max(range(toy.n_users), key=lambda u: len(toy.sequences[u]))
    mark = len(reach.items_of(user)) - 2
    moving = reach.sketch(user, mark, 12)
    figure = figure2(max_len=8, size=(USERS, STEPS), **moving)
    kinds = [boxes.get_gid() for boxes in figure.axes[0].collections for _ in boxes.get_paths()]
    assert kinds.count("mark") == 1 and kinds.count("own") == 1
    assert len(moving["histories"]) > 1 and kinds.count("other") >= len(moving["histories"]) - 1
    own, cross = reach.terms(user, 12)
    assert f"= {own[mark] + cross[mark]:.4g}," in figure.axes[0].get_title()


def test_bars_of_a_user_mark_one(toy):
    reach = Reach(toy, max_len=8)
    own, cross = reach.terms(0, 12)
    figure = user_terms(own, cross, reach.items_of(0), 0, 50)
    assert f"{own[0] + cross[0]:.4g}" in figure.axes[0].get_title()
    with pytest.raises(ValueError, match="mark is"):
        user_terms(own, cross, reach.items_of(0), len(own), 50)


def test_reach_refuses(toy):
    reach = Reach(toy, max_len=8)
    with pytest.raises(ValueError, match="batch_size is 0"):
        reach.terms(0, 0)
    short = [u for u, s in enumerate(training_sequences(toy)) if len(s) < 2]
    with pytest.raises(ValueError, match="one training item"):
        reach.row_of(short[0])
