"""The sliders of notebooks 08 and 09: replace items of one user and of a sample (Section 5.6)."""

from __future__ import annotations

from collections.abc import Callable

from matplotlib.figure import Figure

from ..attacks import EXCLUDES, POSITIONS
from ..data import SequenceDataset
from ..figures.animated import Animated
from ..figures.replacement import average_figure
from ..results.paper import MOST_REPLACED
from .panel import Panel, choice, entry, find_user, picture, table
from .replacements import Replacements
from .runs import RunChoice
from .slider import Slider

PICKS = ("gradient", "nearest", "random")


class ReplacementViews:
    """What the controls show: a user's tables, a sample's averages, and stored attacks.

    marked: a function that draws a figure of stored attacks, whose moving part takes the values
    that `mark` makes of K and the place; or None.
    """

    def __init__(self, runs: RunChoice, options: dict, marked: Callable[[], Figure] | None,
                 mark: Callable[[int, str], tuple]):
        self.runs, self.options, self.mark = runs, options, mark
        self.states: dict = {}
        self.stored = Animated(marked()) if marked is not None else None

    def state(self, dataset: str, backbone: str, method: str) -> tuple[Replacements, Animated]:
        """The models of a choice and the picture of their averages; kept."""
        key = (dataset, backbone, method)
        if key not in self.states:
            made = self.runs.runs(*key)
            models = {name: run.model(device=run.config["device"]).eval()
                      for name, run in made.items()}
            found = Replacements(models, made[method].data, **self.options)
            figure = average_figure(found.clean(), found.average(k=0))
            self.states[key] = found, Animated(figure)
        return self.states[key]

    def _one(self, dataset, backbone, method, user, **attack):
        found, _ = self.state(dataset, backbone, method)
        return found.one_user(method, find_user(user, found.data), **attack)

    def user(self, **values) -> str:
        found = self._one(**values)
        return table(found["history"], "History") + table(found["list"], "The ten best items")

    def average(self, dataset, backbone, method, user, **attack) -> str:
        found, film = self.state(dataset, backbone, method)
        average = found.average(**attack)
        return picture(film.png(average), found.average_words(average))

    def marked(self, k, positions, **_others) -> str:
        return picture(self.stored.png(*self.mark(k, positions)),
                       f"Stored attacks on all users, with K = {k}, {positions} marked")

    def said(self, dataset, backbone, method, user, **attack) -> str:
        found, _ = self.state(dataset, backbone, method)
        before, after = self._one(dataset, backbone, method, user, **attack)["rank"]
        place = find_user(user, found.data)
        return (f"User {found.data.user_ids[place]}, {method}, K = {attack['k']} "
                f"({attack['positions']}, {attack['pick']}; left out: {attack['exclude']}): the "
                f"held-out item {found.data.item_names[found.targets[place]]} goes from rank "
                f"{before:g} to {after:g}. "
                + found.average_words(found.average(**attack)))


def replacement_panel(config: dict, data: SequenceDataset, user: int, k: int = 1,
                      marked: Callable[[], Figure] | None = None,
                      mark: Callable[[int, str], tuple] = lambda k, place: (k,),
                      **options) -> Panel:
    """K, the place and the way of picking, for a user and for the average of a sample.

    config: of a stored run, of `data`. user: an index into data.sequences. marked, mark: as in
    `ReplacementViews`. options: of `Replacements`.
    """
    runs = RunChoice(config, data)
    views = ReplacementViews(runs, options, marked, mark)
    controls = {
        "k": Slider("K", range(MOST_REPLACED + 1), k),
        "positions": choice("place", POSITIONS, value="last"),
        "pick": choice("attack", PICKS),
        "exclude": choice("left out", EXCLUDES),
        "user": entry("user", str(data.user_ids[user])),
        **runs.controls,
    }
    shown = {"user": views.user, "average": views.average}
    if marked is not None:
        shown["stored"] = views.marked
    # another data set has other users: an empty entry stands for its first one
    runs.controls["dataset"].observe(lambda _: controls["user"].set_trait("value", ""), "value")
    return Panel(controls, shown, views.said)
