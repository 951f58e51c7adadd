"""The choice of a stored run: data set, backbone and method, each a list of what is there."""

from __future__ import annotations

from ..adversarial import METHODS
from ..backbones import BACKBONES
from ..data import SequenceDataset
from ..experiments.runs import Run
from ..results.stored import dataset_of, most_like, short_name, stored_configs, stored_pair, values
from .panel import choice

ORDER = {"dataset": ("synthetic",), "backbone": tuple(BACKBONES), "method": ("base", *METHODS)}


class RunChoice:
    """Three lists that depend on each other, and the runs that they name.

    config: of a stored run; it is chosen first, and where several runs differ in other settings
    the one closest to it is taken. data: its data set, where it is loaded already.
    """

    def __init__(self, config: dict, data: SequenceDataset | None = None):
        self.config, self.data = config, data
        self.configs = stored_configs()
        names = values(self.configs, "dataset", (config["dataset"], *ORDER["dataset"]))
        named = [(short_name(name), name) for name in names]
        self.controls = {
            "dataset": choice("data set", named, value=config["dataset"]),
            "backbone": choice("backbone", self._there("backbone", dataset=config["dataset"]),
                               value=config["backbone"]),
            "method": choice("method", self._there("method", dataset=config["dataset"],
                                                   backbone=config["backbone"]),
                             value=config["method"]),
        }
        self.controls["dataset"].observe(self._narrow, names="value")
        self.controls["backbone"].observe(self._narrow, names="value")

    def _there(self, name: str, **fixed) -> list:
        return values(self.configs, name, ORDER[name], **fixed)

    def _narrow(self, _change) -> None:
        """Offer what is stored for the data set, then for its backbone."""
        fixed = {"dataset": self.controls["dataset"].value}
        for name in ("backbone", "method"):
            control, there = self.controls[name], self._there(name, **fixed)
            if list(control.options) != there:
                kept = control.value if control.value in there else there[0]
                control.options = there
                control.value = kept
            fixed[name] = control.value

    def runs(self, dataset: str, backbone: str, method: str) -> dict[str, Run]:
        """{"base": run, method: run}, one entry for the base itself."""
        fixed = {"dataset": dataset, "backbone": backbone}
        wanted = self.config | fixed | {"method": method}
        found = most_like(self.configs, wanted, method=method, **fixed)
        return stored_pair(found, self.dataset(dataset))

    def dataset(self, name: str) -> SequenceDataset:
        own = self.data is not None and name == self.config["dataset"]
        return self.data if own else dataset_of(name)
