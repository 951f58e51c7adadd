"""Packed equals padded: same scores, losses and gradients (of a causal oracle); no leak; groups."""

import numpy as np
import pytest
import torch
from conftest import build, training_batch
from hypothesis import given
from hypothesis import strategies as st
from oracles import PaddedModel

import casadv_lib as cas
from casadv_lib.adversarial import METHODS, training_loss
from casadv_lib.batching import NegativeSampler, TokenTable
from casadv_lib.settings import AdversarialSettings


def grads(model):
    return {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", cas.BACKBONES)
def test_same_loss_and_gradients(name, method, toy):
    model = build(name).double()
    batch = training_batch(model, toy, METHODS[method].terms)
    found = []
    for subject in (model, PaddedModel(model, name)):
        model.zero_grad()
        generator = torch.Generator().manual_seed(5)  # the same random start
        loss, _ = training_loss(subject, batch, METHODS[method], AdversarialSettings(epsilon=0.5),
                                generator=generator)
        loss.backward()
        found.append((loss.detach(), grads(model)))
    (packed, ours), (padded, theirs) = found
    torch.testing.assert_close(packed, padded, rtol=1e-6, atol=1e-8)
    assert ours.keys() == theirs.keys()
    for key in ours:
        torch.testing.assert_close(ours[key], theirs[key], rtol=1e-4, atol=1e-7)


@given(st.lists(st.integers(1, 20), min_size=1, max_size=40), st.integers(1, 7), st.integers(0, 9))
def test_a_plan_holds_every_token_once(lengths, batch_size, seed):
    rng = np.random.default_rng(seed)
    histories = [rng.integers(1, 99, n) for n in lengths]
    table = TokenTable(histories, targets=[h + 1 for h in histories],
                       weights=[h + 0.5 for h in histories])
    drawn = torch.as_tensor(np.concatenate(histories) + 2)
    order = rng.permutation(len(lengths))
    seen = []
    for batch in table.batches(order, batch_size, drawn):
        members = order[len(seen) : len(seen) + batch_size]
        assert sorted(batch.users) == sorted(members)
        for place, user in enumerate(batch.users):
            own = batch.sequence == place
            np.testing.assert_array_equal(batch.inputs[own], histories[user])
            np.testing.assert_array_equal(batch.positives[own], histories[user] + 1)
            np.testing.assert_array_equal(batch.negatives[own], histories[user] + 2)
            np.testing.assert_array_equal(batch.weights[own], histories[user] + 0.5)
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


some_sets = st.lists(st.sets(st.integers(1, 12), max_size=11), min_size=1, max_size=6)


@given(some_sets, st.integers(0, 5))
def test_never_an_item_of_the_history(sets, seed):
    met = [np.array(sorted(s), dtype=np.int64) for s in sets]
    sampler = NegativeSampler(met, np.full(len(met), 30), 12)
    drawn = sampler.draw(torch.Generator().manual_seed(seed)).numpy().reshape(len(met), 30)
    assert drawn.min() >= 1 and drawn.max() <= 12
    for items, row in zip(sets, drawn):
        assert items.isdisjoint(row.tolist())


def test_uniform_over_the_allowed_items():
    met = [np.array([3, 3, 1]), np.array([12, 6, 7, 8])]
    sampler = NegativeSampler(met, np.array([60_000, 60_000]), 12)
    drawn = sampler.draw(torch.Generator().manual_seed(0)).numpy().reshape(2, -1)
    for items, row in zip(met, drawn):
        allowed = np.setdiff1d(np.arange(1, 13), items)
        counts = np.bincount(row, minlength=13)[allowed]
        expected = len(row) / len(allowed)
        chi_square = ((counts - expected) ** 2 / expected).sum()
        # the 99.99% point of chi-square with 9 or 7 degrees of freedom is below 34
        assert counts.sum() == len(row) and chi_square < 34


def test_a_user_who_has_met_everything_is_named():
    with pytest.raises(ValueError, match="user 1 has met all 3 items"):
        NegativeSampler([np.array([1]), np.array([1, 2, 3])], np.array([1, 2]), 3)
