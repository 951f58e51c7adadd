"""A sick model is noticed within an epoch; training stops with the last good state."""

import itertools

import pytest
import torch
from conftest import N_ITEMS, build, on_meta
from oracles import dataset

from casadv_lib.settings import AdversarialSettings, TrainingSettings
from casadv_lib.support import checkpoints as health
from casadv_lib.support.checkpoints import TrainingError
from casadv_lib.support.files import load_tensors
from casadv_lib.training import Trainer

# lambda1 without end, and the clean vectors free to follow: a constant encoder costs least
COLLAPSE = {"epsilon": 1.0, "lambda1": 1000.0, "detach_clean": False}


def trainer(data, method=None, adversarial=None, **settings):
    settings = TrainingSettings(**{"batch_size": 20, "epochs": 6} | settings)
    return Trainer(build("sasrec"), data, settings, method,
                   AdversarialSettings(**adversarial or {}))


def same(state, other):
    return all(torch.equal(state[name], other[name]) for name in state)


def poison_after(trainer, steps, change):
    """Change the weights in place after so many steps of the optimiser, as a bad sum would."""
    counted = itertools.count(1)

    def look(*_):
        if next(counted) == steps:
            with torch.no_grad():
                change(trainer.model)

    trainer.optimizer.register_step_post_hook(look)


def fill(parameter, value):
    return lambda model: model.get_parameter(parameter).view(-1)[:1].fill_(value)


@pytest.mark.parametrize(("change", "words"), [
    (fill("items.weight", float("nan")), "the weights are no finite numbers"),
    (fill("blocks.0.query.weight", float("inf")), "the weights are no finite numbers"),
    (fill("items.weight", 50.0), "item embeddings explode .* coordinates of .*learning_rate"),
    (lambda model: model.norm.weight.zero_(), "the encoder has collapsed .*learning_rate"),
])
@pytest.mark.parametrize("step", [1, 3])  # the first and the last of an epoch of three
def test_noticed_in_the_same_epoch_and_the_last_good_state_is_stored(
        toy, tmp_path, change, words, step):
    healthy = trainer(toy, epochs=3)
    healthy.run(progress=False)
    sick = trainer(toy)
    for later in range(step, 4):  # in epoch 4; a weight set to zero once would grow again
        poison_after(sick, 3 * 3 + later, change)
    path = tmp_path / "checkpoint.pt"
    with pytest.raises(TrainingError, match=f"({words}).*") as error:
        sick.run(path, progress=False)
    assert "epoch 4" in str(error.value)
    assert f"after the last good epoch, 3 of 6; the checkpoint is {path}" in str(error.value)
    stored = load_tensors(path)
    assert len(stored["history"]["losses"]) == 3
    assert same(stored["model"], healthy.model.state_dict())
    assert same(sick.model.state_dict(), healthy.model.state_dict())


def test_a_real_collapse_is_noticed_and_its_cause_named(toy):
    sick = trainer(toy, "adv_cas", COLLAPSE, epochs=60, learning_rate=0.01)
    with pytest.raises(TrainingError, match="the encoder has collapsed in epoch") as error:
        sick.run(progress=False)
    for name in ("detach_clean (False", "lambda1 (1000)", "epsilon (1)", "learning_rate (0.01)"):
        assert name in str(error.value)
    assert sick.done < 20
    # the state put back is the one before
    assert float(health.size_and_spread(sick.model, sick.health.batch)[1]) >= health.SMALLEST_SPREAD


def test_note_warns_once_and_goes_on_but_not_without_numbers(toy):
    sick = trainer(toy, "adv_cas", COLLAPSE, epochs=20, learning_rate=0.01, health="note")
    with pytest.warns(UserWarning, match="collapsed.*Training goes on") as told:
        sick.run(progress=False)
    assert len(told) == 1 and sick.done == 20
    sick = trainer(toy, health="note")
    poison_after(sick, 2, fill("items.weight", float("nan")))
    with pytest.raises(TrainingError, match="epoch 1"):
        sick.run(progress=False)


def test_the_diagnosis_names_what_the_method_reads(toy):
    def said(method=None, loss=1.0, perturbation=1.0, spread=0.5, **adversarial):
        watch = trainer(toy, method, adversarial, amp=True).health
        return watch.diagnosis(loss, perturbation, 0.3, spread)

    assert said() == said("adv_cas", perturbation=0.0, epsilon=0) == ""
    nan = float("nan")
    base, linear, cascade = (said(name, nan) for name in (None, "adv_linear", "adv_cas"))
    assert "learning_rate (0.001), weight_decay (1e-05), amp (True: few digits)" in base
    assert "epsilon (10)" in linear and "lambda1" not in linear and "epsilon" not in base
    assert "lambda1 (1)" in cascade and "dropout_masks" not in cascade
    assert "dropout_masks ('independent': " in said("adv_cas", spread=1e-4,
                                                    dropout_masks="independent")


def test_users_who_are_alike_are_no_collapse():
    data = dataset([[1, 2, 3, 4, 5]] * 30, N_ITEMS)
    assert trainer(data).health.batch is None
    trainer(data).run(progress=False)
    two = dataset([[1, 2, 3, 4, 5]] * 30 + [[5, 4, 3, 2, 1]], N_ITEMS)
    assert len(trainer(two).health.batch.users) == 2
    trainer(two).run(progress=False)


def test_the_look_at_a_model_waits_for_no_device(toy):
    # on the meta device any read of a value fails; `after_epoch` fetches them
    here = trainer(toy)
    model = build("sasrec").to("meta")
    size, spread = health.size_and_spread(model, on_meta(here.health.batch))
    assert size.device.type == spread.device.type == "meta"
