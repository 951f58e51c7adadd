"""Figures are tested on the committed results of the quick profile, and on parts of them."""

import pytest

from casadv_lib.results.frames import read_results
from casadv_lib.support.machine import root


@pytest.fixture(scope="session")
def results():
    return read_results(root() / "figures" / "quick")


@pytest.fixture(scope="session")
def paper_results():
    return read_results(root() / "figures" / "paper")
