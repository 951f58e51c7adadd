"""What `attack` does to one user and to a sample: the sliders of notebooks 08 and 09 (5.6)."""

from collections.abc import Callable, Mapping, Sequence
from functools import cache

import numpy as np
import pandas as pd
import torch
from matplotlib.figure import Figure

from ..attacks import attack, excluded, neighbour_distance
from ..backbones import Backbone
from ..data import SequenceDataset, held_out
from ..evaluation import CUTOFF, METRICS, user_vectors
from ..experiments.configuration import Configuration
from ..figures.attack_step import STEPS
from ..settings import EXCLUDES, MOST_REPLACED, POSITIONS
from ..support.checks import number, one_of
from .panel import Panel, Slider, choice, find_user, list_table, picture, table, user_entry
from .runs import RunChoice

SHOWN = 8  # newest items of a history that a table shows, besides the replaced ones
PICKS = ("gradient", "nearest", "random")


class Replacements:
    """Attacks on trained models of one data set, for one user or a sample of users.

    models: {method: backbone}. seed: as in `attack`. sample: how many users an average takes, drawn
    among those with at least 5 items, so that every K has the same.
    """

    def __init__(self, models: Mapping[str, Backbone], data: SequenceDataset, seed: int = 0,
                 sample: int = 300):
        self.models, self.data, self.seed = dict(models), data, seed
        self.histories, self.targets = held_out(data, "test")
        self.max_len = min(model.max_len for model in self.models.values())
        lengths = np.array([min(len(history), self.max_len) for history in self.histories])
        able = np.flatnonzero(lengths >= min(MOST_REPLACED, lengths.max()))
        number("sample", sample, low=1, kind=int)
        drawn = np.random.default_rng(seed).permutation(len(able))[:sample]
        self.sample = np.sort(able[drawn])
        self.unit_of = cache(lambda m: neighbour_distance(self.models[m].item_table().detach()))

    def attacked(self, method: str, users: Sequence[int], **asked) -> dict:
        one_of("method", method, self.models)
        return attack(self.models[method], self.data, users=users, unit=self.unit_of(method),
                      seed=self.seed, **asked)

    def one_user(self, method: str, user: int, exclude: str = "both", **asked) -> dict:
        """One user's attack: "history" and "list" (tables of item names), "rank" (before, after)
        of the held-out item, the mean "distance" of a substitute in median neighbour distances.
        """
        result = self.attacked(method, [user], exclude=exclude, **asked)
        before, after = self.histories[user], result["histories"][0]
        lists = top_lists(self.models[method], [before, after],
                          [before, *excluded([before], [after], exclude)])
        names, target = self.data.item_names, int(self.targets[user])
        return {"history": history_table(before, after, names, self.max_len),
                "list": list_table(*lists, names, target),
                "rank": (float(result["clean"]["ranks"][0]), float(result["ranks"][0])),
                "distance": float(result["distance"].mean() / result["unit"])}

    def average(self, **asked) -> pd.DataFrame:
        """Both metrics over the sample, clean and attacked; asked: as in `attack`."""
        results = {method: self.attacked(method, self.sample, **asked) for method in self.models}
        frame = pd.DataFrame([
            {"method": method, "mean of": name, "clean": result["clean"][metric],
             "attacked": result[metric]}
            for metric, name in METRICS.items() for method, result in results.items()])
        frame["change (%)"] = 100 * (frame["attacked"] / frame["clean"] - 1)
        return frame.round({"clean": 4, "attacked": 4, "change (%)": 1}).set_index("method")


@torch.no_grad()
def top_lists(model: Backbone, inputs: list[np.ndarray], met: list[np.ndarray]
              ) -> list[np.ndarray]:
    """The ten best items for each history in `inputs`, best first, without its items in `met`."""
    scores = user_vectors(model, inputs) @ model.item_table().T
    for row, items in zip(scores, met, strict=True):
        row[torch.as_tensor(items - 1).to(scores.device)] = -torch.inf
    left = model.n_items - max(len(np.unique(items)) for items in met)
    return list(scores.topk(min(CUTOFF, left), dim=1).indices.cpu().numpy() + 1)


def history_table(before: np.ndarray, after: np.ndarray, names, max_len: int = 50) -> pd.DataFrame:
    """The newest items of a history and all that were replaced, newest last."""
    replaced = before != after
    frame = pd.DataFrame({"before": [names[item] for item in before],
                          "after": [names[item] for item in after],
                          "change": np.where(replaced, "replaced", "")},
                         index=pd.RangeIndex(len(before) - 1, -1, -1, name="steps from the end"))
    return frame[(replaced | (frame.index < SHOWN)) & (frame.index < max_len)]


def replacement_panel(config: Configuration, data: SequenceDataset, user: int, k: int = 1,
                      step: float = 0.1, marked: Callable[[int], Figure] | None = None, **options
                      ) -> Panel:
    """The attack's options, for a user (an index into data.sequences) and the mean of a sample.

    config: of the run that is shown first, of `data`. k, step: where they begin. marked: draws
    stored attacks with K marked. options: of `Replacements`.
    """
    runs = RunChoice(config, data)

    @cache
    def replacements(run):
        _, own, models = runs.models(run)
        return Replacements(models, own, **options)

    @cache
    def average(run, **asked):
        close = replacements(run)
        return table(close.average(**asked), f"A sample of {len(close.sample)} users")

    @cache
    def stored(k):
        return picture(marked(k), f"Stored attacks on all users, with K = {k} marked")

    def show(run, user, **asked):
        close, method = replacements(run), run[-1]
        index = find_user(user, close.data)
        one = close.one_user(method, index, **asked)
        yield "user", table(one["history"], "History") + table(one["list"], "The ten best items")
        yield "average", average(run, **asked)
        if marked is not None:
            yield "stored", stored(asked["k"])
        choices = ", ".join(f"{name} {value}" for name, value in asked.items())
        yield "words", (
            f"User {close.data.user_ids[index]}, {method}, {choices}: the held-out item "
            f"{close.data.item_names[close.targets[index]]} goes from rank {one['rank'][0]:g} to "
            f"{one['rank'][1]:g}; the new items lie {one['distance']:.2f} neighbour distances off.")

    controls = {"step": Slider("step (neighbour distances)", np.union1d(STEPS, [step]), step),
                "k": Slider("K", range(1, MOST_REPLACED + 1), k),
                "positions": choice("position", POSITIONS, value="last"),
                "pick": choice("attack", PICKS), "exclude": choice("left out", EXCLUDES),
                "user": user_entry(data, user, runs.control), "run": runs.control}
    return Panel(controls, show)
