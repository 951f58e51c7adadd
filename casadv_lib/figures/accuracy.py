"""Figures 3 and 4: ranking accuracy, from stored records (Section 5.5)."""

from __future__ import annotations

import math

from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from ..results.paper import PAPER_BEST_EPSILON
from ..results.records import (
    METRICS,
    MissingRecords,
    choose_dataset,
    epsilon_sweep,
    gather,
    main_record,
    methods,
)
from .moving import moves
from .style import (
    PAPER_GREY,
    key_below,
    level_label,
    method_key,
    method_line,
    panel_title,
    panels,
    styled,
)

OPTIMUM = {"color": "#0072B2", "linewidth": 1.2, "linestyle": (0, (2, 2))}
SPLIT_LOOK = {
    "test": {},
    "validation": {"linewidth": 0.8, "markerfacecolor": "white"},
}
MARK_SIZE = {"test": 0.75, "validation": 0.6}  # of a method's usual mark: every evaluation has one


@styled
def figure3(results: dict, dataset: str | None = None, metric: str = "ndcg@10") -> Figure:
    """Learning curves over both phases: phase 1 is the base, phase 2 adv_cas and the control.

    One panel a backbone; test thick with filled marks, validation thin with hollow marks, a mark
    at every epoch that was evaluated.
    A phase-2 line starts at the base's last point, from which it went on. The synthetic world
    has an optimum, drawn as a line: no model can do better on average.
    Needs the curves of "base" and "adv_cas"; "base+100" is drawn where it is there.
    """
    dataset = choose_dataset(results, dataset)

    def collect(backbone):
        needed = {method: main_record(results, dataset, backbone, method)
                  for method in ("base", "adv_cas")}
        if "base+100" in methods(results, dataset, backbone):
            needed["base+100"] = main_record(results, dataset, backbone, "base+100")
        for method, record in needed.items():
            if not record.get("curve"):
                raise MissingRecords(f"no curve in the record of method {method!r}, backbone "
                                     f"{backbone!r}, dataset {dataset!r}")
        return needed

    found, missing = gather(results, dataset, collect)
    optimum = (results.get("optimum") or {}).get(dataset, {}).get(metric)
    figure, axes = panels(1, len(found), sharey=True)
    drawn = []
    for axis, (backbone, records) in zip(axes[0], found.items(), strict=True):
        switch = records["base"]["config"]["epochs"]
        start = [point for point in records["base"]["curve"] if point["epoch"] == switch]
        for method in ("base", "base+100", "adv_cas"):
            if method not in records:
                continue
            drawn.append(method)
            points = ([] if method == "base" else start) + records[method]["curve"]
            for split, changes in SPLIT_LOOK.items():
                look = method_line(method, **changes)
                look["markersize"] *= MARK_SIZE[split]
                axis.plot([point["epoch"] for point in points],
                          [point[split][metric] for point in points],
                          label=f"{method} {split}", **look)
        axis.axvline(switch, color=PAPER_GREY, linewidth=1, label="switch")
        if optimum is not None:
            axis.axhline(optimum, label="optimum", **OPTIMUM)
        axis.set(title=panel_title(backbone, dataset),
                 xlabel="epoch (passes over the training data)", ylabel=level_label(metric))
        axis.label_outer()
    handles = [method_key(method) for method in dict.fromkeys(drawn)]
    handles += [Line2D([], [], color="0.3", marker="o", markersize=5, linewidth=1.6, label="test"),
                Line2D([], [], color="0.3", marker="o", markersize=4, linewidth=0.8,
                       markerfacecolor="white", label="validation"),
                Line2D([], [], color=PAPER_GREY, linewidth=1, label="end of phase 1")]
    if optimum is not None:
        handles.append(Line2D([], [], label="optimum of the world", **OPTIMUM))
    key_below(figure, handles, missing)
    return figure


