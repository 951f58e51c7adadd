"""Profiles: the one place that holds the defaults of a run.

A configuration is one flat dict. It starts from the settings classes, takes the profile's
values over them, and whatever the caller names over those.
"""

from __future__ import annotations

import json
from dataclasses import asdict, fields
from functools import lru_cache
from pathlib import Path

from .adversarial import METHODS, PRESETS, REPLACING, AdversarialSettings
from .backbones import BACKBONES, MOST_LAYERS
from .checks import LARGEST, number, one_of, shown
from .files import read_json
from .optimisation import TrainingSettings, settings_of
from .provenance import ROOT

# Where `stored_choice` has nothing; from short trials on Beauty, on its validation split.
CHOSEN = {"epsilon": 3.0, "lambda1": 0.1}

PROFILES = {
    # the embedded world, minutes on two CPU cores; what the notebooks are committed with
    "quick": {
        "dataset": "synthetic", "epochs": 80, "adv_epochs": 12, "eval_every": 5, "dim": 64,
        "max_len": 50, **CHOSEN,
    },
    # real data, about an hour
    "laptop": {
        "dataset": "beauty", "epochs": 200, "adv_epochs": 40, "eval_every": 20, "dim": 100,
        **CHOSEN,
    },
    # the paper's sizes and epochs (Section 5.3)
    "paper": {
        "dataset": "beauty", "epochs": 500, "adv_epochs": 100, "eval_every": 20, "dim": 100,
        **CHOSEN,
    },
}  # fmt: skip

# Profiles whose grid takes days, and so goes on from the records in figures/<profile>/ (see
# `kept`); the others make every run on the machine at hand, and leave what is committed alone.
KEEPS_RECORDS = ("paper",)

# What the batch hands to a notebook besides the profile: the runs that the grid has made for it.
# On real data the sweep is Video's, as in Figure 4, and a switch would be hours of training each.
NOTEBOOK_PARAMETERS = {
    "paper": {"07_epsilon_sweep": {"dataset": "video"},
              "11_ambiguities": {"switches": ["literal", "paper_values"]}},
}

# Whose choice a method runs with (see `selection`): the cascade variants and the control must
# differ from adv_global in nothing but the weights and the direction.
FAMILY = {
    "adv_linear": "adv_linear", "adv_seq": "adv_seq", "adv_global": "adv_global",
    "adv_random": "adv_global", "adv_cas_1": "adv_global", "adv_cas_2": "adv_global",
    "adv_cas": "adv_global", "neighbour": "neighbour", "adv_neighbour": "adv_neighbour",
}  # fmt: skip

MAX_LEN = {"ml-1m": 200, "ml-latest-small": 200}  # T; 50 for all others (Section 5.3)

MODEL_DEFAULTS = {
    "sasrec": {"dim": 100, "max_len": None, "dropout": 0.2, "n_blocks": 2, "n_heads": 1},
    "gru4rec": {"dim": 100, "max_len": None, "dropout": 0.2},
    "causalcnn": {"dim": 100, "max_len": None, "dropout": 0.2, "n_layers": 4},
}

# How a run is computed, not what: these do not change which run it is.
NOT_IDENTITY = ("profile", "device", "compile", "health")
WHERE_OPTIMIZER = ("fresh", "kept")  # Adam's state at the switch of phases


def configure(
    profile: str = "quick",
    dataset: str | None = None,
    backbone: str = "sasrec",
    method: str = "base",
    seed: int = 0,
    **overrides,
) -> dict:
    """The complete configuration of a run, checked; a flat dict of plain values.

    overrides: any setting by name, and preset="batch" or "literal". Raises ValueError for an
    unknown name, a wrong type or a value out of range, before any work starts.
    """
    one_of("profile", profile, PROFILES)
    one_of("backbone", backbone, BACKBONES)
    one_of("method", method, ("base", *METHODS))
    if dataset is not None and (not isinstance(dataset, (str, Path)) or not str(dataset)):
        raise ValueError(f"dataset is {shown(dataset)}; allowed is a name, a path, or None")
    defaults = dict(PROFILES[profile])
    own = defaults.pop("dataset")
    dataset = own if dataset is None else dataset
    config = settings_of(TrainingSettings, AdversarialSettings) | MODEL_DEFAULTS[backbone]
    config |= {"adv_epochs": 100, "optimizer_state": "fresh"} | defaults | {"seed": seed}
    preset = overrides.pop("preset", None)
    one_of("preset", preset, (None, *PRESETS))
    for name in overrides:
        one_of("setting", name, sorted(config))
    config |= {"profile": profile, "dataset": str(dataset), "backbone": backbone, "method": method}
    # what the caller names stands above the preset, that above the choice and the profile
    named = PRESETS.get(preset, {}) | overrides
    config |= stored_choice(config | named) | named
    if config["max_len"] is None:
        config["max_len"] = MAX_LEN.get(config["dataset"], 50)
    return _checked(config)


