"""One look for all figures: a method has the same colour, marker, line and hatch everywhere.

The colours are those of Okabe and Ito, which colour-blind readers can tell apart; marker, line and
hatch carry the same information for a grey print.
"""

from __future__ import annotations

import io
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import matplotlib
import pandas as pd
import seaborn
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ..evaluation import METRICS
from ..results import frames
from ..results.frames import MissingRecords, Results

RC = {
    "font.size": 9,
    "axes.titlesize": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "0.9",
    "legend.frameon": False,
    "legend.fontsize": 8.5,
    "hatch.linewidth": 0.6,
    "svg.hashsalt": "casadv",  # the ids in an SVG are random without it
}
PAPER_GREY = "0.45"
# what the paper prints, beside ours
PAPER_LOOK = {"marker": "d", "markersize": 6, "markerfacecolor": "white",
              "markeredgecolor": "0.2", "markeredgewidth": 1.1, "linestyle": ""}


class MethodStyle(NamedTuple):
    """How a method is drawn; dashes: lengths of line and gap, () for a full line."""

    color: str
    marker: str
    dashes: tuple
    hatch: str
    label: str


STYLES = {
    "base": MethodStyle("#000000", "o", (3.7, 1.6), "", "base"),
    "base+100": MethodStyle("#999999", "s", (1, 1.65), "..", "base+100 (control)"),
    "adv_random": MethodStyle("#F0E442", "X", (1, 1), "oo", "adv_random"),
    "adv_linear": MethodStyle("#56B4E9", "^", (6.4, 1.6, 1, 1.6), "//", "adv_linear"),
    "adv_seq": MethodStyle("#E69F00", "D", (5, 1, 1, 1, 1, 1), "\\\\", "adv_seq"),
    "adv_global": MethodStyle("#009E73", "v", (8, 2), "xx", "adv_global"),
    "adv_cas_1": MethodStyle("#0072B2", "<", (3, 3), "--", "adv_cas_1 (own history)"),
    "adv_cas_2": MethodStyle("#CC79A7", ">", (6, 2, 2, 2), "||", "adv_cas_2 (others)"),
    "adv_cas": MethodStyle("#D55E00", "*", (), "++", "adv_cas"),
    "neighbour": MethodStyle("#7F7F7F", "P", (2, 1), "**", "neighbour (ours)"),
    "adv_neighbour": MethodStyle("#882255", "p", (4, 1, 1, 1), "xx..", "adv_neighbour (ours)"),
}
COLORS = {method: style.color for method, style in STYLES.items()}
MARKERS = {method: style.marker for method, style in STYLES.items()}
DASHES = {method: style.dashes or "" for method, style in STYLES.items()}


# decorator of a drawing function: the settings above while it runs, the caller's afterwards
styled = matplotlib.rc_context(RC)


class PaperFigure(Figure):
    """A matplotlib Figure that a notebook shows under any backend, pyplot imported or not."""

    def _repr_png_(self) -> bytes:
        return picture(self, "png")


@styled
def picture(figure: Figure, kind: str) -> bytes:
    """A figure as "png" or "svg", without a date or version that differs each time."""
    buffer = io.BytesIO()
    metadata = {"Software": None} if kind == "png" else {"Date": None, "Creator": None}
    figure.savefig(buffer, format=kind, dpi=150, metadata=metadata)
    return buffer.getvalue()


def panels(rows: int, columns: int, width: float = 4.2, height: float = 3.0, **kwargs):
    """A PaperFigure and its axes (array [rows, columns]); sizes in inches a panel."""
    for_key = 0.8 if columns > 1 else 1.3  # a narrow figure needs more lines for its legend
    figure = PaperFigure(figsize=(max(width * columns, 5.2), height * rows + for_key),
                         layout="constrained")
    return figure, figure.subplots(rows, columns, squeeze=False, **kwargs)


def method_line(method: str, **changes) -> dict:
    """Keyword arguments of `Axes.plot` for a method's line."""
    style = STYLES[method]
    return {"color": style.color, "marker": style.marker, "linewidth": 1.6, "markeredgewidth": 0.8,
            "linestyle": (0, style.dashes) if style.dashes else "-",
            "markersize": 9 if style.marker == "*" else 5.5} | changes


def method_lines(axis, frame: pd.DataFrame, x: str, y: str, linestyle: str | None = None,
                 **changes) -> None:
    """A line for each value of the column `method`, with a mark at every row.

    linestyle: one for all in place of the methods' own.
    """
    look = {"linewidth": 1.6, "markersize": 5.5, "markeredgecolor": "auto", "markeredgewidth": 0.8}
    before = len(axis.lines)
    seaborn.lineplot(frame, x=x, y=y, hue="method", style="method", palette=COLORS,
                     markers=MARKERS, dashes=DASHES, estimator=None, sort=False, legend=False,
                     ax=axis, **look | changes)
    for line, method in zip(axis.lines[before:], frame["method"].unique(), strict=True):
        line.set_markersize(line.get_markersize() * (1.6 if MARKERS[method] == "*" else 1))
        if linestyle is not None:
            line.set_linestyle(linestyle)


def method_key(method: str, **changes) -> Line2D:
    """A legend entry for a method's line."""
    return Line2D([], [], label=STYLES[method].label, **method_line(method, **changes))


def bar_look(method: str) -> dict:
    """Keyword arguments of `Axes.bar` for a method; light hatch lines where the colour is dark."""
    style = STYLES[method]
    return {"facecolor": style.color, "hatch": style.hatch, "edgecolor": "white", "linewidth": 0.5}


def key_below(figure: Figure, handles: list, missing: list[str] = (), columns: int = 4) -> None:
    """The legend below the panels, where it hides no data, with a line on what is not drawn."""
    width = figure.get_figwidth()
    columns = min(columns, max(1, int(width / 2.1)))
    title = textwrap.fill("not drawn: " + "; ".join(missing), int(14 * width)) if missing else None
    figure.legend(handles=handles, loc="outside lower center", ncols=columns, title=title,
                  title_fontsize=7.5)


def panel_title(backbone: str, dataset: str) -> str:
    """What stands above a panel: the backbone and the data set, by their full names."""
    # a reader's own data set is named by its path; a dollar sign would begin a formula
    own_file = Path(dataset).stem.replace("$", r"\$")
    return ", ".join([frames.BACKBONE_NAMES.get(backbone, backbone),
                      frames.DATASET_NAMES.get(dataset, own_file)])


def level_label(metric: str) -> str:
    """The axis label of a metric, with its range: NDCG and HR have no unit."""
    return f"{METRICS[metric]} (from 0 to 1)"


def by_backbone(rows_of: Callable[..., pd.DataFrame], results: Results, datasets: list[str],
                *options) -> tuple[dict[str, pd.DataFrame], list[str]]:
    """{panel title: rows_of(results, dataset, backbone, *options)}, and what is missing.

    MissingRecords where it is missing for all of them.
    """
    there, missing = {}, []
    for dataset in datasets:
        for backbone in frames.backbones(results, dataset):
            try:
                rows = rows_of(results, dataset, backbone, *options)
            except MissingRecords as error:
                missing.append(str(error))
            else:
                there[panel_title(backbone, dataset)] = rows
    if not there:
        raise MissingRecords("; ".join(missing) or "results hold no runs at all")
    return there, missing


def no_records(what: str, dataset: str, backbone: str) -> MissingRecords:
    """What a figure raises that finds nothing to draw for a backbone."""
    return MissingRecords(f"no {what}, backbone {backbone!r}, dataset {dataset!r}")
