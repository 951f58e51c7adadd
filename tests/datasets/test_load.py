"""Large data: a whole load in a process of its own (tests/load.py), its memory, its bars."""

import numpy as np
import pytest
from load import run_load

from casadv_lib import SASRec
from casadv_lib.evaluation import rank_items
from casadv_lib.support import machine

# Measured: 67 to 84 MB above what Python and the packages hold. The tables that must not be would
# alone add as much as the bound or more: users x items 100 MB at one byte a cell, 800 MB as
# chances; items x items 200 MB.
SHORT_MEGABYTES = 100


def test_a_fiftieth_of_the_load_of_the_soak_test():
    measured = run_load(20_000, 5_000)
    assert measured["megabytes_above_imports"] < SHORT_MEGABYTES


@pytest.mark.parametrize("seconds, ci, shows", [(0.0, "", True), (60.0, "", False),
                                                (0.0, "1", False)])
def test_long_work_alone_shows_bars(monkeypatch, capsys, seconds, ci, shows):
    monkeypatch.setenv("CI", ci)
    monkeypatch.setattr(machine, "SECONDS", seconds)
    histories = [np.array([1, 2, 3])] * 30
    rank_items(SASRec(9, dim=4), histories, np.full(30, 4), histories)
    shown = capsys.readouterr().err
    assert ("reading histories" in shown) == ("ranking" in shown) == shows
