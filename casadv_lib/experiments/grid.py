"""The runs and attacks behind a profile's figures, made by Dask's workers, here or anywhere.

A job is a task: one `run`, or the attacks on one. Its folder is its checkpoint, so a task that is
cut off, moved or started twice goes on where it was and gives the same numbers; the grid itself
remembers nothing. Workers share the folder of runs.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
import os
import re
import signal
import threading
import time
import traceback
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from math import nan
from pathlib import Path
from statistics import median

import dask
import distributed
import torch
from distributed.client import FuturesCancelledError
from filelock import FileLock, Timeout

from ..datasets import load_dataset
from ..support.devices import choose_device, use_threads
from ..support.files import make_folder, read_json, write_bytes
from ..support.progress import long_work
from ..support.repository import source_hash
from .configuration import Configuration, chosen, collapsed
from .plan import CANDIDATES, Job, best
from .runs import Run, attack_name, has_attack, one_at_a_time, run, run_attack, runs_folder

SECONDS_BETWEEN_LOOKS = 5.0  # at workers that join, and at jobs that other processes do
SECONDS_BETWEEN_STORES = 900.0  # of results: each takes some seconds, a run at least minutes
SECONDS_TO_CONNECT = 20.0
# guesses, one thread, d = 100: an epoch, and one item ranked for one user by one attack
SECONDS_AN_INTERACTION, SECONDS_A_SCORE = 6e-5, 3e-8
DASK = {"distributed.nanny.pre-spawn-environ": {},  # the workers' environment is the client's
        "distributed.comm.timeouts.connect": "300s",  # a machine may be busy
        "distributed.worker.profile.enabled": False}
GONE = "the scheduler is gone; the same command goes on from what is stored"


class JobsFailed(RuntimeError):
    """Some jobs failed; the message names each with the reason."""


@dataclass
class Known:
    """What tables hold of runs, which then need not be stored here (see `results.collect`)."""

    attacks: dict[str, set[str]] = field(default_factory=dict)  # {run: names of attacks on it}
    trials: list[dict] = field(default_factory=list)  # rows of the table `trials`
    # {(dataset, backbone, method): seconds of an epoch of each such run}
    seconds: dict[tuple, list[float]] = field(default_factory=dict)
    differs: Callable[[Run], list[str]] = lambda run: []  # in what a run differs from its record


class Grid:
    """The jobs of a plan and where they stand, read from what is stored and what tables hold."""

    def __init__(self, jobs: dict[str, Job], known: Known | None = None):
        self.jobs, self.known = jobs, known or Known()
        self.data = functools.cache(load_dataset)
        self._runs: dict[str, Run] = {}
        self._here: set[str] = set()

    def run(self, job: Job) -> Run | None:
        """The job's run, stored or not; None while its family's choice is open."""
        if job.name not in self._runs:
            choice = self._choice(job) if job.family else {}
            if choice is None:
                return None
            config = job.config(choice)
            self._runs[job.name] = Run(config, self.data(config.dataset))
        return self._runs[job.name]

    def _choice(self, job: Job) -> dict | None:
        trials = [need for need in map(self.jobs.get, job.needs) if need.role == "trial"]
        scores = [self.score(trial) for trial in trials]
        if None in scores:
            return None
        return _best(job.family, scores, self.run(trials[0]))

    def score(self, trial: Job) -> dict | None:
        """A trial's metrics on validation: of its run, or of tables; None where it is not made."""
        made = self.run(trial)
        if made.is_complete:
            return made.metrics["last"]["validation"]
        wanted = _trial_row(made).items()
        return next((row for row in self.known.trials if wanted <= row.items()), None)

    def _tried(self) -> Iterator[tuple[str, list[Run], list[dict], dict]]:
        """(family, trials, their scores, the best candidate) where all trials are made."""
        families: dict[tuple, list[Job]] = {}
        for job in self.jobs.values():
            if job.role == "trial":
                families.setdefault((job.needs, job.asked["method"]), []).append(job)
        for (_, family), jobs in families.items():
            scores = [self.score(job) for job in jobs]
            if None not in scores:
                trials = [self.run(job) for job in jobs]
                yield family, trials, scores, _best(family, scores, trials[0])

    def choices(self) -> list[str]:
        """What was chosen by trials of this plan, in words."""
        lines = []
        for family, trials, _, wanted in self._tried():
            config = trials[0].config
            known = chosen(config.everything())
            lines.append(
                f"chosen on validation for {family}, {config.dataset} {config.backbone}: "
                + ", ".join(f"{name} {value:g}" for name, value in wanted.items())
                + (f"; chosen.json has {known}" if known not in ({}, wanted) else ""))
        return lines

    def trial_rows(self) -> list[dict]:
        """The same as rows of the table `trials`."""
        rows, names = [], ("ndcg@10", "hr@10")
        for _, trials, scores, wanted in self._tried():
            base = trials[0].base
            before = base.metrics["last"]["validation"] if base.is_complete else {}
            for trial, score in zip(trials, scores, strict=True):
                row = _trial_row(trial) | {name: score[name] for name in names}
                row |= {f"base_{m}": before.get(m, score.get(f"base_{m}", nan)) for m in names}
                rows.append(row | {"chosen": wanted.items() <= row.items()})
        return rows

    def is_here(self, job: Job) -> bool:
        """Whether what the job makes is stored in the folder of runs, and is what tables hold."""
        made = self.run(job)
        if job.name in self._here or made is None:
            return made is not None
        if (all(has_attack(made.folder, **options) for options in job.attacks)
                and made.is_complete and not self.known.differs(made)):
            self._here.add(job.name)
        return job.name in self._here

    def is_done(self, job: Job) -> bool:
        """Whether what the job makes is stored, in the folder of runs or in tables."""
        if job.role == "trial":
            return self.score(job) is not None
        made = self.run(job)
        stored = self.known.attacks.get(made.name) if made else None
        return self.is_here(job) or (
            stored is not None and {attack_name(**options) for options in job.attacks} <= stored)

    def made(self) -> dict[Run, list[str]]:
        """All runs that are done but the trials, with what they are for."""
        found: dict[Run, list[str]] = {}
        for job in self.jobs.values():
            if job.role != "trial" and not job.attacks and self.is_done(job):
                found.setdefault(self.run(job), []).append(job.role)
        return found

    def missing(self, job: Job) -> list[Job]:
        """What the job needs first: trials not made, runs whose checkpoints are not here."""
        needs = [self.jobs[name] for name in job.needs]
        return [need for need in needs
                if not (self.is_done(need) if need.role == "trial" else self.is_here(need))]

    def left(self) -> list[Job]:
        """The jobs to do, in order: those not done, and those whose run is needed here again."""
        wanted = {name for name, job in self.jobs.items() if not self.is_done(job)}
        for name, job in reversed(self.jobs.items()):  # what is needed stands before
            wanted |= {need.name for need in self.missing(job)} if name in wanted else set()
        return [job for name, job in self.jobs.items() if name in wanted]

    def lock(self, job: Job) -> Path | None:
        """The lock that a process holds while it does the job; None while a choice is open."""
        made = self.run(job)
        return made and (made.folder / "attacks" if job.attacks else made.folder) / ".lock"

    def is_running(self, job: Job) -> bool:
        """Whether some process, anywhere, is doing the job."""
        path = self.lock(job)
        if path is None or not path.exists():
            return False
        try:
            with FileLock(path).acquire(timeout=0):
                return False
        except Timeout:
            return True

    def lines(self, workers: int) -> list[str]:
        """What is left, a line a job with the time it may take ("?": a guess), and the sum."""
        lines, total, left = [], 0.0, self.left()
        known = {kind: list(seconds) for kind, seconds in self.known.seconds.items()}
        for path in runs_folder().glob("*/metrics.json"):
            config = read_json(path.with_name("config.json"))
            kind = config["dataset"], config["backbone"], config["method"]
            known.setdefault(kind, []).append(read_json(path)["seconds"]["per_epoch"])
        for job in left:
            config = job.config()
            data, phase = self.data(config.dataset), config.second_phase
            phase = config.training if config.method == "base" else phase
            epoch = known.get((config.dataset, config.backbone, config.method))
            seconds = phase.epochs * median(epoch or [SECONDS_AN_INTERACTION * data.n_interactions])
            if job.attacks:
                seconds = len(job.attacks) * SECONDS_A_SCORE * data.n_users * data.n_items
            state = "running" if self.is_running(job) else "left"
            lines.append(f"{seconds / 60:8.1f} min{' ' if epoch else '?'} {state}: {job.name}")
            total += seconds
        return [*lines, f"{len(self.jobs) - len(left)} of {len(self.jobs)} jobs done, {len(left)} "
                f"left, about {total / 3600 / workers:.1f} h with {workers} worker(s)"]


