"""What a notebook's parameters cell says, as one object: the data, the configurations, the runs."""

from __future__ import annotations

from functools import cached_property

from ..backbones import BACKBONES, Backbone
from ..data import SequenceDataset
from ..datasets import NAMES, load_dataset, own_file
from ..support.checks import shown
from .configuration import Configuration, configure, model_defaults
from .runs import Run, run


class Study:
    """A profile, a data set, a backbone and a seed; runs of any method are made or reused.

    The arguments are those of `configure`, checked at once; overrides: any setting by name.
    """

    def __init__(self, profile: str = "quick", dataset: str | None = None,
                 backbone: str = "sasrec", device: str = "auto", seed: int = 0,
                 overrides: dict | None = None):
        overrides = {} if overrides is None else overrides
        if not isinstance(overrides, dict) or not all(isinstance(key, str) for key in overrides):
            raise ValueError(f"overrides is {shown(overrides)}; allowed is a dict of settings by "
                             "name")
        self.asked = {"profile": profile, "dataset": dataset, "backbone": backbone, "seed": seed,
                      "device": device, **overrides}
        self.backbone, self.profile = backbone, profile
        self.dataset = self.config().dataset
        if self.dataset not in NAMES:
            own_file(self.dataset)  # a mistyped name shows before any work

    def config(self, method: str = "base", **more) -> Configuration:
        """The configuration of a method; more: settings that stand above the overrides.

        Of another backbone's configuration, what this study's own backbone alone reads is left out.
        """
        asked = {**self.asked, "method": method, **more}
        if (other := asked["backbone"]) != self.backbone and other in BACKBONES:
            own = model_defaults(self.backbone).keys() - model_defaults(other).keys()
            asked = {name: value for name, value in asked.items() if name not in own - more.keys()}
        return configure(**asked)

    @cached_property
    def data(self) -> SequenceDataset:
        return load_dataset(self.dataset)

    def run(self, method: str = "base", **more) -> Run:
        """The run of a method, reused where it is stored, else made."""
        return run(self.config(method, **more), self.data)

    def model(self, method: str = "base", **more) -> Backbone:
        """The backbone after the last epoch of that run, in evaluation mode."""
        return self.run(method, **more).model(device=self.asked["device"]).eval()
