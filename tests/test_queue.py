"""The queue: order, failures, what goes on after a kill, and the same numbers again."""

import dataclasses
import json
import os
import signal
import subprocess
import sys
import time
from types import SimpleNamespace

import pytest
import torch
from casadv_lib.experiments.board import epochs_of, failure_note, log_of
from casadv_lib.experiments.job_queue import Queue, environment_of
from oracles import random_sequences

from casadv_lib.experiments import board as boards
from casadv_lib.experiments import grid, job_queue, plan, runs, selection
from casadv_lib.experiments.runs import one_at_a_time
from casadv_lib.support.repository import root as repository_root

SMALL = {"epochs": 2, "adv_epochs": 1, "dim": 8, "eval_every": 0, "batch_size": 32}
STAGE = ["methods-sasrec"]


@pytest.fixture
def own(tmp_path, runs_folder):
    """Arguments of a small grid on a file of its own, the choice of epsilon included."""
    path = tmp_path / "own.txt"
    lines = enumerate(random_sequences(40, 30, 7, 10), 1)
    path.write_text("".join(f"{u} {' '.join(map(str, items))}\n" for u, items in lines))
    return {"profile": "paper", "dataset": str(path), "backbone": "sasrec", "device": "cpu",
            "folder": tmp_path / "figures", "stages": STAGE} | SMALL


@pytest.fixture
def few(monkeypatch):
    """A plan of four methods with two trials a family and three attacks, for time's sake."""
    monkeypatch.setattr(plan, "METHOD_ORDER", ("base", "base+100", "adv_linear", "adv_cas"))
    monkeypatch.setattr(plan, "ATTACKED", ("base", "adv_cas"))
    monkeypatch.setattr(plan, "MOST_REPLACED", 1)
    for family in ("adv_linear", "adv_global"):
        monkeypatch.setitem(selection.CANDIDATES, family, selection.CANDIDATES[family][1:3])


def only(board, *names):
    """The board with these jobs alone."""
    board.plan.jobs = {name: job for name, job in board.plan.jobs.items() if name in names}
    return board


def test_the_whole_grid_with_the_choice_and_again_from_what_is_stored(own, few):
    path = grid.run_grid(workers=2, **own)
    results = json.loads(path.read_text())
    chosen = {e["family"]: e["chosen"] for e in results["selection"]}
    assert set(chosen) == {"adv_linear", "adv_global"}
    assert json.loads((path.parent / "selection.json").read_text()) == results["selection"]
    settings = {r["config"]["method"]: r["config"] for r in results["records"]}
    for method, family in (("adv_cas", "adv_global"), ("adv_linear", "adv_linear")):
        assert {n: settings[method][n] for n in ("epsilon", "lambda1")} == chosen[family]
    epochs = {r["metrics"]["last"]["epoch"] for r in results["records"]}
    assert epochs == {2, 3}  # of the base and of the others; the trials of ten epochs stand aside
    assert {r["run"] for r in results["records"]} >= {p["better"][0] for p in results["pairs"]}
    board = grid.board_of(**own)
    assert set(board.states().values()) == {"done"}
    assert grid.status(board, 1)[0].startswith(f"{len(board.plan.jobs)} done, 0 running")
    assert grid.dry_run(board, 1)[-1].startswith(f"0 of {len(board.plan.jobs)} jobs left")
    assert json.loads(grid.run_grid(workers=1, **own).read_text()) == results
    # one run thrown away and made again from its base: the same numbers to the last digit
    [record] = [r for r in results["records"] if "adv_cas" == r["config"]["method"]]
    for file in (runs.runs_folder() / record["run"]).rglob("*"):
        if file.is_file():
            file.unlink()
    [again] = [r for r in json.loads(grid.run_grid(workers=1, **own).read_text())["records"]
               if r["run"] == record["run"]]
    for part in ("metrics", "curve", "versus_base"):
        assert again[part] == record[part]
    assert [{k: v for k, v in a.items() if k != "provenance"} for a in again["attacks"]] == [
        {k: v for k, v in a.items() if k != "provenance"} for a in record["attacks"]]


def test_a_failed_job_is_noted_and_the_rest_goes_on(own):
    said = []
    board = grid.board_of(**own)
    names = list(board.plan.jobs)
    base, control = names[0], next(n for n in names if n.endswith("base+100"))
    trial = next(n for n in names if "trial" in n)
    # the control's settings make the training diverge; it alone fails
    broken = board.plan.jobs[control]
    object.__setattr__(broken, "asked", broken.asked | {"learning_rate": 1e30})
    failed = Queue(only(board, base, control, trial), 1, "cpu", said.append).work()
    assert list(failed) == [control]
    assert board.states()[trial] == "done"
    assert "TrainingError" in failed[control].read_text()
    note = json.loads(failure_note(broken).read_text())
    assert note["how"] == "exit status 1" and note["log"] == str(log_of(broken))
    assert board.states()[broken.name] == "failed"
    assert any(line.startswith(f"failed: {control} (exit status 1") for line in
               grid.status(board, 1))
    assert any(f"FAILED {control}" in line for line in said)


def test_what_waits_for_a_failed_job_is_named(own):
    said = []
    board = grid.board_of(**own)
    base, control = list(board.plan.jobs)[:2]
    broken = board.plan.jobs[base]
    object.__setattr__(broken, "asked", broken.asked | {"learning_rate": 1e30})
    board = only(board, base, control)
    assert list(Queue(board, 1, "cpu", said.append).work()) == [base]
    assert said[-1] == f"not done: {control}, waiting for {base}"
    assert f"waiting: {control}, for {base}" in grid.status(board, 1)


