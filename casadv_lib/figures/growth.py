"""How cost grows with size: the exponent of a curve, and the figure of stored measurements."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from ..results.records import MissingRecords
from ..support.files import write_bytes
from .style import key_below, panels, styled
from .write import picture

PANELS = ("users", "items", "length", "interactions")
# Okabe and Ito's colours, told apart in grey by marker and line
LOOKS = (("#0072B2", "o", "-"), ("#E69F00", "s", "--"), ("#D55E00", "*", "-"),
         ("#009E73", "^", "-."), ("#CC79A7", "v", "-"), ("#000000", "D", ":"),
         ("#56B4E9", "<", "--"), ("#999999", "X", "-."))


def exponent(sizes: Sequence[float], seconds: Sequence[float]) -> float:
    """The p of seconds ~ size ** p: the slope of a straight line through the logarithms.

    sizes, seconds: equally long, at least two, all above 0. 1 is linear, 2 quadratic.
    """
    x, y = np.asarray(sizes, dtype=float), np.asarray(seconds, dtype=float)
    if x.ndim != 1 or x.shape != y.shape or len(x) < 2 or min(x.min(), y.min()) <= 0:
        raise ValueError(f"sizes has shape {x.shape}, seconds {y.shape}; allowed are two equally "
                         "long lists of at least two numbers above 0")
    return float(np.polyfit(np.log(x), np.log(y), 1)[0])


def curves_of(stored: Sequence[dict]) -> dict[str, dict]:
    """The curves of stored benchmarks, {panel: {"x", "lines", "label", "fixed"}}."""
    found = {name: drawn for record in stored for name, drawn in record.get("curves", {}).items()}
    if not found:
        raise MissingRecords("no stored benchmark has curves; `make bench ONLY=growth` makes them")
    return found


@styled
def growth_figure(curves: dict[str, dict]) -> Figure:
    """Seconds against size, log-log, a panel for each of users, items, length and interactions.

    The bars reach from the least to the most of the repeats; the number behind a line's end is
    its fitted exponent. The grey line has exponent 1.
    """
    drawn = [name for name in PANELS if name in curves]
    if not drawn:
        raise MissingRecords(f"curves holds {sorted(curves)}; wanted is one of {PANELS}")
    columns = min(2, len(drawn))
    figure, axes = panels(-(-len(drawn) // columns), columns, width=4.4, height=3.1)
    looks: dict[str, tuple] = {}
    for axis, name in zip(axes.flat, drawn):
        for line in curves[name]["lines"]:
            looks.setdefault(line, LOOKS[len(looks) % len(LOOKS)])
        _panel(axis, curves[name], looks)
    for axis in axes.flat[len(drawn):]:
        axis.set_visible(False)
    handles = {label: handle for axis in axes.flat
               for handle, label in zip(*axis.get_legend_handles_labels())}
    handles["linear"] = handles.pop("linear")  # behind what was measured
    key_below(figure, list(handles.values()))
    return figure


def _panel(axis, curve: dict, looks: dict[str, tuple]) -> None:
    ends = []
    axis.set(xscale="log", yscale="log", xlabel=f"{curve['label']} (log scale)",
             ylabel="seconds (log scale)", title=curve["fixed"])
    for name, line in curve["lines"].items():
        there = [i for i, value in enumerate(line["median"]) if value is not None]
        x = np.array(curve["x"], dtype=float)[there]
        median, low, high = (np.array([line[k][i] for i in there])
                             for k in ("median", "low", "high"))
        color, marker, style = looks[name]
        axis.errorbar(x, median, [median - low, high - median], color=color, marker=marker,
                      linestyle=style, markersize=5, linewidth=1.4, capsize=2, label=name)
        if len(x) > 1:
            ends.append((x[-1], median[-1], exponent(x, median), color))
    axis.margins(x=0.15)
    axis.set_xticks(curve["x"], [f"{x:,}" if x < 1e5 else f"$10^{{{np.log10(x):.0f}}}$"
                                 for x in curve["x"]])
    axis.minorticks_off()
    _straight_line(axis, curve["x"])
    _write_exponents(axis, ends)


def _straight_line(axis, sizes) -> None:
    """Exponent 1, from the lower left corner, as far as the panel goes."""
    limits = axis.get_ylim()
    ends = np.array([min(sizes), max(sizes)], dtype=float)
    axis.plot(ends, limits[0] * ends / ends[0], color="0.6", linewidth=1, linestyle=(0, (1, 2)),
              label="linear", zorder=1)
    axis.set_ylim(limits)


def _write_exponents(axis, ends: list[tuple], gap: float = 0.065) -> None:
    """The exponent to the right of each line's end, moved up where two would overlap."""
    bottom, top = np.log(axis.get_ylim())
    above: dict[float, float] = {}  # where the last one stands, at each x where lines end
    for x, y, power, color in sorted(ends, key=lambda end: end[1]):
        height = max((np.log(y) - bottom) / (top - bottom), above.get(x, -np.inf) + gap)
        above[x] = height
        axis.annotate(f"{power:.2f}", (x, np.exp(bottom + height * (top - bottom))), (7, 0),
                      textcoords="offset points", color=color, fontsize=8, va="center")


def write(stored: Sequence[dict], folder: Path | str) -> list[Path]:
    """Write growth.png and growth.svg of stored benchmarks into a folder; returns the paths."""
    figure = growth_figure(curves_of(stored))
    return [write_bytes(Path(folder) / f"growth.{kind}", picture(figure, kind))
            for kind in ("png", "svg")]
