"""Backbones besides their blocks (test_batching): heads, arguments, the item table."""

import pytest
import torch
from conftest import build, training_batch
from oracles import PaddedModel

import casadv_lib as cas
from casadv_lib.backbones import nearest_items

BACKBONES = list(cas.BACKBONES)


def test_one_head_and_several(toy):
    for n_heads in (1, 2, 4):  # one head folds two of its projections away
        model = build("sasrec", n_heads=n_heads)
        batch = training_batch(model, toy)
        with torch.no_grad():
            for p in model.parameters():
                p.add_(0.1 * torch.randn_like(p))  # biases too
        padded = PaddedModel(model, "sasrec").encode(model.embed(batch.inputs), batch)
        torch.testing.assert_close(model(batch), padded, rtol=1e-4, atol=1e-5)


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


def test_nearest_items_are_the_nearest():
    model = build("gru4rec")
    with torch.no_grad():
        model.items.weight[0] = model.items.weight[7]  # padding, as near as can be
    table = model.items.weight[1:].detach().double()
    apart = torch.cdist(table, table).fill_diagonal_(torch.inf)
    found = nearest_items(model, 39, rows=7)  # all others, in pieces
    assert torch.equal(found, apart.argsort(1)[:, :39] + 1)
    assert torch.equal(nearest_items(model, 5), found[:, :5])
