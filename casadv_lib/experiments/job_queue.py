"""A queue of jobs: each in a process of its own, as many at once as there are cores or GPUs.

What a job makes is stored as it goes, so the queue itself keeps nothing: stopped in any way,
the same call goes on where it was. A failed job is noted and the rest goes on.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from multiprocessing import connection
from pathlib import Path

import torch

from ..support.devices import choose_device, use_threads
from ..support.files import write_json
from ..support.repository import root
from .board import Board, failure_note, log_of
from .plan import Job
from .provenance import code_version
from .runs import one_at_a_time, run, run_attack

SECONDS_BETWEEN_LOOKS = 5.0  # at jobs that other processes do
SECONDS_BETWEEN_STORES = 900.0  # of results: each takes some seconds, a run at least minutes
code_version()  # read now, and kept: the sources may change while the queue works


def work(config: dict, attacks: tuple[dict, ...], log: Path, environment: dict, place: str
         ) -> None:
    """The whole life of a job's process; its output goes to the log."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the queue decides what Ctrl-C does
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(place)
    _end_with_the_queue()
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("a", encoding="utf-8", buffering=1) as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    print(f"{_now()} started, {config}", flush=True)
    use_threads(1)
    made = run(config, progress=False)
    if attacks:
        with one_at_a_time(made.folder / "attacks"):
            for options in attacks:
                run_attack(made, **options)
    print(f"{_now()} done, {made.folder}", flush=True)


def _end_with_the_queue() -> None:
    """Leave when the queue's process is gone: a queue killed at once leaves no orphans."""
    parent = multiprocessing.parent_process()

    def watch():
        connection.wait([parent.sentinel])
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def default_workers(device: str) -> int:
    """One process a GPU, or one a core."""
    kind = choose_device(device).type
    return (os.cpu_count() or 1) if kind == "cpu" else max(1, torch.accelerator.device_count())


def environment_of(slot: int, device: torch.device) -> dict[str, str]:
    """The environment of the process in a slot: slot k sees the k-th GPU alone."""
    found = dict(os.environ)
    if device == torch.device("cuda"):  # a device with a number, "cuda:1", is for all slots
        seen = found.get("CUDA_VISIBLE_DEVICES")
        names = seen.split(",") if seen else list(map(str, range(torch.cuda.device_count())))
        found["CUDA_VISIBLE_DEVICES"] = names[slot % len(names)]
    return found