def test_run_grid_stores_what_there_is_and_says_what_failed(own, monkeypatch):
    made = grid.board_of(**own)
    runs.run(made.config(made.plan.jobs[next(iter(made.plan.jobs))]), progress=False)
    monkeypatch.setattr(Queue, "work", lambda self: {"some job": "some.log"})
    with pytest.raises(grid.JobsFailed, match=r"(?s)1 job\(s\) failed.*some job: some.log"):
        grid.run_grid(workers=1, **own)
    results = json.loads((own["folder"] / "results.json").read_text())
    assert [r["config"]["method"] for r in results["records"]] == ["base"]


def test_a_run_that_another_process_makes_is_left_to_it(own, monkeypatch):
    monkeypatch.setattr(job_queue, "SECONDS_BETWEEN_LOOKS", 0.0)
    board = grid.board_of(**own)
    base = next(iter(board.plan.jobs.values()))
    queue = Queue(only(board, base.name), 1, "cpu", print)
    with one_at_a_time(board.folder(base)):
        assert board.states()[base.name] == "running"
        assert queue._step() is True  # it waits, and starts nothing
        assert queue.running == {} and queue.tried == set()
    assert board.states()[base.name] == "ready"


def test_a_run_under_two_names_takes_one_core(own, monkeypatch):
    """As adv_cas, and the sweep's run at the epsilon that was chosen."""
    board = grid.board_of(**own)
    base, control, trial = [next(job for job in board.plan.jobs.values() if word in job.name)
                            for word in (" base", "base+100", "trial")]
    runs.run(board.config(base), board.data(base), progress=False)
    twin = dataclasses.replace(trial, name="the same under another name")
    board.plan.jobs = {job.name: job for job in (base, trial, twin, control)}
    queue, started = Queue(board, 2, "cpu", print), []
    queue.running[trial.name] = (SimpleNamespace(sentinel=None), 0, 0.0)
    monkeypatch.setattr(queue, "_start", lambda job: started.append(job.name))
    monkeypatch.setattr(queue, "_gather", lambda: None)
    monkeypatch.setattr(job_queue.connection, "wait", lambda *_: None)
    with one_at_a_time(board.folder(trial)):  # as its process does
        assert queue._step() is True
    assert started == [control.name]


def test_results_are_handed_over_as_runs_come_in(own, monkeypatch):
    board = grid.board_of(**own)
    base, control = list(board.plan.jobs)[:2]
    said, seen = [], []

    def store():
        seen.append(set(queue.running))
        raise OSError("no space left")

    monkeypatch.setattr(job_queue, "SECONDS_BETWEEN_STORES", 0.0)
    queue = Queue(only(board, base, control), 1, "cpu", said.append, store)
    assert queue.work() == {}
    assert seen[0] == {control}  # after the next job was started
    assert any("could not be written: no space left" in line for line in said)


def test_an_interrupted_queue_hands_over_what_came_in(own, monkeypatch):
    board = grid.board_of(**own)
    base, control = list(board.plan.jobs)[:2]
    seen = []
    queue = Queue(only(board, base, control), 1, "cpu", print, lambda: seen.append(True))
    gather = queue._gather

    def interrupted():
        gather()
        raise KeyboardInterrupt

    monkeypatch.setattr(queue, "_gather", interrupted)
    with pytest.raises(KeyboardInterrupt):
        queue.work()
    assert seen == [True] and queue.running == {}


def test_nothing_is_stored_yet(own):
    with pytest.raises(ValueError, match="no run of profile 'paper' is stored yet"):
        grid.run_grid(stored=True, **own)


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_a_queue_that_is_ended_leaves_no_process_and_goes_on(own, tmp_path, how):
    long = own | {"epochs": 100_000, "batch_size": 4}
    words = ["--set=" + f"{name}={long[name]}" for name in SMALL]
    command = [sys.executable, "-m", "casadv_lib", "grid", "--profile", "paper", "--dataset",
               long["dataset"], "--backbone", "sasrec", "--device", "cpu", "--stages", *STAGE,
               "--folder", str(long["folder"]), "--workers", "1", *words]
    queue = subprocess.Popen(command, cwd=repository_root(), stdout=subprocess.DEVNULL,
                             stderr=subprocess.DEVNULL)
    board = grid.board_of(**long)
    base = next(iter(board.plan.jobs.values()))
    assert within(90, lambda: board.is_running(base))
    os.kill(queue.pid, how)
    assert queue.wait(30) != 0
    assert within(30, lambda: board.states()[base.name] == "ready")  # its process is gone, too
    assert board.failure(base) is None


def within(seconds, true):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if true():
            return True
        time.sleep(0.2)
    return False


def test_progress_is_read_from_the_checkpoint(own):
    board = grid.board_of(**own | {"epochs": 3})
    base = next(iter(board.plan.jobs.values()))
    assert board.progress(base) == (0, 3)
    config = board.config(base)
    runs.run(config, board.data(base), progress=False)
    (board.folder(base) / "metrics.json").unlink()  # as if cut off after the last checkpoint
    fresh = boards.Board(board.plan, board.choices)
    assert fresh.progress(base) == (3, 3) and not fresh.is_done(base)
    assert epochs_of(config) == 3
    assert epochs_of(config | {"method": "adv_cas", "adv_epochs": 7}) == 7


def test_a_slot_sees_one_gpu(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,6")
    for device, seen in (("cuda", ["4", "6", "4"]), ("cpu", ["4,6"] * 3), ("cuda:1", ["4,6"] * 3)):
        assert [environment_of(slot, torch.device(device))["CUDA_VISIBLE_DEVICES"]
                for slot in (0, 1, 2)] == seen
