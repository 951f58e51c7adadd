"""The runs that are stored, and a choice among them."""

from pathlib import Path

from ..adversarial import METHODS
from ..backbones import BACKBONES, Backbone
from ..data import SequenceDataset
from ..experiments.configuration import Configuration
from ..experiments.runs import Run, data_of, run, runs_folder
from ..support.files import read_json
from .panel import choice


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
        own = (config.dataset, config.backbone, config.method)
        self.data, self.dataset = data, config.dataset
        self.stored = stored_like(config) | {own: config}  # its file may have moved since
        named = [(", ".join((Path(three[0]).stem, *three[1:])), three) for three in self.stored]
        self.control = choice("run", named, value=own)

    def models(self, chosen: tuple[str, str, str]
               ) -> tuple[Configuration, SequenceDataset, dict[str, Backbone]]:
        """A run's configuration and data, and {"base": model, method: model}, trained."""
        config, models = self.stored[chosen], {}
        data = self.data if config.dataset == self.dataset else data_of(config)
        for one in (config.base, config):
            made = Run(one, data)
            if not made.is_complete:
                raise ValueError(f"run is {', '.join(chosen)}; its {one.method} run is not stored "
                                 f"for {data.name} as it is now, allowed are runs that are")
            models[one.method] = made.model(device=config.training.device).eval()
        return config, data, models
