"""A run is a configuration: it has a directory, is reused when it exists, resumes when it was cut.

A run's directory holds `config.json`, `metrics.json` (written last: with the ranks it marks the run
complete), `ranks.npz` (per-user ranks), `checkpoint.pt` (weights, best weights, optimiser, curve)
and `attacks/`. An adversarial run makes or reuses its base.
"""

import contextlib
import functools
import json
import os
import platform
import re
import subprocess
import sys
import time
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Self

import numpy as np
import torch
from filelock import FileLock

from ..attacks import attack, excluded
from ..backbones import BACKBONES, Backbone
from ..data import SequenceDataset, held_out
from ..datasets import NAMES, load_dataset, own_file
from ..evaluation import METRICS, evaluate, rank_items, summary
from ..settings import EXCLUDES, checked_options
from ..support import files
from ..support.checkpoints import load_optimizer
from ..support.checks import one_of
from ..support.machine import choose_device, folder_named_by, root, source_hash
from ..training import Trainer
from .configuration import Configuration, attack_name, attack_options, by_name, configure

SPLITS = ("validation", "test")


class Unequal(RuntimeError):
    """A run made again gave other numbers; the message names the parts."""


def runs_folder() -> Path:
    """`CASADV_RUNS`, or `runs/` in the repository."""
    return folder_named_by("CASADV_RUNS") or root() / "runs"


def is_complete(folder: Path) -> bool:
    """Whether a folder holds a complete run; its checkpoint may be gone."""
    return all((folder / name).exists() for name in ("metrics.json", "ranks.npz"))


@dataclass(frozen=True)
class Run:
    """A run's configuration and data, and what of it is stored."""

    config: Configuration
    loaded: SequenceDataset | None = field(default=None, compare=False)  # the configuration's

    @functools.cached_property
    def data(self) -> SequenceDataset:
        """Read once in a process, while a file stays as it is."""
        if self.loaded is not None:
            return self.loaded
        changed = None
        with contextlib.suppress(OSError):  # a name, or no file, as loading it then says
            changed = os.stat(self.config.dataset).st_mtime_ns
        return _loaded(self.config.dataset, self.config.reading, changed)

    @property
    def name(self) -> str:
        return self.config.run_name(self.data.fingerprint)

    @property
    def dataset(self) -> str:
        """How tables name the data set: a file by its name and a hash of what it holds."""
        if self.config.dataset in NAMES:
            return self.config.dataset
        # a reader's own path may hold anything, and must not lead elsewhere or be too long
        stem = re.sub(r"[^\w .+-]", "_", Path(self.config.dataset).stem)[:80]
        return f"{stem}-{self.data.fingerprint[:8]}"

    @property
    def folder(self) -> Path:
        return runs_folder() / self.name

    @property
    def is_complete(self) -> bool:
        return is_complete(self.folder)

    @property
    def base(self) -> Self:
        """The run that this one starts from; a base's is itself."""
        return Run(replace(self.config, method="base"), self.data)

    @property
    def metrics(self) -> dict:
        return files.read_json(self.folder / "metrics.json")

    def ranks(self, split: str = "test", which: str = "last") -> np.ndarray:
        """Per-user ranks, (users,) float64; which: the "last" or the "best" epoch."""
        path = self.folder / "ranks.npz"
        with files.reading(path, "does not hold the ranks of this run"):
            return files.read_arrays(path)[f"{split} {which}"]

    def model(self, which: str = "last", device: str = "auto") -> Backbone:
        """The trained backbone of the "last" or the "best" validation epoch."""
        path, device = self.folder / "checkpoint.pt", choose_device(device)
        content, model = files.load_tensors(path, device), build_model(self.config, self.data)
        with files.reading(path, "holds no model of this run",
                           "delete its folder, and it is made anew"):
            best = content["history"]["best_state"]
            model.load_state_dict(best if which == "best" and best else content["model"])
        return model.to(device)


def build_model(config: Configuration, data: SequenceDataset) -> Backbone:
    """A fresh backbone whose weights depend on the seed alone."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.training.seed)
        return BACKBONES[config.backbone](data.n_items, **config.model)


@functools.lru_cache(maxsize=4)
def _loaded(dataset: str, reading: str, changed: int | None) -> SequenceDataset:
    return load_dataset(dataset, **json.loads(reading))


def one_at_a_time(folder: Path):
    """Take a folder's lock, for a `with`: others wait. It is freed however its process ends."""
    path = files.make_folder(folder) / ".lock"
    try:
        return FileLock(path).acquire()
    except OSError as error:
        raise files.refused(path, error) from error


