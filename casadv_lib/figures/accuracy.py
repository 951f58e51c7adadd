"""Figures 3 and 4: ranking accuracy, from stored results (Section 5.5)."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from ..evaluation import METRICS
from ..results import frames
from ..results.frames import Results, main_run, select
from ..results.paper import PAPER_BEST_EPSILON
from . import style
from .style import level_label, method_line, styled

FIGURE3_METHODS = ("base", "base+100", "adv_cas")
SPLIT_LOOK = {"validation": {"linewidth": 0.8, "markersize": 4, "markerfacecolor": "white"},
              "test": {"linewidth": 1.6, "markersize": 5}}


@styled
def figure3(results: Results, dataset: str | None = None, metric: str = "ndcg@10") -> Figure:
    """Learning curves over both phases: phase 1 is the base, phase 2 adv_cas and the control.

    One panel a backbone, a mark at every epoch that was evaluated. The synthetic world has an
    optimum, drawn as a line: no model can do better on average.
    Needs the curves of "base" and "adv_cas"; "base+100" is drawn where it is there.
    """
    dataset = frames.choose_dataset(results, dataset)
    curves, missing = style.by_backbone(_curves, results, [dataset], what="curve",
                                        needed=("base", "adv_cas"))
    optimum = select(results.datasets, dataset=dataset)[f"optimum_{metric}"].dropna()
    figure, panels = style.grid(curves, sharey=True)
    for axis, _, rows in panels:
        for split, look in SPLIT_LOOK.items():
            style.method_lines(axis, select(rows, split=split), "epoch", metric, **look)
            axis.plot([], [], color="0.3", marker="o", label=split, **look)
        axis.axvline(select(rows, method="base")["epoch"].max(), color=style.PAPER_GREY,
                     linewidth=1, label="end of phase 1")
        for level in optimum:
            axis.axhline(level, color="#0072B2", linewidth=1.2, linestyle=(0, (2, 2)),
                         label="optimum of the world")
        axis.set(xlabel="epoch (passes over the training data)", ylabel=level_label(metric))
        axis.label_outer()
    style.key_below(figure, missing=missing)
    return figure


def _curves(results: Results, dataset: str, backbone: str) -> pd.DataFrame:
    """Rows of `curves`, with a column "method"; phase 2 begins with the base's last point."""
    runs = {run: method for method, run in results.main.get((dataset, backbone), {}).items()
            if method in FIGURE3_METHODS}
    curves = results.curves.assign(method=results.curves["run"].map(runs)).dropna(subset="method")
    base = select(curves, method="base")
    starts = [select(base, epoch=base["epoch"].max()).assign(method=method)
              for method in curves["method"].unique() if method != "base"]
    return pd.concat([*starts, curves]).sort_values("epoch", kind="stable")


@styled
def figure4(results: Results, highlight: float | None = None, dataset: str | None = None
            ) -> Figure:
    """Test NDCG@10 and HR@10 of adv_cas against epsilon, last epoch; the base as a level line.

    The shade is the 95% interval of the difference to the base, where it is stored. highlight: an
    epsilon of the sweep to mark, with its values; ValueError for any other.
    Needs "base" and at least two values of epsilon for "adv_cas".
    """
    dataset = frames.choose_dataset(results, dataset)
    swept, missing = style.by_backbone(_swept, results, [dataset])
    epsilons = sorted(set(swept["epsilon"]))
    if highlight is not None and not np.isclose(epsilons, highlight).any():
        raise ValueError(f"highlight is {highlight!r}; allowed are the values of epsilon that were "
                         f"run, {', '.join(f'{e:g}' for e in epsilons)}, and None")
    figure, panels = style.grid(swept, METRICS, height=2.5, sharex=True)
    for axis, metric, rows in panels:
        rows = select(rows, metric=metric)
        style.method_lines(axis, rows, "epsilon", "score", "95% interval of the difference to base")
        axis.axhline(rows["base"].iloc[0], label="base", **method_line("base", marker=""))
        axis.axvspan(*PAPER_BEST_EPSILON, facecolor="0.85", zorder=0,
                     label="paper: best from 10 to 20")
        axis.set(xscale="log", ylabel=level_label(metric))
        axis.set_xticks(epsilons, [f"{epsilon:g}" for epsilon in epsilons])
        axis.minorticks_off()
        if axis.get_subplotspec().is_last_row():
            axis.set_xlabel("epsilon (length in embedding units, log scale)")
        if highlight is not None:
            there = rows[np.isclose(rows["epsilon"], highlight)]
            words = [f"{row.score:.4f} ({100 * (row.score / row.base - 1):+.1f}% against the base)"
                     for row in there.itertuples()] or ["not run"]
            style.mark(axis, highlight, there["score"], f"epsilon {highlight:g}: {words[0]}")
    style.key_below(figure, missing=missing)
    return figure


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
