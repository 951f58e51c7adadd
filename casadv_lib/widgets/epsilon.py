"""The sliders of notebooks 04 and 07: an epsilon moves one user's inputs (Eq. 6 and 7)."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence

import numpy as np
from matplotlib.figure import Figure

from ..data import SequenceDataset
from ..figures.animated import Animated
from ..figures.perturbation import epsilon_figure
from ..figures.write import figure4
from ..results.records import BACKBONE_NAMES, MissingRecords, epsilon_sweep, load_results
from .panel import Panel, entry, find_user, picture, table
from .perturbed import PerturbedUser
from .runs import RunChoice
from .slider import Slider

CURVE = 25  # points of the curve of distances


class EpsilonViews:
    """What the controls show: the perturbed history, its tables, and a stored sweep.

    marked: a function that draws a figure of stored runs whose moving part takes one of the
    epsilons `swept`.
    """

    def __init__(self, runs: RunChoice, most: float, seed: int,
                 marked: Callable[[], Figure] | None, swept: Sequence[float] = ()):
        self.runs, self.most, self.seed = runs, most, seed
        self.swept = np.array(swept, dtype=float)
        self.stored = Animated(marked()) if marked is not None else None
        self.models: dict = {}
        self.users: dict = {}

    def state(self, dataset: str, backbone: str, method: str, user: str
              ) -> tuple[PerturbedUser, Animated]:
        """A user of a stored run, with the picture that moves; kept."""
        key = (dataset, backbone, method)
        if key not in self.models:
            made = self.runs.runs(*key)[method]
            self.models[key] = made.model(device=made.config["device"]).eval(), made
        model, made = self.models[key]
        place = find_user(user, made.data)
        if (key, place) not in self.users:
            found = PerturbedUser(model, made.data, place, made.config["batch_size"], self.seed)
            epsilons = np.linspace(0, self.most, CURVE)
            figure = epsilon_figure(**found.picture(epsilons), **found.at(0.0))
            self.users[key, place] = found, Animated(figure)
        return self.users[key, place]

    def user(self, epsilon: float, **chosen) -> str:
        found, film = self.state(**chosen)
        return picture(film.png(*found.at(epsilon).values()), found.words(epsilon))

    def tables(self, epsilon: float, **chosen) -> str:
        found, _ = self.state(**chosen)
        return (table(found.lists(epsilon), "The ten best items, before and after")
                + table(found.sizes(epsilon), "How far each item moves"))

    def marked(self, epsilon: float, **_others) -> str:
        nearest = float(self.swept[np.abs(self.swept - epsilon).argmin()])
        words = f"The stored sweep, epsilon {nearest:g} marked"
        if nearest != epsilon:
            words += f", the nearest to {epsilon:g} that was run"
        return picture(self.stored.png(nearest), words)

    def said(self, epsilon: float, **chosen) -> str:
        found, _ = self.state(**chosen)
        return found.words(epsilon)


def epsilon_panel(config: dict, data: SequenceDataset, user: int, epsilons: Sequence[float],
                  epsilon: float, marked: Callable[[], Figure] | None = None,
                  swept: Sequence[float] | None = None, seed: int = 0) -> Panel:
    """Epsilon for one user; over a stored sweep besides, where `marked` draws one.

    config: of a stored run, of `data`. user: an index into data.sequences. epsilons: what the
    slider offers; epsilon: where it begins. swept: the values that `marked` can mark, if they are
    others; the nearest is marked.
    """
    runs = RunChoice(config, data)
    views = EpsilonViews(runs, max(epsilons), seed, marked, epsilons if swept is None else swept)
    controls = {"epsilon": Slider("epsilon", [float(e) for e in epsilons], float(epsilon)),
                "user": entry("user", str(data.user_ids[user])), **runs.controls}
    shown = {"user": views.user, "tables": views.tables}
    if marked is not None:
        shown["stored"] = views.marked
    runs.controls["dataset"].observe(lambda _: controls["user"].set_trait("value", ""), "value")
    return Panel(controls, shown, views.said)


def stored_sweep(profile: str, dataset: str) -> dict:
    """Figure 4 of a profile's stored results, as `marked` and `swept` of `epsilon_panel`.

    Empty where no sweep of that data set is stored.
    """
    values: set[float] = set()
    try:
        found = load_results(profile)
    except MissingRecords:
        return {}
    for backbone in BACKBONE_NAMES:
        with contextlib.suppress(MissingRecords):
            values |= set(epsilon_sweep(found, dataset, backbone))
    swept = sorted(values)
    return {"marked": lambda: figure4(found, swept[0], dataset), "swept": swept} if swept else {}