def run(config: Configuration, data: SequenceDataset | None = None, progress: bool = True) -> Run:
    """Make, resume or reuse the run of a configuration (from `configure`)."""
    made = Run(config, data)
    if made.is_complete:
        return made
    base = None if config.method == "base" else run(made.base.config, made.data, progress)
    with one_at_a_time(made.folder):
        if not made.is_complete:
            files.remove_partial(made.folder)
            _train(made, base, progress)
    return made


def _train(made: Run, base: Run | None, progress: bool) -> None:
    config, data, folder = made.config, made.data, made.folder
    started, device = time.perf_counter(), choose_device(config.training.device)
    files.write_json(folder / "config.json", config.flat())
    if base is None:
        model = build_model(config, data)
        trainer = Trainer(model, data, config.training)
    else:
        model, every = base.model(device=device), config.adv_eval_every
        second = replace(config.training, epochs=config.adv_epochs, patience=0,
                         eval_every=config.training.eval_every if every is None else every)
        trainer = Trainer(model, data, second, config.method, config.adversarial,
                          base.metrics["last"]["epoch"])
        if config.optimizer_state == "kept":
            path = base.folder / "checkpoint.pt"
            with files.reading(path, "holds no optimizer's state of this run",
                               "delete its folder, and it is made anew"):
                load_optimizer(trainer.optimizer, files.load_tensors(path, device))
    history = trainer.run(folder / "checkpoint.pt", progress)
    # with patience a run ends at its best
    patience, metrics, ranks = trainer.settings.patience, {}, {}
    epoch = history.best["epoch"] if patience else trainer.first_epoch + trainer.done
    for which in ("last", "best"):
        if which == "best" and history.best:
            epoch = history.best["epoch"]
            model.load_state_dict(history.best_state)
        metrics[which] = {"epoch": epoch}
        for split in SPLITS:
            found = evaluate(model, data, split)
            metrics[which][split] = {m: found[m] for m in (*METRICS, "tie_rate")}
            ranks[f"{split} {which}"] = found["ranks"]
    metrics |= {
        "curve": history.curve,
        "losses": history.losses,
        "seconds": {"train": sum(history.epoch_seconds),
                    "per_epoch": float(np.median(history.epoch_seconds))},
        "provenance": provenance(data.fingerprint, device, time.perf_counter() - started),
    }
    files.write_arrays(folder / "ranks.npz", ranks)
    files.write_json(folder / "metrics.json", metrics)


def provenance(data_hash: str, device: torch.device, wall_seconds: float) -> dict:
    """The code, packages and machine behind a number, stored beside it."""
    return {
        "data_hash": data_hash,
        "code_version": code_version(),
        "packages": {"python": platform.python_version(),
                     **{name: version(name) for name in ("torch", "numpy", "pandas")}},
        "hardware": hardware(device),
        "device": str(device),
        "cpu_capability": torch.backends.cpu.get_cpu_capability(),
        "wall_seconds": round(wall_seconds, 2),
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
    }


@functools.cache  # the code that a process works with does not change under it
def code_version() -> str:
    """The commit, if there is one, and the source's hash, which tells of changes since."""
    commit = "no-commit"
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        commit = subprocess.run(["git", "-C", str(root()), "rev-parse", "--short=12", "HEAD"],
                                capture_output=True, text=True, check=True).stdout.strip()
    return f"{commit} source {source_hash()[:12]}"


def hardware(device: torch.device) -> str:
    """The processor, or the GPU and the processor, in words."""
    info = Path("/proc/cpuinfo")
    named = re.search(r"^model name\s*:(.*)", info.read_text() if info.exists() else "", re.M)
    processor = named[1].strip() if named else platform.processor() or platform.machine()
    words = f"{processor}, {os.cpu_count()} cores, {torch.get_num_threads()} thread(s) used"
    return f"{torch.cuda.get_device_name(device)}; {words}" if device.type == "cuda" else words


def has_attack(made: Run, split: str = "test", **options) -> bool:
    """Whether an attack on a run is stored whole."""
    stored = made.folder / "attacks" / attack_name(split, **options)
    ends = ".npz", *(f"-{rule}.json" for rule in EXCLUDES)
    return all(stored.with_name(stored.name + end).exists() for end in ends)


def run_attack(made: Run, split: str = "test", exclude: str = "both", **options) -> dict:
    """Attack a run's last epoch; both are made, stored (by all rules of exclusion) and reused.

    options: as `attacks.attack`, and surrogate: None, or "base": the run's base picks the
    substitutes. Returns the record: the options, "clean" and "attacked" metrics, "users" (how
    many), the median "distance" of a substitute and its "unit"; and the arrays "indices" of the
    users, "ranks", "clean ranks" (users,) and "substitutes" (users, k).
    """
    checked_options(split=split, exclude=exclude)
    if not has_attack(made, split, **options):
        run(made.config, made.data)
        with one_at_a_time(made.folder):
            if not has_attack(made, split, **options):
                files.remove_partial(made.folder)
                _attack(made, split, **options)
    folder, name = made.folder / "attacks", attack_name(split, **options)
    record, path = files.read_json(folder / f"{name}-{exclude}.json"), folder / f"{name}.npz"
    with files.reading(path, "does not hold this attack"):
        stored = files.read_arrays(path)
        return record | {"indices": stored["users"], "ranks": stored[exclude],
                         "clean ranks": stored["clean"], "substitutes": stored["substitutes"]}


