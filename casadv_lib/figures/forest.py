"""Marks with intervals, a row each: the one picture of differences, claims and effects."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from ..adversarial import METHOD_ORDER
from ..results import frames
from ..results.frames import MissingRecords, Results, select
from ..results.paper import paper_beside
from . import style
from .style import PAPER_LOOK, STYLES, styled

COLUMNS = 2  # panels side by side
PLAIN = {"color": "#0072B2", "marker": "o", "markersize": 5.5, "linestyle": ""}
OPTIONAL = {"panel": "", "method": "", "reference": np.nan, "low_all": np.nan, "high_all": np.nan}


@styled
def forest(frame: pd.DataFrame, xlabel: str = "", labels: Sequence[str] | None = None,
           zero: str = "no difference", ours: str = "ours, 95% interval",
           reference: str = "paper") -> Figure:
    """A mark at "value" and a line from "low" to "high" for each row; 0 as a broken line.

    frame: columns "row" (its label), "value", "low", "high"; where it has them "panel", the title
    of its panel, "method", whose colour and mark it takes, "reference", a hollow diamond, "low_all"
    and "high_all", a thin line. labels: the order of the rows, by default that of the frame.
    zero, ours, reference: what the legend calls the broken line, the marks and the diamonds.
    """
    frame = frame.assign(**{name: value for name, value in OPTIONAL.items() if name not in frame})
    titles = list(frame["panel"].unique())
    labels = list(frame["row"].unique()) if labels is None else list(labels)
    columns = min(COLUMNS, len(titles))
    figure, axes = style.panels(-(-len(titles) // columns), columns, sharex=True, sharey=True,
                                height=0.62 + 0.22 * len(labels))
    for axis, title in zip(axes.flat, titles):
        rows = select(frame, panel=title)
        at = np.array([labels.index(row) for row in rows["row"]])
        axis.plot(rows[["low_all", "high_all"]].T, [at, at], color="0.5", linewidth=0.7)
        axis.plot(rows[["low", "high"]].T, [at, at], color="0.3", linewidth=1.4, marker="|",
                  markersize=7)
        for place, value, method in zip(at, rows["value"], rows["method"]):
            axis.plot([value], [place], **(style.method_line(method, markeredgecolor="0.2")
                                           if method in STYLES else PLAIN))
        axis.plot([], [], color="0.3", marker="o", markersize=5.5, linewidth=1.4, label=ours)
        axis.axvline(0, color="0.2", linestyle="--", linewidth=1, label=zero)
        axis.plot(rows["reference"], at + 0.3, **PAPER_LOOK,
                  label=reference if rows["reference"].notna().any() else "")
        axis.set_yticks(range(len(labels)), labels)
        axis.set(ylim=(len(labels) - 0.4, -0.6), title=title)  # the first row on top
    for axis in axes.flat[len(titles):]:
        axis.remove()
    for axis in axes.flat[max(0, len(titles) - columns):len(titles)]:
        axis.set_xlabel(xlabel)
        axis.tick_params(labelbottom=True)
    style.key_below(figure)
    return figure


def gains(results: Results, dataset: str | None = None) -> Figure:
    """Tables 3 and 4 as a picture: the change of NDCG@10 against the base in percent.

    Test, last epoch; a row a method, with its stored 95% interval; a panel a data set and backbone,
    all data sets for dataset None. A hollow diamond is the paper's change.
    """
    if dataset is not None:
        frames.choose_dataset(results, dataset)
    rows = frames.with_role(results, "main", dataset=dataset)
    bases = select(rows, method="base")[["dataset", "backbone", "run"]]
    rows = rows.merge(bases, on=["dataset", "backbone"], suffixes=("", "_base"))
    stored = select(results.intervals, kind="pair", quantity="percent", metric="ndcg@10",
                    which="last", versus_which="last")[["run", "versus", "value", "low", "high"]]
    rows = rows.merge(stored, left_on=["run", "run_base"], right_on=["run", "versus"])
    if rows.empty:
        raise MissingRecords("no runs of 'base' and of a method besides it with an interval")
    rows = rows.assign(
        panel=list(map(style.panel_title, rows["backbone"], rows["dataset"])),
        row=[STYLES[method].label.replace("100", f"{epochs:g}")
             for method, epochs in zip(rows["method"], rows["adv_epochs"])],
        reference=paper_beside(rows)["ndcg@10 change"])
    in_order = rows.sort_values("method", key=lambda names: names.map(METHOD_ORDER.index))
    return forest(rows, "change of NDCG@10 (% of the base)", in_order["row"].unique(), zero="base")


def ladder(rows: pd.DataFrame) -> Figure:
    """What each method adds to plain training, from the bases of several losses.

    rows: of `comparisons.ladder`. A row a method, with its 95% interval; a column of panels a
    loss, accuracy above robustness.
    """
    rows = rows.sort_values("measure", kind="stable").assign(
        row=lambda rows: rows["method"].map(lambda method: STYLES[method].label),
        panel=lambda rows: rows["loss"] + ": " + rows["measure"])
    labels = [STYLES[method].label for method in METHOD_ORDER if method in set(rows["method"])]
    return forest(rows, "against plain training (%; points)", labels,
                  zero="plain training")
