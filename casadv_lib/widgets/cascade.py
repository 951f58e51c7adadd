"""The cascade effect of one interaction taken apart, and the sliders of notebook 03 (Eq. 11)."""

from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd

from ..cascade import cascade_effects
from ..data import SequenceDataset, training_inputs
from ..experiments.configuration import Configuration
from ..experiments.runs import data_of
from ..figures.sketches import figure2, stacked_terms
from ..results.frames import select
from ..support.checks import number
from .panel import Panel, Slider, choice, find_user, picture, table, user_entry
from .runs import stored_like

STEPS, USERS = 8, 5  # how many newest steps, and users, Figure 2 has room for on real data
LISTED = 12  # occurrences that a table lists


class Reach:
    """What each interaction among the training inputs of a data set reaches.

    A user is an index into data.sequences. mark: one of the newest STEPS inputs of that user, 0
    for the oldest of them. m: how many users have an input. all: a row an input, in order: "user",
    "item", "reaches" (1 + T - t) and "across", what the item reaches with all other users.
    """

    def __init__(self, data: SequenceDataset, max_len: int = 50):
        users, inputs = training_inputs(data, max_len)
        lengths = [len(row) for row in inputs]
        self.data, self.m = data, len(users)
        # the second term is proportional to b: once for all batch sizes
        cross = np.concatenate(cascade_effects(inputs, max_len, 1, "cross")) - 1
        self.all = pd.DataFrame({
            "user": np.repeat(users, lengths), "item": np.concatenate(inputs),
            "reaches": np.concatenate([np.arange(n, 0, -1) for n in lengths]),
            "across": self.m * cross})

    def recent(self, user: int) -> pd.DataFrame:
        """The newest STEPS inputs of a user, oldest first."""
        return select(self.all, user=user).tail(STEPS).reset_index(drop=True)

    def others(self, user: int, mark: int) -> pd.DataFrame:
        """The marked item with other users, the farthest reaching first."""
        there = select(self.all, item=self.recent(user)["item"][mark])
        return there[there["user"] != user].sort_values("reaches", ascending=False, kind="stable")

    def listed(self, user: int, mark: int) -> pd.DataFrame:
        first = self.others(user, mark).head(LISTED)
        ids = [self.data.user_ids[other] for other in first["user"]]
        return first[["reaches"]].assign(**{"steps from the end": first["reaches"] - 1}).set_index(
            pd.Index(ids, name="user"))

    def boxes(self, user: int, mark: int, batch_size: int) -> dict:
        """Arguments of `figure2`: the user, and others who met the item among the newest STEPS."""
        others = self.others(user, mark)
        near = others[others["reaches"] <= STEPS]["user"].unique()[:USERS - 1]
        shown, empty = [user, *near], USERS - 1 - len(near)  # the picture keeps its size
        return {"histories": [*(self.recent(one)["item"] for one in shown), *[[]] * empty],
                "users": [*(str(self.data.user_ids[one])[:10] for one in shown), *[""] * empty],
                "mark": (0, mark), "max_len": STEPS, "batch_size": batch_size,
                "others": (self.m, self.recent(user)["across"][mark])}

    def words(self, user: int, mark: int, batch_size: int) -> str:
        number("batch_size", batch_size, 1, self.m, kind=int)
        recent, others = self.recent(user), self.others(user, mark)
        own, cross = recent["reaches"][mark], batch_size / self.m * recent["across"][mark]
        step = f"T-{own - 1}" if own > 1 else "T"
        return (f"User {self.data.user_ids[user]}, {self.data.item_names[recent['item'][mark]]} at "
                f"step {step}, b = {batch_size}: C = {own} + {cross:.4g} = "
                f"{own + cross:.4g}. {others['user'].nunique():,} other users met it, where it "
                f"reaches {others['reaches'].sum():,} interactions.")


def cascade_panel(config: Configuration, data: SequenceDataset, user: int,
                  batch_sizes: Sequence[int]) -> Panel:
    """Batch size (of those given) and interaction, for a user, an index into data.sequences."""
    own, most = (config.dataset,), max(batch_sizes)
    stored = {(one.dataset,): one for one in stored_like(config).values()}

    @cache
    def reach_of(dataset):
        return Reach(data if dataset == own else data_of(stored[dataset]), config.model["max_len"])

    def show(dataset, user, back, batch_size):
        reach = reach_of(dataset)
        index = find_user(user, reach.data)
        mark = max(0, len(reach.recent(index)) - 1 - back)  # the oldest of a short history
        recent, words = reach.recent(index), reach.words(index, mark, batch_size)
        highest = (recent["reaches"] + min(most / reach.m, 1) * recent["across"]).max()
        yield "user", picture(stacked_terms(recent, batch_size / reach.m, mark, 1.05 * highest),
                              words)
        yield "listed", table(reach.listed(index, mark),
                              "The same item with other users, the first ones")
        yield "boxes", picture(figure2(**reach.boxes(index, mark, batch_size)),
                               "Figure 2 on this interaction")
        yield "words", words

    names = dict.fromkeys([own, *stored])
    datasets = choice("data set", [(Path(*name).stem, name) for name in names], value=own)
    controls = {
        "batch_size": Slider("batch size b", batch_sizes, min(config.training.batch_size, most)),
        "back": Slider("interaction (steps from the end)", range(STEPS)),
        "user": user_entry(data, user, datasets), "dataset": datasets}
    return Panel(controls, show)
