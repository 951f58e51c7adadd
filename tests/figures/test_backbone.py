"""Attention maps, change maps and the count of padded places."""

import numpy as np
import pytest
import torch
from conftest import build

from casadv_lib.batching import pack
from casadv_lib.figures.backbone import attention_maps, change_map, heat_maps, padding_picture

HISTORY = [3, 1, 4, 15, 9]


@pytest.mark.parametrize("heads, max_len", [(1, 50), (4, 50), (2, 3)])
def test_attention_maps_are_those_the_model_uses(monkeypatch, heads, max_len):
    model = build("sasrec", n_heads=heads, max_len=max_len)
    maps = attention_maps(model, HISTORY)
    n, seen = min(len(HISTORY), max_len), []  # only the last max_len items are read
    own = torch.bmm

    def spy(shares, values):
        seen.append(shares)
        return own(shares, values)

    monkeypatch.setattr(torch, "bmm", spy)
    with torch.no_grad():
        model(pack([HISTORY[-max_len:]], max_len))
    assert len(seen) == len(maps) == len(model.blocks)
    for one, used in zip(maps, seen):
        assert one.shape == (heads, n, n) and (np.triu(one, 1) == 0).all()
        np.testing.assert_allclose(one, used.numpy(), rtol=1e-4, atol=1e-6)
    with pytest.raises(ValueError, match="allowed is a SASRec"):
        attention_maps(build("gru4rec"), HISTORY)


@pytest.mark.parametrize("name", ["sasrec", "gru4rec", "causalcnn"])
def test_change_map_against_one_change_at_a_time(name):
    model = build(name)
    found = change_map(model, HISTORY, 30)
    with torch.no_grad():
        clean = model(pack([HISTORY], model.max_len))
        for s in range(len(HISTORY)):
            changed = HISTORY[:s] + [30] + HISTORY[s + 1 :]
            move = (model(pack([changed], model.max_len)) - clean).norm(dim=-1)
            np.testing.assert_allclose(found[s], move, rtol=1e-3, atol=1e-5)
    assert np.tril(found, -1).max() < 1e-5 < np.diag(found).min()


def test_maps_of_one_kind_share_a_scale():
    figure = heat_maps({"a": np.eye(3), "b": 5 * np.eye(3)}, "xyz", "share", "to", "from")
    drawn = [axis.collections[0] for axis in figure.axes[:2]]
    assert [grid.get_clim() for grid in drawn] == [(0, 5)] * 2 and len(figure.axes) == 3
    np.testing.assert_allclose(drawn[1].get_array(), 5 * np.eye(3))


def test_the_picture_shows_as_many_real_items_in_each_block():
    batch = pack([[1] * size for size in (1, 2, 3, 5, 8, 8, 9, 2, 6)], 12)
    figure = padding_picture(batch, 12)
    blue = np.array([0.34, 0.71, 0.91])
    for axis in figure.axes[:3]:
        grid = axis.images[0].get_array()
        assert np.isclose(grid, blue).all(-1).sum() == len(batch)
    packed = np.asarray(figure.axes[1].images[0].get_array())
    computed = (~np.isclose(packed, 1.0).all(-1)).sum()
    assert computed == sum(group.users * group.length for group in batch.groups)
