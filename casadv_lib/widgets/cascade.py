"""The cascade effect of one interaction taken apart, and the sliders of notebook 03 (Eq. 11)."""

from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd

from ..cascade import cascade_effects
from ..data import SequenceDataset, training_inputs
from ..experiments.configuration import Configuration
from ..figures.animated import Animated
from ..figures.cascade import user_terms
from ..figures.sketches import figure2
from ..support.checks import number
from .panel import Panel, choice, find_user, picture, table, user_entry
from .runs import dataset_of, stored_like
from .slider import Slider

STEPS, USERS = 8, 5  # how many newest steps, and users, Figure 2 has room for on real data
LISTED = 12  # occurrences that a table lists


class Reach:
    """What each interaction among the training inputs of a data set reaches.

    A user is an index into data.sequences. mark: one of the newest STEPS inputs of that user, 0
    for the oldest of them. m: how many users have an input.
    """

    def __init__(self, data: SequenceDataset, max_len: int = 50):
        self.data = data
        self.users, self.inputs = training_inputs(data, max_len)
        self.m, lengths = len(self.inputs), [len(row) for row in self.inputs]
        # the second term is proportional to b: once for all batch sizes
        self.across = [self.m * (cross - 1)
                       for cross in cascade_effects(self.inputs, max_len, 1, "cross")]
        self.all = pd.DataFrame({
            "item": np.concatenate(self.inputs), "row": np.repeat(np.arange(self.m), lengths),
            "reaches": np.concatenate([np.arange(n, 0, -1) for n in lengths])})  # 1 + T - l

    def row_of(self, user: int) -> int:
        """The index of a user among `inputs`."""
        if user not in self.users:
            raise ValueError(f"user is {self.data.user_ids[user]!r} with one training item; "
                             "allowed are users with at least two")
        return int(np.searchsorted(self.users, user))

    def id_of(self, row: int) -> str:
        return str(self.data.user_ids[self.users[row]])

    def items_of(self, user: int) -> np.ndarray:
        """The newest STEPS inputs of a user, oldest first."""
        return self.inputs[self.row_of(user)][-STEPS:]

    def terms(self, user: int, batch_size: int) -> tuple[np.ndarray, np.ndarray]:
        """Both terms of C for these inputs."""
        number("batch_size", batch_size, 1, self.m, kind=int)
        across = self.across[self.row_of(user)][-STEPS:]
        return np.arange(len(across), 0, -1.0), batch_size / self.m * across

    def others(self, user: int, mark: int) -> pd.DataFrame:
        """The marked item with other users, a line an occurrence, the farthest reaching first.

        Columns: item, row (of the user among `inputs`), reaches (1 + T - l).
        """
        items = self.items_of(user)
        number("mark", mark, 0, len(items) - 1, kind=int)
        there = self.all[(self.all["item"] == items[mark]) & (self.all["row"] != self.row_of(user))]
        return there.sort_values("reaches", ascending=False, kind="stable")

    def listed(self, user: int, mark: int) -> pd.DataFrame:
        """The first of `others`, to be read."""
        first = self.others(user, mark).head(LISTED)
        return pd.DataFrame({"user": first["row"].map(self.id_of),
                             "steps from the end": first["reaches"] - 1,
                             "reaches": first["reaches"]}).set_axis(range(1, len(first) + 1))

    def for_figure2(self, user: int, mark: int, batch_size: int) -> dict:
        """The changing part of `figure2` for this interaction: the user and some of the others.

        Chosen are others whose occurrence lies among the newest STEPS, far from the end first.
        """
        others = self.others(user, mark)
        drawn = others[others["reaches"] <= STEPS].drop_duplicates("row").head(USERS - 1)["row"]
        rows = [self.row_of(user), *drawn]
        t = mark - len(self.items_of(user))  # from the end
        return {"histories": [self.inputs[row] for row in rows],
                "mark": (0, len(self.inputs[rows[0]]) + t), "batch_size": batch_size,
                "users": [self.id_of(row)[:10] for row in rows],
                "others": (self.m, float(self.across[rows[0]][t]))}

    def words(self, user: int, mark: int, batch_size: int) -> str:
        """The effect of one interaction, as a sentence."""
        own, cross = self.terms(user, batch_size)
        others, item = self.others(user, mark), self.items_of(user)[mark]
        step = f"T-{len(own) - 1 - mark}" if mark < len(own) - 1 else "T"
        return (f"User {self.data.user_ids[user]}, {self.data.item_names[item]} at step {step}, "
                f"b = {batch_size}: C = {own[mark]:g} + {cross[mark]:.4g} = "
                f"{own[mark] + cross[mark]:.4g}. {others['row'].nunique():,} other users met it, "
                f"where it reaches {others['reaches'].sum():,} interactions.")


def cascade_panel(config: Configuration, data: SequenceDataset, user: int,
                  batch_sizes: Sequence[int]) -> Panel:
    """Batch size and interaction, for a user of a data set.

    config: for `data`. user: an index into data.sequences. batch_sizes: what the slider offers.
    """
    own, most, max_len = (config.dataset,), max(batch_sizes), config.model["max_len"]

    @cache
    def reach_of(dataset):
        return Reach(data if dataset == own else dataset_of(*dataset), max_len)

    @cache
    def terms_figure(dataset, index):
        reach = reach_of(dataset)
        first, cross = reach.terms(index, min(most, reach.m))
        return Animated(user_terms(first, cross, reach.items_of(index), 0, max(first + cross)))

    @cache
    def boxes_figure():
        reach = reach_of(own)
        return Animated(figure2(max_len=max_len, size=(USERS, STEPS),
                                **reach.for_figure2(reach.users[0], 0, 1)))

    def show(dataset, user, back, batch_size):
        reach = reach_of(dataset)
        index = find_user(user, reach.data)
        mark = max(0, len(reach.items_of(index)) - 1 - back)  # the oldest of a short history
        words, cross = reach.words(index, mark, batch_size), reach.terms(index, batch_size)[1]
        yield "user", picture(terms_figure(dataset, index), words, cross, mark)
        yield "listed", table(reach.listed(index, mark),
                              "The same item with other users, the first ones")
        yield "boxes", picture(boxes_figure(), "Figure 2 on this interaction",
                               *reach.for_figure2(index, mark, batch_size).values())
        yield "words", words

    names = dict.fromkeys([own, *((name,) for name, *_ in stored_like(config))])
    datasets = choice("data set", [(Path(*name).stem, name) for name in names], value=own)
    controls = {
        "batch_size": Slider("batch size b", batch_sizes, min(config.training.batch_size, most)),
        "back": Slider("interaction (steps from the end)", range(STEPS)),
        "user": user_entry(data, user, datasets), "dataset": datasets}
    return Panel(controls, show)
