"""Packed equals padded: same scores, losses and gradients; causal; no leak; groups."""

import numpy as np
import pytest
import torch
from conftest import build, training_batch
from hypothesis import given
from hypothesis import strategies as st
from oracles import PaddedModel, dataset, random_sequences

import casadv_lib as cas
from casadv_lib.adversarial import METHODS, training_loss
from casadv_lib.batching import TokenTable
from casadv_lib.settings import AdversarialSettings
from casadv_lib.support.packing import length_edges

BACKBONES = list(cas.BACKBONES)
SETTINGS = AdversarialSettings(epsilon=0.5)


def grads(model):
    return {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}


@pytest.mark.parametrize("name", BACKBONES)
def test_same_user_vectors(name, toy):
    model = build(name)
    batch = training_batch(model, toy)
    packed = model(batch)
    padded = PaddedModel(model, name).encode(model.embed(batch.inputs), batch)
    torch.testing.assert_close(packed, padded, rtol=1e-4, atol=1e-5)


def test_one_head_and_several(toy):
    for n_heads in (1, 2, 4):  # one head folds two of its projections away
        model = build("sasrec", n_heads=n_heads)
        batch = training_batch(model, toy)
        with torch.no_grad():
            for p in model.parameters():
                p.add_(0.1 * torch.randn_like(p))  # biases too
        padded = PaddedModel(model, "sasrec").encode(model.embed(batch.inputs), batch)
        torch.testing.assert_close(model(batch), padded, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("method", [None, *METHODS])
@pytest.mark.parametrize("name", BACKBONES)
def test_same_loss_and_gradients(name, method, toy):
    model = build(name).double()
    chosen = METHODS.get(method)
    batch = training_batch(model, toy, None if chosen is None else chosen.terms)
    found = []
    for subject in (model, PaddedModel(model, name)):
        model.zero_grad()
        generator = torch.Generator().manual_seed(5)  # the same random start
        loss, _ = training_loss(subject, batch, chosen, SETTINGS, generator=generator)
        loss.backward()
        found.append((loss.detach(), grads(model)))
    (packed, ours), (padded, theirs) = found
    torch.testing.assert_close(packed, padded, rtol=1e-6, atol=1e-8)
    assert ours.keys() == theirs.keys()
    for key in ours:
        torch.testing.assert_close(ours[key], theirs[key], rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize("name", BACKBONES)
def test_a_later_item_cannot_change_an_earlier_vector(name):
    model = build(name, max_len=12)
    history = np.arange(1, 11)
    before = model(cas.pack([history], 12))
    for t in range(1, 10):
        changed = history.copy()
        changed[t] = 30
        after = model(cas.pack([changed], 12))
        torch.testing.assert_close(after[:t], before[:t], rtol=0, atol=0)
        assert (after[t] - before[t]).abs().max() > 1e-4


@pytest.mark.parametrize("name", BACKBONES)
def test_company_in_the_batch_changes_nothing(name):
    # a history's vectors are the same alone, and among longer and shorter ones (padding)
    model = build(name, max_len=12)
    sequences = random_sequences(30, 40, 1, 12, seed=4)
    together = model(cas.pack(sequences, 12))
    batch = cas.pack(sequences, 12)
    for place, user in enumerate(batch.users):
        alone = model(cas.pack([sequences[user]], 12))
        torch.testing.assert_close(
            together[batch.sequence == place], alone, rtol=1e-4, atol=1e-5
        )


@given(st.lists(st.integers(1, 20), min_size=1, max_size=40), st.integers(1, 7), st.integers(0, 9))
def test_a_plan_holds_every_token_once(lengths, batch_size, seed):
    rng = np.random.default_rng(seed)
    histories = [rng.integers(1, 99, n) for n in lengths]
    table = TokenTable(histories, targets=[h + 1 for h in histories])
    order = rng.permutation(len(lengths))
    seen = []
    for batch in table.batches(order, batch_size):
        members = order[len(seen) : len(seen) + batch_size]
        assert sorted(batch.users) == sorted(members)
        for place, user in enumerate(batch.users):
            own = batch.sequence == place
            np.testing.assert_array_equal(batch.inputs[own], histories[user])
            np.testing.assert_array_equal(batch.positives[own], histories[user] + 1)
            np.testing.assert_array_equal(batch.step[own], np.arange(lengths[user]))
            np.testing.assert_array_equal(batch.from_end[own], np.arange(lengths[user])[::-1])
            assert batch.inputs[batch.last[place]] == histories[user][-1]
        # the three ways to see neighbours agree on the identity
        x = torch.randn(len(batch), 3)
        torch.testing.assert_close(batch.blocks(lambda b: b, x), x, rtol=0, atol=0)
        torch.testing.assert_close(x[batch.by_step][batch.from_step], x, rtol=0, atol=0)
        torch.testing.assert_close(batch.earlier(x, 1)[batch.step > 0], x[:-1][batch.step[1:] > 0])
        assert (batch.earlier(x, 1)[batch.step == 0] == 0).all()
        seen.extend(batch.users)
    assert sorted(seen) == list(range(len(lengths)))


@given(st.lists(st.integers(1, 9), min_size=1, max_size=30), st.integers(1, 4))
def test_length_edges_are_the_best(lengths, most):
    from itertools import combinations

    lengths = np.array(lengths)

    def cost(edges):
        upper = edges[np.searchsorted(edges, lengths)]
        return (upper * (upper + 16.0)).sum()

    found = length_edges(lengths, most)
    distinct = np.unique(lengths)
    assert len(found) <= most and found[-1] == distinct[-1]
    options = [
        np.array([*inner, distinct[-1]])
        for size in range(min(most, len(distinct)))
        for inner in combinations(distinct[:-1], size)
    ]
    assert cost(found) == pytest.approx(min(cost(edges) for edges in options))


def test_an_empty_history_is_refused():
    with pytest.raises(ValueError, match="empty history"):
        cas.pack([[1, 2], []])


@pytest.mark.parametrize("name", BACKBONES)
def test_bad_model_arguments_are_named(name):
    for options, said in [
        ({"n_items": 0}, "n_items is 0"),
        ({"n_items": 5, "dropout": 1.0}, "dropout is 1.0"),
        ({"n_items": 5, "dim": 2.5}, "dim is 2.5"),
        ({"n_items": 5, "max_len": -1}, "max_len is -1"),
    ]:
        with pytest.raises(ValueError, match=said):
            cas.BACKBONES[name](**options)


def test_repeated_items_are_allowed():
    data = dataset([[1, 1, 2, 1, 3, 1], [2, 2, 2, 2]], 4)
    model = build("sasrec", n_items=4)
    cas.fit(model, data, epochs=1, progress=False)
    assert len(cas.evaluate(model, data)["ranks"]) == 2
