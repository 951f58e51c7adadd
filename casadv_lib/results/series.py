"""The notebooks of this repository as a map, read from their own headers.

What a header says is said once: the table cannot name a section or a run time that the notebook
itself does not.
"""

from __future__ import annotations

import re
from pathlib import Path

import nbformat
import pandas as pd

from ..support.repository import root

FIELD = r"^\*\*{}\.\*\* (.+)$"


def header(path: Path) -> dict[str, str]:
    """What a notebook's first cell says: "title", "purpose", "section" and "run time".

    Of the run time only the first sentence. Raises ValueError, with the file's name, where the
    title or a field is missing.
    """
    cells = nbformat.read(path, as_version=4).cells
    text = cells[0].source if cells else ""
    found = {"title": re.search(r"^# (.+)$", text, re.M)}
    for name in ("Purpose", "Section of the paper", "Run time"):
        found[name] = re.search(FIELD.format(name), text, re.M)
    missing = [name for name, match in found.items() if match is None]
    if missing:
        raise ValueError(f"{path.name} has no {missing[0]!r} in its first cell")
    words = {name: match.group(1).strip() for name, match in found.items()}
    return {
        "title": words["title"],
        "purpose": words["Purpose"],
        "section": words["Section of the paper"].rstrip("."),
        "run time": re.split(r"(?<=[a-z])\. ", words["Run time"])[0].rstrip("."),
    }


def series(folder: Path | None = None) -> pd.DataFrame:
    """One row a numbered notebook, in order: file, title, purpose, section, run time.

    folder: the notebooks' folder, by default that of this repository.
    """
    folder = folder or root() / "notebooks"
    paths = sorted(folder.glob("[0-9][0-9]_*.ipynb"))
    return pd.DataFrame([{"file": path.name, **header(path)} for path in paths])


def as_markdown(table: pd.DataFrame) -> str:
    """The map as a Markdown table whose titles are links, relative to the notebooks' folder."""
    lines = ["| notebook | section of the paper | run time |", "|---|---|---|"]
    for row in table.to_dict("records"):
        cells = (f"[{row['title']}]({row['file']})", row["section"], row["run time"])
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines)