def _best(family: str, scores: list[dict], trial: Run) -> dict[str, float]:
    """The best candidate by the trials' NDCG@10 on validation."""
    return best(family, [score["ndcg@10"] for score in scores],
                collapsed(trial.config.everything()))


def _trial_row(made: Run) -> dict:
    """What the table `trials` says of a trial before its scores."""
    config, values = made.config, made.config.everything()
    return {"dataset": config.dataset, "backbone": config.backbone, "family": config.method,
            "data_hash": made.data.fingerprint, "base_epochs": config.training.epochs,
            "dim": values["dim"], "trial_epochs": config.adv_epochs,
            **{name: values[name] for name in CANDIDATES[config.method][0]}}


# ------------------------------------------------------------------ on the workers


@functools.lru_cache(maxsize=2)
def _data(dataset: str, path: str):
    """A data set on a worker; an own file by its whole path, wherever the worker was started."""
    return load_dataset(path or dataset)


def work(config: Configuration, attacks: tuple[dict, ...], path: str, log: str) -> None:
    """Do a job; what it prints, and how it failed, goes to a file beside the runs."""
    use_threads(1)
    file = make_folder(runs_folder() / "logs") / log
    with file.open("a", encoding="utf-8", buffering=1) as out:
        print(f"{_now()} started, {config}", file=out)
        try:
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
                made = run(config, _data(config.dataset, path), progress=False)
                if attacks:
                    with one_at_a_time(made.folder / "attacks"):
                        for options in attacks:
                            run_attack(made, **options)
        except BaseException:
            traceback.print_exc(file=out)
            raise
        print(f"{_now()} done, {made.folder}", file=out)


