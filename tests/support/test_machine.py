"""Which device is taken, and where a bar shows."""

import pytest
import torch

from casadv_lib.support.machine import choose_device, progress_bar


@pytest.mark.parametrize("holds", [True, False])
def test_a_device_without_float64_is_not_taken(holds, monkeypatch):
    """As Apple's: negatives are drawn, and ranks counted, in float64."""
    real = torch.empty

    def empty(*size, dtype=None, **rest):
        if dtype is torch.float64 and not holds:
            raise TypeError("no float64 here")
        return real(*size, dtype=dtype, **rest)

    monkeypatch.setattr(torch, "empty", empty)
    monkeypatch.setattr(torch.accelerator, "current_accelerator",
                        lambda check_available: torch.device("meta"))
    assert choose_device("auto").type == ("meta" if holds else "cpu")
    if not holds:
        with pytest.raises(ValueError, match="device is 'meta'; allowed .* that hold float64"):
            choose_device("meta")


@pytest.mark.parametrize("ci, progress, shows", [("", True, True), ("1", True, False),
                                                 ("", False, False)])
def test_a_bar_shows_where_it_is_wanted_but_not_in_ci(monkeypatch, capsys, ci, progress, shows):
    monkeypatch.setenv("CI", ci)
    progress_bar(progress, total=3, desc="grid").close()
    assert ("grid" in capsys.readouterr().err) == shows