@styled
def figure4(results: dict, highlight: float | None = None, dataset: str | None = None) -> Figure:
    """Test NDCG@10 and HR@10 of adv_cas against epsilon, last epoch; the base as a level line.

    The shade around the curve is the 95% bootstrap interval of the difference to the base, where
    the records hold it. The grey band is what the paper states: best for epsilon in [10, 20].
    highlight: an epsilon of the sweep to mark, with its values, the part that can move (see
    `moving`); ValueError for any other.
    Needs "base" and at least two values of epsilon for "adv_cas".
    """
    dataset = choose_dataset(results, dataset)
    found, missing = gather(results, dataset, lambda backbone: {
        "base": main_record(results, dataset, backbone, "base"),
        "sweep": epsilon_sweep(results, dataset, backbone)})
    there = sorted({epsilon for records in found.values() for epsilon in records["sweep"]})
    figure, axes = panels(len(METRICS), len(found), height=2.5, sharex=True)
    for column, (backbone, records) in enumerate(found.items()):
        for row, metric in enumerate(METRICS):
            axis = axes[row, column]
            _sweep_panel(axis, records["base"], records["sweep"], metric)
            axis.set_ylabel(level_label(metric))
            axis.set_xticks(there, [f"{epsilon:g}" for epsilon in there], minor=False)
            axis.minorticks_off()
        axes[0, column].set_title(panel_title(backbone, dataset))
        axes[-1, column].set_xlabel("epsilon (length in embedding units, log scale)")
    key_below(figure, [
        method_key("adv_cas"), method_key("base", marker=""),
        Patch(facecolor=method_line("adv_cas")["color"], alpha=0.15,
              label="95% interval of the difference to base"),
        Patch(facecolor="0.85", label="paper: best from 10 to 20"),
    ], missing)
    if highlight is None:
        return figure

    def mark(epsilon):
        if not any(math.isclose(epsilon, e) for e in there):
            choices = ", ".join(f"{e:g}" for e in there)
            raise ValueError(f"highlight is {epsilon!r}; allowed are the values of epsilon that "
                             f"were run, {choices}, and None")
        drawn = []
        for column, (backbone, records) in enumerate(found.items()):
            for row, metric in enumerate(METRICS):
                above = f"{panel_title(backbone, dataset)}\n" if row == 0 else ""
                drawn += _marked(axes[row, column], records, metric, epsilon, above)
        return drawn

    return moves(figure, mark, highlight)


def _marked(axis, records: dict, metric: str, epsilon: float, above: str) -> list:
    """A line, a ring and the value at one epsilon, where the sweep of a panel has it."""
    values = [(e, record["metrics"]["last"]["test"][metric])
              for e, record in records["sweep"].items() if math.isclose(e, epsilon)]
    if not values:
        return [axis.set_title(f"{above}epsilon {epsilon:g}: not run")]
    (at, value), = values
    level = records["base"]["metrics"]["last"]["test"][metric]
    ring, = axis.plot([at], [value], "o", markersize=13, markerfacecolor="none",
                      markeredgecolor="0.2", label="highlight")
    title = axis.set_title(f"{above}epsilon {at:g}: {value:.4f} "
                           f"({100 * (value / level - 1):+.1f}% against the base)")
    return [axis.axvline(at, color="0.2", linewidth=0.8), ring, title]


def _sweep_panel(axis, base: dict, sweep: dict, metric: str) -> None:
    """One backbone and metric of Figure 4."""
    level = base["metrics"]["last"]["test"][metric]
    values = [record["metrics"]["last"]["test"][metric] for record in sweep.values()]
    axis.set_xscale("log")
    axis.axvspan(*PAPER_BEST_EPSILON, facecolor="0.85", zorder=0, label="paper")
    axis.axhline(level, label="base", **method_line("base", marker=""))
    bounds = {epsilon: record["versus_base"]["test"][metric] for epsilon, record in sweep.items()
              if record.get("versus_base")}
    if bounds:
        axis.fill_between(list(bounds), [level + bound["low"] for bound in bounds.values()],
                          [level + bound["high"] for bound in bounds.values()], alpha=0.15,
                          color=method_line("adv_cas")["color"], linewidth=0, label="interval")
    axis.plot(list(sweep), values, label="adv_cas", **method_line("adv_cas"))
