"""The paper's figures, one function each, and the batch that writes figures and tables to files.

    figure1, figure2    sketches of the method, from small arrays          (sketches)
    figure3, figure4    ranking accuracy, from results                     (accuracy)
    figure5, figure6    robustness, from results                           (robustness)
    trade_off           accuracy against robustness, from results          (robustness)
    gains, forest       differences with intervals, Tables 3 and 4 as one  (forest)

A function never trains and keeps no state: notebooks, sliders and the batch call the same one.
Where records are missing it raises MissingRecords (a ValueError) rather than draw an empty panel.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import matplotlib
import pandas as pd
from matplotlib.figure import Figure

from ..results.frames import MissingRecords, Results, datasets, read_results
from ..results.tables import TABLES, markdown
from ..support.files import write_bytes
from .accuracy import figure3, figure4
from .forest import forest, gains
from .robustness import figure5, figure6, trade_off, traded_off
from .sketches import FIGURE2_TOY, figure1, figure2
from .style import RC

__all__ = ["FIGURE2_TOY", "MissingRecords", "figure1", "figure2", "figure3", "figure4", "figure5",
           "figure6", "forest", "gains", "read_results", "trade_off", "traded_off", "write_all"]

BY_DATASET = {"figure3": figure3, "figure4": figure4, "figure5": figure5, "figure6": figure6}


def write_all(results: Results, folder: str | Path, report: Callable[[str], None] = print
              ) -> list[Path]:
    """Write every figure (.png at 150 dpi, .svg) and table (.csv, .md) that the results allow.

    The first data set's figures are figure3 and so on, another's figure3_<dataset>; "gains" has a
    panel for each. Figure 1 is drawn from `results.figure1`, Figure 2 from FIGURE2_TOY. What lacks
    its records is left out, and `report` is called with a sentence that says so; an older file of
    that name is then left as it was. Each file appears whole or not at all, and the same results
    give the same bytes.

    Returns the paths written, in order.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    files = {name: (draw, _pictures) for name, draw in figure_makers(results).items()}
    files |= {name: (lambda make=make: make(results), _texts) for name, make in TABLES.items()}
    written = []
    for name, (make, contents) in files.items():
        try:
            made = make()
        except MissingRecords as error:
            report(f"{name} is not written: {error}")
            continue
        written += [write_bytes(folder / f"{name}.{kind}", content)
                    for kind, content in contents(made).items()]
    return written


def figure_makers(results: Results) -> dict[str, Callable[[], Figure]]:
    """`{file name: function that draws it}` for all figures of all data sets."""

    def stored_figure1():
        if not results.figure1:
            raise MissingRecords("results hold no 'figure1', the arrays of one user's history")
        return figure1(**results.figure1)

    makers = {"figure1": stored_figure1, "figure2": lambda: figure2(**FIGURE2_TOY)}
    for position, dataset in enumerate(datasets(results) or [None]):
        for name, draw in BY_DATASET.items():
            makers[name if position == 0 else f"{name}_{Path(dataset).stem}"] = (
                lambda draw=draw, dataset=dataset: draw(results, dataset=dataset))
    for dataset in traded_off(results):
        makers[f"trade_off_{Path(dataset).stem}"] = lambda name=dataset: trade_off(results, name)
    return makers | {"gains": lambda: gains(results)}


def _pictures(figure: Figure) -> dict[str, bytes]:
    """A figure as "png" and "svg", without a date or version that differs each time."""
    return {kind: picture(figure, kind) for kind in ("png", "svg")}


def picture(figure: Figure, kind: str) -> bytes:
    buffer = io.BytesIO()
    metadata = {"Software": None} if kind == "png" else {"Date": None, "Creator": None}
    with matplotlib.rc_context(RC):
        figure.savefig(buffer, format=kind, dpi=150, metadata=metadata)
    return buffer.getvalue()


def _texts(table: pd.DataFrame) -> dict[str, bytes]:
    """A table as "csv" and "md"."""
    text = table.to_csv(index=False, float_format="%.6g", lineterminator="\n")
    return {"csv": text.encode(), "md": markdown(table).encode()}
