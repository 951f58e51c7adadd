"""The stored benchmarks as Markdown: figures/bench/table.md.

figures/bench/<name>.json holds one benchmark: rows of medians with their spread, a ratio, a
target and whether it is met, and where the numbers come from. `make bench` writes the files;
nothing here measures.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from casadv_lib.support.files import read_json
from casadv_lib.support.repository import root

FOLDER = root() / "figures" / "bench"


def folder_of(device: str = "cpu") -> Path:
    """Where the results of a device are: figures/bench, or figures/bench-<device>."""
    return FOLDER if device == "cpu" else FOLDER.with_name(f"bench-{device.replace(':', '')}")


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
    median, low, high = (_digits(scale * measurement[key]) for key in ("median", "low", "high"))
    spread = "" if measurement["repeats"] == 1 else f" ({low} to {high})"
    return f"{median} {unit}".rstrip() + spread


def _digits(value: float) -> str:
    """Three significant digits, at most three decimals."""
    size = abs(value)
    decimals = 0 if size >= 100 else 1 if size >= 10 else 2 if size >= 1 else 3
    return f"{value:,.{decimals}f}"


def target(row: dict) -> str:
    """The target in words, and whether it is met; empty where there is none."""
    if row["target"] is None:
        return ""
    (kind, bound), = row["target"].items()
    words = "at least" if kind.endswith("at_least") else "at most"
    return f"{words} {bound:g}: {'met' if row['met'] else '**not met**'}"


def lines(rows: Sequence[dict]) -> str:
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


def markdown(stored: Sequence[dict]) -> str:
    """All benchmarks: the headline rows, then a table and the notes of each benchmark."""
    headline = [row for record in stored for row in record.get("rows", ()) if row["headline"]]
    words = "What they compare, and why targets are missed: [README](README.md)."
    parts = [f"# Benchmarks\n\n{words}\n\n{lines(headline)}"]
    for record in stored:
        notes = "".join(f"- {note}\n" for note in (*record.get("notes", ()), origin(record)))
        table = lines(record["rows"]) + "\n" if record.get("rows") else ""
        parts.append(f"## {record.get('title', record['name'])}\n\n{table}{notes}")
    return "\n".join(parts)
