"""A run is a configuration: it has a directory, is reused when it exists, resumes when it was cut.

A run's directory holds `config.json`, `metrics.json` (written last: it marks the run complete),
`ranks.npz` (per-user ranks), `checkpoint.pt` (weights, best weights, optimiser, curve) and
`attacks/`. An adversarial run makes or reuses its base.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from filelock import FileLock

from .adversarial import METHODS, REPLACING, AdversarialSettings
from .attacks import EXCLUDES, attack, checked_options, excluded
from .backbones import BACKBONES, Backbone
from .checks import one_of
from .data import SequenceDataset, held_out, load_dataset
from .evaluation import (
    METRICS,
    evaluate,
    gains,
    paired_bootstrap,
    rank_items,
    resampled_gains,
    summary,
)
from .files import (
    load_tensors,
    make_folder,
    read_json,
    refused,
    remove_partial,
    write_arrays,
    write_json,
)
from .optimisation import TrainingSettings, choose_device
from .profiles import base_of, identity, model_arguments, part
from .provenance import ROOT, provenance
from .training import Trainer

SPLITS = ("validation", "test")


def runs_folder() -> Path:
    """`CASADV_RUNS`, or `runs/` in the repository."""
    return Path(os.environ.get("CASADV_RUNS") or ROOT / "runs")


@dataclass(frozen=True)
class Run:
    """A complete run: its configuration, its directory, its data."""

    config: dict
    folder: Path
    data: SequenceDataset

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


def build_model(config: dict, data: SequenceDataset) -> Backbone:
    """A fresh backbone whose weights depend on the seed alone."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config["seed"])
        return BACKBONES[config["backbone"]](data.n_items, **model_arguments(config))


def canonical(config: dict) -> dict:
    """The configuration without what its method does not read, so that equal runs are one run."""
    own = METHODS.get(config["method"])  # None: the base
    found = dict(config)
    if own is None or not (own.level1 or own.level2):
        read = () if own is None else ("adv_epochs", "optimizer_state", "method", *REPLACING)
        found = base_of(config) | {name: config[name] for name in read if name in config}
    if own is None or not own.replaces:
        # runs made before there were such methods have no such settings
        found = {name: value for name, value in found.items() if name not in REPLACING}
    return found


def folder_of(config: dict, data: SequenceDataset) -> Path:
    """The run's directory; its name tells the run, its end is a hash of the configuration."""
    digest = hashlib.sha256(identity(config, data.fingerprint).encode()).hexdigest()[:10]
    # a reader's own path may hold anything, and must not lead elsewhere or be too long
    dataset = re.sub(r"[^\w .+-]", "_", Path(config["dataset"]).stem)[:80]
    name = f"{dataset}-{config['backbone']}-{config['method']}-seed{config['seed']}-{digest}"
    return runs_folder() / name


@contextlib.contextmanager
def one_at_a_time(folder: Path):
    """Hold the lock of a folder: a second process that wants the same run waits, then reuses it.

    The system frees the lock of a process that ends, however it ends.
    """
    make_folder(folder)
    lock = FileLock(folder / ".lock")
    try:
        lock.acquire()
    except OSError as error:
        raise refused(folder / ".lock", error) from error
    try:
        yield
    finally:
        lock.release()


def is_complete(config: dict, data: SequenceDataset) -> bool:
    """Whether the run of a configuration is stored whole."""
    return (folder_of(canonical(config), data) / "metrics.json").exists()


def run(config: dict, data: SequenceDataset | None = None, progress: bool = True) -> Run:
    """Make, resume or reuse the run of a configuration (from `profiles.configure`)."""
    config = canonical(config)
    data = data or load_dataset(config["dataset"])
    folder = folder_of(config, data)
    made = Run(config, folder, data)
    if is_complete(config, data):
        return made
    base = None if config["method"] == "base" else run(base_of(config), data, progress)
    with one_at_a_time(folder):
        if not is_complete(config, data):
            remove_partial(folder)
            _train(made, base, progress)
    return made


