"""Cut off anywhere: a run that is killed, stopped or started twice ends as one that was not."""

import os
import re
import resource
import shutil
import signal
import time

import pytest
from faults import (
    LATE,
    MOMENTS,
    Kill,
    arguments,
    content,
    finish,
    random_kills,
    run_once,
    start,
    until,
    write_data,
)

from casadv_lib.experiments.runs import one_at_a_time
from casadv_lib.support import checkpoints
from casadv_lib.support.files import load_tensors


@pytest.fixture(scope="module")
def uncut(tmp_path_factory):
    """A data file, its command line, what an uncut run stores, and the seconds that took."""
    folder = tmp_path_factory.mktemp("uncut")
    words = arguments(write_data(folder / "own.txt"))
    run_once(words, folder / "warm", None)
    started = time.perf_counter()
    run_once(words, folder / "runs", None)
    return words, content(folder / "runs"), time.perf_counter() - started


def cut_and_go_on(uncut, runs, kills):
    """Kill a run again and again until it ends, and compare; returns how many kills hit."""
    words, wanted, seconds = uncut
    hits = 0
    for kill in kills:
        if not run_once(words, runs, kill, seconds):
            break
        hits += 1
        content(runs)
    run_once(words, runs)
    assert content(runs) == wanted
    assert not list(runs.rglob(".*.partial"))
    return hits


def test_stopped_by_hand_or_killed_at_random_moments_the_end_is_the_same(uncut, tmp_path):
    by_hand = [Kill(share=0.5, how=signal.SIGINT)] * 2
    assert cut_and_go_on(uncut, tmp_path / "runs", [*by_hand, *random_kills(3, seed=0)])


@pytest.mark.soak
def test_many_kills_at_random_moments(uncut, tmp_path):
    wanted, hits, number = int(os.environ.get("CASADV_KILLS", 50)), 0, 0
    while hits < wanted:
        kills = random_kills(min(5, wanted - hits), 100 + number)
        hits += cut_and_go_on(uncut, tmp_path / f"runs{number}", kills)
        number += 1


def test_killed_at_every_moment_of_every_kind_of_write_the_end_is_the_same(uncut, tmp_path):
    # the base of 6 epochs writes its configuration, checkpoints, ranks, metrics; each start goes on
    kills = [Kill(1, MOMENTS[0]), Kill(1, MOMENTS[3]), Kill(2, MOMENTS[0]), Kill(2, MOMENTS[1]),
             Kill(4, MOMENTS[2]), Kill(2, MOMENTS[3]), Kill(4, MOMENTS[0]), Kill(2, MOMENTS[3]),
             Kill(2, MOMENTS[1]), Kill(3, MOMENTS[2])]
    assert cut_and_go_on(uncut, tmp_path / "runs", kills) == len(kills)


def test_of_two_processes_one_computes_and_its_death_lets_the_other_go_on(uncut, tmp_path):
    words, wanted, _ = uncut
    runs = tmp_path / "runs"
    both = [start(words, runs) for _ in range(2)]
    until(lambda: list(runs.glob("*/checkpoint.pt")), LATE, "a checkpoint")
    both[0].kill()
    assert sorted(map(finish, both)) == [-signal.SIGKILL, 0]
    assert content(runs) == wanted


def test_who_starts_a_run_that_another_process_makes_waits(uncut, tmp_path):
    (words, wanted, seconds), runs = uncut, tmp_path / "runs"
    [base] = {path.split("/")[0] for path in wanted if "-base-" in path}
    with one_at_a_time(runs / base):
        waits = start(words, runs)
        waits.join(seconds + 1)  # in which it would have been made
        assert waits.is_alive() and not list(runs.rglob("*.json"))
    assert finish(waits) == 0 and content(runs) == wanted


def far_apart():
    """No checkpoint but the last; the progress bar shows when training is under way."""
    checkpoints.SECONDS_BETWEEN_CHECKPOINTS = 1000
    os.environ["CI"] = ""


def test_ctrl_c_leaves_a_checkpoint_and_one_line_that_says_how_to_go_on(tmp_path):
    words = arguments(write_data(tmp_path / "own.txt"), epochs=4000, adv_epochs=2, eval_every=0)
    runs = tmp_path / "runs"
    process = start(words, runs, prepare=far_apart)
    until(lambda: process.log.exists() and re.search(r"\b[1-9]\d*/4000", process.log.read_text()),
          LATE, "an epoch on the bar")
    assert not list(runs.glob("*/checkpoint.pt"))
    os.kill(process.pid, signal.SIGINT)
    assert finish(process) == 130
    *bar, line = process.log.read_text().strip().split("\n")
    # the bar may have moved once more; each of its states ends with \r, which is read as a line
    assert bar and all(row.startswith("phase 1: ") and "epoch" in row for row in bar if row)
    pattern = r"stopped after epoch (\d+) of 4000; the checkpoint is (\S+); the same call or "
    found = re.match(pattern + "command goes on from it", line)
    assert len(load_tensors(found[2])["history"]["losses"]) == int(found[1]) > 0
    assert len(content(runs)) == 2


def small_files():
    """No file may grow to the size of a checkpoint, as on a disk that is almost full."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))


def refused(process):
    """The one line of an error that names the file and what to do, when the process has ended."""
    assert finish(process) == 1
    (line,) = [row for row in process.log.read_text().splitlines() if row]
    assert line.startswith("error: ")
    assert "could not write" in line and "unchanged" in line and "CASADV_RUNS" in line
    return line


def test_a_disk_without_room_for_a_checkpoint(uncut, tmp_path):
    (words, wanted, _), runs = uncut, tmp_path / "runs"
    assert "checkpoint.pt" in refused(start(words, runs, prepare=small_files))
    content(runs)
    assert not list(runs.glob("*/metrics.json")) and not list(runs.rglob("*.partial"))
    run_once(words, runs)
    assert content(runs) == wanted


def test_a_folder_that_vanishes_during_training(uncut, tmp_path):
    (words, wanted, _), runs = uncut, tmp_path / "runs"
    process = start([*words, "--set", "epochs=4000"], runs)
    until(lambda: list(runs.glob("*/checkpoint.pt")), LATE, "a checkpoint")
    shutil.rmtree(runs)
    said = refused(process)
    assert "No such file" in said and str(runs) in said
    assert not runs.exists()  # what vanished is not made again behind its owner's back
    run_once(words, runs)
    assert content(runs) == wanted
