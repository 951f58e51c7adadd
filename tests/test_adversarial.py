"""Perturbations: size, direction, switches, the zero-gradient trap."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from conftest import build, training_batch

import casadv_lib as cas
from casadv_lib.adversarial import (
    METHODS,
    AdversarialSettings,
    distance,
    generic_perturbation,
    moved_rows,
    neighbour_inputs,
    scaled,
    score_perturbations,
    sequence_perturbation,
    training_loss,
)
from casadv_lib.losses import bce, loss_of
from casadv_lib.support.checkpoints import TrainingError
from casadv_lib.support.layers import Dropout
from casadv_lib.training import Trainer, TrainingSettings

BACKBONES = list(cas.BACKBONES)
GLOBAL = METHODS["adv_global"]
CASCADES = {"adv_cas_1": "temporal", "adv_cas_2": "cross", "adv_cas": "both"}


def test_the_methods_are_those_of_the_paper_and_three_of_ours():
    moving, replacing = {"adv_random", "adv_global", *CASCADES}, {"neighbour", "adv_neighbour"}
    assert METHODS.keys() == moving | replacing | {"base+100", "adv_linear", "adv_seq"}
    for name, method in METHODS.items():
        level1 = "distance" if name in moving else "bce" if name == "adv_seq" else None
        level2 = name in moving | {"adv_linear", "adv_neighbour"}
        direction = "random" if name == "adv_random" else "gradient"
        assert method == (level1, level2, CASCADES.get(name), direction, name in replacing), name


@pytest.mark.parametrize("epsilon", [1.0, 2.5])
def test_a_generic_perturbation_is_that_of_adv_global(epsilon, toy):
    model, batch, rows, w, positive, negative = state("sasrec", toy)
    found = generic_perturbation(model, batch, epsilon, seed=4)
    A = level1(model, batch, rows, w, positive, negative, seed=4, epsilon=epsilon)
    for ours, theirs in zip(found, (rows, w, A)):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=0)
        assert not ours.requires_grad


def state(name, data, terms="both", scale=5.0):
    """A model, a batch and what both levels start from; embeddings of a trained size."""
    model = build(name)
    with torch.no_grad():
        model.items.weight.mul_(scale)
    batch = training_batch(model, data, terms)
    rows, positive, negative = (
        model.embed(x).detach() for x in (batch.inputs, batch.positives, batch.negatives)
    )
    w = model.encode(rows, batch).detach()
    return model, batch, rows, w, positive, negative


def level1(model, batch, rows, w, positive, negative, seed=0, **options):
    s = AdversarialSettings(**options).of(GLOBAL)
    generator = torch.Generator().manual_seed(seed)
    return sequence_perturbation(
        model, batch, rows, w,
        lambda w: loss_of(TrainingSettings(), model, batch, w, positive, negative), s,
        Dropout(0.0), generator
    )


def level2(model, batch, rows, w, positive, negative, generator=None, **options):
    s = AdversarialSettings(**options).of(GLOBAL)
    vectors = [x.requires_grad_() for x in (w, positive, negative)]
    loss = loss_of(TrainingSettings(), model, batch, *vectors)
    return score_perturbations(loss, vectors, s, generator)


@pytest.mark.parametrize("direction", ["gradient", "sign", "random"])
@pytest.mark.parametrize("name", BACKBONES)
def test_the_sizes_of_perturbations(name, direction, toy):
    at = state(name, toy)
    batch, options = at[1], {"epsilon": 2.5, "direction": direction}
    whole = [level1(*at, **options), *level2(*at, torch.Generator(), **options)]
    for delta in whole:
        assert torch.linalg.vector_norm(delta) == pytest.approx(2.5, rel=1e-4)
        if direction == "random":  # as likely to one side as to the other
            assert abs(float(delta.mean())) < 0.1 * float(delta.abs().mean())
    literal = level1(*at, **options, scope="literal")
    for user in range(len(batch.last)):
        own = literal[batch.sequence == user]
        assert torch.linalg.vector_norm(own) == pytest.approx(2.5, rel=1e-4)
    for delta in level2(*at, torch.Generator(), **options, scope="literal"):
        sizes = torch.linalg.vector_norm(delta, dim=-1)
        torch.testing.assert_close(sizes, torch.full_like(sizes, 2.5))


def test_a_direction_has_size_epsilon_however_small_the_gradient():
    g = torch.tensor([[3.0, -4.0]]) * torch.tensor([[1.0], [1e-12], [1e-30], [0.0]])
    expected = torch.tensor([[1.2, -1.6]] * 3 + [[0.0, 0.0]])
    torch.testing.assert_close(scaled(g, 2.0, per_row=True), expected)
    torch.testing.assert_close(scaled(g, 2.0, torch.arange(4)), expected)
    assert scaled(g, 2.0, torch.zeros(4, dtype=torch.long)).norm() == pytest.approx(2.0)
    assert scaled(1e-25 * g, 2.0).norm() == pytest.approx(2.0)


def test_level_2_is_the_bce_of_three_vectors_moved_along_the_closed_form(toy):
    # d BCE / d w = (s(r_j) - 1) e_j + s(r_n) e_n, and so on (Eq. 9)
    model, batch, _, w, positive, negative = state("sasrec", toy)
    s = AdversarialSettings(epsilon=2.5, scope="literal")
    _, parts = training_loss(model, batch, METHODS["adv_linear"], s)
    up = torch.sigmoid((w * positive).sum(-1, keepdim=True)) - 1
    down = torch.sigmoid((w * negative).sum(-1, keepdim=True))
    moved = [at + 2.5 * torch.nn.functional.normalize(h, dim=-1) for at, h in (
        (w, up * positive + down * negative), (positive, up * w), (negative, down * w))]
    by_hand = bce((moved[0] * moved[1]).sum(1), (moved[0] * moved[2]).sum(1))
    assert float(parts["L_adv2"]) == pytest.approx(float(by_hand), rel=1e-4)


@pytest.mark.parametrize("scope", ["batch", "literal"])
@pytest.mark.parametrize("name", BACKBONES)
def test_along_the_gradient_the_distance_grows_more_than_at_random(name, scope, toy):
    at = state(name, toy)
    model, batch, rows, w = at[:4]

    def reached(A):
        with torch.no_grad():
            return float(distance(model.encode(rows + A, batch), w).sum())

    options = {"epsilon": 0.1, "scope": scope}
    guided = reached(level1(*at, **options))
    newest = [level1(*at, **options, level1_positions=which) for which in ("last", "all")]
    with torch.no_grad():  # where the last positions alone count, A is after them
        ends = [distance(model.encode(rows + A, batch), w)[batch.last].sum() for A in newest]
    assert ends[0] > ends[1]
    random = [reached(level1(*at, seed=i, direction="random", **options)) for i in range(5)]
    assert guided > 1.1 * np.mean(random)


@pytest.mark.parametrize("method", ["adv_global", "adv_cas", "adv_seq"])
@pytest.mark.parametrize("name", BACKBONES)
def test_level_1_is_the_mean_distance_or_the_loss_and_A_raises_it(name, method, toy):
    at = model, batch, rows, w, positive, negative = state(name, toy, METHODS[method].terms)
    weights = 1.0 if batch.weights is None else batch.weights.unsqueeze(1)

    def level(A):
        with torch.no_grad():
            moved = model.encode(rows + weights * A, batch)
            return float(distance(moved, w).mean() if method != "adv_seq" else loss_of(
                TrainingSettings(), model, batch, moved, positive, negative))

    s = AdversarialSettings(epsilon=0.1)
    _, parts = training_loss(model, batch, METHODS[method], s,
                             generator=torch.Generator().manual_seed(0))
    A = level1(*at, epsilon=0.1, level1_loss=METHODS[method].level1)
    assert float(parts["L_adv1"]) == pytest.approx(level(A), rel=1e-4)
    assert level(A) > level(0 * A)


def test_zero_start_is_caught(toy):
    at = state("sasrec", toy)
    assert torch.linalg.vector_norm(level1(*at, start="zero")) == 0  # the trap itself
    with pytest.raises(TrainingError, match="A was zero in .*start \\('zero': .*use 'random'"):
        cas.fit_adversarial(
            build("sasrec"), toy, "adv_cas", epochs=1, start="zero", progress=False
        )


def test_inputs_move_by_their_weights(toy):
    model, batch, rows, *_ = state("sasrec", toy)
    A = torch.ones_like(rows)
    moved = moved_rows(model, rows, A, batch.weights, "before") - rows
    torch.testing.assert_close(moved[:, 0], batch.weights, rtol=1e-5, atol=1e-6)
    after = moved_rows(model, rows, A, batch.weights, "after") - rows
    torch.testing.assert_close(after * model.input_scale, moved, rtol=1e-5, atol=1e-6)


def test_methods_are_made_of_their_levels(toy):
    model = build("sasrec")
    s = AdversarialSettings(epsilon=0.5, lambda1=0.7, lambda2=0.3)
    for name, method in METHODS.items():
        batch = training_batch(model, toy, method.terms)
        generator = torch.Generator().manual_seed(0)
        total, parts = training_loss(model, batch, method, s, generator=generator)
        expected = {"L_B"} | ({"L_adv1", "perturbation"} if method.level1 else set())
        assert set(parts) == expected | ({"L_adv2"} if method.level2 else set()), name
        zero = torch.tensor(0.0)
        levels = 0.7 * parts.get("L_adv1", zero) + 0.3 * parts.get("L_adv2", zero)
        torch.testing.assert_close(total.detach(), parts["L_B"] + levels)


def test_weights_change_only_where_they_should(toy):
    # with all weights 1, adv_cas is adv_global
    model = build("sasrec")
    batch = training_batch(model, toy, "both")
    losses = [training_loss(model, replace(batch, weights=weights), METHODS["adv_cas"],
                            AdversarialSettings(epsilon=1.0),
                            generator=torch.Generator().manual_seed(0))[0]
              for weights in (batch.weights, torch.ones_like(batch.weights), None)]
    torch.testing.assert_close(losses[1], losses[2])
    assert losses[0] != losses[1]


def line(n_items):
    """A model whose items stand on a line at 1, 2, ..."""
    model = build("gru4rec", n_items, dim=1)
    with torch.no_grad():
        model.items.weight[:, 0] = torch.arange(n_items + 1)
    return model


def replaced(model, inputs, positives, seed=0, **options):
    s = AdversarialSettings(**{"replace_probability": 1, **options})
    generator = torch.Generator().manual_seed(seed)
    return neighbour_inputs(model, inputs, positives, s, generator)


@pytest.mark.parametrize(("target", "stand_in"), [
    (30, range(2, 12)),  # not near: the ten nearest of item 1
    (2, range(3, 13)),  # the nearest, and the last of ten: the eleventh steps in
    (11, [*range(2, 11), 12]),
    (12, range(2, 12)),  # the eleventh itself
])
def test_an_input_is_replaced_by_a_near_item_all_of_them_alike(target, stand_in):
    inputs = torch.ones(20_000, dtype=torch.int64)
    found = replaced(line(40), inputs, torch.full_like(inputs, target))
    counts = torch.bincount(found, minlength=41)
    assert counts.nonzero().flatten().tolist() == list(stand_in)
    assert (counts[counts > 0] - 2000).abs().max() < 4.5 * 42.5  # standard errors


def test_how_many_inputs_are_replaced_and_that_the_seed_says_which():
    inputs, positives = torch.randint(1, 41, (2, 5000), generator=torch.Generator().manual_seed(1))
    model = build("gru4rec")

    def with_chance(p, seed=0):
        return replaced(model, inputs, positives, seed, replace_probability=p)

    assert torch.equal(with_chance(0), inputs)
    every = with_chance(1)
    assert not (every == inputs).any() and not (every == positives).any() and every.min() >= 1
    assert (with_chance(0.3) != inputs).float().mean() == pytest.approx(0.3, abs=0.03)
    assert torch.equal(with_chance(0.3), with_chance(0.3))
    assert not torch.equal(with_chance(0.3), with_chance(0.3, seed=1))


@pytest.mark.parametrize("n_items", [3, 5])
def test_a_small_catalogue_gives_what_it_has(n_items):
    inputs, positives = torch.ones(200, dtype=torch.int64), torch.arange(200) % n_items + 1
    found = replaced(line(n_items), inputs, positives)
    for target in range(2, n_items + 1):
        own = set(found[positives == target].tolist())
        assert own == set(range(2, n_items + 1)) - {target}
    with pytest.raises(ValueError, match="has 2 items; to replace one takes 3 or more"):
        replaced(line(2), inputs, positives)


@pytest.mark.parametrize(("method", "like"), [("neighbour", "base+100"),
                                              ("adv_neighbour", "adv_linear")])
def test_a_method_that_replaces_is_another_one_on_replaced_inputs(method, like, toy, monkeypatch):
    seen = []

    def next_item(model, inputs, positives, s, generator):
        seen.append((positives, s.replace_probability, generator))
        return inputs % 40 + 1

    monkeypatch.setattr("casadv_lib.training.neighbour_inputs", next_item)
    s = AdversarialSettings(epsilon=2.0, lambda2=0.4, replace_probability=0.7)
    ours, theirs = (Trainer(build("sasrec", dropout=0.0), toy, TrainingSettings(batch_size=20),
                            name, s) for name in (method, like))
    theirs.table.inputs = theirs.table.inputs % 40 + 1  # targets and negatives stay
    assert ours.train_epoch() == theirs.train_epoch()
    for mine, other in zip(ours.model.parameters(), theirs.model.parameters()):
        assert torch.equal(mine, other)
    assert seen == [(ours.table.targets, 0.7, ours.generator)]


SWITCHES = [
    {"scope": "literal"}, {"cascade_norm": "minmax"}, {"weight_mean": "cascade"},
    {"count_self": True}, {"start": "bce"}, {"start": "masks"}, {"dropout_masks": "independent"},
    {"detach_clean": False}, {"level1_loss": "bce"}, {"inject": "after"},
    {"level1_positions": "last"}, {"weighted_gradient": True}, {"direction": "sign"},
    {"direction": "random"}, {"decay": "adam"}, {"decay": "item_norm"}, {"beta2": 0.999},
]  # fmt: skip


def test_a_setting_of_neither_kind_is_named():
    with pytest.raises(ValueError, match="'epoch' .did you mean epochs.*; allowed are 'epochs'"):
        cas.fit_adversarial(None, None, epoch=3)


def test_a_frozen_item_table_stays_and_the_rest_learns(toy):
    model = build("gru4rec")
    model.items.weight.requires_grad_(False)
    before = {name: weight.clone() for name, weight in model.state_dict().items()}
    cas.fit_adversarial(model, toy, "adv_cas", epochs=1, progress=False)
    assert [name for name, weight in model.state_dict().items()
            if torch.equal(weight, before[name])] == ["items.weight"]


def test_a_backbone_that_returns_another_shape_is_named(toy):
    model = build("gru4rec")
    model.encode = lambda rows, batch, drop: rows[:, :-1]
    with pytest.raises(ValueError, match="encode of GRU4Rec returns the shape .*allowed is that"):
        cas.fit(model, toy, epochs=1, progress=False)


@pytest.mark.parametrize("switch", SWITCHES, ids=lambda s: "-".join(map(str, *s.items())))
def test_every_switch_changes_the_result_and_stays_finite(switch, toy):
    # beta2 and the decays act through Adam, so two epochs of three batches are enough to differ
    weights = []
    for options in ({}, switch):
        model = build("sasrec", dropout=0.2)
        cas.fit_adversarial(model, toy, "adv_cas", epsilon=2.0, epochs=2, batch_size=20,
                            progress=False, **options)
        weights.append(torch.cat([p.detach().flatten() for p in model.parameters()]))
    assert torch.isfinite(weights[1]).all() and not torch.equal(*weights)
