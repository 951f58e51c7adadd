"""A run made again gives its numbers to the last digit, and a difference is found."""

import numpy as np
import pytest

from casadv_lib import repeat, runs
from casadv_lib.files import read_json, write_json
from casadv_lib.profiles import configure

SMALL = {"epochs": 2, "adv_epochs": 2, "dim": 8, "batch_size": 16, "eval_every": 1,
         "device": "cpu"}


@pytest.fixture
def config():
    return configure(dataset="toy", method="adv_cas", **SMALL)


@pytest.mark.parametrize("method", ["adv_cas", "base"])
def test_the_same_numbers_to_the_last_digit(toy, runs_folder, config, method):
    config = config | {"method": method}
    made = runs.run(config, toy)
    there = sorted(runs_folder.iterdir())
    assert repeat.differences(config, toy) == []
    assert sorted(runs_folder.iterdir()) == there and runs.runs_folder() == runs_folder
    # a last digit more is a difference
    metrics = read_json(made.folder / "metrics.json")
    metrics["losses"][-1] = float(np.nextafter(metrics["losses"][-1], 2))
    write_json(made.folder / "metrics.json", metrics)
    assert repeat.differences(config, toy) == ["losses"]


def test_other_ranks_are_a_difference(toy, runs_folder, config):
    made = runs.run(config, toy)
    with np.load(made.folder / "ranks.npz") as stored:
        ranks = dict(stored)
    ranks["test last"][0] += 0.5
    np.savez_compressed(made.folder / "ranks.npz", **ranks)
    assert repeat.differences(config, toy) == ["ranks, test last"]


def test_only_a_stored_run_can_be_repeated(toy, runs_folder, config):
    with pytest.raises(FileNotFoundError, match="no run is stored in"):
        repeat.differences(config, toy)
