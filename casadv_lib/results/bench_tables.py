"""The stored benchmarks as a Markdown table, and the block of the README that shows them.

figures/bench/<name>.json holds one benchmark: rows of medians with their spread, a ratio, a
target and whether it is met, and where the numbers come from. `make bench` writes the files;
nothing here measures.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ..support.files import read_json
from ..support.repository import root
from .readme import with_part

FOLDER = root() / "figures" / "bench"
PART = "benchmarks"
HEAD = ("| what | here | compared with | that takes | ratio | target |\n"
        "| --- | ---: | --- | ---: | ---: | --- |\n")


def folder_of(device: str = "cpu") -> Path:
    """Where the results of a device are: figures/bench, or figures/bench-<device>."""
    return FOLDER if device == "cpu" else FOLDER.with_name(f"bench-{device.replace(':', '')}")


def load(folder: Path | str = FOLDER) -> list[dict]:
    """The stored benchmarks of a folder, by name; an empty list where there are none."""
    return [read_json(path) for path in sorted(Path(folder).glob("*.json"))]


def amount(found: dict) -> str:
    """A median with its unit, and the least and the most of the repeats in brackets."""
    scale, unit = 1.0, {"x": "", "": ""}.get(found["unit"], f" {found['unit']}")
    if found["unit"] == "s" and found["median"] < 0.1:
        scale, unit = 1000.0, " ms"
    numbers = [_digits(scale * found[key]) for key in ("median", "low", "high")]
    if found["repeats"] == 1:
        return f"{numbers[0]}{unit}"
    return f"{numbers[0]}{unit} ({numbers[1]} to {numbers[2]})"


def _digits(value: float) -> str:
    """Three significant digits, at most three decimals."""
    size = abs(value)
    places = 0 if size >= 100 else 1 if size >= 10 else 2 if size >= 1 else 3
    return f"{value:,.{places}f}"


def target(row: dict) -> str:
    """The target in words, and whether it is met; empty where there is none."""
    if row["target"] is None:
        return ""
    (kind, bound), = row["target"].items()
    words = "at least" if kind.endswith("at_least") else "at most"
    return f"{words} {bound:g}: {'met' if row['met'] else '**not met**'}"


def lines(stored: Sequence[dict], headline: bool = False) -> str:
    """One Markdown table of all rows, or of the headline rows alone."""
    rows = [row for record in stored for row in record.get("rows", ())
            if row["headline"] or not headline]
    cells = [(row["what"], amount(row["here"]), row["against"] or "",
              "" if row["other"] is None else amount(row["other"]),
              "" if row["ratio"] is None else amount(row["ratio"]), target(row)) for row in rows]
    return HEAD + "".join("| " + " | ".join(cell) + " |\n" for cell in cells)


def machines(stored: Sequence[dict]) -> list[str]:
    """Where and when the numbers were measured: a sentence for each machine and day."""
    found: dict[str, list[str]] = {}
    for record in stored:
        origin = record["provenance"]
        day = origin["date"].split(" ")[0]
        others = record.get("others", {})
        found.setdefault(f"{origin['hardware']}; {day}; PyTorch {origin['packages']['torch']}",
                         []).extend(f"{name} {version}" for name, version in others.items())
    return [f"Measured on {words}" + (f"; {', '.join(sorted(set(others)))}." if others else ".")
            for words, others in found.items()]


def markdown(stored: Sequence[dict]) -> str:
    """All benchmarks: a heading, a table and the notes of each."""
    parts = []
    for record in stored:
        notes = "".join(f"- {note}\n" for note in (*record.get("notes", ()), *machines([record])))
        table = lines([record]) + "\n" if record.get("rows") else ""
        parts.append(f"## {record.get('title', record['name'])}\n\n{table}{notes}")
    return "\n".join(parts)


def with_benchmarks(text: str, stored: Sequence[dict]) -> str:
    """The README's text with its part on the benchmarks written again."""
    if stored:
        where = "".join(f"- {sentence}\n" for sentence in machines(stored))
        inside = f"{lines(stored, headline=True)}\n{where}"
    else:
        inside = "Not measured yet: `make bench` fills this in.\n"
    return with_part(text, PART, inside)