class Queue:
    """Works through the jobs of a board, in the order of its plan."""

    def __init__(self, board: Board, workers: int, device: str = "auto",
                 report: Callable[[str], None] = print,
                 store: Callable[[], object] | None = None):
        """store: called as runs come in, so that a machine that is lost takes little with it."""
        self.board, self.workers, self.report, self.store = board, workers, report, store
        self.stored, self.unstored = time.monotonic(), False
        self.device = choose_device(device)
        self.running: dict[str, tuple] = {}  # name: (process, slot, start)
        self.tried: set[str] = set()  # a job is tried once a call
        self.failed: dict[str, Path] = {}  # name: log
        self.context = _context()

    def work(self) -> dict[str, Path]:
        """Do all that can be done; returns {name of a failed job: its log}.

        A KeyboardInterrupt (Ctrl-C, or SIGTERM) ends the processes and is raised again.
        """
        with _terminate_as_interrupt():
            try:
                while self._step():
                    pass
            except KeyboardInterrupt:
                self._end_all()
                self._store()
                raise
            finally:
                self._end_all()
        self._report_waiting()
        return self.failed

    def _step(self) -> bool:
        """Start what can start, wait for something to end; False when nothing is left to do."""
        left = self.board.left()
        self._announce_choices()
        free = [job for job in left if job.name not in self.running]
        # a lock can be busy under another name: two jobs, one run
        busy = {self.board.lock(self.board.plan.jobs[name]) for name in self.running}
        elsewhere = len({self.board.lock(job) for job in free if self.board.is_running(job)} - busy)
        for job in free:
            if len(self.running) + elsewhere >= self.workers:
                break
            lock = self.board.lock(job)
            if (job.name in self.tried or self.board.waits_for(job) or lock is None
                    or lock in busy or self.board.is_running(job)):
                continue
            self._start(job)
            busy.add(lock)
        self._store(SECONDS_BETWEEN_STORES)  # here, so that no core waits for it
        if self.running:
            sentinels = [process.sentinel for process, *_ in self.running.values()]
            full = len(self.running) >= self.workers  # nothing can start before one ends
            connection.wait(sentinels, None if full else SECONDS_BETWEEN_LOOKS)
            self._gather()
            return True
        if elsewhere:
            time.sleep(SECONDS_BETWEEN_LOOKS)
        return elsewhere > 0

    def _announce_choices(self) -> None:
        if self.board.new_choices:
            self.board.choices.store()
        while self.board.new_choices:
            entry = self.board.new_choices.pop(0)
            chosen = ", ".join(f"{name} {value:g}" for name, value in entry["chosen"].items())
            self.report(f"{_now()} chosen on validation for {entry['family']}, "
                        f"{entry['dataset']} {entry['backbone']}: {chosen}")

    def _start(self, job: Job) -> None:
        failure_note(job).unlink(missing_ok=True)
        taken = {slot for _, slot, _ in self.running.values()}
        slot = next(k for k in range(self.workers) if k not in taken)
        process = self.context.Process(
            target=work,
            args=(self.board.config(job), job.attacks, log_of(job),
                  environment_of(slot, self.device), os.getcwd()),
        )  # fmt: skip
        process.start()
        self.running[job.name] = (process, slot, time.monotonic())
        self.tried.add(job.name)
        self.report(f"{_now()} started {job.name}")

    def _gather(self) -> None:
        """Take note of the processes that have ended."""
        for name, (process, _, started) in list(self.running.items()):
            if process.is_alive():
                continue
            process.join()
            del self.running[name]
            job, minutes = self.board.plan.jobs[name], (time.monotonic() - started) / 60
            if process.exitcode == 0 and self.board.is_here(job):
                self.report(f"{_now()} done {name}, {minutes:.1f} min")
                self.unstored |= job.role != "trial"  # results hold the runs, and a choice
                continue
            self.failed[name] = log_of(job)
            how = (f"exit status {process.exitcode}" if process.exitcode >= 0
                   else f"killed by signal {-process.exitcode}")
            if others := self.board.differences(job):
                how = ("other numbers than its record: " + "; ".join(others) + ". Another kind of "
                       "processor or version of a package? Name another --folder to make all anew")
            note = {"how": how, "log": str(log_of(job)), "date": _now()}
            write_json(failure_note(job), note)
            self.report(f"{_now()} FAILED {name} ({how}), see {log_of(job)}")

    def _store(self, seconds: float = 0.0) -> None:
        """Hand over what came in, where the last time is that long ago."""
        if self.store and self.unstored and time.monotonic() - self.stored >= seconds:
            self.stored, self.unstored = time.monotonic(), False
            try:
                self.store()
            except OSError as error:  # a full disk; the runs themselves are on theirs
                self.report(f"{_now()} the results could not be written: {error}")

    def _report_waiting(self) -> None:
        for job in self.board.left():
            if job.name not in self.failed:
                self.report(f"not done: {job.name}, waiting for "
                            + ", ".join(self.board.waits_for(job)))

    def _end_all(self) -> None:
        for process, *_ in self.running.values():
            process.terminate()
        for process, *_ in self.running.values():
            process.join()
        self.running.clear()


def _now() -> str:
    return datetime.now().strftime("%Y-%m-%d %H:%M:%S")


def _context():
    """Processes that start fast and with the code as it was when the queue started.

    A fork server imports the library once; where there is none (Windows), each process does.
    """
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    # PyTorch loads the second, which is slow, when it makes an optimiser
    context.set_forkserver_preload([__name__, "torch._dynamo"])
    before = os.environ.get("PYTHONPATH")
    # the server finds the library wherever the caller works
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(root()), before]))
    try:
        from multiprocessing.forkserver import ensure_running

        ensure_running()
    finally:
        os.environ.pop("PYTHONPATH")
        if before is not None:
            os.environ["PYTHONPATH"] = before
    return context


@contextlib.contextmanager
def _terminate_as_interrupt() -> Iterator[None]:
    """SIGTERM ends the queue as Ctrl-C does, so that no process is left behind."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(*_):
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
