"""The average of a sample before and after replacing items, as one picture that can change."""

from __future__ import annotations

from collections.abc import Mapping

from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ..evaluation import METRICS
from .animated import with_changing_part
from .style import STYLES, key_below, method_line, panels, styled


@styled
def average_figure(clean: Mapping[str, Mapping[str, float]],
                   average: Mapping[str, Mapping[str, Mapping[str, float]]]) -> Figure:
    """NDCG@10 and HR@10 of a sample of users, clean (hollow) and attacked (filled), a row a method.

    clean: {method: {metric: value}}; it sets the axes. average: {method: {"clean": ..., "attacked":
    {metric: value}}} for one choice of the attack, the part that changes (see `animated`).
    """
    figure, axes = panels(1, len(METRICS), width=3.8, height=0.55 * len(clean) + 0.7)
    rows = {method: -row for row, method in enumerate(clean)}
    for axis, (metric, name) in zip(axes[0], METRICS.items()):
        most = max(values[metric] for values in clean.values()) or 0.1
        axis.set(xlabel=f"{name} (mean of the sample)", xlim=(0, 2 * most),
                 ylim=(-len(clean) + 0.4, 0.6), yticks=list(rows.values()),
                 yticklabels=[STYLES[method].label for method in rows])
        axis.grid(False, axis="y")
        axis.label_outer()

    def draw(average):
        drawn = []
        for axis, metric in zip(axes[0], METRICS):
            for method, row in rows.items():
                drawn += _change(axis, row, method, average[method], metric)
        return drawn

    hollow = {"color": "0.2", "linestyle": "", "marker": "o"}
    key_below(figure, [Line2D([], [], label="clean", markerfacecolor="white", **hollow),
                       Line2D([], [], label="attacked", **hollow)])
    return with_changing_part(figure, draw, average)


def _change(axis, row: float, method: str, values: Mapping, metric: str) -> list:
    """One row: a hollow mark, a line to a filled one, and both as text."""
    before, after = values["clean"][metric], values["attacked"][metric]
    look = method_line(method, linestyle="-")
    share = f" ({100 * (after / before - 1):+.0f}%)" if before else ""
    line, = axis.plot([before, after], [row, row], color=look["color"], linewidth=2.5, alpha=0.6)
    clean, = axis.plot([before], [row], **look | {"markerfacecolor": "white"})
    attacked, = axis.plot([after], [row], **look)
    text = axis.annotate(f"{before:.3f} → {after:.3f}{share}", (max(before, after), row),
                         (8, 0), textcoords="offset points", va="center", fontsize=8)
    return [line, clean, attacked, text]
