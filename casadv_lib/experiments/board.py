"""Where the jobs of a plan stand, read from what is stored: nothing else is remembered.

A run is done when its metrics are stored here, or when its record is among those that are kept
(see `kept`). It is running while some process holds its lock, whichever started it. A failure
leaves a note beside the log, until the job is tried again.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from filelock import FileLock, Timeout

from ..data import SequenceDataset
from ..datasets import load_dataset
from ..support.files import load_tensors, read_json
from .configuration import configure
from .kept import Kept, differences
from .plan import Job, Plan
from .runs import (
    Run,
    attack_path,
    attack_stem,
    canonical,
    folder_of,
    has_attack,
    record_of,
    runs_folder,
)
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
                 = None, kept: Kept | None = None):
        self.plan, self.choices, self.kept = plan, choices, kept
        self._data: dict[str, SequenceDataset] = dict(data or {})
        self._done: set[str] = set()
        self._here: set[str] = set()
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

    def loaded(self) -> list[SequenceDataset]:
        """The data sets of the plan, in its order."""
        return list({id(data): data for data in map(self.data, self.plan.jobs.values())}.values())

    def kept_records(self) -> list[dict]:
        """The records that count although their runs need not be stored here."""
        return self.kept.records() if self.kept else []

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

    def run(self, job: Job) -> Run:
        """The job's run; what is stored of it can be read from it."""
        return Run(self.config(job), self.folder(job), self.data(job))

    def is_here(self, job: Job) -> bool:
        """Whether what the job makes is stored in the folder of runs, and is what was kept."""
        if job.name in self._here:
            return True
        folder = self.folder(job)
        if folder is None:
            return False
        attacks = [has_attack(attack_path(folder, **options)) for options in job.attacks]
        here = all(attacks) if attacks else (folder / "metrics.json").exists()
        if here and not self.differences(job):
            self._here.add(job.name)
        return job.name in self._here

    def is_done(self, job: Job) -> bool:
        """Whether what the job makes is stored here or kept; a trial whose score stands among the
        choices counts as done."""
        if job.name not in self._done and (
                self._is_kept(job) or self.is_here(job) or self._is_chosen(job)):
            self._done.add(job.name)
        return job.name in self._done

    def _is_kept(self, job: Job) -> bool:
        folder = self.folder(job)
        stems = [attack_stem(**options) for options in job.attacks]
        return bool(self.kept and folder and self.kept.has_attacks(folder.name, stems))

    def _is_chosen(self, job: Job) -> bool:
        rough = self.rough(job)
        return job.role == "trial" and self.choices.tried(
            rough["method"], rough, self.data(job).fingerprint) is not None

    def differences(self, job: Job) -> list[str]:
        """In what a run stored here differs from the kept record of the same run."""
        folder = self.folder(job)
        record = self.kept.record(folder.name) if self.kept and folder else None
        if record is None or job.attacks or not (folder / "metrics.json").exists():
            return []
        return differences(record, record_of(self.run(job)))

    def left(self) -> list[Job]:
        """The jobs to do, in order: those not done, and those kept whose run they need here."""
        wanted = {name for name, job in self.plan.jobs.items() if not self.is_done(job)}
        for name, job in reversed(self.plan.jobs.items()):  # what is needed stands before
            wanted |= set(self.waits_for(job)) if name in wanted else set()
        return [job for name, job in self.plan.jobs.items() if name in wanted]

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
        if self.is_here(job):
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

    def states(self) -> dict[str, str]:
        """{job: "done", "running", "failed", "ready" or "waiting"}, in the order of the plan."""
        left = {job.name for job in self.left()}
        return {name: self._state_of_left(job) if name in left else "done"
                for name, job in self.plan.jobs.items()}

    def _state_of_left(self, job: Job) -> str:
        if self.is_running(job):
            return "running"
        if self.failure(job):
            return "failed"
        return "ready" if not self.waits_for(job) else "waiting"

    def waits_for(self, job: Job) -> list[str]:
        """The jobs that this one needs first: trials not done, runs not stored here."""
        needs = [self.plan.jobs[name] for name in job.needs]
        return [need.name for need in needs
                if not (self.is_done(need) if need.role == "trial" else self.is_here(need))]


def epochs_of(config: dict) -> int:
    """How many epochs the run itself trains."""
    return config["epochs"] if config["method"] == "base" else config["adv_epochs"]
