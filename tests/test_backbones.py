"""Backbones besides their blocks (test_batching): heads, arguments, the item table."""

import pytest
import torch
from conftest import build, training_batch
from oracles import PaddedModel

import casadv_lib as cas
from casadv_lib.backbones import nearest_items


def test_one_head_and_several(toy):
    for n_heads in (1, 2, 4):  # one head folds two of its projections away
        model = build("sasrec", n_heads=n_heads)
        batch = training_batch(model, toy)
        with torch.no_grad():
            for p in model.parameters():
                p.add_(0.1 * torch.randn_like(p))  # biases too
        padded = PaddedModel(model, "sasrec").encode(model.embed(batch.inputs), batch)
        torch.testing.assert_close(model(batch), padded, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("name", "shapes"), [
    ("sasrec", [(3, 16)] + 2 * [(1, 3, 3), (3, 16), (3, 16)]), ("gru4rec", [(3, 16)]),
    ("causalcnn", 5 * [(3, 16)])])
def test_what_is_dropped(name, shapes):
    model, batch, seen = build(name), cas.pack([[1, 2, 3]]), []
    model.encode(model.embed(batch.inputs), batch, lambda x: seen.append(tuple(x.shape)) or x)
    assert seen == shapes


def test_sizes_by_default_and_the_layers_constants():
    model = cas.SASRec(5)
    assert model.items.weight.shape == (6, 100) and model.positions.weight.shape == (50, 100)
    assert len(model.blocks) == 2 and model.dropout == 0.2 and model.input_scale == 10
    norms = [m for m in model.modules() if isinstance(m, torch.nn.LayerNorm)]
    assert [norm.eps for norm in norms] == [1e-8] * 5  # as in the PyTorch port
    assert len(cas.CausalCNN(5, dim=4).convolutions) == 4


@pytest.mark.parametrize("name", cas.BACKBONES)
def test_weights_start_xavier_normal_and_biases_at_zero(name):
    torch.manual_seed(0)
    model = cas.BACKBONES[name](999, dim=64)
    assert model.items.weight.detach().std() == pytest.approx((2 / (1000 + 64)) ** 0.5, rel=0.02)
    assert model.items.weight.detach().abs().max() > 3 * model.items.weight.std()  # not uniform
    for key, parameter in model.named_parameters():
        if key.endswith("bias"):
            assert (parameter == 0).all(), key
        elif parameter.dim() == 1 and "norm" in key:
            assert (parameter == 1).all(), key


def test_the_item_table_and_the_mode_of_evaluation():
    model = build("gru4rec")
    assert torch.equal(model.item_table(), model.items.weight[1:])
    assert not model.item_table().requires_grad
    for before in (True, False):
        model.train(before)
        with pytest.raises(KeyError), model.evaluating():
            assert not model.training
            raise KeyError
        assert model.training is before
    with pytest.raises(NotImplementedError, match="Backbone must define encode"):
        cas.Backbone(4).encode(None, None)


def test_nearest_items_are_the_nearest(monkeypatch):
    monkeypatch.setattr(cas.backbones, "ROWS", 7)
    model = build("gru4rec")
    with torch.no_grad():
        model.items.weight[0] = model.items.weight[7]  # padding, as near as can be
    table = model.items.weight[1:].detach().double()
    apart = torch.cdist(table, table).fill_diagonal_(torch.inf)
    found = nearest_items(model, 39)  # all others, in pieces
    assert torch.equal(found, apart.argsort(1)[:, :39] + 1)
    assert torch.equal(nearest_items(model, 5), found[:, :5])
