"""Training: determinism, resume, what is learnt, what is never used."""

import copy
import functools
from itertools import count
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from conftest import build
from oracles import dataset, random_sequences

import casadv_lib as cas
from casadv_lib import training
from casadv_lib.batching import PackedBatch
from casadv_lib.evaluation import METRICS
from casadv_lib.support.layers import Dropout
from casadv_lib.training import (
    AdversarialSettings,
    Trainer,
    TrainingSettings,
    make_optimizer,
    training_table,
)

QUIET = {"progress": False, "batch_size": 20}


def flat(model):
    return torch.cat([p.detach().flatten() for p in model.parameters()])


@pytest.mark.parametrize("method", [None, "adv_cas", "adv_seq", "adv_random", "adv_neighbour"])
@pytest.mark.parametrize("name", list(cas.BACKBONES))
def test_same_seed_same_bits(name, method, toy):
    found = []
    for seed in (1, 1, 2):
        torch.manual_seed(len(found))  # training must not depend on the global state
        state = build(name)
        if method is None:
            cas.fit(state, toy, epochs=2, seed=seed, **QUIET)
        else:
            cas.fit_adversarial(state, toy, method, epochs=2, seed=seed, **QUIET)
        found.append(flat(state))
    assert torch.equal(found[0], found[1])
    assert not torch.equal(found[0], found[2])


@pytest.mark.parametrize("method", [None, "adv_cas", "adv_neighbour"])
def test_cut_and_resumed_is_never_cut(method, toy, tmp_path):
    def trained(epochs, path=None):
        settings = TrainingSettings(epochs=epochs, batch_size=20, eval_every=2)
        trainer = Trainer(build("sasrec"), toy, settings, method, AdversarialSettings(epsilon=1.0))
        return trainer.model, trainer.run(path, progress=False)

    whole, kept = trained(6)
    trained(4, tmp_path / "checkpoint.pt")
    resumed, history = trained(6, tmp_path / "checkpoint.pt")
    assert torch.equal(flat(whole), flat(resumed))
    assert kept.losses == history.losses and kept.curve == history.curve
    for key, value in kept.best_state.items():
        assert torch.equal(value, history.best_state[key])


def test_learns_a_ring():
    # item n is followed by n + 1: a model that learns ranks the held-out item first
    data = dataset([[(s + i) % 30 + 1 for i in range(8)] for s in range(30)] * 4, 30)
    for name in cas.BACKBONES:
        model = build(name, n_items=30, dim=32)
        history = cas.fit(model, data, epochs=60, batch_size=16, progress=False)
        assert history.losses[-1] < history.losses[0] / 3
        assert cas.evaluate(model, data)["ndcg@10"] > 0.9, name


def test_held_out_items_are_never_trained_on():
    # the same users with other held-out items give the same model
    first = random_sequences(40, 40, 4, 10)
    second = [np.concatenate([s[:-2], np.setdiff1d(np.arange(1, 41), s)[:2]]) for s in first]
    models = []
    for sequences in (first, second):
        models.append(build("sasrec"))
        data = dataset(sequences, 40)
        cas.fit(models[-1], data, epochs=1, **QUIET)
        cas.fit_adversarial(models[-1], data, "adv_cas", epochs=1, **QUIET)
    assert torch.equal(flat(models[0]), flat(models[1]))


def test_best_is_chosen_on_validation(toy):
    history = cas.fit(build("sasrec"), toy, epochs=8, eval_every=1, **QUIET)
    values = [entry["validation"]["ndcg@10"] for entry in history.curve]
    assert history.best == history.curve[int(np.argmax(values))]
    model = build("sasrec")
    model.load_state_dict(history.best_state)
    found = cas.evaluate(model, toy, "validation")["ndcg@10"]
    assert found == history.best["validation"]["ndcg@10"]
    same = cas.fit(build("sasrec"), toy, epochs=3, eval_every=1, learning_rate=0, **QUIET)
    assert same.best["epoch"] == 1  # of equals the first


@pytest.mark.parametrize(("epochs", "every", "evaluated"), [
    (5, 2, [2, 4, 5]), (4, 2, [2, 4]), (3, 5, [3]), (3, 1, [1, 2, 3]), (3, 0, []),
])
def test_which_epochs_are_evaluated_and_that_it_changes_nothing(epochs, every, evaluated, toy):
    model, other = build("sasrec"), build("sasrec")
    history = cas.fit(model, toy, epochs=epochs, eval_every=every, **QUIET)
    assert cas.fit(other, toy, epochs=epochs, **QUIET).losses == history.losses
    assert torch.equal(flat(model), flat(other))
    assert [entry["epoch"] for entry in history.curve] == evaluated
    assert [entry["loss"] for entry in history.curve] == [history.losses[e - 1] for e in evaluated]
    assert len(history.epoch_seconds) == epochs and min(history.epoch_seconds) > 0
    assert all(0 < entry[split][metric] <= 1 for entry in history.curve
               for split in ("validation", "test") for metric in ("ndcg@10", "hr@10"))


