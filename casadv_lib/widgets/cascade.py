"""The sliders of notebook 03: batch size and interaction, both terms of C and what is reached."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence

import numpy as np

from ..data import SequenceDataset
from ..figures.cascade import user_terms
from ..figures.animated import Animated
from ..figures.sketches import figure2
from ..results.stored import dataset_of, short_name, stored_configs, values
from .panel import Panel, choice, entry, find_user, picture, table
from .reach import STEPS, USERS, Reach
from .slider import Slider


class CascadeViews:
    """What the controls show: both terms for a user, Figure 2 on its data, and a list.

    dataset: a function from the name of a data set to it. most: the largest batch size.
    """

    def __init__(self, dataset: Callable[[str], SequenceDataset], max_len: int, most: int):
        self.dataset, self.max_len, self.most = dataset, max_len, most
        self.reaches: dict[str, Reach] = {}
        self.films: dict = {}

    def reach(self, dataset: str) -> Reach:
        if dataset not in self.reaches:
            self.reaches[dataset] = Reach(self.dataset(dataset), self.max_len)
        return self.reaches[dataset]

    def chosen(self, dataset: str, user: str, back: int) -> tuple[Reach, int, int]:
        """The data, the user, and which of its newest items is marked."""
        found = self.reach(dataset)
        place = find_user(user, found.data)
        length = len(found.items_of(place))
        if back >= length:
            raise ValueError(f"interaction is {back} steps from the end; user {user} has "
                             f"{length} training inputs, allowed are 0 to {length - 1}")
        return found, place, length - 1 - back

    def terms(self, dataset, user, back, batch_size) -> str:
        found, place, mark = self.chosen(dataset, user, back)
        own, cross = found.terms(place, batch_size)
        if (dataset, place) not in self.films:
            most = float(np.max(np.add(*found.terms(place, min(self.most, found.m)))))
            self.films[dataset, place] = Animated(
                user_terms(own, cross, found.items_of(place), mark, most))
        return picture(self.films[dataset, place].png(cross, mark),
                       found.words(place, mark, batch_size))

    def boxes(self, dataset, user, back, batch_size) -> str:
        found, place, mark = self.chosen(dataset, user, back)
        moving = found.sketch(place, mark, batch_size)
        if dataset not in self.films:
            self.films[dataset] = Animated(
                figure2(max_len=self.max_len, size=(USERS, STEPS), **moving))
        return picture(self.films[dataset].png(*moving.values()), "Figure 2 on this interaction")

    def listed(self, dataset, user, back, batch_size) -> str:
        found, place, mark = self.chosen(dataset, user, back)
        return table(found.listed(place, mark), "The same item with other users, the first ones")

    def said(self, dataset, user, back, batch_size) -> str:
        found, place, mark = self.chosen(dataset, user, back)
        return found.words(place, mark, batch_size)


def cascade_panel(config: dict, data: SequenceDataset, user: int, batch_sizes: Sequence[int]
                  ) -> Panel:
    """Batch size and interaction, for a user of a data set.

    config: of `profiles.configure`, for `data`. user: an index into data.sequences. batch_sizes:
    what the slider offers, the configuration's own or smaller ones among them.
    """
    own = config["dataset"]
    names = values(stored_configs(), "dataset", (own,))
    names = names if own in names else [own, *names]

    def dataset(name: str) -> SequenceDataset:
        return data if name == own else dataset_of(name)

    views = CascadeViews(dataset, config["max_len"], max(batch_sizes))
    begin = min(config["batch_size"], max(batch_sizes))
    controls = {
        "batch_size": Slider("batch size b", batch_sizes, begin),
        "back": Slider("interaction (steps from the end)", range(STEPS)),
        "user": entry("user", str(data.user_ids[user])),
        "dataset": choice("data set", [(short_name(name), name) for name in names], value=own),
    }
    shown = {"user": views.terms, "listed": views.listed, "boxes": views.boxes}

    def fit(_change=None):
        """Offer the interactions that the user has."""
        back, found = controls["back"], views.reach(controls["dataset"].value)
        with contextlib.suppress(ValueError):  # the panel says what is wrong with the entry
            length = len(found.items_of(find_user(controls["user"].value, found.data)))
            back.offer(range(length), min(back.value, length - 1))

    fit()
    controls["dataset"].observe(lambda _: controls["user"].set_trait("value", ""), "value")
    controls["dataset"].observe(fit, "value")
    controls["user"].observe(fit, "value")
    return Panel(controls, shown, views.said)
