"""Replaced items seen from close: one user's history and list before and after, a sample's mean.

Everything is what `attacks.attack` returns for these users, arranged to be read (Section 5.6).
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
import torch

from ..attacks import EXCLUDES, attack, excluded, neighbour_distance
from ..backbones import Backbone
from ..data import SequenceDataset, held_out
from ..evaluation import CUTOFF, METRICS, rank_items, summary, user_vectors
from ..results.paper import MOST_REPLACED
from ..support.checks import number, one_of

SHOWN = 8  # newest items of a history that a table shows, besides the replaced ones


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
        number("sample", sample, low=1, kind=int)
        self.max_len = min(model.max_len for model in self.models.values())
        lengths = np.array([min(len(history), self.max_len) for history in self.histories])
        able = np.flatnonzero(lengths >= min(MOST_REPLACED, lengths.max()))
        drawn = np.random.default_rng(seed).permutation(len(able))[:sample]
        self.sample = np.sort(able[drawn])
        self.keep = number("keep", keep, low=3, kind=int)
        self.units, self.kept = {}, {}

    def found(self, method: str, users: np.ndarray, positions: str = "last", k: int = 1,
              pick: str = "gradient", exclude: str = "both") -> dict:
        """What `attack` returns for these users; with k = 0 the clean ranks twice."""
        one_of("method", method, self.models)
        number("k", k, low=0, high=MOST_REPLACED, kind=int)
        one_of("exclude", exclude, EXCLUDES)
        asked = {"positions": positions, "pick": pick, "exclude": exclude} if k else {}
        key = (method, tuple(users), k, *asked.values())
        if key not in self.kept:
            self.kept[key] = self._attacked(method, users, k, asked)
            if len(self.kept) > self.keep:
                del self.kept[next(iter(self.kept))]  # the oldest
        return self.kept[key]

    def _attacked(self, method, users, k, asked):
        model = self.models[method]
        if k == 0:
            original = [self.histories[u] for u in users]
            ranks, _ = rank_items(model, original, self.targets[users], original)
            clean = {**summary(ranks), "ranks": ranks}
            return clean | {"clean": clean, "users": np.asarray(users), "histories": original}
        if method not in self.units:
            with torch.no_grad():
                self.units[method] = neighbour_distance(model.items.weight[1:])
        return attack(model, self.data, k=k, users=users, unit=self.units[method], **asked,
                      **self.options)

    def one_user(self, method: str, user: int, positions: str = "last", k: int = 1,
                 pick: str = "gradient", exclude: str = "both") -> dict:
        """One user's attack as tables of item names.

        Returns "history" and "list" (DataFrames: before, after and a word on the change), "rank"
        (before, after) of the held-out item, and "found", the `attack` behind them.
        """
        found = self.found(method, np.array([user]), positions, k, pick, exclude)
        before, after = self.histories[user], found["histories"][0]
        met = [before, *excluded([before], [after], exclude)]
        lists = top_lists(self.models[method], [before, after], met)
        target = int(self.targets[user])
        return {"history": history_table(before, after, self.data.item_names, self.max_len),
                "list": list_table(*lists, self.data.item_names, target),
                "rank": (float(found["clean"]["ranks"][0]), float(found["ranks"][0])),
                "found": found}

    def average(self, positions: str = "last", k: int = 1, pick: str = "gradient",
                exclude: str = "both") -> dict:
        """{method: {"clean": {metric: value}, "attacked": {metric: value}}} over the sample."""
        averages = {}
        for method in self.models:
            found = self.found(method, self.sample, positions, k, pick, exclude)
            averages[method] = {"clean": {m: found["clean"][m] for m in METRICS},
                                "attacked": {m: found[m] for m in METRICS}}
        return averages

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
    table = model.embed(torch.arange(1, model.n_items + 1, device=model.items.weight.device))
    scores = user_vectors(model, inputs) @ table.T
    for row, items in zip(scores, met, strict=True):
        row[torch.as_tensor(items - 1).to(scores.device)] = -torch.inf
    left = model.n_items - max(len(np.unique(items)) for items in met)
    best = scores.topk(min(CUTOFF, left), dim=1).indices + 1
    return list(best.cpu().numpy())


def history_table(before: np.ndarray, after: np.ndarray, names, max_len: int = 50) -> pd.DataFrame:
    """The newest items of a history and all that were replaced, newest last.

    The index counts the steps from the end (0 is the newest item).
    """
    n = len(before)
    shown = [p for p in range(max(0, n - max_len), n) if p >= n - SHOWN or before[p] != after[p]]
    rows = [{"before": names[before[p]], "after": names[after[p]],
             "change": "replaced" if before[p] != after[p] else ""} for p in shown]
    index = pd.Index([n - 1 - p for p in shown], name="steps from the end")
    return pd.DataFrame(rows, index=index)


def list_table(before: np.ndarray, after: np.ndarray, names, target: int,
               word: str = "held out") -> pd.DataFrame:
    """Two lists side by side; words say where each item of the second stood in the first.

    word: what is written at the target.
    """

    def marked(item):
        return names[item] + (f" ← {word}" if item == target else "")

    old = {int(item): place for place, item in enumerate(before, start=1)}
    rows = []
    for place, (item, other) in enumerate(zip(before, after, strict=True), start=1):
        was = old.get(int(other))
        change = ("new" if was is None else "same place" if was == place
                  else f"up from {was}" if was > place else f"down from {was}")
        gone = "" if item in after else " (leaves)"
        rows.append({"before": marked(item) + gone,
                     "after": marked(other), "change": change})
    return pd.DataFrame(rows, index=pd.RangeIndex(1, len(rows) + 1, name="place"))