def _train(made: Run, base: Run | None, progress: bool) -> None:
    config, data, folder = made.config, made.data, made.folder
    started = time.perf_counter()
    device = choose_device(config["device"])
    write_json(folder / "config.json", config)
    settings = part(config, TrainingSettings)
    if base is None:
        trainer = Trainer(build_model(config, data), data, settings)
    else:
        content = load_tensors(base.folder / "checkpoint.pt", device)
        model = build_model(config, data)
        model.load_state_dict(content["model"])
        trainer = Trainer(
            model, data, part(config | {"epochs": config["adv_epochs"]}, TrainingSettings),
            config["method"], part(config, AdversarialSettings), config["epochs"],
        )  # fmt: skip
        if config["optimizer_state"] == "kept":
            trainer.optimizer.load_state_dict(content["history"]["optimizer_state"])
    history = trainer.run(folder / "checkpoint.pt", progress)
    metrics, ranks = _measure(trainer)
    if base is not None:
        metrics["versus_base"] = {
            split: {
                m: paired_bootstrap(ranks[f"{split} last"], base.ranks(split), m) for m in METRICS
            }
            for split in SPLITS
        }
    train_seconds = sum(history.epoch_seconds)
    metrics["curve"] = history.curve
    metrics["losses"] = history.losses
    metrics["seconds"] = {
        "train": train_seconds, "per_epoch": float(np.median(history.epoch_seconds))
    }  # fmt: skip
    metrics["provenance"] = provenance(data.fingerprint, device, time.perf_counter() - started)
    write_arrays(folder / "ranks.npz", ranks, parents=False)
    write_json(folder / "metrics.json", metrics, parents=False)


def _measure(trainer: Trainer) -> tuple[dict, dict[str, np.ndarray]]:
    """Metrics and ranks of the last epoch and of the best validation epoch."""
    metrics, ranks = {}, {}
    last = trainer.first_epoch + trainer.done
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


SURROGATES = (None, "base")


def _complete(options: dict) -> dict:
    """All options of a stored attack but the split and the rule of exclusion, checked."""
    options = {"positions": "last", "k": 1, "pick": "gradient", "step": 0.1, "seed": 0} | options
    surrogate = one_of("surrogate", options.pop("surrogate", None), SURROGATES)
    options = checked_options(**options)
    if options["pick"] in ("nearest", "random"):
        options["step"] = 0.0  # these take no step: one stored attack for all
    return options if surrogate is None else options | {"surrogate": surrogate}


def attack_stem(split: str = "test", **options) -> str:
    """The name of a stored attack, whatever is left out of the ranking after it."""
    options = _complete(options)
    return "-".join([split, *(f"{options[name]}" for name in sorted(options))])


def attack_path(folder: Path, split: str = "test", exclude: str = "both", **options) -> Path:
    """Where the record of an attack on the run in `folder` is stored, ranked by that rule."""
    return folder / "attacks" / f"{attack_stem(split, **options)}-{exclude}.json"


def arrays_path(path: Path) -> Path:
    """Where the ranks of an attack are stored, by all rules; path: of one of its records."""
    return path.with_name(path.stem.rpartition("-")[0] + ".npz")


def has_attack(path: Path) -> bool:
    """Whether an attack is stored whole: its record, and the users' ranks beside it."""
    return path.exists() and arrays_path(path).exists()


def run_attack(made: Run, split: str = "test", exclude: str = "both", **options) -> dict:
    """Attack a run's last epoch; stored with the run and reused. options: as `attacks.attack`.

    surrogate: None, or "base": the run's base picks the substitutes.
    Returns the record of the attack: its options, "clean" and "attacked" metrics, the "drop"
    with its bootstrap interval, the number of "users" and the median "distance" of a substitute
    in embedding space ("unit": the median distance between nearest neighbours).
    """
    return read_json(_attacked(made, split, exclude, options))


def attacked_ranks(made: Run, split: str = "test", exclude: str = "both", **options) -> dict:
    """What `run_attack` stores of the users: "users", "ranks" and "clean" as `attacks.attack` has
    them, (users,) each, the last one in a dict with the key "ranks"; and "substitutes",
    (users, k). options: as `run_attack`."""
    path = arrays_path(_attacked(made, split, exclude, options))
    with np.load(path, allow_pickle=False) as stored:
        return {"users": stored["users"], "ranks": stored[exclude],
                "clean": {"ranks": stored["clean"]}, "substitutes": stored["substitutes"]}