def results_folder(profile: str, folder: Path | str | None = None) -> Path:
    """Where the results of a profile are written: `folder` where the caller names one.

    Else figures/made/<profile>/, which git ignores; of a profile that keeps its records,
    figures/<profile>/ itself.
    """
    if folder is not None:
        return Path(folder)
    return ROOT / "figures" / ("" if profile in KEEPS_RECORDS else "made") / profile


def stored_file(profile: str, name: str) -> Path:
    """A file of a profile's results: as this machine has made it, else as it is committed."""
    made = results_folder(profile) / name
    return made if made.exists() else ROOT / "figures" / profile / name


def stored_choice(config: dict) -> dict[str, float]:
    """Epsilon and lambda1 as chosen on validation for the method's family; {} where they were not.

    The choices stand in `selection.json`, which the grid writes (see `stored_file`). One counts
    only for the same data set, backbone, epochs of the base and dimension.
    """
    path = stored_file(config["profile"], "selection.json")
    wanted = {name: config[name] for name in ("dataset", "backbone", "dim")}
    wanted |= {"family": FAMILY.get(config["method"]), "base_epochs": config["epochs"]}
    entries = _entries(path, path.stat().st_mtime_ns) if path.exists() else []
    # a data set that has changed since was chosen for again, and the newer choice stands behind
    fitting = (e["chosen"] for e in reversed(entries) if wanted.items() <= e.items())
    return dict(next(fitting, {}))


@lru_cache(maxsize=8)
def _entries(path: Path, written: int) -> list[dict]:
    return read_json(path)


def _checked(config: dict) -> dict:
    for name in ("adv_epochs", "epochs"):
        config[name] = number(name, config[name], low=1, kind=int)
    one_of("optimizer_state", config["optimizer_state"], WHERE_OPTIMIZER)
    for name in MODEL_DEFAULTS[config["backbone"]]:
        most = MOST_LAYERS if name in ("n_blocks", "n_layers") else LARGEST
        low, high, kind = (0, 0.99, float) if name == "dropout" else (1, most, int)
        config[name] = number(name, config[name], low=low, high=high, kind=kind)
    if config["dim"] % config.get("n_heads", 1):
        raise ValueError(f"n_heads is {config['n_heads']}; allowed are divisors of dim, which is "
                         f"{config['dim']}")
    # plain numbers as the settings keep them: 10 and 10.0 must be one run
    return config | asdict(part(config, TrainingSettings)) | asdict(
        part(config, AdversarialSettings))


def part(config: dict, kind: type):
    """The settings object of that class out of a configuration."""
    # a stored configuration may lack what does not change the run, or what its method does not read
    free = (*NOT_IDENTITY, *REPLACING)
    names = [f.name for f in fields(kind) if f.name in config or f.name not in free]
    return kind(**{name: config[name] for name in names})


def model_arguments(config: dict) -> dict:
    """Arguments of the backbone's class, without n_items."""
    return {name: config[name] for name in MODEL_DEFAULTS[config["backbone"]]}


def base_of(config: dict) -> dict:
    """The configuration of the base that a run starts from: phase 2's settings at defaults."""
    plain = settings_of(AdversarialSettings) | {"adv_epochs": 100, "optimizer_state": "fresh"}
    found = config | plain | {"method": "base"}
    # stored bases are older than the methods that replace
    return {name: value for name, value in found.items() if name not in REPLACING}


def identity(config: dict, data_hash: str) -> str:
    """Text that is equal for equal runs: the configuration that matters and the data's hash."""
    kept = {k: v for k, v in config.items() if k not in NOT_IDENTITY}
    return json.dumps(kept | {"data": data_hash}, sort_keys=True)
