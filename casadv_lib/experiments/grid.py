"""The runs and attacks behind a profile's figures, as a graph of Dask tasks, here or anywhere.

A job is a task: one `run`, the attacks on one, or the choice among trials. Workers share the folder
of runs, so a task that is cut off, moved or started twice goes on and gives the same numbers.
"""

import asyncio
import contextlib
import logging
import os
import re
import signal
import time
import traceback
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import dask
import distributed
import torch
from filelock import FileLock, Timeout

from ..attacks import most_replaced
from ..evaluation import METRICS
from ..support.checks import number
from ..support.files import make_folder, write_bytes
from ..support.machine import choose_device, progress_bar, source_hash, use_threads
from . import runs
from .plan import GROUP, SEARCHED, Job, Known, chosen_values, decide
from .runs import Run, Unequal, attack_name, one_at_a_time, runs_folder

SECONDS_BETWEEN_LOOKS, SECONDS_TO_CONNECT = 5.0, 20.0  # at workers that join; to a scheduler
MOST_DEATHS = 3  # of processes at one job
DASK = {"distributed.nanny.pre-spawn-environ": {},  # the workers' environment is the client's
        "distributed.comm.timeouts.connect": "300s",  # a machine may be busy
        "distributed.scheduler.allowed-failures": 1000,  # `work` counts those that are a job's own
        "distributed.deploy.lost-worker-timeout": "1000d",  # its nanny starts it again
        "distributed.worker.profile.enabled": False}
NOT_RUNS = ("trial", "choice")  # roles of jobs whose runs the results do without


class Grid:
    """The jobs of a plan, and which of them are done: stored in the folder of runs or in tables."""

    def __init__(self, jobs: dict[str, Job], known: Known | None = None):
        self.jobs, self.known = jobs, known or Known()
        self.results: dict[str, list[dict] | dict | None] = {}  # of jobs that are done: see `work`
        for job in jobs.values():
            if job.role == "choice":
                asked = [trial_row(self.run(jobs[name])) for name in job.needs]
                rows = [next((row for row in self.known.trials if one.items() <= row.items()), None)
                        for one in asked]
                if None not in rows:  # all or none: what is compared has one origin
                    self.results |= dict(zip(job.needs, rows, strict=True))
                if self.results.keys() >= {*job.needs}:
                    self.results[job.name] = decide(job, [self.results[name] for name in job.needs])
            elif self.is_decided(job):
                made = self.run(job)
                attacks = {attack_name(**one) for one in fitting(job, made)}
                is_known = job.role != "trial" and made.name in self.known.attacks
                if self.is_here(job):
                    self.results[job.name] = _scored(made) if job.role == "trial" else None
                elif is_known and attacks <= self.known.attacks[made.name]:
                    self.results[job.name] = None

    def is_decided(self, job: Job) -> bool:
        """Whether the job is about one run, whose values are all known."""
        choices = {need for need in job.needs if self.jobs[need].role == "choice"}
        return job.role != "choice" and choices <= self.results.keys()

    def run(self, job: Job) -> Run:
        """The job's run, stored or not."""
        return Run(job.config(*map(self.results.get, job.needs)))

    def is_here(self, job: Job) -> bool:
        """Whether what the job makes is stored in the folder of runs, and is what tables hold."""
        made = self.run(job)
        return (made.is_complete and all(runs.has_attack(made, **one) for one in fitting(job, made))
                and not self.known.difference(made))

    def left(self) -> dict[str, Job]:
        """The jobs to do, in order: those not done, and those whose run is needed here again."""
        wanted = set(self.jobs) - set(self.results)
        for name, job in reversed(self.jobs.items()):  # what is needed stands before
            for need in map(self.jobs.get, job.needs if name in wanted else ()):
                if need.role not in NOT_RUNS and self.is_decided(need) and not self.is_here(need):
                    wanted.add(need.name)
        return {name: job for name, job in self.jobs.items() if name in wanted}

    def made(self) -> dict[Run, list[str]]:
        """All runs that are done but the trials, with what they are for."""
        found: dict[Run, list[str]] = {}
        for job in self.jobs.values():
            if job.role not in NOT_RUNS and not job.attacks and job.name in self.results:
                found.setdefault(self.run(job), []).append(job.role)
        return found

    def trial_rows(self) -> list[dict]:
        """Rows of the table `trials`, of all choices that are made."""
        return [row for job in self.jobs.values() if job.role == "choice"
                for row in self.results.get(job.name, ())]

    def lines(self) -> list[str]:
        """What is left, a line a job: whether it is "running" in some process, "failed" at the last
        try, or "left", and its epochs; and the sum."""
        lines, total = [], 0
        for job in [job for job in self.left().values() if job.role != "choice"]:
            made, state = self.run(job), "failed" if _events(job)[-1:] == ["failed"] else "left"
            config = made.config
            epochs = config.training.epochs if config.method == "base" else config.adv_epochs
            try:
                if (lock := made.folder / ".lock").exists():
                    FileLock(lock).acquire(timeout=0).lock.release()
            except Timeout:
                state = "running"
            lines.append(f"{state}: {job.name}" + ("" if job.attacks else f", {epochs} epochs"))
            total += 0 if job.attacks else epochs
        jobs = sum(job.role != "choice" for job in self.jobs.values())
        return [*lines, f"{jobs - len(lines)} of {jobs} jobs done, {len(lines)} left with {total} "
                        "epochs of training"]


