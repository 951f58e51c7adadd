"""Marks with intervals, a row each: the one picture of differences, claims and effects."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ..adversarial import METHOD_ORDER
from ..evaluation import METRICS
from ..results import frames
from ..results.frames import Results, select
from ..results.paper import paper_change
from . import style
from .style import PAPER_LOOK, STYLES, styled

OURS = {"color": "0.3", "marker": "o", "markersize": 5.5, "linewidth": 1.4}
PLAIN = {"color": "#0072B2", "marker": "o", "markersize": 5.5, "linestyle": ""}


@styled
def forest(frame: pd.DataFrame, xlabel: str = "", row: str = "row", panel: str | None = None,
           labels: Sequence[str] | None = None, zero: str = "no difference",
           ours: str = "ours, 95% interval", reference: str = "paper",
           missing: Sequence[str] = (), columns: int = 2) -> Figure:
    """A mark at "value" and a line from "low" to "high" for each row; 0 as a broken line.

    frame: one row a mark; NaN is not drawn. Columns: `row` (its label),
        "value", "low", "high"; `panel`, the title of the panel it is in; "method", whose colour
        and mark it takes; "reference", a hollow diamond; "low_all" and "high_all", a thin line.
    labels: the order of the rows, by default that of the frame.
    zero, ours, reference: what the legend calls the broken line, the marks and the diamonds.
    """
    frame = frame.reindex(columns=list(dict.fromkeys(
        [*frame, "method", "reference", "low_all", "high_all"])))
    titles = [""] if panel is None else list(frame[panel].unique())
    labels = list(frame[row].unique()) if labels is None else list(labels)
    columns = min(columns, len(titles))
    lines = -(-len(titles) // columns)
    figure, axes = style.panels(lines, columns, height=0.62 + 0.22 * len(labels), sharex=True,
                                sharey=True)
    for axis, title in zip(axes.flat, titles, strict=False):
        for one in (frame if panel is None else select(frame, **{panel: title})).to_dict("records"):
            at, method = labels.index(one[row]), one["method"]
            axis.plot([one["low_all"], one["high_all"]], [at, at], color="0.5", linewidth=0.7)
            axis.plot([one["low"], one["high"]], [at, at], color="0.3", linewidth=1.4, marker="|",
                      markersize=7)
            axis.plot([one["value"]], [at], **(style.method_line(method, markeredgecolor="0.2")
                                               if method in STYLES else PLAIN))
            axis.plot([one["reference"]], [at + 0.3], **PAPER_LOOK)
        axis.axvline(0, color="0.2", linestyle="--", linewidth=1)
        axis.set_yticks(range(len(labels)), labels)
        axis.set(ylim=(len(labels) - 0.4, -0.6), title=title)  # the first row on top
    for axis in axes.flat[len(titles):]:
        axis.remove()
    for axis in axes.flat[max(0, len(titles) - columns):len(titles)]:
        axis.set_xlabel(xlabel)
        axis.tick_params(labelbottom=True)
    keys = [Line2D([], [], label=ours, **OURS),
            Line2D([], [], color="0.2", linestyle="--", linewidth=1, label=zero)]
    if np.isfinite(frame["reference"].astype(float)).any():
        keys.append(Line2D([], [], label=reference, **PAPER_LOOK))
    style.key_below(figure, keys, list(missing))
    return figure


def gains(results: Results, dataset: str | None = None, metric: str = "ndcg@10") -> Figure:
    """Tables 3 and 4 as a picture: the change of a metric against the base in percent.

    Test, last epoch; a row a method, with its stored 95% interval; a panel a data set and backbone,
    all data sets for dataset None. A hollow diamond is the paper's change, from Table 3, or from
    Table 4 for the parts of the cascade.
    Needs the run of "base" and of at least one other method.
    """
    names = frames.datasets(results)
    names = names if dataset is None else [frames.choose_dataset(results, dataset)]
    parts, missing = style.by_backbone(_gains, results, names, metric)
    rows = pd.concat(parts, names=["panel"]).reset_index("panel")
    methods = [method for method in METHOD_ORDER if method in set(rows["method"])]
    return forest(rows, f"change of {METRICS[metric]} (% of the base)", panel="panel",
                  labels=[STYLES[method].label for method in methods], zero="base",
                  missing=missing)


def _gains(results: Results, dataset: str, backbone: str, metric: str) -> pd.DataFrame:
    """A frame for `forest`, of one data set and backbone."""
    methods = {run: method
               for method, run in frames.main_runs(results, dataset, backbone).items()}
    base = frames.main_run(results, dataset, backbone, "base")
    rows = select(results.intervals, kind="pair", quantity="percent", metric=metric, which="last",
                  versus=base, versus_which="last")
    rows = rows.assign(method=rows["run"].map(methods)).dropna(subset="method")
    if rows.empty:
        raise style.no_records("method besides 'base' with an interval", dataset, backbone)
    return rows.assign(row=[STYLES[method].label for method in rows["method"]],
                       reference=[paper_change(dataset, backbone, method, metric)
                                  for method in rows["method"]])
