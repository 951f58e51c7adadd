"""What stands behind the sliders: a user's perturbations and attacks, an interaction's reach."""

import numpy as np
import pytest
from conftest import build

import casadv_lib as cas
from casadv_lib.adversarial import generic_perturbation
from casadv_lib.data import training_inputs, training_sequences
from casadv_lib.figures.sketches import figure1, figure2
from casadv_lib.widgets.cascade import USERS, Reach
from casadv_lib.widgets.epsilon import PerturbedUser
from casadv_lib.widgets.panel import find_user, list_table
from casadv_lib.widgets.replacement import Replacements, history_table


def longest(data):
    return int(np.argmax([len(sequence) for sequence in data.sequences]))


@pytest.fixture(params=["sasrec", "gru4rec"])
def model(request):
    return build(request.param).eval()


# One perturbed user

def test_alone_in_a_batch_it_is_the_training_code(model, toy):
    user, epsilon = longest(toy), 2.5
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
    user = longest(toy)
    one = PerturbedUser(model, toy, user, [1.0], batch_size=12)
    assert 0 < float(one.A["generic"].norm()) < 1
    users, inputs = training_inputs(toy, model.max_len)
    effects, own = cas.cascade_effects(inputs, model.max_len, 12), users.tolist().index(user)
    assert one.effects == pytest.approx(effects[own])
    ratio = one.A["guided"].norm(dim=1) / one.A["generic"].norm(dim=1)
    assert ratio.numpy() == pytest.approx(cas.cascade_weights(effects)[own], rel=1e-4)


def test_without_a_move_nothing_changes_and_with_one_the_picture_has_its_size(model, toy):
    one = PerturbedUser(model, toy, longest(toy), [0.0, 4.0], batch_size=12)
    lists = one.lists(0.0)
    assert (lists["before"].to_numpy() == lists["generic"].to_numpy()).all()
    assert (lists["change"] == "same place").all(axis=None)
    assert (one.sizes(0.0)["generic move"] == "0.0%").all()
    assert "rank of the next item" in one.words(0.0) and "‖ŵ - w‖ 0.000" in one.words(0.0)
    figure = figure1(**one.picture(4.0))
    for axis, kind in zip(figure.axes, ("generic", "guided")):
        [circles] = [part for part in axis.collections if hasattr(part, "get_widths")]
        assert circles.get_widths() == pytest.approx(8 * one.A[kind].norm(dim=1).numpy()[-10:],
                                                     rel=1e-4)
    marks = [line for line in figure.axes[2].lines if len(line.get_xdata()) == 1]
    assert [float(line.get_ydata()[0]) for line in marks] == [
        one.moved[kind]["distance"][4.0] for kind in ("generic", "guided")]


def test_a_user_with_one_training_item_is_refused(toy):
    short = next(u for u, s in enumerate(toy.sequences) if len(s) == 3)
    with pytest.raises(ValueError, match="with 3 items; allowed are users with at least 4"):
        find_user(str(toy.user_ids[short]), toy)


# Attacks on a user and on a sample

def test_averages_are_those_of_attack_on_the_sample(toy):
    models = {"base": build("sasrec").eval(), "adv_cas": build("gru4rec").eval()}
    able = [user for user, sequence in enumerate(toy.sequences) if len(sequence) > 5]
    assert Replacements(models, toy).sample.tolist() == able
    close = Replacements(models, toy, sample=20)
    assert len(close.sample) == 20 and (np.diff(close.sample) > 0).all()
    for asked in ({"k": 2}, {"k": 2, "exclude": "original"}, {"positions": "first",
                                                              "pick": "random"}):
        average = close.average(**asked).set_index("mean of", append=True)
        for method, model in models.items():
            whole = cas.attack(model, toy, **asked)
            rows = np.searchsorted(whole["users"], close.sample)
            for metric, of in (("HR@10", cas.hit_ratio), ("NDCG@10", cas.ndcg)):
                clean, after = (of(ranks[rows]) for ranks in (whole["clean"]["ranks"],
                                                              whole["ranks"]))
                assert average.loc[(method, metric)].tolist() == [
                    round(clean, 4), round(after, 4), round(100 * (after / clean - 1), 1)]


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


@pytest.mark.parametrize("wrong", [{"k": -1}, {"method": "bert"}, {"exclude": "all"}])
def test_replacements_refuse(toy, wrong):
    close = Replacements({"base": build("gru4rec").eval()}, toy)
    with pytest.raises(ValueError, match=next(iter(wrong))):
        close.one_user(**({"method": "base", "user": int(close.sample[0])} | wrong))


# The reach of an interaction

def test_what_an_interaction_reaches_adds_up(toy):
    reach, (users, inputs) = Reach(toy, max_len=8), training_inputs(toy, 8)
    effects = cas.cascade_effects(inputs, 8, 12)
    for row in (0, 7, 30):
        recent = reach.recent(users[row])
        share = 12 / len(users)
        assert recent["item"].tolist() == inputs[row][-8:].tolist()
        assert (recent["reaches"] + share * recent["across"]).tolist() == pytest.approx(
            effects[row][-8:])
        for mark in range(len(recent)):
            total = reach.others(users[row], mark)["reaches"].sum()
            assert recent["across"][mark] == pytest.approx(total)
            assert f"reaches {total:,} interactions" in reach.words(users[row], mark, 12)
            assert reach.others(users[row], mark)["reaches"].is_monotonic_decreasing
    with pytest.raises(ValueError, match="batch_size is 0"):
        reach.words(users[0], 0, 0)


def test_the_pictures_of_an_interaction(toy):
    reach, user = Reach(toy), longest(toy)
    recent = reach.recent(user)
    for mark in range(len(recent)):
        C = f"{recent['reaches'][mark] + 12 / reach.m * recent['across'][mark]:.4g}"
        boxes = reach.boxes(user, mark, 12)
        axis = figure2(**boxes).axes[0]
        kinds = [text.get_gid() for text in axis.texts]
        others = sum(len(history) > 0 for history in boxes["histories"]) - 1
        assert kinds.count("mark") == 1 and kinds.count("own") == len(recent) - 1 - mark
        assert kinds.count("other") >= others > 0 and len(axis.get_yticks()) == USERS
        assert f"= {C}," in axis.get_title()
    listed, there = reach.listed(user, mark), reach.others(user, mark)
    assert listed["reaches"].tolist() == there["reaches"].head(12).tolist()
    assert listed.index[0] == toy.user_ids[there["user"].iloc[0]]
