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
