"""Where the jobs of a plan stand, read from what is stored: nothing else is remembered.

A run is done when its metrics are stored, and it is running while some process holds its lock,
whichever started it. A failure leaves a note beside the log, until the job is tried again.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from filelock import FileLock, Timeout

from .data import SequenceDataset, load_dataset
from .files import load_tensors, read_json
from .plan import Job, Plan
from .profiles import configure
from .runs import attack_path, canonical, folder_of, has_attack, runs_folder
from .selection import Choices, validation_scores


def log_of(job: Job) -> Path:
    """Where the output of a job goes."""
    profile = job.asked["profile"]
    name = re.sub(r"[^\w.+-]+", "-", f"{profile} {job.name}").strip("-")
    return runs_folder() / "logs" / f"{name}.log"


def failure_note(job: Job) -> Path:
    """The file that says how a job failed."""
    return log_of(job).with_suffix(".failed.json")


class Board:
    """The jobs of a plan with their configurations and states."""

    def __init__(self, plan: Plan, choices: Choices, data: Mapping[str, SequenceDataset] | None
                 = None):
        self.plan, self.choices = plan, choices
        self._data: dict[str, SequenceDataset] = dict(data or {})
        self._done: set[str] = set()
        self._folders: dict[str, Path] = {}
        self._rough: dict[str, dict] = {}
        self.new_choices: list[dict] = []

    def rough(self, job: Job) -> dict:
        """The job's configuration before any choice: right in all but epsilon and lambda1."""
        if job.name not in self._rough:
            self._rough[job.name] = configure(**job.asked)
        return self._rough[job.name]

    def data(self, job: Job) -> SequenceDataset:
        """The data set of a job, loaded once."""
        name = self.rough(job)["dataset"]
        if name not in self._data:
            self._data[name] = load_dataset(name)
        return self._data[name]

    def chosen(self, job: Job) -> dict[str, float] | None:
        """The values of the job's family; chosen now where its trials are all stored."""
        data, rough = self.data(job), self.rough(job)
        found = self.choices.get(job.family, rough, data.fingerprint)
        if found is None:
            def score(config):
                return validation_scores(folder_of(canonical(config), data))

            asked = {name: v for name, v in job.asked.items() if name != "method"} | {"seed": 0}
            entry = self.choices.find(job.family, score, data.fingerprint, **asked)
            if entry is not None:
                self.new_choices.append(entry)
                found = entry["chosen"]
        return found

    def config(self, job: Job) -> dict | None:
        """The configuration of the job's run; None while the choice is open."""
        return job.config(None if job.family is None else self.chosen(job))

    def folder(self, job: Job) -> Path | None:
        """The directory of the job's run; None while the choice is open."""
        if job.name not in self._folders:
            config = self.config(job)
            if config is None:
                return None
            self._folders[job.name] = folder_of(config, self.data(job))
        return self._folders[job.name]

    def is_done(self, job: Job) -> bool:
        """Whether what the job makes is stored; a trial of a choice that stands counts as done."""
        if job.name in self._done:
            return True
        folder = self.folder(job)
        if folder is None:
            return False
        attacks = [has_attack(attack_path(folder, **options)) for options in job.attacks]
        done = all(attacks) if attacks else (folder / "metrics.json").exists()
        if not done and job.role == "trial":
            rough = self.rough(job)
            done = self.choices.get(rough["method"], rough, self.data(job).fingerprint) is not None
        if done:
            self._done.add(job.name)
        return done

    def lock(self, job: Job) -> Path | None:
        """The lock that a process holds while it does the job."""
        folder = self.folder(job)
        if folder is None:
            return None
        return (folder / "attacks" if job.attacks else folder) / ".lock"

    def is_running(self, job: Job) -> bool:
        """Whether a process, of this queue or not, is doing the job."""
        path = self.lock(job)
        if path is None or not path.exists():
            return False
        try:
            with FileLock(path).acquire(timeout=0):
                return False
        except Timeout:
            return True

    def progress(self, job: Job) -> tuple[int, int]:
        """(epochs stored in the checkpoint, all epochs), or (attacks stored, all attacks)."""
        folder = self.folder(job)
        if job.attacks:
            paths = [attack_path(folder, **options) for options in job.attacks if folder]
            return sum(map(has_attack, paths)), len(job.attacks)
        epochs = epochs_of(self.rough(job))
        if self.is_done(job):
            return epochs, epochs
        return len(self.epoch_seconds(job)), epochs

    def epoch_seconds(self, job: Job) -> list[float]:
        """How long each epoch took that the run's checkpoint holds."""
        path = (self.folder(job) or Path()) / "checkpoint.pt"
        return load_tensors(path)["history"]["epoch_seconds"] if path.exists() else []

    def failure(self, job: Job) -> dict | None:
        """What a failed try left, or None."""
        path = failure_note(job)
        return read_json(path) if path.exists() else None

    def state(self, job: Job) -> str:
        """"done", "running", "failed", "ready" or "waiting"."""
        if self.is_done(job):
            return "done"
        if self.is_running(job):
            return "running"
        if self.failure(job):
            return "failed"
        return "ready" if not self.waits_for(job) else "waiting"

    def waits_for(self, job: Job) -> list[str]:
        """The jobs not done yet that this one needs."""
        return [name for name in job.needs if not self.is_done(self.plan.jobs[name])]


def epochs_of(config: dict) -> int:
    """How many epochs the run itself trains."""
    return config["epochs"] if config["method"] == "base" else config["adv_epochs"]