def _joining(name: str, source: str, gpus: list[str], local: bool):
    """(asks why a worker is refused, or ""; the plugin that gives the others the resource `name`).

    Both are sent by value, as a worker may have another version of this module, or none.
    """
    def refusal() -> str:
        try:
            from casadv_lib.experiments.runs import runs_folder
            from casadv_lib.support.repository import source_hash
        except ImportError as error:
            return f"it cannot import the library ({error})"
        if source_hash() != source:
            return "it has another version of the library"
        if not (runs_folder() / f".{name}").exists():
            return (f"it does not see the folder of runs that the grid writes to; its own is "
                    f"{runs_folder()}, CASADV_RUNS names another")
        return ""

    class Joining(distributed.WorkerPlugin):
        async def setup(self, worker):
            if local:
                signal.signal(signal.SIGINT, signal.SIG_IGN)  # the grid decides what Ctrl-C does
                if gpus:  # each worker sees one, before it looks for any
                    os.environ["CUDA_VISIBLE_DEVICES"] = gpus[worker.name % len(gpus)]
            if not await ask():
                await worker.set_resources(**{name: 1})

    async def ask():  # it imports, in a thread: the worker answers meanwhile
        return await asyncio.to_thread(refusal)

    return ask, Joining()


# ------------------------------------------------------------------ on the machine of the grid


def default_workers(device: str = "auto") -> int:
    """One process a GPU, or one a core."""
    kind = choose_device(device).type
    return (os.cpu_count() or 1) if kind == "cpu" else max(1, torch.accelerator.device_count())


def gpus_of(device: str) -> list[str]:
    """The GPUs to deal out; a device with a number, "cuda:1", is for all workers."""
    if choose_device(device) != torch.device("cuda"):
        return []
    seen = os.environ.get("CUDA_VISIBLE_DEVICES")
    return seen.split(",") if seen else list(map(str, range(torch.cuda.device_count())))


@contextlib.contextmanager
def _workers(count: int, device: str, scheduler: str | None, report: Callable[[str], None]
             ) -> Iterator[Callable[[], tuple[distributed.Client, str, int]]]:
    """A look at the workers: the client, the resource of those that fit, how many these are."""
    name, refused = f"casadv-{uuid.uuid4().hex[:12]}", {}
    with contextlib.ExitStack() as stack:
        stack.enter_context(dask.config.set(DASK))
        probe = write_bytes(runs_folder() / f".{name}", b"")
        stack.callback(probe.unlink, missing_ok=True)
        if scheduler is None:
            cluster = distributed.LocalCluster(
                n_workers=count, threads_per_worker=1, memory_limit=0, dashboard_address=None,
                silence_logs=logging.CRITICAL)
            stack.callback(cluster.close)
        try:
            client = distributed.Client(scheduler or cluster, timeout=SECONDS_TO_CONNECT)
        except (OSError, ValueError) as error:
            raise ValueError(f"scheduler is {scheduler!r}, where none answers ({error})") from error
        stack.callback(client.close)
        report(f"workers may join at {client.scheduler.address}")
        ask, plugin = _joining(name, source_hash(), gpus_of(device), scheduler is None)
        client.register_plugin(plugin, name=name)
        stack.callback(lambda: client.status == "running" and client.unregister_worker_plugin(name))

        def look():
            if client.status != "running":
                raise ConnectionError(GONE)
            there = client.scheduler_info(n_workers=-1)["workers"]
            fitting = [one for one, about in there.items() if name in about["resources"]]
            new = [one for one in there if one not in {*fitting, *refused}]
            said = client.run(ask, workers=new, on_error="return") if new else {}
            for address, words in said.items():
                if words and not isinstance(words, OSError):  # that one is too busy to answer
                    refused[address] = f"the worker {address} is refused: {words}"
                    report(refused[address])
            if there and refused.keys() >= there.keys():
                raise ValueError("; ".join(refused.values()))
            return client, name, len(fitting)

        yield look


