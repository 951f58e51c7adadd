"""What a notebook's parameters cell says, as one object: the data, the configurations, the runs."""

from functools import cached_property

from ..backbones import BACKBONES, Backbone
from ..data import SequenceDataset
from ..datasets import NAMES, own_file
from .configuration import Configuration, by_name, configure, model_defaults
from .runs import Run, run


class Study:
    """A profile, a data set, a backbone and a seed; runs of any method are made or reused.

    The arguments are those of `configure`, checked at once; overrides: any setting by name, and
    above the settings that are named one by one.
    """

    def __init__(self, profile: str = "quick", dataset: str | None = None,
                 backbone: str = "sasrec", device: str = "auto", seed: int = 0,
                 overrides: dict | str | None = None, columns: dict | str | None = None,
                 separator: str | None = None, min_count: int | None = None, **settings):
        self.asked = {
            "profile": profile, "dataset": dataset, "backbone": backbone, "seed": seed,
            "device": device, "columns": columns, "separator": separator, "min_count": min_count,
            **settings, **({} if overrides is None else by_name("overrides", overrides))}
        self.backbone, self.profile = backbone, profile
        if (name := self.config().dataset) not in NAMES:
            own_file(name)  # a mistyped name shows before any work

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
    def _base(self) -> Run:
        return Run(self.config())

    @property
    def data(self) -> SequenceDataset:
        return self._base.data

    @property
    def dataset(self) -> str:
        """How tables name the data set."""
        return self._base.dataset

    def run(self, method: str = "base", **more) -> Run:
        """The run of a method, reused where it is stored, else made."""
        return run(self.config(method, **more), self.data)

    def model(self, method: str = "base", **more) -> Backbone:
        """The backbone after the last epoch of that run, in evaluation mode."""
        return self.run(method, **more).model(device=self.asked["device"]).eval()