def test_each_epoch_of_each_phase_has_its_own_order_and_negatives(toy, monkeypatch):
    seen, own = [], training.TokenTable.batches

    def noted(table, order, size, negatives=None, inputs=None):
        if negatives is not None:
            seen.append((tuple(order.tolist()), tuple(negatives.tolist())))
        return own(table, order, size, negatives, inputs)

    monkeypatch.setattr(training.TokenTable, "batches", noted)
    for fit in (cas.fit, cas.fit_adversarial):
        fit(build("sasrec"), toy, epochs=2, **QUIET)
    assert [len(set(each)) for each in zip(*seen)] == [4, 4]


def test_an_epochs_time_is_the_trainings_alone(toy, monkeypatch):
    clock, rank_all = count(), training.evaluate  # a second passes at each look, and each ranking
    monkeypatch.setattr(training, "time", SimpleNamespace(perf_counter=lambda: next(clock)))
    monkeypatch.setattr(training, "evaluate", lambda *what: (next(clock), rank_all(*what))[1])
    history = cas.fit(build("sasrec"), toy, epochs=2, eval_every=1, **QUIET)
    assert history.epoch_seconds == [1, 1] and len(history.curve) == 2


def test_patience_ends_at_the_best_epoch_and_may_be_cut(toy, tmp_path, monkeypatch):
    scores = dict(enumerate([0.1, 0.3, 0.2, 0.3, 0.2, 0.9], start=1))  # best at 2, 0.9 is not seen

    def trainer(path=None, patience=3, **settings):
        own = TrainingSettings(epochs=9, batch_size=20, eval_every=1, patience=patience, **settings)
        made = Trainer(build("sasrec"), toy, own)
        monkeypatch.setattr(training, "evaluate", lambda *_: dict.fromkeys(
            METRICS, scores[made.done]))
        return made

    def stopped_in_the_fourth(losses, sizes):
        if cut.done == 3:
            raise KeyboardInterrupt
        return float(torch.stack(losses).mean())

    whole, path = trainer(), tmp_path / "checkpoint.pt"
    history = whole.run(progress=False)
    assert (whole.done, history.best["epoch"]) == (5, 2)
    for key, value in whole.model.state_dict().items():
        assert torch.equal(value, history.best_state[key])
    cut = trainer()
    monkeypatch.setattr(cut.health, "after_epoch", stopped_in_the_fourth)
    with pytest.raises(KeyboardInterrupt):
        cut.run(path, progress=False)
    again = trainer()
    assert again.run(path, progress=False).losses == history.losses
    assert torch.equal(flat(again.model), flat(whole.model))
    with pytest.raises(ValueError, match="patience 3 instead of 2"):
        trainer(patience=2).run(path, progress=False)
    with pytest.raises(ValueError, match="patience is 3 with eval_every=0; allowed is an eval_ev"):
        Trainer(build("sasrec"), toy, TrainingSettings(patience=3))


def test_the_training_table_by_hand():
    data = dataset([[1, 2, 3, 4, 5], [6, 7, 8], [5, 4, 3, 2]], 9)
    model = build("sasrec", n_items=9, max_len=2)
    table, sampler = training_table(model, data, "cpu", "temporal", 8, AdversarialSettings())
    assert table.inputs.tolist() == [1, 2, 5] and table.targets.tolist() == [2, 3, 4]
    C = torch.tensor([2.0, 1.0, 1.0])  # 1 + T - t
    torch.testing.assert_close(table.weights, (1 / C) / (1 / C).mean())
    shared = dataset([[1, 2, 3, 4, 5], [2, 1, 8, 7]], 9)  # b/m = 6/2: C is 2 + 0, 1 + 3, 1 + 3
    weights = training_table(model, shared, "cpu", "both", 6, AdversarialSettings())[0].weights
    torch.testing.assert_close(weights, torch.tensor([1 / 2, 1 / 4, 1 / 4]) * 3)
    drawn = {i: set() for i in range(3)}
    for seed in range(200):
        for i, item in enumerate(sampler.draw(torch.Generator().manual_seed(seed)).tolist()):
            drawn[i].add(item)
    # of all items but those of the training history: what is held out may be drawn
    assert drawn == {0: {4, 5, 6, 7, 8, 9}, 1: {4, 5, 6, 7, 8, 9}, 2: {1, 2, 3, 6, 7, 8, 9}}
    assert training_table(model, data, "cpu", None, 8, AdversarialSettings())[0].weights is None
    with pytest.raises(ValueError, match="two training items"):
        cas.fit(model, dataset([[6, 7, 8]], 9))


