"""Cutting processes off, and telling whether anything was lost. Used by the tests of faults.

A run is made by a real process of its own. It is killed (SIGKILL, no warning) by this process at
some time, or it kills itself at a chosen point of a chosen write: with half of the bytes written,
with all of them in a temporary file, or just before or after the renaming.
"""

import io
import json
import multiprocessing
import os
import signal
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from oracles import random_sequences

MOMENTS = ("half", "written", "before", "after")
TIMES = ("seconds", "provenance")  # what may differ between two runs of one configuration
SMALL = {"epochs": 6, "adv_epochs": 4, "dim": 8, "eval_every": 2, "batch_size": 16}
LATE = 200  # seconds; a machine may be busy
WRITES = 20  # about as many as a run of adv_cas with its base makes at that size


@dataclass(frozen=True)
class Kill:
    """When a process dies: at a `moment` of its n-th `write`, or after a share of a run's time."""

    write: int = 0
    moment: str = ""
    share: float = 0.0
    how: int = signal.SIGKILL


def random_kills(count: int, seed: int) -> list[Kill]:
    """Kills of both kinds."""
    rng = np.random.default_rng(seed)
    kills = []
    for _ in range(count):
        if rng.random() < 0.5:
            kills.append(Kill(int(rng.integers(1, WRITES)), str(rng.choice(MOMENTS))))
        else:
            kills.append(Kill(share=float(rng.uniform(0.02, 0.9))))
    return kills


def write_data(path: Path) -> Path:
    """A small text file of histories."""
    rows = random_sequences(40, 30, 4, 10)
    path.write_text("".join(f"{u} {' '.join(map(str, r))}\n" for u, r in enumerate(rows, 1)))
    return path


def arguments(path: Path, **settings) -> list[str]:
    """The command line of a run of adv_cas."""
    chosen = [x for k, v in {**SMALL, **settings}.items() for x in ("--set", f"{k}={v}")]
    return ["run", "--dataset", str(path), "--method", "adv_cas", *chosen]


# ------------------------------------------------------------------ processes

# processes start at once: a server imports the library for all of them
SERVER = multiprocessing.get_context("forkserver")
SERVER.set_forkserver_preload(["casadv_lib.__main__", "faults"])


def start(words: list[str], runs: Path, kill: Kill | None = None, prepare=None
          ) -> multiprocessing.Process:
    """Start a command in a process of its own, with its runs in a folder, after `prepare()`.

    What it prints goes to a file beside that folder, whose path is the process's `log`.
    """
    log = runs.with_name(f"{runs.name}.log")
    process = SERVER.Process(target=_work, args=(words, runs, kill, log, prepare))
    process.start()
    process.log = log
    return process


def _work(words, runs, kill, log, prepare):
    os.environ |= {"CASADV_RUNS": str(runs), "CI": "1"}
    torch.set_num_threads(1)
    # whoever starts the tests in the background may have told them to ignore Ctrl-C
    signal.signal(signal.SIGINT, signal.default_int_handler)
    handle = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(handle, 1)
    os.dup2(handle, 2)
    from casadv_lib.__main__ import main
    from casadv_lib.support import checkpoints

    checkpoints.SECONDS_BETWEEN_CHECKPOINTS = 0  # a checkpoint an epoch: more to interrupt
    if kill is not None and kill.write:
        _light_fuse(kill)
    if prepare is not None:
        prepare()
    sys.exit(main(words))


def _light_fuse(kill: Kill) -> None:
    """Make this process kill itself at a moment of its n-th write."""
    fsync, replace, begun = os.fsync, os.replace, []

    def die_at(moment):
        if (len(begun), moment) == (kill.write, kill.moment):
            os.kill(os.getpid(), signal.SIGKILL)

    class Half(io.FileIO):
        def __init__(self, handle, mode, *_):
            begun.append(handle)
            super().__init__(handle, mode)

        def write(self, content):
            super().write(content[: len(content) // 2])
            die_at("half")
            super().write(content[len(content) // 2 :])

    def fsync_or_die(handle):
        die_at("written")
        fsync(handle)

    def replace_or_die(*paths):
        die_at("before")
        replace(*paths)
        die_at("after")

    os.fdopen, os.fsync, os.replace = Half, fsync_or_die, replace_or_die


def finish(process, seconds: float = LATE) -> int:
    """Wait for a process; returns its exit status, negative where a signal ended it."""
    process.join(seconds)
    if process.is_alive():
        process.kill()
        raise AssertionError(f"still there after {seconds} s:\n{process.log.read_text()}")
    return process.exitcode


def until(happened, seconds, words):
    ends = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < ends, f"not within {seconds} s: {words}"
        time.sleep(0.01)


def run_once(words, runs: Path, kill: Kill | None = None, whole_time: float = 1.0) -> bool:
    """Make a run in a process that dies as asked; returns whether it was cut off."""
    process = start(words, runs, kill)
    if kill is not None and kill.share:
        time.sleep(kill.share * whole_time)
        if process.is_alive():
            os.kill(process.pid, kill.how)
    status = finish(process)
    assert status in (0, 130, -signal.SIGKILL), f"exit status {status}:\n{process.log.read_text()}"
    return status != 0


# ------------------------------------------------------------------ what is stored


def content(runs: Path) -> dict:
    """Everything that must not depend on how often a run was cut off, by path.

    Raises where a file is half written. Times and what describes the machine are left out;
    tensors and ranks become bytes.
    """
    from casadv_lib.support.files import load_tensors, read_arrays

    found = {}
    for path in sorted(runs.rglob("*")):
        name = str(path.relative_to(runs))
        if path.name[0] == "." or not path.is_file() or "logs" in path.parts:
            continue
        if path.suffix == ".json":
            found[name] = json.loads(path.read_text(), object_hook=lambda part: {
                key: value for key, value in part.items() if key not in TIMES})
        elif path.suffix == ".npz":
            found[name] = {key: array.tobytes() for key, array in read_arrays(path).items()}
        else:
            stored = load_tensors(path)
            stored["history"].pop("epoch_seconds")
            found[name] = json.dumps(stored, default=lambda tensor: (  # to the last bit
                str(tensor.dtype), tensor.shape, tensor.numpy().tobytes().hex()))
    return found
