"""Figures 3 and 4: ranking accuracy, from stored results (Section 5.5)."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from ..evaluation import METRICS
from ..results import frames
from ..results.frames import Results, main_run, select
from ..results.paper import PAPER_BEST_EPSILON
from . import style
from .animated import with_changing_part
from .style import COLORS, level_label, method_key, method_line, styled

FIGURE3_METHODS = ("base", "base+100", "adv_cas")
SWITCH = {"color": style.PAPER_GREY, "linewidth": 1, "label": "end of phase 1"}
OPTIMUM = {"color": "#0072B2", "linewidth": 1.2, "linestyle": (0, (2, 2)),
           "label": "optimum of the world"}
SPLIT_LOOK = {"test": {"linewidth": 1.6, "markersize": 5},
              "validation": {"linewidth": 0.8, "markersize": 4, "markerfacecolor": "white"}}


@styled
def figure3(results: Results, dataset: str | None = None, metric: str = "ndcg@10") -> Figure:
    """Learning curves over both phases: phase 1 is the base, phase 2 adv_cas and the control.

    One panel a backbone; test thick with filled marks, validation thin with hollow ones, a mark at
    every epoch that was evaluated. A phase-2 line starts where the base ended. The synthetic world
    has an optimum, drawn as a line: no model can do better on average.
    Needs the curves of "base" and "adv_cas"; "base+100" is drawn where it is there.
    """
    dataset = frames.choose_dataset(results, dataset)
    curves, missing = style.by_backbone(_curves, results, [dataset])
    optimum = select(results.datasets, dataset=dataset)[f"optimum_{metric}"].dropna()
    figure, axes = style.panels(1, len(curves), sharey=True)
    for axis, (title, rows) in zip(axes[0], curves.items(), strict=True):
        for split, look in SPLIT_LOOK.items():
            style.method_lines(axis, select(rows, split=split), "epoch", metric, **look)
        axis.axvline(select(rows, method="base")["epoch"].max(), **SWITCH)
        for level in optimum:
            axis.axhline(level, **OPTIMUM)
        axis.set(title=title, xlabel="epoch (passes over the training data)",
                 ylabel=level_label(metric))
        axis.label_outer()
    methods = pd.concat(curves.values())["method"].unique()
    style.key_below(figure, [
        *(method_key(method) for method in FIGURE3_METHODS if method in methods),
        *(Line2D([], [], color="0.3", marker="o", label=split, **look)
          for split, look in SPLIT_LOOK.items()), Line2D([], [], **SWITCH),
        *(Line2D([], [], **OPTIMUM) for _ in optimum)], missing)
    return figure


def _curves(results: Results, dataset: str, backbone: str) -> pd.DataFrame:
    """The rows of `curves`, with a column "method"; phase 2 begins with the base's last point."""
    runs = {run: method for method, run in frames.main_runs(results, dataset, backbone).items()
            if method in FIGURE3_METHODS}
    curves = results.curves.assign(method=results.curves["run"].map(runs)).dropna(subset="method")
    for method in ("base", "adv_cas"):
        if select(curves, run=main_run(results, dataset, backbone, method)).empty:
            raise style.no_records(f"curve of method {method!r}", dataset, backbone)
    base = select(curves, method="base")
    end = select(base, epoch=base["epoch"].max())
    starts = [end.assign(method=method) for method in curves["method"].unique()
              if method != "base"]
    return pd.concat([*starts, curves])


@styled
def figure4(results: Results, highlight: float | None = None, dataset: str | None = None
            ) -> Figure:
    """Test NDCG@10 and HR@10 of adv_cas against epsilon, last epoch; the base as a level line.

    The shade around the curve is the 95% interval of the difference to the base, where it is
    stored. The grey band is what the paper states: best for epsilon in [10, 20].
    highlight: an epsilon of the sweep to mark, with its values; ValueError for any other. It is
    the part that changes (see `animated`).
    Needs "base" and at least two values of epsilon for "adv_cas".
    """
    dataset = frames.choose_dataset(results, dataset)
    swept, missing = style.by_backbone(_swept, results, [dataset])
    epsilons = sorted(set(pd.concat(swept.values())["epsilon"]))
    figure, axes = style.panels(len(METRICS), len(swept), height=2.5, sharex=True)
    parts = [(axes[row, column], select(rows, metric=metric), "" if row else title)
             for column, (title, rows) in enumerate(swept.items())
             for row, metric in enumerate(METRICS)]
    for axis, rows, title in parts:
        axis.axvspan(*PAPER_BEST_EPSILON, facecolor="0.85", zorder=0)
        axis.axhline(rows["base"].iloc[0], **method_line("base", marker=""))
        axis.fill_between(rows["epsilon"], rows["low"], rows["high"], alpha=0.15, linewidth=0,
                          color=COLORS["adv_cas"])
        style.method_lines(axis, rows, "epsilon", "score")
        axis.set(xscale="log", title=title, ylabel=level_label(rows["metric"].iloc[0]),
                 xlabel="" if title else "epsilon (length in embedding units, log scale)")
        axis.set_xticks(epsilons, [f"{epsilon:g}" for epsilon in epsilons])
        axis.minorticks_off()
    style.key_below(figure, [
        method_key("adv_cas"), method_key("base", marker=""),
        Patch(facecolor=COLORS["adv_cas"], alpha=0.15,
              label="95% interval of the difference to base"),
        Patch(facecolor="0.85", label="paper: best from 10 to 20")], missing)
    if highlight is None:
        return figure

    def mark(epsilon):
        if not any(np.isclose(epsilon, one) for one in epsilons):
            raise ValueError(f"highlight is {epsilon!r}; allowed are the values of epsilon that "
                             f"were run, {', '.join(f'{e:g}' for e in epsilons)}, and None")
        return [artist for axis, rows, title in parts
                for artist in _marked(axis, rows, epsilon, title)]

    return with_changing_part(figure, mark, highlight)


def _swept(results: Results, dataset: str, backbone: str) -> pd.DataFrame:
    """Columns: method, epsilon, metric, score, low, high (NaN where not stored), base."""
    base = main_run(results, dataset, backbone, "base")
    runs = frames.sweep(results, dataset, backbone)
    levels = select(results.runs, run=base, which="last", split="test").iloc[0]
    differences = select(results.intervals, kind="pair", quantity="difference", which="last",
                         versus=base, versus_which="last")[["run", "metric", "low", "high"]]
    rows = runs.melt(["run", "method", "epsilon"], list(METRICS), "metric", "score")
    rows = rows.merge(differences, on=["run", "metric"], how="left")
    rows["base"] = rows["metric"].map(levels[list(METRICS)]).astype(float)
    return rows.assign(low=rows["base"] + rows["low"], high=rows["base"] + rows["high"])


def _marked(axis, rows: pd.DataFrame, epsilon: float, title: str) -> list:
    """A line, a ring and the value at one epsilon, where the sweep of a panel has it."""
    above = f"{title}\n" if title else ""
    there = rows[np.isclose(rows["epsilon"], epsilon)]
    if there.empty:
        return [axis.set_title(f"{above}epsilon {epsilon:g}: not run")]
    at, score, level = there.iloc[0][["epsilon", "score", "base"]]
    ring, = axis.plot([at], [score], "o", markersize=13, markerfacecolor="none",
                      markeredgecolor="0.2")
    words = f"epsilon {at:g}: {score:.4f} ({100 * (score / level - 1):+.1f}% against the base)"
    return [axis.axvline(at, color="0.2", linewidth=0.8), ring, axis.set_title(above + words)]