@pytest.mark.parametrize(("decay", "group"), [("adamw", 0.3), ("adam", 0.3), ("item_norm", 0.0)])
def test_the_optimiser_is_what_the_settings_say(decay, group, toy):
    s = TrainingSettings(decay=decay, weight_decay=0.3, learning_rate=0.01, beta1=0.5, beta2=0.7)
    optimizer = make_optimizer(build("gru4rec"), s)
    (options,) = optimizer.param_groups
    assert (options["lr"], options["betas"], options["weight_decay"]) == (0.01, (0.5, 0.7), group)
    assert options["fused"]  # other kernels, other last bits
    assert type(optimizer) is (torch.optim.Adam if decay == "adam" else torch.optim.AdamW)


def test_the_norm_of_the_items_is_part_of_the_loss(toy):
    losses = []
    for weight_decay in (0.0, 0.5):
        s = TrainingSettings(decay="item_norm", weight_decay=weight_decay, learning_rate=0.0,
                             batch_size=20)
        trainer = Trainer(build("gru4rec"), toy, s)
        losses.append(trainer.train_epoch())
    norm = float(trainer.model.items.weight.detach().norm())
    assert losses[1] - losses[0] == pytest.approx(0.5 * norm, rel=1e-4)


def test_a_trainer_goes_on_counting_where_it_is_told(toy):
    entry = Trainer(build("sasrec"), toy, TrainingSettings(), first_epoch=7).evaluate()
    assert entry["epoch"] == 7 and entry["loss"] is None and entry["phase"] == 1


def test_amp_and_compile_are_settings(toy):
    full, half = build("gru4rec"), build("gru4rec")
    cas.fit(full, toy, epochs=1, amp=False, **QUIET)
    cas.fit(half, toy, epochs=1, amp=True, **QUIET)
    assert not torch.equal(flat(full), flat(half))
    usual = build("gru4rec")
    cas.fit(usual, toy, epochs=1, **QUIET)  # "auto" is no
    assert torch.equal(flat(full), flat(usual))
    start = flat(build("gru4rec"))
    assert torch.cosine_similarity(flat(full) - start, flat(half) - start, dim=0) > 0.99
    for loss in ("gbce", "sampled", "ce"):
        cas.fit_adversarial(half, toy, epochs=1, amp=True, loss=loss, **QUIET)


@pytest.mark.parametrize("name", list(cas.BACKBONES))
def test_compiled_training_is_the_same_training(name, toy, monkeypatch):
    # the tracing is what can go wrong; "eager" runs what was traced without a C++ compiler
    traced = functools.partial(torch.compile, backend="eager")
    monkeypatch.setattr(torch, "compile", traced)
    for owner, method in ((Dropout, "__call__"), (PackedBatch, "blocks"), (PackedBatch, "recur")):
        monkeypatch.setattr(owner, method, getattr(owner, method))  # put back after the test
    plain, compiled = build(name), build(name)
    for model, choice in ((plain, False), (compiled, True)):
        cas.fit(model, toy, epochs=1, compile=choice, **QUIET)
        cas.fit_adversarial(model, toy, epsilon=0.5, epochs=1, compile=choice, **QUIET)
    torch.testing.assert_close(flat(plain), flat(compiled), rtol=1e-4, atol=1e-5)
    assert copy.deepcopy(compiled).encode.__self__ is not compiled  # its own
    plain.encode = own = functools.partial(type(plain).encode, plain)
    cas.fit(plain, toy, epochs=1, compile=True, **QUIET)
    assert plain.encode is own


def test_who_has_met_every_item_is_left_out_of_training():
    data = dataset([[1, 2, 3, 4, 5, 1, 2], [1, 2, 3, 4], [5, 5, 2, 1, 1, 3, 4]], 5)
    users, _ = cas.data.training_inputs(data, 5)
    assert users.tolist() == [1, 2]
    with pytest.warns(UserWarning, match=r"1 user\(s\) who have met all 5 items .* such as 1"):
        cas.fit(build("sasrec", n_items=5), data, epochs=1, **QUIET)
