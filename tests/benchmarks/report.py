"""The stored benchmarks as Markdown and as a figure: table.md and growth.png in figures/bench.

figures/bench/<name>.json holds one benchmark: rows of medians with their spread, a ratio, a
target and whether it is met, and where the numbers come from. Nothing here measures.
"""

from pathlib import Path

import numpy as np
import pandas as pd
import seaborn
from benchmarks.measuring import exponent
from matplotlib.figure import Figure

from casadv_lib.figures.style import panels, picture, styled
from casadv_lib.support.files import read_json, write_bytes
from casadv_lib.support.machine import root

FOLDER = root() / "figures" / "bench"
PANELS = ("users", "items", "length", "interactions")


def load(folder: Path = FOLDER) -> list[dict]:
    """The stored benchmarks of a folder, by name; an empty list where there are none."""
    return [read_json(path) for path in sorted(Path(folder).glob("*.json"))]


def amount(measurement: dict | None) -> str:
    """A median with its unit, and the least and the most of the repeats in brackets."""
    if measurement is None:
        return ""
    scale, unit = 1.0, measurement["unit"].replace("x", "")
    if unit == "s" and measurement["median"] < 0.1:
        scale, unit = 1000.0, "ms"
    values = [scale * measurement[key] for key in ("median", "low", "high")]
    # three significant digits, at most three decimals
    median, low, high = (f"{value:,.{3 - np.searchsorted([1, 10, 100], abs(value), 'right')}f}"
                         for value in values)
    spread = "" if measurement["repeats"] == 1 else f" ({low} to {high})"
    return f"{median} {unit}".rstrip() + spread


def target(row: dict) -> str:
    """The target in words, and whether it is met; empty where there is none."""
    if row["target"] is None:
        return ""
    (kind, bound), = row["target"].items()
    words = "at least" if kind.endswith("at_least") else "at most"
    return f"{words} {bound:g}: {'met' if row['met'] else '**not met**'}"


def lines(rows: list[dict]) -> str:
    """Rows of benchmarks as one Markdown table."""
    table = pd.DataFrame([{
        "what": row["what"], "here": amount(row["here"]), "compared with": row["against"] or "",
        "that takes": amount(row["other"]), "ratio": amount(row["ratio"]), "target": target(row),
    } for row in rows])
    sides = ("left", "right", "left", "right", "right", "left")
    return table.to_markdown(index=False, disable_numparse=True, colalign=sides) + "\n"


def origin(record: dict) -> str:
    """Where and when a benchmark was measured."""
    where = record["provenance"]
    others = [f"{name} {version}" for name, version in sorted(record.get("others", {}).items())]
    return "; ".join([f"Measured on {where['hardware']}", where["date"].split(" ")[0],
                      f"PyTorch {where['packages']['torch']}", *others]) + "."


def markdown(stored: list[dict]) -> str:
    """All benchmarks: the headline rows, then a table and the notes of each benchmark."""
    headline = [row for record in stored for row in record["rows"] if row["headline"]]
    words = "What they compare, and why targets are missed: [README](README.md)."
    parts = [f"# Benchmarks\n\n{words}\n\n{lines(headline)}"]
    for record in stored:
        notes = "".join(f"- {note}\n" for note in (*record["notes"], origin(record)))
        parts.append(f"## {record['title']}\n\n{lines(record['rows'])}\n{notes}")
    return "\n".join(parts)


@styled
def growth_figure(curves: dict[str, dict]) -> Figure:
    """Seconds against size, log-log, a panel for each of users, items, length and interactions.

    The bars reach from the least to the most of the repeats; a legend's number is the line's
    fitted exponent.
    """
    drawn = [curves[name] for name in PANELS if name in curves]
    figure, axes = panels(-(-len(drawn) // 2), 2)
    for axis, curve in zip(axes.flat, drawn):
        axis.set(xscale="log", yscale="log", title=curve["fixed"], ylabel="seconds (log scale)",
                 xlabel=f"{curve['label']} (log scale)")
        blue, amber, green, red = seaborn.color_palette("colorblind", 4)
        axis.set_prop_cycle(color=[blue, red, green, amber], marker=list("o*d^"))  # adv_cas second
        for name, line in curve["lines"].items():
            took = pd.DataFrame({key: line[key] for key in ("median", "low", "high")},
                                index=curve["x"], dtype=float).dropna()  # where it was measured
            (power,) = exponent(took.index, took[["median"]].T)
            bars = (took["median"] - took["low"], took["high"] - took["median"])
            axis.errorbar(took.index, took["median"], bars, label=f"{name} ({power:.2f})")
        axis.set_xticks(curve["x"], [f"{x:,}" if x < 1e5 else f"{x:.0e}" for x in curve["x"]])
        axis.minorticks_off()
        axis.legend(loc="upper center", bbox_to_anchor=(0.5, -0.2),
                    title="(exponent); bars: least to most")
    return figure


def write(folder: Path) -> None:
    """Write the table of all stored benchmarks, and growth.png and growth.svg."""
    stored = load(folder)
    write_bytes(folder / "table.md", markdown(stored).encode())
    curves = {name: curve for record in stored for name, curve in record.get("curves", {}).items()}
    for kind in ("png", "svg") if curves else ():
        write_bytes(folder / f"growth.{kind}", picture(growth_figure(curves), kind))
