"""What stands behind the sliders: a user's perturbations and attacks, an interaction's reach."""

import numpy as np
import pytest
from conftest import build

import casadv_lib as cas
from casadv_lib.adversarial import generic_perturbation
from casadv_lib.data import training_inputs, training_sequences
from casadv_lib.figures.cascade import user_terms
from casadv_lib.figures.perturbation import epsilon_figure
from casadv_lib.figures.sketches import figure2
from casadv_lib.widgets.cascade import STEPS, USERS, Reach
from casadv_lib.widgets.epsilon import PerturbedUser
from casadv_lib.widgets.panel import list_table
from casadv_lib.widgets.replacement import Replacements, history_table


def longest(data):
    return int(np.argmax([len(sequence) for sequence in data.sequences]))


@pytest.fixture(params=["sasrec", "gru4rec"])
def model(request):
    return build(request.param).eval()


# One perturbed user

def test_alone_in_a_batch_it_is_the_training_code(model, toy):
    user, epsilon = longest(toy), 2.5
    one = PerturbedUser(model, toy, user, batch_size=1)
    batch = cas.pack([training_sequences(toy)[user][:-1]], model.max_len)
    rows, w, A = generic_perturbation(model, batch, epsilon)
    moved = (model.encode(rows + A, batch) - w)[-1].detach()
    assert one.moved_by(epsilon, "generic") == pytest.approx(float(moved.norm()), rel=1e-4)
    assert float(one.A["generic"].norm()) == pytest.approx(1, rel=1e-5)


def test_in_a_batch_it_gets_its_share_and_the_weights_of_the_training_set(model, toy):
    user = longest(toy)
    one = PerturbedUser(model, toy, user, batch_size=12)
    assert 0 < float(one.A["generic"].norm()) < 1
    users, inputs = training_inputs(toy, model.max_len)
    effects, own = cas.cascade_effects(inputs, model.max_len, 12), users.tolist().index(user)
    assert one.effects == pytest.approx(effects[own])
    ratio = one.A["guided"].norm(dim=1) / one.A["generic"].norm(dim=1)
    assert ratio.numpy() == pytest.approx(cas.cascade_weights(effects)[own], rel=1e-4)


def test_without_a_move_nothing_changes(model, toy):
    one = PerturbedUser(model, toy, longest(toy), batch_size=12)
    assert one.moved_by(0.0, "guided") == 0
    lists = one.lists(0.0)
    assert (lists["before"].to_numpy() == lists["generic"].to_numpy()).all()
    assert (lists["change"] == "same place").all(axis=None)
    assert one.rank(0.0, "generic") == one.rank(0.0, "guided")
    assert (one.sizes(0.0)["generic move"] == "0.0%").all()


def test_the_rank_agrees_with_the_list(model, toy):
    in_lists = 0
    for user in training_inputs(toy, model.max_len)[0]:
        one = PerturbedUser(model, toy, user, batch_size=8)
        ranks = [rank for rank, name in one.lists(5.0)["guided"].items() if "next" in name]
        assert ranks == ([one.rank(5.0, "guided")] if one.rank(5.0, "guided") <= 10 else [])
        in_lists += len(ranks)
    assert in_lists > 3


def test_the_picture_has_the_sizes_and_marks_epsilon(model, toy):
    one = PerturbedUser(model, toy, longest(toy), batch_size=12)
    figure = epsilon_figure(**one.picture([0.0, 1.0, 4.0]), **one.at(4.0))
    for axis, kind in zip(figure.axes, ("generic", "guided")):
        drawn = [patch.radius for patch in axis.patches]
        assert drawn == pytest.approx(4 * one.A[kind].norm(dim=1).numpy()[-10:], rel=1e-4)
    marks = [line for line in figure.axes[2].lines if len(line.get_xdata()) == 1]
    assert [float(line.get_ydata()[0]) for line in marks] == [
        one.moved_by(4.0, "generic"), one.moved_by(4.0, "guided")]


def test_a_user_with_one_training_item_is_refused(model, toy):
    short = next(u for u, s in enumerate(training_sequences(toy)) if len(s) < 2)
    with pytest.raises(ValueError, match="one training item"):
        PerturbedUser(model, toy, short)
    with pytest.raises(ValueError, match="one training item"):
        Reach(toy).row_of(short)