def _attacked(made: Run, split: str, exclude: str, options: dict) -> Path:
    """The path of an attack's record; the attack is made, by all rules, if it is not stored."""
    checked_options(split=split, exclude=exclude)
    path = attack_path(made.folder, split, exclude, **options)
    if not has_attack(path):
        with one_at_a_time(made.folder):
            if not has_attack(path):
                remove_partial(made.folder)
                records, arrays = _attack(made, split, _complete(options))
                write_arrays(arrays_path(path), arrays)
                # `has_attack` asks for the first rule's record, which therefore comes last
                for rule, record in reversed(records.items()):
                    write_json(attack_path(made.folder, split, rule, **options), record)
    return path


def _attack(made: Run, split: str, options: dict) -> tuple[dict, dict[str, np.ndarray]]:
    """The records of an attack, {rule: record}, and its arrays: the "users" attacked, their
    "clean" ranks and those by each rule, and the "substitutes"."""
    started = time.perf_counter()
    device = made.config["device"]
    model, asked = made.model(device=device), dict(options)
    if asked.pop("surrogate", None) and made.config["method"] != "base":
        asked["surrogate"] = run(base_of(made.config), made.data).model(device=device)
    found = attack(model, made.data, split=split, exclude=EXCLUDES[0], **asked)
    clean, users = found["clean"]["ranks"], found["users"]
    histories, targets = held_out(made.data, split)
    original, targets = [histories[user] for user in users], np.asarray(targets)[users]
    ranks = {EXCLUDES[0]: found["ranks"]}
    for rule in EXCLUDES[1:]:
        left_out = excluded(original, found["histories"], rule)
        ranks[rule], _ = rank_items(model, found["histories"], targets, left_out)
    columns = [gains(one, m) for one in (clean, *ranks.values()) for m in METRICS]
    means = resampled_gains(np.stack(columns, axis=1))  # (1 + resamples, rules + 1 times metrics)
    shared = options | {
        "split": split,
        "users": len(users),
        "distance": float(np.median(found["distance"])),
        "unit": found["unit"],
        "clean": summary(clean),
        "provenance": provenance(
            made.data.fingerprint, next(model.parameters()).device, time.perf_counter() - started
        ),
    }
    records = {rule: shared | {
        "exclude": rule, "attacked": summary(ranks[rule]),
        "drop": {m: _difference(means[:, len(METRICS) * place + column], means[:, column])
                 for column, m in enumerate(METRICS)},
    } for place, rule in enumerate(EXCLUDES, start=1)}
    arrays = {"users": users, "clean": clean, "substitutes": found["substitutes"].astype(np.int32)}
    return records, arrays | ranks


def _difference(means: np.ndarray, reference: np.ndarray) -> dict[str, float]:
    """As `paired_bootstrap` returns it, from the columns of `resampled_gains`."""
    apart = means - reference
    low, high = np.quantile(apart[1:], [0.025, 0.975])
    return {"difference": float(apart[0]), "low": float(low), "high": float(high)}


def stored_attacks(made: Run) -> list[Path]:
    """The records of the stored attacks on the test split, one for each rule of exclusion.

    Older code named no rule and ranked by "original"; what it left is not read.
    """
    return sorted(path for path in (made.folder / "attacks").glob("test-*.json")
                  if path.stem.rpartition("-")[2] in EXCLUDES)


def record_of(made: Run) -> dict:
    """Everything about a run that figures and tables read, as plain values."""
    metrics = made.metrics
    return {
        "config": made.config,
        "metrics": {which: metrics[which] for which in ("last", "best")},
        "curve": metrics["curve"],
        "versus_base": metrics.get("versus_base"),
        "attacks": [_brief(read_json(path), metrics) for path in stored_attacks(made)],
        "seconds": metrics["seconds"],
        "provenance": metrics["provenance"],
    }


def _brief(attack: dict, metrics: dict) -> dict:
    """An attack's record; of its provenance the seconds, and what differs from the run's."""
    own = metrics["provenance"]
    return attack | {"provenance": {name: value for name, value in attack["provenance"].items()
                                    if value != own.get(name) or name == "wall_seconds"}}