def work(job: Job, needs: list[list[dict] | dict | None],
         check: Callable[[Run], str] = lambda run: "", since: str = "") -> list[dict] | dict | None:
    """Do a job; returns of a trial its row of the table `trials`, of a choice the rows of all.

    needs: what the needed jobs returned. check: says in what the run differs from its record.
    since: when the grid began, which gives up a job at which processes die.
    """
    use_threads(1)
    before = _events(job, since)[-MOST_DEATHS:]
    with _logged(job):
        if before == ["started"] * MOST_DEATHS:
            raise RuntimeError(f"at it, {MOST_DEATHS} process(es) died without a word")
        if job.role == "choice":
            return decide(job, needs)
        made = runs.run(job.config(*needs), progress=False)
        if why := check(made):
            raise Unequal(why)
        for options in fitting(job, made):
            runs.run_attack(made, **options)
        return _scored(made) if job.role == "trial" else None


def fitting(job: Job, made: Run) -> list[dict]:
    """The attacks of a job that somebody's history is long enough for."""
    most = max(most_replaced(made.data, made.config.model["max_len"])) if job.attacks else 0
    return [options for options in job.attacks if options.get("k", 1) <= max(most, 1)]


def trial_row(trial: Run) -> dict:
    """What the table `trials` says of a trial before its scores."""
    own, family = trial.config.everything(), trial.config.method
    own |= {"dataset": trial.dataset, "data_hash": trial.data.fingerprint, "family": family,
            "base_epochs": own["epochs"], "trial_epochs": own["adv_epochs"]}
    return {name: own[name] for name in ("dataset", *GROUP, *SEARCHED[family])}


def _scored(trial: Run) -> dict:
    """The row of a trial that is stored."""
    return trial_row(trial) | {
        f"{prefix}{metric}": made.metrics["last"]["validation"][metric] for metric in METRICS
        for prefix, made in (("", trial), ("base_", trial.base)) if made.is_complete}


def log_of(job: Job) -> Path:
    """The file that the output of a job goes to."""
    name = re.sub(r"[^\w.+-]+", "-", f"{job.asked['profile']} {job.name}").strip("-")
    return runs_folder() / "logs" / f"{name}.log"


@contextlib.contextmanager
def _logged(job: Job) -> Iterator[None]:
    """What is printed, and how it ended, goes to the job's log."""
    make_folder(log_of(job).parent)
    with (log_of(job).open("a", encoding="utf-8", buffering=1) as out,
          contextlib.redirect_stdout(out), contextlib.redirect_stderr(out)):
        print(f"{_now()} started", job.asked)
        try:
            yield
        except BaseException as error:
            traceback.print_exc()
            print(f"{_now()} failed: {error!r}")
            raise
        print(f"{_now()} done")


def _events(job: Job, since: str = "") -> list[str]:
    """What a job's log says of it since a time: "started", "done" and "failed", in order."""
    text = log_of(job).read_text(encoding="utf-8") if log_of(job).exists() else ""
    times = re.findall(r"^(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d) (started|done|failed)", text, re.M)
    return [how for when, how in times if when >= since]


def _now() -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S")


def gpus_of(device: str) -> list[str]:
    """The GPUs to deal out; a device with a number, "cuda:1", is for all workers."""
    if choose_device(device) != torch.device("cuda"):
        return []
    seen = os.environ.get("CUDA_VISIBLE_DEVICES")
    return seen.split(",") if seen else list(map(str, range(torch.cuda.device_count())))


def workers_of(device: str = "auto", asked: int | None = None) -> int:
    """How many processes: as asked, or one a core, or one a GPU."""
    if asked is not None:
        return number("workers", asked, low=1, kind=int)
    return (os.cpu_count() if choose_device(device).type == "cpu" else len(gpus_of(device))) or 1


