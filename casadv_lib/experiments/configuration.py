"""Configurations: all that a run is told, out of the defaults and profiles of `settings`.

Above the defaults stand the profile's values, above these what was chosen on validation for this
data set, and over all of these what the caller names.
"""

import contextlib
import hashlib
import inspect
import json
import re
from dataclasses import asdict, field
from pathlib import Path
from typing import Annotated, Literal, Self

import torch
from pydantic import Field

from ..adversarial import BASE, METHODS
from ..backbones import BACKBONES
from ..datasets import NAMES, own_file
from ..settings import PROFILES, AdversarialSettings, TrainingSettings, checked_options
from ..support.checks import Count, DataError, Number, allowed, number, one_of, settings, shown
from ..support.files import read_json

# Where nothing was chosen on validation; from short trials on Beauty, on its validation split.
USUAL = {"epsilon": 3.0, "lambda1": 0.1}
EPSILONS = (0.1, 1.0, 3.0, 5.0, 10.0, 20.0, 30.0, 50.0)  # Figure 4
MAX_LEN = {"ml-1m": 200, "ml-latest-small": 200}  # T; 50 for all others (Section 5.3)

# Whose choice a method runs with: the cascade variants and the control must differ from
# adv_global in nothing but the weights and the direction.
FAMILY = {method: method for method in METHODS} | dict.fromkeys(
    ("adv_random", "adv_cas_1", "adv_cas_2", "adv_cas"), "adv_global")

READING = ("columns", "separator", "min_count")  # how a file is read: see `load_dataset`
REPLACING = ("replace_probability", "neighbours")  # read by methods that replace alone
# settings that older runs do not name: they count where they are not these
NEWER = {"adv_eval_every": None, "loss": "bce", "negatives": 1, "calibration": 0.75,
         "patience": 0, "reading": "{}"}
CHOICES = read_json(Path(__file__).with_name("chosen.json"))

# How a run is computed, not what, and whence its data: these do not change which run it is.
NOT_IDENTITY = ("profile", "device", "compile", "health", "reading")


@settings
class Configuration:
    """All that a run is told. `flat()` is what is stored, `of(...)` reads it back."""

    profile: str
    dataset: str  # a name, or the whole path of a file
    backbone: str
    method: str  # "base" or a name of METHODS
    model: dict = field(hash=False)  # arguments of the backbone's class, without n_items
    training: TrainingSettings  # of phase 1
    adversarial: AdversarialSettings
    adv_epochs: Number(int, 1) = Field(
        100, description="epochs of phase 2; epochs are those of phase 1")
    adv_eval_every: Annotated[Count | None, "is a whole number of at least 0, or None"] = Field(
        None, description="eval_every of phase 2; None: as in phase 1")
    optimizer_state: Literal["fresh", "kept"] = Field(
        "fresh", description="Adam's at the switch of phases")
    reading: str = "{}"  # JSON of what `load_dataset` is told besides the data set

    @classmethod
    def of(cls, flat: dict) -> Self:
        """The configuration of a stored run, or of settings by name; the others have their default.
        Raises ValueError for a wrong type or a value out of range."""
        usual = model_defaults(flat["backbone"])
        values = usual | flat
        with torch.device("meta"):  # the class checks its arguments; nothing is computed
            BACKBONES[values["backbone"]](1, **{name: values[name] for name in usual})
        own, training, adversarial = (
            {name: values[name] for name in kind.__pydantic_fields__ if name in values}
            for kind in (cls, TrainingSettings, AdversarialSettings))
        number("epochs", training.get("epochs", 1), low=1, kind=int)
        if own.get("optimizer_state") == "kept" and training.get("patience"):
            raise ValueError(f"optimizer_state is 'kept' with patience={training['patience']!r}; "
                             "allowed is 'fresh', as phase 1 ends with the weights of its best "
                             "epoch, and Adam with the moments of its last")
        return cls(
            # plain numbers: 10 and 10.0 must be one run
            model={name: type(default)(values[name]) for name, default in usual.items()},
            training=TrainingSettings(**training), adversarial=AdversarialSettings(**adversarial),
            **own)

    def everything(self) -> dict:
        """All settings by name, also those that the method does not read."""
        own = asdict(self)
        return own.pop("model") | own.pop("training") | own.pop("adversarial") | own

    def flat(self) -> dict:
        """The settings that the method reads, plain values: equal for equal runs."""
        own = self.everything()
        method = METHODS.get(self.method, BASE)
        if not (method.level1 or method.level2):
            own |= asdict(AdversarialSettings()) | {name: own[name] for name in REPLACING}
        if self.method == "base":
            own |= {name: f.default for name, f in self.__pydantic_fields__.items()
                    if f.description}  # those of phase 2
        unread = set(() if method.replaces else REPLACING)
        unread |= {name for name, older in NEWER.items() if own[name] == older}
        return {name: value for name, value in own.items() if name not in unread}

    def run_name(self, data_hash: str) -> str:
        """The run's folder: what it is, and a hash, equal for equal runs on equal data."""
        dataset = self.dataset if self.dataset in NAMES else "own"
        decisive = {name: value for name, value in self.flat().items()
                    if name not in NOT_IDENTITY and (name != "dataset" or dataset != "own")}
        identity = json.dumps(decisive | {"data": data_hash}, sort_keys=True)
        digest = hashlib.sha256(identity.encode()).hexdigest()[:10]
        return f"{dataset}-{self.backbone}-{self.method}-seed{self.training.seed}-{digest}"


