"""The runs that are stored, and a choice among them."""

from functools import lru_cache
from pathlib import Path

from ..adversarial import METHODS
from ..backbones import BACKBONES, Backbone
from ..data import SequenceDataset
from ..datasets import load_dataset
from ..experiments.configuration import Configuration
from ..experiments.runs import Run, run, runs_folder
from ..support.files import read_json
from .panel import choice

dataset_of = lru_cache(maxsize=4)(load_dataset)  # a data set by its name, read once


def stored_like(config: Configuration) -> dict[tuple[str, str, str], Configuration]:
    """{(data set, backbone, method): configuration} of the stored runs; of several runs with the
    same three, of the one with the most settings as in `config`."""
    here = {"device": config.training.device}  # what a run was made on need not be there any more
    stored = [Configuration.of(read_json(path.with_name("config.json")) | here)
              for path in sorted(runs_folder().glob("*/metrics.json"))]
    wanted = config.everything().items()
    stored.sort(key=lambda one: len(wanted & one.everything().items()))
    closest = {(one.dataset, one.backbone, one.method): one for one in stored}
    order = [*BACKBONES, "base", *METHODS]
    return {three: closest[three] for three in sorted(
        closest, key=lambda three: (three[0], *map(order.index, three[1:])))}


class RunChoice:
    """A list of the stored runs, `control`, whose value is (data set, backbone, method); first that
    of `config`, on `data`, which is made where it is not stored."""

    def __init__(self, config: Configuration, data: SequenceDataset):
        run(config, data)
        self.data, self.dataset, self.stored = data, config.dataset, stored_like(config)
        named = [(", ".join((Path(three[0]).stem, *three[1:])), three) for three in self.stored]
        self.control = choice("run", named, value=(config.dataset, config.backbone, config.method))

    def models(self, chosen: tuple[str, str, str]
               ) -> tuple[Configuration, SequenceDataset, dict[str, Backbone]]:
        """A run's configuration and data, and {"base": model, method: model}, trained."""
        config, models = self.stored[chosen], {}
        data = self.data if config.dataset == self.dataset else dataset_of(config.dataset)
        for one in (config.base, config):
            made = Run(one, data)
            if not made.is_complete:
                raise ValueError(f"run is {', '.join(chosen)}; its {one.method} run is not stored "
                                 f"for {data.name} as it is now, allowed are runs that are")
            models[one.method] = made.model(device=config.training.device).eval()
        return config, data, models