def _joining(resource: str, gpus: list[str]):
    """The plugin that gives a worker that fits the resource; the others' says why they do not. It
    is sent by value, as a worker may have another version of this module, or none. gpus: dealt out
    to workers of the grid's own cluster, whose names are numbers."""
    _, folder_id, source = resource.split()

    def refusal() -> str:
        try:
            from casadv_lib.experiments.runs import runs_folder
            from casadv_lib.support.machine import source_hash
        except ImportError as error:
            return f"it cannot import the library ({error})"
        if source_hash() != source:
            return "it has another version of the library"
        path = runs_folder() / ".id"
        if not path.exists() or path.read_text() != folder_id:
            return (f"it does not see the folder of runs that the grid writes to; its own is "
                    f"{runs_folder()}, CASADV_RUNS names another")
        return ""

    class Joining(distributed.WorkerPlugin):
        async def setup(self, worker):
            if isinstance(worker.name, int):
                signal.signal(signal.SIGINT, signal.SIG_IGN)  # the grid decides what Ctrl-C does
                if gpus:  # each worker sees one, before it looks for any
                    os.environ["CUDA_VISIBLE_DEVICES"] = gpus[worker.name % len(gpus)]
            why = await asyncio.to_thread(refusal)  # it imports; the worker answers meanwhile
            await worker.set_resources(**{f"{resource}{why}": 1})
            for status in ("paused", "running"):  # who begins to run gets the tasks that wait
                worker.status = distributed.core.Status[status]

    return Joining()


@contextlib.contextmanager
def cluster(workers: int, device: str = "auto", scheduler: str | None = None
            ) -> Iterator[tuple[distributed.Client, str]]:
    """A client of a scheduler, own or elsewhere, and the resource of the workers that fit."""
    own = {"n_workers": workers, "threads_per_worker": 1, "memory_limit": 0,
           "dashboard_address": "127.0.0.1:0", "silence_logs": logging.CRITICAL}
    named = runs_folder() / ".id"  # by this file others tell that they see the same folder
    with one_at_a_time(runs_folder()):
        if not named.exists():
            write_bytes(named, uuid.uuid4().hex.encode())
    resource = f"casadv {named.read_text()} {source_hash()} "
    with dask.config.set(DASK):
        try:
            client = distributed.Client(scheduler, timeout=SECONDS_TO_CONNECT,
                                        **({} if scheduler else own))
        except (OSError, ValueError) as error:
            raise ValueError(f"scheduler is {scheduler!r}, where none answers ({error})") from error
        with client:
            gpus = [] if scheduler else gpus_of(device)
            client.register_plugin(_joining(resource, gpus), name=resource)
            yield client, resource


def _ended(client: distributed.Client, resource: str, grid: Grid, left: dict[str, Job],
           say: Callable[[str], None]) -> Iterator[tuple[Job, distributed.Future]]:
    """The tasks as they end, after those that they need; refused workers are named."""
    tasks, waiting, said, began = {}, dict(left), set(), _now()
    try:
        for number, job in enumerate(left.values()):
            tasks[job.name] = client.submit(
                work, job, [tasks.get(name, grid.results.get(name)) for name in job.needs],
                grid.known.difference, began, key=("grid", job.name, uuid.uuid4().hex),
                priority=-number, resources={resource: 1})
        while waiting:
            with contextlib.suppress(TimeoutError):
                distributed.wait([tasks[name] for name in waiting if not tasks[name].done()],
                                 SECONDS_BETWEEN_LOOKS, "FIRST_COMPLETED")
            there = client.scheduler_info(n_workers=-1)["workers"]
            refused = [f"the worker {address} is refused: {name.removeprefix(resource)}"
                       for address, about in there.items() for name in about["resources"]
                       if name.startswith(resource) and resource not in about["resources"]]
            for words in set(refused) - said:
                say(words)
            said |= set(refused)
            if there and len(there) == len(refused):
                raise ValueError("; ".join(refused))
            for job in list(waiting.values()):
                if tasks[job.name].done() and waiting.keys().isdisjoint(job.needs):
                    del waiting[job.name]
                    yield job, tasks[job.name]
    except (distributed.CancelledError, OSError) as error:
        raise ConnectionError("the scheduler is gone; the same command goes on from what is "
                              "stored") from error


def run_grid(grid: Grid, workers: int = 1, device: str = "auto", scheduler: str | None = None
             ) -> dict[str, str]:
    """Do all that can be done; returns {name of a failed job: why}.

    workers: processes here; scheduler: the address of one to use instead. Raises ValueError where
    no worker fits, ConnectionError where the scheduler is lost.
    """
    failed, left = {}, grid.left()
    if not left:
        return failed
    with progress_bar(total=len(left), desc="grid", unit="job") as bar:
        def say(line):
            bar.write(f"{_now()} {line}")

        with cluster(workers, device, scheduler) as (client, resource):
            say(f"workers may join at {client.scheduler.address}, the dashboard (with bokeh "
                f"installed) is {client.dashboard_link}")
            for job, task in _ended(client, resource, grid, left, say):
                bar.update()
                if blamed := [name for name in job.needs if name in failed]:
                    failed[job.name] = f"not done, because it needs {', '.join(blamed)}"
                elif error := task.exception():
                    failed[job.name] = f"{error!r}, see {log_of(job)}"
                    say(f"FAILED {job.name}: {failed[job.name]}")
                else:
                    grid.results[job.name] = result = task.result()
                    say(f"{job.name}: {chosen_values(result)}" if job.role == "choice"
                        else f"done {job.name}")
    return failed
