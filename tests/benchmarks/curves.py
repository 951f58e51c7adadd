"""How cost grows with size: the exponent of a curve, and the figure of stored measurements."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from casadv_lib.support.files import write_bytes

PANELS = ("users", "items", "length", "interactions")
# Okabe and Ito's colours, told apart in grey by marker and line
LOOKS = (("#0072B2", "o", "-"), ("#E69F00", "s", "--"), ("#D55E00", "*", "-"),
         ("#009E73", "^", "-."), ("#CC79A7", "v", "-"), ("#000000", "D", ":"),
         ("#56B4E9", "<", "--"), ("#999999", "X", "-."))
RC = {"font.size": 9, "axes.spines.top": False, "axes.spines.right": False, "axes.grid": True,
      "grid.color": "0.9", "legend.frameon": False, "svg.hashsalt": "casadv"}


def exponent(sizes: Sequence[float], seconds: Sequence[float]) -> float:
    """The p of seconds ~ size ** p: the slope of a straight line through the logarithms.

    sizes, seconds: equally long, at least two, all above 0. 1 is linear, 2 quadratic.
    """
    x, y = np.asarray(sizes, dtype=float), np.asarray(seconds, dtype=float)
    if x.ndim != 1 or x.shape != y.shape or len(x) < 2 or min(x.min(), y.min()) <= 0:
        raise ValueError(f"sizes has shape {x.shape}, seconds {y.shape}; allowed are two equally "
                         "long lists of at least two numbers above 0")
    return float(np.polyfit(np.log(x), np.log(y), 1)[0])


def growth_figure(curves: dict[str, dict]) -> Figure:
    """Seconds against size, log-log, a panel for each of users, items, length and interactions.

    The bars reach from the least to the most of the repeats; a legend's number is the line's
    fitted exponent. The grey line has exponent 1.
    """
    drawn = [name for name in PANELS if name in curves]
    if not drawn:
        raise ValueError(f"curves is {sorted(curves)}; allowed are {', '.join(PANELS)}")
    names = dict.fromkeys(line for name in drawn for line in curves[name]["lines"])
    looks = dict(zip(names, LOOKS))  # a line looks the same in every panel
    rows = -(-len(drawn) // 2)
    with matplotlib.rc_context(RC):
        figure = Figure(figsize=(9.6, 4.2 * rows), layout="constrained")
        for number, name in enumerate(drawn, 1):
            _panel(figure.add_subplot(rows, 2, number), curves[name], looks)
    return figure


def _panel(axis, curve: dict, looks: dict[str, tuple]) -> None:
    axis.set(xscale="log", yscale="log", xlabel=f"{curve['label']} (log scale)",
             ylabel="seconds (log scale)", title=curve["fixed"])
    for name, line in curve["lines"].items():
        measured = [i for i, value in enumerate(line["median"]) if value is not None]
        x = np.array(curve["x"], dtype=float)[measured]
        median, low, high = (np.array([line[key][i] for i in measured])
                             for key in ("median", "low", "high"))
        power = f" ({exponent(x, median):.2f})" if len(x) > 1 else ""
        color, marker, style = looks[name]
        axis.errorbar(x, median, [median - low, high - median], color=color, marker=marker,
                      linestyle=style, markersize=5, linewidth=1.4, capsize=2, label=name + power)
    axis.set_xticks(curve["x"], [f"{x:,}" if x < 1e5 else f"$10^{{{np.log10(x):.0f}}}$"
                                 for x in curve["x"]])
    axis.minorticks_off()
    ends, limits = np.array([min(curve["x"]), max(curve["x"])], dtype=float), axis.get_ylim()
    axis.plot(ends, limits[0] * ends / ends[0], color="0.6", linewidth=1, linestyle=(0, (1, 2)),
              label="linear", zorder=1)
    axis.set_ylim(limits)
    axis.legend(loc="upper center", bbox_to_anchor=(0.5, -0.17), ncols=2, fontsize=7.5)


def write(stored: Sequence[dict], folder: Path) -> list[Path]:
    """Write growth.png and growth.svg of the stored benchmarks that have curves."""
    curves = {name: drawn for record in stored for name, drawn in record.get("curves", {}).items()}
    figure, written = growth_figure(curves), []
    for kind, metadata in (("png", {"Software": None}), ("svg", {"Date": None, "Creator": None})):
        buffer = io.BytesIO()
        with matplotlib.rc_context(RC):
            figure.savefig(buffer, format=kind, dpi=150, metadata=metadata)
        written.append(write_bytes(folder / f"growth.{kind}", buffer.getvalue()))
    return written
