"""Losses against plain references, against each other where they agree, and in both phases."""

from dataclasses import replace
from itertools import product

import pytest
import torch
from conftest import build, on_meta, training_batch
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy

import casadv_lib as cas
from casadv_lib import losses
from casadv_lib.adversarial import METHODS, AdversarialSettings, score_perturbations
from casadv_lib.losses import (
    CrossEntropy,
    bce,
    calibrated_power,
    loss_items,
    loss_of,
    sampled_softmax,
)
from casadv_lib.support.layers import Dropout
from casadv_lib.training import Trainer, TrainingSettings

NAMES = {"bce": 1, "gbce": 3, "sampled": 20, "ce": 1}  # and negatives


def scores(*shape):
    generator = torch.Generator().manual_seed(len(shape))
    return torch.randn(shape, dtype=torch.float64, generator=generator)


def loss_on(name, toy, method="adv_cas", backbone="sasrec"):
    """A loss, a model and a batch with the negatives that the loss reads."""
    model, many = build(backbone), NAMES[name]
    batch = training_batch(model, toy, METHODS[method].terms)
    if name == "sampled" or many > 1:
        shape = (many,) if name == "sampled" else (len(batch), many)
        generator = torch.Generator().manual_seed(3)
        drawn = torch.randint(1, toy.n_items + 1, shape, generator=generator)
        batch = replace(batch, negatives=drawn)
    return TrainingSettings(loss=name, negatives=many, calibration=0.5), model, batch


def test_bce_of_many_negatives_is_the_mean_of_the_questions():
    positive, negative = scores(5), scores(5, 3)
    logits = torch.cat([positive.unsqueeze(1), negative], 1)
    answers = torch.tensor([1.0, 0, 0, 0], dtype=torch.float64).expand(5, 4)
    twice = 2 * binary_cross_entropy_with_logits(logits, answers)
    torch.testing.assert_close(bce(positive, negative), twice)
    torch.testing.assert_close(bce(positive, negative[:, :1]), bce(positive, negative[:, 0]))


def test_gbce_raises_the_positive_to_a_power():
    positive, negative = scores(5), scores(5, 3)
    by_hand = -(positive.sigmoid() ** 0.3).log() - (1 - negative.sigmoid()).log().sum(1)
    torch.testing.assert_close(bce(positive, negative, 0.3), 2 / 4 * by_hand.mean())
    assert calibrated_power(1001, 10, 0.0) == 1  # plain BCE
    assert calibrated_power(1001, 10, 1.0) == pytest.approx(10 / 1000)  # calibrated in full
    assert calibrated_power(1001, 10, 0.5) == pytest.approx((1 + 10 / 1000) / 2)
    assert calibrated_power(11, 64, 0.75) == 1  # more negatives than items: nothing to calibrate


@pytest.mark.parametrize("block", [1, 60, 1 << 21])
def test_cross_entropy_in_blocks_is_that_of_all_scores(block, monkeypatch):
    monkeypatch.setattr(losses, "BLOCK", block)
    w, table = (20 * scores(7, 4)).requires_grad_(), (5 * scores(4, 9).T).requires_grad_()
    targets = torch.tensor([0, 8, 3, 3, 1, 0, 5])
    ours, plain = CrossEntropy.apply(w, table, targets), cross_entropy(w @ table.T, targets)
    torch.testing.assert_close(ours, plain)
    for mine, theirs in zip(*(torch.autograd.grad(3 * x, (w, table)) for x in (ours, plain))):
        torch.testing.assert_close(mine, theirs)


def test_a_softmax_over_all_items_is_cross_entropy():
    every, targets = scores(5, 9), torch.tensor([0, 8, 3, 3, 1])
    positive = every.gather(1, targets.unsqueeze(1)).squeeze(1)
    order = torch.tensor([4, 1, 0, 2, 3, 8, 7, 6, 5])
    found = sampled_softmax(positive, every[:, order], order == targets.unsqueeze(1), 1.0)
    torch.testing.assert_close(found, cross_entropy(every, targets))


def test_a_drawn_item_stands_for_those_that_were_not():
    # three of nine items, none of them the positive: each counts three times
    positive, negative = scores(5), scores(5, 3)
    found = sampled_softmax(positive, negative, torch.zeros(5, 3, dtype=torch.bool), 3 / 9)
    others = 3 * negative.exp().sum(1)
    by_hand = -(positive.exp() / (positive.exp() + others)).log()
    torch.testing.assert_close(found, by_hand.mean())


