"""A run is a configuration: it has a directory, is reused when it exists, resumes when it was cut.

A run's directory holds `config.json`, `metrics.json` (written last: it marks the run complete),
`ranks.npz` (per-user ranks), `checkpoint.pt` (weights, best weights, optimiser, curve) and
`attacks/`. An adversarial run makes or reuses its base.
"""

import contextlib
import functools
import json
import os
import re
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self
from unittest.mock import patch

import numpy as np
import torch
from filelock import FileLock

from ..adversarial import generic_perturbation, moved_rows
from ..attacks import attack, excluded
from ..backbones import BACKBONES, Backbone
from ..batching import pack
from ..cascade import cascade_effects, cascade_weights
from ..data import SequenceDataset, held_out, training_inputs
from ..datasets import NAMES, load_dataset
from ..evaluation import METRICS, evaluate, rank_items, summary
from ..settings import EXCLUDES, checked_options
from ..support.devices import choose_device
from ..support.files import (
    load_tensors,
    make_folder,
    read_json,
    refused,
    remove_partial,
    write_arrays,
    write_json,
)
from ..training import Trainer
from .configuration import Configuration, attack_name, attack_options
from .environment import provenance, runs_folder

SPLITS = ("validation", "test")


class Unequal(RuntimeError):
    """A run made again gave other numbers; the message names the parts."""


@dataclass(frozen=True)
class Run:
    """A run's configuration and data, and what of it is stored."""

    config: Configuration
    loaded: SequenceDataset | None = field(default=None, compare=False)  # the configuration's

    @functools.cached_property
    def data(self) -> SequenceDataset:
        return data_of(self.config) if self.loaded is None else self.loaded

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
        return (self.folder / "metrics.json").exists()

    @property
    def base(self) -> Self:
        """The run that this one starts from; a base's is itself."""
        return Run(self.config.base, self.data)

    @property
    def metrics(self) -> dict:
        return read_json(self.folder / "metrics.json")

    def ranks(self, split: str = "test", which: str = "last") -> np.ndarray:
        """Per-user ranks, (users,) float64; which: the "last" or the "best" epoch."""
        with np.load(self.folder / "ranks.npz", allow_pickle=False) as stored:
            return stored[f"{split} {which}"]

    def model(self, which: str = "last", device: str = "auto") -> Backbone:
        """The trained backbone of the "last" or the "best" validation epoch."""
        content = load_tensors(self.folder / "checkpoint.pt", choose_device(device))
        model = build_model(self.config, self.data).to(choose_device(device))
        best = content["history"]["best_state"]
        model.load_state_dict(best if which == "best" and best else content["model"])
        return model


