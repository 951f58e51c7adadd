"""One look for all figures: a method has the same colour, marker, line and hatch everywhere.

The colours are Okabe and Ito's, for colour-blind readers; the rest serves a grey print.
"""

import io
import textwrap
from collections.abc import Sequence
from pathlib import Path

import matplotlib
import pandas as pd
from matplotlib.backend_bases import get_registered_canvas_class
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke

from ..support.files import read_json

RC = read_json(Path(__file__).with_name("style.json"))  # a hashsalt, or the ids in SVGs are random
PAPER_GREY = "0.45"
RIM = [withStroke(linewidth=2.4, foreground="white")]  # around what stands on a bar or a line
# what the paper prints, beside ours
PAPER_LOOK = {"marker": "d", "markersize": 6, "markerfacecolor": "white",
              "markeredgecolor": "0.2", "markeredgewidth": 1.1, "linestyle": ""}


class _Styles(dict):
    def __missing__(self, method: str):  # of one's own, that has no row
        return self["other"]._replace(label=method)


# how a method is drawn, and whether in Figures 5 and 6; dashes: lengths of line and gap
STYLES = _Styles((style.Index, style) for style in pd.read_csv(
    Path(__file__).with_name("methods.csv"), index_col="method", keep_default_na=False,
    true_values=["yes"], false_values=["no"],
    converters={"dashes": lambda text: tuple(map(float, text.split()))}).itertuples())

# decorator of a drawing function: the settings above while it runs, the caller's afterwards
styled = matplotlib.rc_context(RC)


class PaperFigure(Figure):
    """A matplotlib Figure that a notebook shows under any backend, pyplot imported or not."""

    def _repr_png_(self) -> bytes:
        return picture(self, "png")


@styled
def picture(figure: Figure, kind: str, dpi: int = 150) -> bytes:
    """A figure as "png" or "svg", without a date or version that differs each time."""
    buffer, dated = io.BytesIO(), ["Software"] if kind == "png" else ["Date", "Creator"]
    figure.set_dpi(dpi)
    canvas = get_registered_canvas_class(kind)(figure)  # savefig lays out and draws all twice
    getattr(canvas, f"print_{kind}")(buffer, metadata=dict.fromkeys(dated))
    return buffer.getvalue()


def panels(rows: int, columns: int, width: float = 4.2, height: float = 3.0, **kwargs):
    """A PaperFigure and its axes (array [rows, columns]); sizes in inches a panel."""
    for_key = 0.8 if columns > 1 else 1.3  # a narrow figure needs more lines for its legend
    figure = PaperFigure(figsize=(max(width * columns, 5.2), height * rows + for_key),
                         layout="constrained")
    return figure, figure.subplots(rows, columns, squeeze=False, **kwargs)


def method_line(method: str, markersize: float = 5.5, **changes) -> dict:
    """Keyword arguments of `Axes.plot` for a method's line; changes: what is not the method's."""
    style = STYLES[method]
    size = markersize * (1.6 if style.marker == "*" else 1)  # a star looks small
    return {"color": style.color, "marker": style.marker, "linewidth": 1.6, "markeredgewidth": 0.8,
            "linestyle": (0, style.dashes) if style.dashes else "-", "markersize": size} | changes


def method_lines(axis, frame: pd.DataFrame, x: str, y: str, band: str = "", **changes) -> None:
    """A line for each value of the column `method`, with a mark at every row. band: what the legend
    calls a shade from the columns "low" to "high"; "": no shade."""
    for method, rows in frame.groupby("method", sort=False):
        look = {"label": STYLES[method].label} | method_line(method, **changes)
        axis.plot(rows[x], rows[y], **look)
        if band:
            axis.fill_between(rows[x], rows["low"], rows["high"], color=look["color"], alpha=0.15,
                              linewidth=0)
    if band:  # one key for the shades of all methods
        color = look["color"] if frame["method"].nunique() == 1 else "0.3"
        axis.fill_between([], [], color=color, alpha=0.15, linewidth=0, label=band)


def mark(axis, x: float, heights: Sequence[float], words: str) -> None:
    """A line at x with rings at these heights, and words below the panel's title."""
    axis.axvline(x, color="0.2", linewidth=0.8)
    axis.plot([x] * len(heights), heights, "o", markersize=13, markerfacecolor="none",
              markeredgecolor="0.2")
    axis.set_title("\n".join([axis.get_title(), *textwrap.wrap(words, 46)]).strip())


def bar_look(method: str) -> dict:
    """Keyword arguments of `Axes.bar` for a method; light hatch lines where the colour is dark."""
    return {"facecolor": STYLES[method].color, "hatch": STYLES[method].hatch,
            "edgecolor": "white", "linewidth": 0.5}


def key_below(figure: Figure, handles: list | None = None, columns: int = 4) -> Figure:
    """The figure with a legend below its panels; handles: by default all with a label, of equal
    ones the last."""
    if handles is None:
        labelled = [zip(*axis.get_legend_handles_labels()) for axis in figure.axes]
        handles = {label: one for pairs in labelled for one, label in pairs}.values()
    columns = min(columns, max(1, int(figure.get_figwidth() / 2.1)))
    figure.legend(handles=list(handles), loc="outside lower center", ncols=columns,
                  handlelength=2.8)  # room for the longest dashes
    return figure
