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
from casadv_lib.experiments import runs
from casadv_lib.experiments.configuration import configure
from casadv_lib.results import collect
from casadv_lib.results.frames import read_results
from casadv_lib.support.files import read_json, write_json

SMALL = {"epochs": 2, "adv_epochs": 2, "dim": 8, "batch_size": 16, "eval_every": 1,
         "device": "cpu"}


@pytest.fixture
def config():
    return configure(dataset="toy", method="adv_cas", **SMALL)


@pytest.mark.parametrize("method", ["adv_cas", "base"])
def test_the_same_numbers_to_the_last_digit(toy, runs_folder, config, method):
    config = config.but(method=method)
    made = runs.run(config, toy)
    there = sorted(runs_folder.iterdir())
    assert runs.differences(config, toy) == []
    assert sorted(runs_folder.iterdir()) == there and runs.runs_folder() == runs_folder
    # a last digit more is a difference
    metrics = read_json(made.folder / "metrics.json")
    metrics["losses"][-1] = float(np.nextafter(metrics["losses"][-1], 2))
    write_json(made.folder / "metrics.json", metrics)
    assert runs.differences(config, toy) == ["losses"]


def test_other_ranks_are_a_difference(toy, runs_folder, config):
    made = runs.run(config, toy)
    with np.load(made.folder / "ranks.npz") as stored:
        ranks = dict(stored)
    ranks["test last"][0] += 0.5
    np.savez_compressed(made.folder / "ranks.npz", **ranks)
    assert runs.differences(config, toy) == ["ranks, test last"]


def test_only_a_stored_run_can_be_repeated(toy, runs_folder, config):
    with pytest.raises(FileNotFoundError, match="no run is stored in"):
        runs.differences(config, toy)


@pytest.fixture
def tables(toy, runs_folder, config, tmp_path):
    """A folder of tables with a run; the folder of runs is empty again."""
    made = runs.run(config, toy)
    collect.store({made: ["main"]}, tmp_path / "tables", "quick")
    shutil.rmtree(runs_folder)
    return tmp_path / "tables"


def test_verify_makes_a_run_of_the_tables_again_from_nothing(toy, tables, config, monkeypatch,
                                                             capsys, runs_folder):
    monkeypatch.setattr("casadv_lib.results.collect.load_dataset", lambda name: toy)
    monkeypatch.setattr("casadv_lib.experiments.configuration.configure", lambda *_, **__: config)
    assert main(["verify", "--profile", str(tables)]) == 0
    assert "seed0-" in capsys.readouterr().out and not runs_folder.exists()
    curves, good = tables / "curves.csv", (tables / "curves.csv").read_text()
    value = float(read_results(tables).curves["hr@10"].iloc[-1])
    curves.write_text(f"{float(np.nextafter(value, 2))!r}".join(good.rsplit(f"{value!r}", 1)))
    assert main(["verify", "--profile", str(tables)]) == 1
    assert "other numbers than its record, in curves (test NDCG@10" in capsys.readouterr().err
    curves.write_text(good)
    monkeypatch.setattr("casadv_lib.experiments.configuration.configure",
                        lambda *_, **__: config.but(seed=5))
    assert main(["verify", "--profile", str(tables)]) == 2
    assert "no run in the tables" in capsys.readouterr().err


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
                         capture_output=True, cwd=Path(__file__).parents[2])
    found = [line.split()[1:] for line in ran.stdout.splitlines() if line.startswith("threads")]
    assert found and len(found[0]) > 1 and set(found[0]) == {"1"}, ran.stdout + ran.stderr