def _attack(made: Run, split: str, **options) -> None:
    started, device = time.perf_counter(), made.config.training.device
    folder, name = files.make_folder(made.folder / "attacks"), attack_name(split, **options)
    options, surrogate = attack_options(**options), None
    model, asked = made.model(device=device), dict(options)
    if asked.pop("surrogate", None) and made.config.method != "base":
        surrogate = run(made.base.config, made.data).model(device=device)
    found = attack(model, made.data, split=split, exclude=EXCLUDES[0], surrogate=surrogate, **asked)
    histories, targets = held_out(made.data, split)
    original, targets = [histories[user] for user in found["users"]], targets[found["users"]]
    ranks = {EXCLUDES[0]: found["ranks"]}
    for rule in EXCLUDES[1:]:
        left_out = excluded(original, found["histories"], rule)
        ranks[rule], _ = rank_items(model, found["histories"], targets, left_out)
    clean = found["clean"]["ranks"]
    files.write_arrays(folder / f"{name}.npz", ranks | {
        "users": found["users"], "clean": clean,
        "substitutes": found["substitutes"].astype(np.int32)})
    seconds = time.perf_counter() - started
    shared = options | {
        "split": split, "users": len(clean), "distance": float(np.median(found["distance"])),
        "unit": found["unit"], "clean": summary(clean),
        "provenance": provenance(made.data.fingerprint, choose_device(device), seconds)}
    for rule in EXCLUDES:
        files.write_json(folder / f"{name}-{rule}.json",
                         shared | {"exclude": rule, "attacked": summary(ranks[rule])})


def refuse_unknown_parameters() -> None:
    """Stop a notebook to which Papermill, which only warns, hands a parameter that it lacks, in a
    cell of its own behind the first one, which holds the parameters."""
    cells = getattr(sys.modules["__main__"], "In", [])[1:3]
    if len(cells) == 2 and cells[1].startswith("# Parameters\n"):
        known, given = (re.findall(r"^(\w+) = ", cell, re.M) for cell in cells)
        for name in given:
            one_of("parameter", name, known)


class Study:
    """A profile, a data set, a backbone and a seed; runs of any method are made or reused.

    The arguments are those of `configure`; overrides: settings by name, above those named singly.
    """

    def __init__(self, profile: str = "quick", dataset: str | None = None,
                 backbone: str = "sasrec", device: str = "auto", seed: int = 0,
                 overrides: dict | str | None = None, columns: dict | str | None = None,
                 separator: str | None = None, min_count: int | None = None, **settings):
        refuse_unknown_parameters()
        self.asked = {
            "profile": profile, "dataset": dataset, "backbone": backbone, "seed": seed,
            "device": device, "columns": columns, "separator": separator, "min_count": min_count,
            **settings, **({} if overrides is None else by_name("overrides", overrides))}
        if "method" in self.asked:
            raise ValueError(f"method is {self.asked['method']!r}; allowed is to name it to the "
                             "study's run(...), as a study is of all methods")
        self.backbone, self.profile = self.asked["backbone"], self.asked["profile"]
        if (name := self.config().dataset) not in NAMES:
            own_file(name)  # a mistyped name shows before any work

    def config(self, method: str = "base", **more) -> Configuration:
        """The configuration of a method; more: settings that stand above the overrides, of which
        another backbone's leaves out what this study's own alone reads."""
        asked = {**self.asked, "method": method, **more}
        if (other := asked["backbone"]) != self.backbone and other in BACKBONES:
            own = self.config().model.keys() - configure(backbone=other).model.keys()
            asked = {name: value for name, value in asked.items() if name not in own - more.keys()}
        return configure(**asked)

    @functools.cached_property
    def data(self) -> SequenceDataset:
        return Run(self.config()).data

    @property
    def dataset(self) -> str:
        """How tables name the data set."""
        return Run(self.config()).dataset

    def run(self, method: str = "base", **more) -> Run:
        """The run of a method, reused where it is stored, else made."""
        return run(self.config(method, **more), self.data)

    def model(self, method: str = "base", **more) -> Backbone:
        """The backbone after the last epoch of that run, in evaluation mode."""
        return self.run(method, **more).model(device=self.asked["device"]).eval()