# Attacks on a user and on a sample

def test_averages_are_those_of_attack_on_the_sample(toy):
    models = {"base": build("sasrec").eval(), "adv_cas": build("gru4rec").eval()}
    close = Replacements(models, toy, sample=20)
    assert len(close.sample) == 20 and (np.diff(close.sample) > 0).all()
    for asked in ({"k": 2}, {"k": 2, "exclude": "original"}, {"positions": "first",
                                                              "pick": "random"}):
        average = close.average(**asked)
        for method, model in models.items():
            whole = cas.attack(model, toy, **asked)
            rows = np.searchsorted(whole["users"], close.sample)
            for metric, of in (("hr@10", cas.hit_ratio), ("ndcg@10", cas.ndcg)):
                assert average[method]["attacked"][metric] == of(whole["ranks"][rows])
                assert average[method]["clean"][metric] == of(whole["clean"]["ranks"][rows])
    clean = cas.evaluate(models["base"], toy)["ranks"][close.sample]
    assert close.average(k=0)["base"]["attacked"]["hr@10"] == cas.hit_ratio(clean)
    user = int(close.sample[0])
    one = close.one_user("base", user, k=0)
    assert one["rank"][0] == one["rank"][1] == clean[0] and (one["history"]["change"] == "").all()


def test_a_change_of_a_list_says_where_each_item_stood():
    table = list_table(np.array([3, 1, 2]), np.array([1, 4, 2]), list("-abcd"), 2)
    assert table["before"].tolist() == ["c (leaves)", "a", "b ← held out"]
    assert table["after"].tolist() == ["a", "d", "b ← held out"]
    assert table["change"].tolist() == ["up from 2", "new", "same place"]


def test_a_history_shows_the_newest_items_and_all_that_were_replaced():
    before = np.arange(1, 13)
    after = before.copy()
    after[[1, 11]] = 20, 21
    table = history_table(before, after, [str(item) for item in range(30)])
    assert table.index.tolist() == [10, 7, 6, 5, 4, 3, 2, 1, 0]
    assert table.loc[10].tolist() == ["2", "20", "replaced"]
    assert table.loc[0].tolist() == ["12", "21", "replaced"] and table.loc[5, "change"] == ""


@pytest.mark.parametrize("wrong", [{"k": 6}, {"k": -1}, {"method": "bert"}, {"exclude": "all"}])
def test_replacements_refuse(toy, wrong):
    close = Replacements({"base": build("gru4rec").eval()}, toy)
    with pytest.raises(ValueError, match=next(iter(wrong))):
        close.one_user(**({"method": "base", "user": int(close.sample[0])} | wrong))


# The reach of an interaction

def test_what_an_interaction_reaches_adds_up(toy):
    reach = Reach(toy, max_len=8)
    effects = cas.cascade_effects(training_inputs(toy, 8)[1], 8, 12)
    for user in reach.users[[0, 7, 30]]:
        own, cross = reach.terms(user, 12)
        assert own + cross == pytest.approx(effects[reach.row_of(user)][-len(own):])
        for mark in range(len(own)):
            total = reach.others(user, mark)["reaches"].sum()
            assert cross[mark] == pytest.approx(12 / reach.m * total)
            assert f"reaches {total:,} interactions" in reach.words(user, mark, 12)
    with pytest.raises(ValueError, match="batch_size is 0"):
        reach.terms(user, 0)


def test_the_pictures_of_an_interaction(toy):
    reach, user = Reach(toy, max_len=8), longest(toy)
    items, (own, cross) = reach.items_of(user), reach.terms(user, 12)
    mark = len(items) - 2
    changing = reach.for_figure2(user, mark, 12)
    figure = figure2(max_len=8, size=(USERS, STEPS), **changing)
    kinds = [text.get_gid() for text in figure.axes[0].texts]
    assert kinds.count("mark") == 1 and kinds.count("own") == 1
    assert len(changing["histories"]) > 1
    assert kinds.count("other") >= len(changing["histories"]) - 1
    assert f"= {own[mark] + cross[mark]:.4g}," in figure.axes[0].get_title()
    bars = user_terms(own, cross, items, mark, 50)
    assert f"{own[mark] + cross[mark]:.4g}" in bars.axes[0].get_title()
    assert len(reach.listed(user, mark)) == min(12, len(reach.others(user, mark)))