def configure(profile: str = "quick", dataset: str | Path | None = None, backbone: str = "sasrec",
              method: str = "base", seed: int = 0, **overrides) -> Configuration:
    """The complete configuration of a run, checked.

    dataset: None takes the profile's. overrides: settings by name. Raises ValueError for an
    unknown name, a wrong type or value.
    """
    one_of("profile", profile, PROFILES)
    one_of("backbone", backbone, BACKBONES)
    one_of("method", method, ("base", *METHODS))
    reading = {name: value for name in READING if (value := overrides.pop(name, None)) is not None}
    for name in reading if dataset is None else ():
        raise ValueError(f"{name} is {shown(reading[name])}; allowed is None where dataset is left "
                         "open: it says how that is read")
    if "columns" in reading:
        reading["columns"] = by_name("columns", reading["columns"])
    values = {"profile": profile, "backbone": backbone, "method": method, "seed": seed,
              "reading": json.dumps(reading, default=str)}
    values |= USUAL | PROFILES[profile]
    values |= {} if dataset is None else {"dataset": resolved(dataset)}
    values = {"max_len": MAX_LEN.get(values["dataset"], 50)} | values
    known = {row["name"] for row in settings_table()} | model_defaults(backbone).keys()
    for name in overrides:
        one_of("setting", name, sorted(known))
    config = Configuration.of(values | overrides)
    best = choice(config.everything())["chosen"]
    return Configuration.of(values | best | overrides) if best else config


def resolved(dataset: str | Path) -> str:
    """The name of a data set, or the whole path of a file that is seen from the caller's folder."""
    if not isinstance(dataset, (str, Path)):
        raise ValueError(f"dataset is a {type(dataset).__name__}; allowed is a name or a path")
    if dataset not in NAMES:
        with contextlib.suppress(DataError):  # whoever loads it says what is wrong
            return str(own_file(dataset).resolve())
    return str(dataset)


def choice(settings: dict) -> dict:
    """What was found on validation for the method's family, with the same profile and its loss,
    data set, backbone, epochs of the base and dimension: "chosen", values by name, {} where nothing
    was; "collapsed", the candidates whose whole run did, with the "epoch"."""
    own = vars(TrainingSettings()) | PROFILES.get(settings["profile"], {})
    is_its_loss = all(settings.get(name, own[name]) == own[name] for name in ("loss", "negatives"))
    wanted = {name: settings[name] for name in ("profile", "dataset", "backbone", "epochs", "dim")}
    wanted["family"] = FAMILY.get(settings["method"])
    found = next((row for row in CHOICES if is_its_loss and wanted.items() <= row.items()), {})
    return {"chosen": {}, "collapsed": []} | found


def model_defaults(backbone: str) -> dict:
    """The arguments of a backbone's class, without n_items, with their defaults, which a setting
    needs: ValueError for one without."""
    parameters = [*inspect.signature(BACKBONES[backbone]).parameters.values()]
    for parameter in parameters[1:]:
        if parameter.default is parameter.empty:
            raise ValueError(f"{parameter.name} of {backbone} has no default; allowed is one")
    return {parameter.name: parameter.default for parameter in parameters[1:]}


def attack_options(**options) -> dict:
    """All options of a stored attack but split and exclude, checked; surrogate is one of them."""
    surrogate = one_of("surrogate", options.pop("surrogate", None), (None, "base"))
    checked = checked_options(**options)
    # other options only where they are named: stored attacks keep the names that they have
    named = "positions", "k", "pick", "step", "seed", *options
    options = {name: getattr(checked, name) for name in named}
    if options["pick"] in ("nearest", "random"):
        options["step"] = 0.0  # these take no step: one stored attack for all
    return options if surrogate is None else options | {"surrogate": surrogate}


def attack_name(split: str = "test", **options) -> str:
    """The name of a stored attack, whatever is left out of the ranking after it."""
    options = attack_options(**options)
    return "-".join([split, *(f"{options[name]}" for name in sorted(options))])


def by_name(name: str, value) -> dict:
    """`value` as a dict by names: it, JSON, or words such as "epsilon=3,epochs=20", also in a list;
    their values are JSON, or else text."""
    found = value
    if isinstance(value, str):
        found = _plain(value) if value.startswith("{") else [value]
    if isinstance(found, list) and found and all("=" in str(word) for word in found):
        words = [one for word in found for one in re.split(r",(?=\w+=)", word)]
        found = {key: _plain(text) for key, text in (word.split("=", 1) for word in words)}
    if not isinstance(found, dict) or not all(isinstance(key, str) for key in found):
        raise ValueError(f"{name} is {shown(value)}; allowed is NAME=VALUE, such as epsilon=3, "
                         "or a dict by names")
    return found


def _plain(text: str):
    try:
        return json.loads(re.sub(r"^(-?)(?=\.\d)", r"\g<1>0", text))  # .5 and -.5 are numbers, too
    except json.JSONDecodeError:
        return {"True": True, "False": False, "None": None}.get(text, text)


def settings_table(*kinds: type) -> list[dict]:
    """One row a setting: "name", "default", "allowed" in words, and "meaning"."""
    return [{"name": name, "default": field.default, "meaning": field.description,
             "allowed": allowed(kind, name).split(" ", 1)[1]}
            for kind in kinds or (TrainingSettings, AdversarialSettings, Configuration)
            for name, field in kind.__pydantic_fields__.items() if field.description]


def settings_help() -> str:
    """All settings with their defaults and what is allowed, a line each."""
    lines = ["settings (a profile sets some, and validation has chosen some):"]
    lines += ["  {name} ({default}): {meaning}; allowed: {allowed}".format(**row)
              for row in settings_table()]
    return "\n".join(lines + [f"  {name} ({default}): of {backbone}" for backbone in BACKBONES
                              for name, default in model_defaults(backbone).items()])