@pytest.mark.parametrize("name", NAMES)
def test_a_batch_reads_what_its_loss_says(name, toy):
    """Of the model's scores: the same loss from the plain score of each pair."""
    criterion, model, batch = loss_on(name, toy)
    w, items = model(batch), [model.embed(each) for each in loss_items(criterion, model, batch)]
    table = w @ model.item_table().T  # (n, n_items)
    own = table.gather(1, batch.positives.unsqueeze(1) - 1).squeeze(1)
    if name == "ce":
        by_hand = cross_entropy(table, batch.positives - 1)
    elif name == "sampled":
        is_target = batch.negatives == batch.positives.unsqueeze(1)
        by_hand = sampled_softmax(own, table[:, batch.negatives - 1], is_target, 20 / toy.n_items)
    else:
        drawn = table.gather(1, batch.negatives.view(len(own), -1) - 1)
        power = calibrated_power(toy.n_items, 3, 0.5) if name == "gbce" else 1.0
        by_hand = bce(own, drawn, power)
    torch.testing.assert_close(loss_of(criterion, model, batch, w, *items), by_hand)


@pytest.mark.parametrize("name", NAMES)
def test_level_2_moves_what_the_loss_reads_uphill(name, toy):
    criterion, model, batch = loss_on(name, toy)
    vectors = [model(batch), *(model.embed(each) for each in loss_items(criterion, model, batch))]
    clean = loss_of(criterion, model, batch, *vectors)
    s = AdversarialSettings(epsilon=0.1).of(METHODS["adv_linear"])
    deltas = score_perturbations(clean, vectors, s)
    for i, delta in enumerate(deltas):
        assert delta.shape == vectors[i].shape
        assert delta.norm().item() == pytest.approx(0.1, rel=1e-4)
        moved = [x + delta if j == i else x for j, x in enumerate(vectors)]
        assert loss_of(criterion, model, batch, *moved) > clean
    loss, parts = cas.training_loss(model, batch, METHODS["adv_linear"], s, training=criterion)
    whole = loss_of(criterion, model, batch, *map(torch.add, vectors, deltas))
    torch.testing.assert_close(parts["L_adv2"], whole.detach(), rtol=1e-4, atol=1e-6)
    assert loss.item() == pytest.approx((clean + whole).item(), rel=1e-4)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("backbone", cas.BACKBONES)
def test_a_whole_step_of_any_loss_runs_on_the_meta_device(backbone, method, toy):
    # any tensor made on the CPU and any wait for a value fails here, as it would hurt on a GPU
    for name, scope in product(NAMES, ("batch", "literal")):
        criterion, model, batch = loss_on(name, toy, method, backbone)
        optimizer = torch.optim.AdamW(model.to("meta").parameters())  # fused needs a real device
        loss, parts = cas.training_loss(model, on_meta(batch), METHODS[method],
                                        AdversarialSettings(scope=scope), Dropout(0.2),
                                        training=criterion)
        loss.backward()
        optimizer.step()
        assert {one.device.type for one in (loss, *parts.values())} == {"meta"}


@pytest.mark.parametrize("name", NAMES)
def test_both_phases_learn_by_any_loss_and_repeat_to_the_last_bit(name, toy):
    found = []
    for _ in range(2):
        model = build("sasrec")
        own = {"seed": 1, "progress": False, "loss": name, "negatives": NAMES[name]}
        first = cas.fit(model, toy, epochs=6, **own)
        assert first.losses[-1] < first.losses[0]
        second = cas.fit_adversarial(model, toy, "adv_cas", epsilon=0.5, epochs=2, **own)
        found.append((first.losses + second.losses, model.items.weight))
    assert found[0][0] == found[1][0] and torch.equal(found[0][1], found[1][1])


def test_negatives_of_an_epoch_and_of_a_batch(toy):
    def trainer(**settings):
        return Trainer(build("sasrec"), toy, TrainingSettings(**settings))

    one, three = trainer(), trainer(negatives=3)
    first, drawn = one.sampler.draw(torch.Generator()), three.negatives()  # items not met
    assert torch.equal(one.negatives(), first) and torch.equal(drawn[:, 0], first.int())
    assert trainer(negatives=2).negatives().shape == drawn[:, 1:].shape
    assert not torch.equal(drawn[:, 0], drawn[:, 1])
    shared = trainer(loss="sampled", negatives=6).shared_negatives()
    assert len(shared.unique()) == 6 and shared.min() >= 1 and shared.max() <= toy.n_items
    every = trainer(loss="sampled", negatives=10**6).shared_negatives()
    assert sorted(every.tolist()) == list(range(1, toy.n_items + 1))
    assert trainer(loss="ce").negatives() is None