def run_grid(grid: Grid, workers: int = 1, device: str = "auto", scheduler: str | None = None,
             store: Callable[[], object] | None = None, report: Callable[[str], None] | None = None
             ) -> dict[str, str]:
    """Do all that can be done; returns {name of a failed job: why}.

    workers: processes of this machine; scheduler: the address of a Dask scheduler whose workers
    are taken instead. store: called as runs come in and at the end, so that a machine that is lost
    takes little with it. A KeyboardInterrupt (Ctrl-C, or SIGTERM) ends the workers, and what came
    in is stored. Raises ValueError where no worker fits.
    """
    failed: dict[str, str] = {}
    running: dict[distributed.Future, Job] = {}
    stored, announced = [time.monotonic(), False], set()
    left = grid.left()
    with (_interrupted_by_sigterm(), contextlib.ExitStack() as stack,
          long_work(total=len(left), desc="grid", unit="job", now=True) as bar):
        say = report or (lambda line: bar.write(f"{_now()} {line}"))

        def hand_over(seconds: float = 0.0):
            if store and stored[1] and time.monotonic() - stored[0] >= seconds:
                try:
                    store()
                    stored[:] = time.monotonic(), False
                except OSError as error:  # a full disk; the runs themselves are on theirs
                    say(f"the results could not be written: {error}")

        def announce():
            for line in grid.choices():
                if line not in announced:
                    announced.add(line)
                    say(line)

        announce()
        stack.callback(hand_over)  # after the workers have ended, whatever ends the grid
        look = stack.enter_context(_workers(workers, device, scheduler, say)) if left else None
        while left:
            client, resource, room = look()
            busy = {grid.lock(job) for job in running.values()}  # two jobs may be one run
            elsewhere = [job for job in left if grid.lock(job) not in busy and grid.is_running(job)]
            ready = [job for job in left if job.name not in failed and not grid.missing(job)
                     and job not in elsewhere and job not in running.values()]
            for job in ready:
                if len(running) < room and grid.lock(job) not in busy:
                    made = grid.run(job)
                    own = Path(made.config.dataset).expanduser()
                    future = client.submit(
                        work, made.config, job.attacks, str(own.resolve()) if own.is_file() else "",
                        log_of(job), key=f"{job.name} {uuid.uuid4().hex[:6]}",
                        resources={resource: 1}, pure=False)
                    running[future] = job
                    busy.add(grid.lock(job))
                    say(f"started {job.name}")
            hand_over(SECONDS_BETWEEN_STORES)  # here, so that no core waits for it
            if not (running or ready or elsewhere):
                break
            with contextlib.suppress(TimeoutError):
                try:
                    if running:
                        distributed.wait(list(running), SECONDS_BETWEEN_LOOKS, "FIRST_COMPLETED")
                    else:
                        time.sleep(SECONDS_BETWEEN_LOOKS)
                except FuturesCancelledError as error:
                    raise ConnectionError(GONE) from error
            for future in [one for one in running if one.done()]:
                job = running.pop(future)
                bar.update()
                why = "" if future.status == "finished" else f"{future.exception()!r}"
                why = why or "; ".join(grid.known.differs(grid.run(job)))
                if why:
                    failed[job.name] = f"{why}, see {runs_folder() / 'logs' / log_of(job)}"
                say(f"FAILED {job.name}: {failed[job.name]}" if why else f"done {job.name}")
                stored[1] |= not why
            left = grid.left()
            announce()
        for job in left:
            if job.name not in failed:
                failed[job.name] = "not done, because it needs " + ", ".join(
                    need.name for need in grid.missing(job))
    return failed


def log_of(job: Job) -> str:
    """The name of the file that the output of a job goes to."""
    return re.sub(r"[^\w.+-]+", "-", f"{job.asked['profile']} {job.name}").strip("-") + ".log"


def _now() -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S")


@contextlib.contextmanager
def _interrupted_by_sigterm() -> Iterator[None]:
    """SIGTERM ends the grid as Ctrl-C does, so that no process is left behind."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
