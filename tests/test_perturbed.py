"""One perturbed user: its part of a training batch, and the lists it leads to."""

import numpy as np
import pytest
import torch
from conftest import build

import casadv_lib as cas
from casadv_lib.adversarial import METHODS, sequence_perturbation
from casadv_lib.data import training_sequences
from casadv_lib.figures.perturbation import epsilon_figure
from casadv_lib.settings import AdversarialSettings
from casadv_lib.support.dropout import Dropout
from casadv_lib.widgets.perturbed import PerturbedUser


@pytest.fixture(params=["sasrec", "gru4rec"])
def model(request):
    return build(request.param).eval()


def longest(data):
    return int(np.argmax([len(sequence) for sequence in data.sequences]))


def test_alone_in_a_batch_it_is_the_training_code(model, toy):
    user, epsilon = longest(toy), 2.5
    one = PerturbedUser(model, toy, user, batch_size=1)
    batch = cas.pack([training_sequences(toy)[user][:-1]], model.max_len)
    rows = model.embed(batch.inputs).detach()
    w = model.encode(rows, batch).detach()
    s = AdversarialSettings(epsilon=epsilon).of(METHODS["adv_global"])
    generator = torch.Generator().manual_seed(0)
    A = sequence_perturbation(model, batch, rows, w, None, s, Dropout(0.0), generator)
    moved = model.encode(rows + A, batch)[-1]
    assert one.moved_by(epsilon, "generic") == pytest.approx(float((moved - w[-1]).norm().detach()),
                                                             rel=1e-4)
    assert float(one.A["generic"].norm()) == pytest.approx(1, rel=1e-5)


def test_in_a_batch_it_gets_its_share_and_the_weights_of_the_training_set(model, toy):
    user = longest(toy)
    one = PerturbedUser(model, toy, user, batch_size=12)
    assert 0 < float(one.A["generic"].norm()) < 1 and one.positions > len(one.inputs)
    kept = [place for place, s in enumerate(training_sequences(toy)) if len(s) > 1]
    inputs = [training_sequences(toy)[place][:-1][-model.max_len :] for place in kept]
    effects = cas.cascade_effects(inputs, model.max_len, 12)
    assert one.effects == pytest.approx(effects[kept.index(user)])
    ratio = one.A["guided"].norm(dim=1) / one.A["generic"].norm(dim=1)
    weights = cas.cascade_weights(effects)[kept.index(user)]
    assert ratio.numpy() == pytest.approx(weights, rel=1e-4)


def test_without_a_move_nothing_changes(model, toy):
    one = PerturbedUser(model, toy, longest(toy), batch_size=12)
    assert one.moved_by(0.0, "guided") == 0
    lists = one.lists(0.0)
    assert (lists["before"].to_numpy() == lists["generic"].to_numpy()).all()
    assert (lists["change"] == "same place").all(axis=None)
    assert one.rank(0.0, "generic") == one.rank(0.0, "guided")
    assert (one.sizes(0.0)["generic move"] == "0.0%").all()


def test_the_rank_agrees_with_the_list(model, toy):
    found = 0
    for user in range(toy.n_users):
        if len(training_sequences(toy)[user]) < 2:
            continue
        one = PerturbedUser(model, toy, user, batch_size=8)
        rank = one.rank(5.0, "guided")
        places = [place for place, name in one.lists(5.0)["guided"].items() if "next" in name]
        assert places == ([rank] if rank <= 10 else [])
        found += len(places)
    assert found > 3


def test_the_picture_has_the_sizes_and_marks_epsilon(model, toy):
    one = PerturbedUser(model, toy, longest(toy), batch_size=12)
    figure = epsilon_figure(**one.picture([0.0, 1.0, 4.0]), **one.at(4.0))
    for axis, kind in zip(figure.axes, ("generic", "guided")):
        drawn = [patch.radius for patch in axis.patches]
        assert drawn == pytest.approx(4 * one.A[kind].norm(dim=1).numpy()[-10:], rel=1e-4)
    marks = [line for line in figure.axes[2].lines if len(line.get_xdata()) == 1]
    assert [float(line.get_ydata()[0]) for line in marks] == [
        one.moved_by(4.0, "generic"), one.moved_by(4.0, "guided")]
    with pytest.raises(ValueError, match="epsilon is 5"):
        epsilon_figure(**one.picture([0.0, 4.0]), **one.at(5.0))


def test_a_user_with_one_training_item_is_refused(model, toy):
    short = next((u for u, s in enumerate(training_sequences(toy)) if len(s) < 2), None)
    assert short is not None
    with pytest.raises(ValueError, match="one training item"):
        PerturbedUser(model, toy, short)
