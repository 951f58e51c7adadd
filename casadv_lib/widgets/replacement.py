"""Replaced items seen from close, and the sliders of notebooks 08 and 09 (Section 5.6).

Everything is what `attacks.attack` returns for one user and for a sample, arranged to be read.
"""

from collections.abc import Callable, Mapping
from functools import cache, lru_cache

import numpy as np
import pandas as pd
import torch
from matplotlib.figure import Figure

from ..attacks import attack, excluded, neighbour_distance
from ..backbones import Backbone
from ..data import SequenceDataset, held_out
from ..evaluation import CUTOFF, METRICS, user_vectors
from ..experiments.configuration import Configuration
from ..figures.animated import Animated
from ..figures.replacement import average_figure
from ..settings import EXCLUDES, MOST_REPLACED, POSITIONS
from ..support.checks import number, one_of
from .panel import Panel, choice, find_user, list_table, picture, table, user_entry
from .runs import RunChoice
from .slider import Slider

SHOWN = 8  # newest items of a history that a table shows, besides the replaced ones
PICKS = ("gradient", "nearest", "random")


class Replacements:
    """Attacks on trained models of one data set, for one user or a sample of users.

    models: {method: backbone}. step, split, seed: as in `attack`. sample: how many users an
        average takes, drawn among those with at least 5 items, so that every K has the same.
    keep: how many attacks are remembered, so that going back to a choice costs nothing.
    """

    def __init__(self, models: Mapping[str, Backbone], data: SequenceDataset, step: float = 0.1,
                 split: str = "test", seed: int = 0, sample: int = 300, keep: int = 300):
        self.models, self.data = dict(models), data
        self.options = {"step": step, "split": split, "seed": seed}
        self.histories, self.targets = held_out(data, split)
        self.max_len = min(model.max_len for model in self.models.values())
        lengths = np.array([min(len(history), self.max_len) for history in self.histories])
        able = np.flatnonzero(lengths >= min(MOST_REPLACED, lengths.max()))
        number("sample", sample, low=1, kind=int)
        drawn = np.random.default_rng(seed).permutation(len(able))[:sample]
        self.sample = np.sort(able[drawn])
        self.attacked = lru_cache(number("keep", keep, low=3, kind=int))(self._attacked)
        self.unit_of = cache(lambda m: neighbour_distance(self.models[m].item_table().detach()))

    def _attacked(self, method: str, users: tuple[int, ...], k: int = 1, **asked) -> dict:
        """What `attack` returns for these users; with k = 0 the clean ranks twice."""
        one_of("method", method, self.models)
        number("k", k, low=0, high=MOST_REPLACED, kind=int)
        result = attack(self.models[method], self.data, k=max(k, 1), users=np.array(users),
                        unit=self.unit_of(method), **asked, **self.options)
        unchanged = {**result["clean"], "histories": [self.histories[user] for user in users]}
        return result if k else result | unchanged

    def one_user(self, method: str, user: int, exclude: str = "both", **asked) -> dict:
        """One user's attack as tables of item names; asked: k, positions, pick.

        Returns "history" and "list" (DataFrames: before, after and a word on the change) and
        "rank" (before, after) of the held-out item.
        """
        result = self.attacked(method, (user,), exclude=exclude, **asked)
        before, after = self.histories[user], result["histories"][0]
        lists = top_lists(self.models[method], [before, after],
                          [before, *excluded([before], [after], exclude)])
        names, target = self.data.item_names, int(self.targets[user])
        return {"history": history_table(before, after, names, self.max_len),
                "list": list_table(*lists, names, target),
                "rank": (float(result["clean"]["ranks"][0]), float(result["ranks"][0]))}

    def average(self, **asked) -> dict:
        """{method: {"clean": {metric: value}, "attacked": {metric: value}}} over the sample.

        asked: k, positions, pick, exclude.
        """
        results = {method: self.attacked(method, tuple(self.sample.tolist()), **asked)
                   for method in self.models}
        return {method: {"clean": {m: result["clean"][m] for m in METRICS},
                         "attacked": {m: result[m] for m in METRICS}}
                for method, result in results.items()}

    def average_words(self, average: Mapping) -> str:
        """What `average` returned, as a sentence."""
        values = "; ".join(f"{method} {one['clean']['hr@10']:.3f} → {one['attacked']['hr@10']:.3f}"
                           for method, one in average.items())
        return f"Mean HR@10 of {len(self.sample)} users, clean → attacked: {values}."

    def clean(self) -> dict:
        """{method: {metric: value}} over the sample before any attack."""
        return {method: one["clean"] for method, one in self.average(k=0).items()}


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
    """The newest items of a history and all that were replaced, newest last.

    The index counts the steps from the end (0 is the newest item).
    """
    replaced = before != after
    frame = pd.DataFrame({"before": [names[item] for item in before],
                          "after": [names[item] for item in after],
                          "change": np.where(replaced, "replaced", "")},
                         index=pd.RangeIndex(len(before) - 1, -1, -1, name="steps from the end"))
    return frame[(replaced | (frame.index < SHOWN)) & (frame.index < max_len)]


def replacement_panel(config: Configuration, data: SequenceDataset, user: int, k: int = 1,
                      marked: Callable[[], Figure] | None = None,
                      mark: Callable[[int, str], tuple] = lambda k, positions: (k,),
                      **options) -> Panel:
    """K, the positions and the way of picking, for a user and for the average of a sample.

    config: of a stored run, of `data`. user: an index into data.sequences. marked: draws a figure
    of stored attacks, whose changing part takes what `mark` makes of K and the positions.
    options: of `Replacements`.
    """
    runs = RunChoice(config, data)
    stored = Animated(marked()) if marked is not None else None

    @cache
    def state(run):
        pair = runs.pair(run)
        models = {method: made.model(device=made.config.training.device).eval()
                  for method, made in pair.items()}
        close = Replacements(models, pair["base"].data, **options)
        return close, Animated(average_figure(close.clean(), close.average(k=0)))

    def show(run, user, k, positions, pick, exclude):
        asked = {"k": k, "positions": positions, "pick": pick, "exclude": exclude}
        (close, figure), method = state(run), run[-1]
        index = find_user(user, close.data)
        one = close.one_user(method, index, **asked)
        yield "user", (table(one["history"], "History") + table(one["list"], "The ten best items"))
        average = close.average(**asked)
        words = close.average_words(average)
        yield "average", picture(figure, words, average)
        if stored is not None:
            yield "stored", picture(
                stored, f"Stored attacks on all users, with K = {k}, {positions} marked",
                *mark(k, positions))
        yield "words", (
            f"User {close.data.user_ids[index]}, {method}, K = {k} ({positions}, {pick}; left out: "
            f"{exclude}): the held-out item {close.data.item_names[close.targets[index]]} goes "
            f"from rank {one['rank'][0]:g} to {one['rank'][1]:g}. {words}")

    controls = {"k": Slider("K", range(MOST_REPLACED + 1), k),
                "positions": choice("position", POSITIONS, value="last"),
                "pick": choice("attack", PICKS), "exclude": choice("left out", EXCLUDES),
                "user": user_entry(data, user, runs.control), "run": runs.control}
    return Panel(controls, show)
