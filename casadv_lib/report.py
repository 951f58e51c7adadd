"""The parts of the README that are generated from figures/paper/results.json.

A part stands between two marks, `<!-- begin NAME -->` and `<!-- end NAME -->`. A test holds the
README to what `with_parts` gives; `python -m casadv_lib figures --profile paper` writes it.
"""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd

from .evidence import Evidence
from .readme import with_part
from .results import BACKBONE_NAMES, DATASET_NAMES, METRICS, MissingRecords, load_results
from .scoreboard import as_markdown, scoreboard
from .tables import table3

PROFILE = "paper"


def stored_results(profile: str = PROFILE) -> dict:
    """The stored results of a profile; without any record where there are none yet."""
    try:
        return load_results(profile)
    except MissingRecords:
        return {"profile": profile, "dataset": [], "optimum": {}, "records": []}


def scoreboard_part(results: dict) -> str:
    """The scoreboard as Markdown."""
    return as_markdown(scoreboard(results))


def table3_part(results: dict) -> str:
    """Table 3, ours beside the paper's, with the intervals of the change against the base."""
    try:
        table = table3(results)
    except MissingRecords:
        return "Table 3: not run.\n"
    evidence = Evidence(results)
    head = ["data set", "backbone", "method"]
    for label in METRICS.values():
        head += [label, "vs base, 95% interval", "paper", "paper vs base"]
    lines = [head, ["---", "---", "---", *["---:"] * 4 * len(METRICS)]]
    for _, row in table.iterrows():
        line = [DATASET_NAMES.get(row["dataset"], row["dataset"]),
                BACKBONE_NAMES.get(row["backbone"], row["backbone"]), row["method"]]
        for metric, label in METRICS.items():
            line += [f"{row[label]:.4f}", _change(evidence, row, metric),
                     _filled(row[f"{label} paper"], ".4f"),
                     _filled(row[f"{label} paper vs base %"], "+.1f", "%")]
        lines.append(line)
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def _change(evidence: Evidence, row: pd.Series, metric: str) -> str:
    """Such as "+15.9% [+10.2, +21.3]"; the change alone where no interval is stored."""
    if row["method"] == "base":
        return ""
    try:
        found = evidence.pair((row["dataset"], row["backbone"]), row["method"], "base",
                              metric=metric)["percent"]
    except MissingRecords:
        return _filled(row[f"{METRICS[metric]} vs base %"], "+.1f", "%")
    return f"{found['value']:+.1f}% [{found['low']:+.1f}, {found['high']:+.1f}]"


def _filled(value: float, layout: str, unit: str = "") -> str:
    return "" if pd.isna(value) else f"{value:{layout}}{unit}"


PARTS: dict[str, Callable[[dict], str]] = {
    "table 3": table3_part,
    "scoreboard": scoreboard_part,
}


def with_parts(text: str, results: dict) -> str:
    """The README's text with every part generated anew.

    Raises ValueError where the text has not both marks of a part.
    """
    for name, make in PARTS.items():
        text = with_part(text, name, make(results))
    return text
