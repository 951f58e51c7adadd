"""Dropout by bytes: its rate, its scale, its masks used again."""

import pytest
import torch

from casadv_lib.support.dropout import Dropout


def test_dropout_rate_and_scale():
    x = torch.ones(400, 250)
    for rate in (0.1, 0.2, 0.5):
        out = Dropout(rate, torch.Generator().manual_seed(1))(x)
        assert (out == 0).float().mean() == pytest.approx(rate, abs=0.006)  # 4 standard errors
        assert out.mean() == pytest.approx(1, abs=0.02)
        assert out.unique().numel() == 2


def test_masks_come_again_unless_fresh_ones_are_asked_for():
    x = torch.ones(3, 100)
    drop = Dropout(0.5, torch.Generator().manual_seed(0))
    first = [drop(x), drop(x[:2])]
    drop.rewind()
    assert all(torch.equal(a, b) for a, b in zip(first, [drop(x), drop(x[:2])]))
    assert not torch.equal(drop.rewind(fresh=True)(x), first[0])