def build_model(config: Configuration, data: SequenceDataset) -> Backbone:
    """A fresh backbone whose weights depend on the seed alone."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        return BACKBONES[config.backbone](data.n_items, **config.model)


def data_of(config: Configuration) -> SequenceDataset:
    """The data set of a configuration, read once in a process while its file stays as it is."""
    changed = None
    with contextlib.suppress(OSError):  # a name, or no file, as loading it then says
        changed = os.stat(config.dataset).st_mtime_ns
    return _loaded(config.dataset, json.dumps(config.reading), changed)


@functools.lru_cache(maxsize=4)
def _loaded(dataset: str, reading: str, changed: int | None) -> SequenceDataset:
    return load_dataset(dataset, **json.loads(reading))


def one_at_a_time(folder: Path):
    """Take the lock of a folder, for a `with`: a second process that wants the same run waits.

    The system frees the lock of a process that ends, however it ends.
    """
    path = make_folder(folder) / ".lock"
    try:
        return FileLock(path).acquire()
    except OSError as error:
        raise refused(path, error) from error


def run(config: Configuration, data: SequenceDataset | None = None, progress: bool = True) -> Run:
    """Make, resume or reuse the run of a configuration (from `configure`)."""
    made = Run(config, data)
    if made.is_complete:
        return made
    base = None if config.method == "base" else run(config.base, made.data, progress)
    with one_at_a_time(made.folder):
        if not made.is_complete:
            remove_partial(made.folder)
            _train(made, base, progress)
    return made


def _train(made: Run, base: Run | None, progress: bool) -> None:
    config, data, folder = made.config, made.data, made.folder
    started, device = time.perf_counter(), choose_device(config.training.device)
    write_json(folder / "config.json", config.flat())
    model = build_model(config, data)
    if base is None:
        trainer = Trainer(model, data, config.training)
    else:
        content = load_tensors(base.folder / "checkpoint.pt", device)
        model.load_state_dict(content["model"])
        trainer = Trainer(model, data, config.second_phase, config.method, config.adversarial,
                          base.metrics["last"]["epoch"])
        if config.optimizer_state == "kept":
            trainer.optimizer.load_state_dict(content["history"]["optimizer_state"])
    history = trainer.run(folder / "checkpoint.pt", progress)
    metrics, ranks = _measure(trainer)
    metrics |= {
        "curve": history.curve,
        "losses": history.losses,
        "seconds": {"train": sum(history.epoch_seconds),
                    "per_epoch": float(np.median(history.epoch_seconds))},
        "provenance": provenance(data.fingerprint, device, time.perf_counter() - started),
    }
    write_arrays(folder / "ranks.npz", ranks, parents=False)
    write_json(folder / "metrics.json", metrics, parents=False)


@contextlib.contextmanager
def another_folder() -> Iterator[Path]:
    """An empty folder of runs for a while."""
    with (tempfile.TemporaryDirectory() as folder,
          patch.dict(os.environ, {"CASADV_RUNS": folder})):
        yield Path(folder)


def _measure(trainer: Trainer) -> tuple[dict, dict[str, np.ndarray]]:
    """Metrics and ranks of the last epoch and of the best validation epoch."""
    metrics, ranks = {}, {}
    last = trainer.epoch
    best, state = trainer.history.best, trainer.history.best_state
    for which in ("last", "best"):
        epoch = last if which == "last" or best is None else best["epoch"]
        if which == "best" and epoch != last:
            trainer.model.load_state_dict(state)
        metrics[which] = {"epoch": epoch}
        for split in SPLITS:
            found = evaluate(trainer.model, trainer.data, split)
            metrics[which][split] = {m: found[m] for m in (*METRICS, "tie_rate")}
            ranks[f"{split} {which}"] = found["ranks"]
    return metrics, ranks


def has_attack(made: Run, split: str = "test", **options) -> bool:
    """Whether an attack on a run is stored whole."""
    last = f"{attack_name(split, **options)}-{EXCLUDES[0]}.json"
    return (made.folder / "attacks" / last).exists()


def run_attack(made: Run, split: str = "test", exclude: str = "both", **options) -> dict:
    """Attack a run's last epoch; stored with the run, by all rules of exclusion, and reused.

    options: as `attacks.attack`, and surrogate: None, or "base": the run's base picks the
    substitutes. Returns the record: the options, "clean" and "attacked" metrics, "users" (how
    many), the median "distance" of a substitute in embedding space and its "unit" (the median
    distance between nearest neighbours); and of the users the arrays "indices", "ranks",
    "clean ranks" (users,) and "substitutes" (users, k).
    """
    checked_options(split=split, exclude=exclude)
    if not has_attack(made, split, **options):
        with one_at_a_time(made.folder):
            if not has_attack(made, split, **options):
                remove_partial(made.folder)
                _attack(made, split, **options)
    folder, name = made.folder / "attacks", attack_name(split, **options)
    with np.load(folder / f"{name}.npz", allow_pickle=False) as stored:
        return read_json(folder / f"{name}-{exclude}.json") | {
            "indices": stored["users"], "ranks": stored[exclude],
            "clean ranks": stored["clean"], "substitutes": stored["substitutes"]}


def _attack(made: Run, split: str, **options) -> None:
    started, device = time.perf_counter(), made.config.training.device
    folder, name = made.folder / "attacks", attack_name(split, **options)
    options, surrogate = attack_options(**options), None
    model, asked = made.model(device=device), dict(options)
    if asked.pop("surrogate", None) and made.config.method != "base":
        surrogate = run(made.config.base, made.data).model(device=device)
    found = attack(model, made.data, split=split, exclude=EXCLUDES[0], surrogate=surrogate, **asked)
    histories, targets = held_out(made.data, split)
    original, targets = [histories[user] for user in found["users"]], targets[found["users"]]
    ranks = {EXCLUDES[0]: found["ranks"]}
    for rule in EXCLUDES[1:]:
        left_out = excluded(original, found["histories"], rule)
        ranks[rule], _ = rank_items(model, found["histories"], targets, left_out)
    clean = found["clean"]["ranks"]
    write_arrays(folder / f"{name}.npz", ranks | {
        "users": found["users"], "clean": clean,
        "substitutes": found["substitutes"].astype(np.int32)})
    seconds = time.perf_counter() - started
    shared = options | {
        "split": split, "users": len(clean), "distance": float(np.median(found["distance"])),
        "unit": found["unit"], "clean": summary(clean),
        "provenance": provenance(made.data.fingerprint, choose_device(device), seconds)}
    for rule in reversed(EXCLUDES):  # the first rule's record comes last: it marks the attack whole
        write_json(folder / f"{name}-{rule}.json",
                   shared | {"exclude": rule, "attacked": summary(ranks[rule])})


def stored_attacks(made: Run) -> list[dict]:
    """The records of attacks on a run's test split, one a rule, with the "attack" of each."""
    return [{"attack": path.stem.rpartition("-")[0]} | read_json(path)
            for path in sorted((made.folder / "attacks").glob("test-*.json"))]


def perturbed_history(made: Run) -> dict:
    """A (Eq. 7, of size 1) for one user's training inputs, and (1/C) * A: figure1's arguments.

    It is the first user with 6 to 9 inputs; the one with most where there is none. They lie in the
    plane of the first two principal directions of the history's embeddings; "radii" are the full
    lengths, which the plane foreshortens.
    """
    model = made.model(device="cpu")
    _, inputs = training_inputs(made.data, model.max_len)
    lengths = np.array([len(one) for one in inputs])
    fitting = np.flatnonzero((lengths >= 6) & (lengths <= 9))
    own = int(fitting[0] if len(fitting) else lengths.argmax())
    effects = cascade_effects(inputs, model.max_len)
    batch = pack([inputs[own]], model.max_len, model.items.weight.device)
    rows, _, A = generic_perturbation(model, batch, epsilon=1.0, seed=0)
    share = torch.as_tensor(cascade_weights(effects)[own]).to(rows)
    guided = moved_rows(model, rows, A, share, "before") - rows
    centred = rows - rows.mean(0)
    plane = torch.linalg.svd(centred, full_matrices=False).Vh[:2].T

    def flat(x):
        return x.detach().double().numpy().round(6).tolist()

    return {
        "points": flat(centred @ plane),
        "generic": flat(A @ plane),
        "guided": flat(guided @ plane),
        "effects": effects[own].round(6).tolist(),
        "radii": [flat(torch.linalg.vector_norm(x, dim=1)) for x in (A, guided)],
    }
