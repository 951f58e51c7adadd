"""How cost grows with size: the exponent of a curve, and the figure of stored measurements."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import matplotlib
import numpy as np
import pandas as pd
import seaborn
from matplotlib.figure import Figure

from casadv_lib.support.files import write_bytes

PANELS = ("users", "items", "length", "interactions")
RC = {"font.size": 9, "axes.spines.top": False, "axes.spines.right": False, "axes.grid": True,
      "grid.color": "0.9", "legend.frameon": False, "svg.hashsalt": "casadv"}


def exponent(sizes: Sequence[float], seconds: Sequence[float]) -> float:
    """The p of seconds ~ size ** p: the slope of a straight line through the logarithms.

    sizes, seconds: equally long, at least two, all above 0. 1 is linear, 2 quadratic.
    """
    return float(np.polyfit(np.log(sizes), np.log(seconds), 1)[0])


def growth_figure(curves: dict[str, dict]) -> Figure:
    """Seconds against size, log-log, a panel for each of users, items, length and interactions.

    The bars reach from the least to the most of the repeats; a legend's number is the line's
    fitted exponent. The grey line has exponent 1.
    """
    drawn = {name: curves[name] for name in PANELS if name in curves}
    names = dict.fromkeys(line for curve in drawn.values() for line in curve["lines"])
    colors = dict(zip(names, seaborn.color_palette("colorblind")))  # the same in every panel
    rows = -(-len(drawn) // 2)
    with matplotlib.rc_context(RC):
        figure = Figure(figsize=(9.6, 4.2 * rows), layout="constrained")
        for number, curve in enumerate(drawn.values(), 1):
            _panel(figure.add_subplot(rows, 2, number), curve, colors)
    return figure


def _panel(axis, curve: dict, colors: dict) -> None:
    axis.set(xscale="log", yscale="log", title=curve["fixed"])
    for marker, (name, line) in zip("osd^v<>X", curve["lines"].items()):
        frame = pd.DataFrame({key: line[key] for key in ("median", "low", "high")},
                             index=curve["x"], dtype=float).dropna()  # where it was measured
        power = f" ({exponent(frame.index, frame['median']):.2f})" if len(frame) > 1 else ""
        long = frame.melt(ignore_index=False, value_name="seconds").reset_index(names="size")
        seaborn.lineplot(long, x="size", y="seconds", color=colors[name], label=name + power,
                         marker=marker, estimator="median", errorbar=("pi", 100),
                         err_style="bars", ax=axis)
    axis.set_xticks(curve["x"], [f"{x:,}" if x < 1e5 else f"$10^{{{np.log10(x):.0f}}}$"
                                 for x in curve["x"]])
    axis.minorticks_off()
    ends, limits = np.array([min(curve["x"]), max(curve["x"])], dtype=float), axis.get_ylim()
    axis.plot(ends, limits[0] * ends / ends[0], ":", color="0.6", label="linear", zorder=1)
    axis.set(ylim=limits, xlabel=f"{curve['label']} (log scale)", ylabel="seconds (log scale)")
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
