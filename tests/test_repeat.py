"""A run made again gives its numbers to the last digit, and a difference is found."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

import casadv_lib as cas
from casadv_lib.__main__ import main
from casadv_lib.datasets import load_dataset
from casadv_lib.experiments import repeat, runs
from casadv_lib.experiments.configuration import configure
from casadv_lib.support.files import read_json, write_json

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


@pytest.fixture
def stored(toy, runs_folder, config):
    """A record as results.json keeps it, and a folder of runs that is empty again."""
    record = runs.record_of(runs.run(config, toy)) | {"run": "toy-run"}
    shutil.rmtree(runs_folder)
    return record


def test_a_record_is_made_again_from_nothing(toy, runs_folder, stored):
    assert repeat.against_record(stored, toy, progress=False) == []
    assert not runs_folder.exists() and runs.runs_folder() == runs_folder
    value = stored["metrics"]["last"]["test"]["ndcg@10"]
    other = float(np.nextafter(value, 2))
    stored["metrics"]["last"]["test"]["ndcg@10"] = other
    (found,) = repeat.against_record(stored, toy, progress=False)
    assert found.startswith("metrics ") and repr(value) in found and repr(other) in found
    stored["provenance"]["data_hash"] = "0" * 64
    with pytest.raises(ValueError, match="allowed is 0000"):
        repeat.against_record(stored, toy, progress=False)


def test_verify_on_the_command_line(toy, runs_folder, stored, config, monkeypatch, capsys):
    monkeypatch.setattr("casadv_lib.results.records.load_results", lambda profile: {"records": [stored]})
    monkeypatch.setattr("casadv_lib.experiments.configuration.configure", lambda *_, **__: config)
    monkeypatch.setattr("casadv_lib.experiments.repeat.load_dataset", lambda name: toy)
    assert main(["verify"]) == 0
    assert "toy-run: the same numbers to the last digit" in capsys.readouterr().out
    stored["config"] = stored["config"] | {"health": "note"}  # how, not what: the same run
    assert main(["verify"]) == 0
    stored["curve"][-1]["test"]["hr@10"] += 1
    assert main(["verify"]) == 1
    assert "the numbers differ in: curve (test NDCG@10" in capsys.readouterr().err
    stored["config"] = stored["config"] | {"seed": 5}
    assert main(["verify"]) == 2
    assert "no record of quick has" in capsys.readouterr().err


def test_two_threads_change_the_last_bits_alone():
    """Sums are split over threads, so other bits; the numbers that are reported stay."""
    data, found = load_dataset("synthetic"), []
    before = torch.get_num_threads()
    try:
        for threads in (1, 2, 1):
            torch.set_num_threads(threads)
            model = runs.build_model(configure("quick", device="cpu"), data)
            losses = cas.fit(model, data, epochs=1, progress=False).losses
            found.append((losses, cas.evaluate(model, data)["ndcg@10"], model.items.weight))
    finally:
        torch.set_num_threads(before)
    one, two, again = found
    assert one[:2] == again[:2] and torch.equal(one[2], again[2])
    assert one[0] == pytest.approx(two[0], rel=1e-6) and one[1] == pytest.approx(two[1], rel=1e-4)
    assert (one[2] - two[2]).abs().max() < 1e-6


THREADS = """
import sys, torch
from threadpoolctl import threadpool_info
from casadv_lib.__main__ import main
status = main(sys.argv[1:])
print("threads", torch.get_num_threads(), *(pool["num_threads"] for pool in threadpool_info()))
"""


@pytest.mark.parametrize("command", (["grid", "--profile", "quick", "--status"],
                                     ["verify", "--profile", "none of these"]))
def test_a_command_computes_with_one_thread_whatever_the_machine_offers(command, tmp_path):
    """Intervals come from numpy's products: with more threads, another order and other digits."""
    environment = {**os.environ, "CASADV_RUNS": str(tmp_path)} | {
        name: "2" for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")}
    ran = subprocess.run([sys.executable, "-c", THREADS, *command], env=environment, text=True,
                         capture_output=True, cwd=Path(__file__).parents[1])
    found = [line.split()[1:] for line in ran.stdout.splitlines() if line.startswith("threads")]
    assert found and len(found[0]) > 1 and set(found[0]) == {"1"}, ran.stdout + ran.stderr
