"""One look for all figures: a method has the same colour, marker, line and hatch everywhere.

The colours are those of Okabe and Ito, which colour-blind readers can tell apart; marker, line and
hatch carry the same information for a grey print.
"""

from __future__ import annotations

import functools
import io
import textwrap
from dataclasses import dataclass
from pathlib import Path

import matplotlib
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from ..results.records import BACKBONE_NAMES, DATASET_NAMES, METRICS

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


@dataclass(frozen=True)
class MethodStyle:
    """How a method is drawn."""

    color: str
    marker: str
    line: str | tuple
    hatch: str
    label: str


STYLES = {
    "base": MethodStyle("#000000", "o", "--", "", "base"),
    "base+100": MethodStyle("#999999", "s", ":", "..", "base+100 (control)"),
    "adv_random": MethodStyle("#F0E442", "X", (0, (1, 1)), "oo", "adv_random"),
    "adv_linear": MethodStyle("#56B4E9", "^", "-.", "//", "adv_linear"),
    "adv_seq": MethodStyle("#E69F00", "D", (0, (5, 1, 1, 1, 1, 1)), "\\\\", "adv_seq"),
    "adv_global": MethodStyle("#009E73", "v", (0, (8, 2)), "xx", "adv_global"),
    "adv_cas_1": MethodStyle("#0072B2", "<", (0, (3, 3)), "--", "adv_cas_1 (own history)"),
    "adv_cas_2": MethodStyle("#CC79A7", ">", (0, (6, 2, 2, 2)), "||", "adv_cas_2 (others)"),
    "adv_cas": MethodStyle("#D55E00", "*", "-", "++", "adv_cas"),
    "neighbour": MethodStyle("#7F7F7F", "P", (0, (2, 1)), "**", "neighbour (ours)"),
    "adv_neighbour": MethodStyle("#882255", "p", (0, (4, 1, 1, 1)), "xx..", "adv_neighbour (ours)"),
}


class PaperFigure(Figure):
    """A matplotlib Figure that a notebook shows under any backend, pyplot imported or not."""

    def _repr_png_(self) -> bytes:
        buffer = io.BytesIO()
        self.savefig(buffer, format="png", dpi=100)
        return buffer.getvalue()


def styled(draw):
    """Decorator: run a drawing function under the shared settings, and leave the caller's alone."""

    @functools.wraps(draw)
    def wrapper(*args, **kwargs):
        with matplotlib.rc_context(RC):
            return draw(*args, **kwargs)

    return wrapper


def panels(rows: int, columns: int, width: float = 4.2, height: float = 3.0, **kwargs):
    """A PaperFigure and its axes (array [rows, columns]); sizes in inches a panel."""
    for_key = 0.8 if columns > 1 else 1.3  # a narrow figure needs more lines for its legend
    figure = PaperFigure(figsize=(max(width * columns, 5.2), height * rows + for_key),
                         layout="constrained")
    return figure, figure.subplots(rows, columns, squeeze=False, **kwargs)


def method_line(method: str, **changes) -> dict:
    """Keyword arguments of `Axes.plot` for a method's line."""
    style = STYLES[method]
    size = 9 if style.marker == "*" else 5.5
    return {"color": style.color, "marker": style.marker, "linestyle": style.line,
            "linewidth": 1.6, "markersize": size, "markeredgewidth": 0.8} | changes


def method_key(method: str, **changes) -> Line2D:
    """A legend entry for a method's line."""
    return Line2D([], [], label=STYLES[method].label, **method_line(method, **changes))


def method_patch(method: str) -> Patch:
    """A legend entry for a method's bars."""
    style = STYLES[method]
    return Patch(label=style.label, **bar_look(method))


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
    return f"{BACKBONE_NAMES.get(backbone, backbone)}, {DATASET_NAMES.get(dataset, own_file)}"


def level_label(metric: str) -> str:
    """The axis label of a metric, with its range: NDCG and HR have no unit."""
    return f"{METRICS[metric]} (from 0 to 1)"
