"""The batch that writes figures and tables to files."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

from matplotlib.figure import Figure

from ..results.frames import MissingRecords, Results
from ..results.tables import TABLES, markdown
from ..support.files import write_bytes
from .measured import figure3, figure4, figure5, figure6, gains, trade_off, traded_off
from .sketches import FIGURE2_TOY, figure1, figure2
from .style import picture


def write_all(results: Results, folder: str | Path, report: Callable[[str], None] = print
              ) -> list[Path]:
    """Write every figure (.png at 150 dpi, .svg) and table (.csv, .md) that the results allow.

    What lacks its records is left out, and `report` is called with a sentence that says so; an
    older file of that name is then left as it was. The same results give the same bytes.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    written, tables = [], {name: partial(make, results) for name, make in TABLES.items()}
    for name, make in (figure_makers(results) | tables).items():
        try:
            made = make()
        except MissingRecords as error:
            report(f"{name} is not written: {error}")
            continue
        if isinstance(made, Figure):
            files = {kind: picture(made, kind) for kind in ("png", "svg")}
        else:
            text = made.to_csv(index=False, float_format="%.6g", lineterminator="\n")
            files = {"csv": text.encode(), "md": markdown(made).encode()}
        written += [write_bytes(folder / f"{name}.{kind}", file) for kind, file in files.items()]
    return written


def figure_makers(results: Results) -> dict[str, Callable[[], Figure]]:
    """`{file name: function that draws it}`: the first data set's figures are figure3 and so on,
    another's figure3_<dataset>."""
    def stored_figure1() -> Figure:
        if not results.figure1:
            raise MissingRecords("results hold no 'figure1', the arrays of one user's history")
        return figure1(**results.figure1)

    makers = {"figure1": stored_figure1, "figure2": partial(figure2, **FIGURE2_TOY)}
    for position, dataset in enumerate(results.runs["dataset"].unique()):
        for draw in (figure3, figure4, figure5, figure6):
            name = draw.__name__ + (f"_{Path(dataset).stem}" if position else "")
            makers[name] = partial(draw, results, dataset=dataset)
    for dataset in traded_off(results):
        makers[f"trade_off_{Path(dataset).stem}"] = partial(trade_off, results, dataset)
    return makers | {"gains": partial(gains, results)}
