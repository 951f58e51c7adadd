"""What the paper prints: its numbers and its known slips (paper.json, beside this file)."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pandas as pd

from ..evaluation import METRICS
from ..support.files import read_json

# Section 5: the data sets, the three sparse ones first, and the baselines besides the base.
PAPER_DATASETS = ("beauty", "video", "clothing", "ml-1m")
PAPER_SPARSE = PAPER_DATASETS[:3]
PAPER_BASELINES = ("adv_linear", "adv_seq", "adv_global")
PAPER_BEST_EPSILON = (10, 20)  # Section 5.5, Figure 4
# Section 5.6: what the last item costs the bases on Video, in percent, the mean of both backbones
PAPER_LAST_DROP_PERCENT = {"ndcg@10": 23.22, "hr@10": 11.04}


@cache
def paper_numbers() -> dict:
    """The numbers of its tables, figures (in words) and Section 5.7, and the slips."""
    return read_json(Path(__file__).with_name("paper.json"))


def paper_scores(dataset: str, backbone: str, metric: str = "ndcg@10") -> dict[str, float]:
    """{method: score} of Table 3, with the parts of the cascade effect from Table 4 (SASRec)."""
    numbers, column = paper_numbers(), list(METRICS).index(metric)  # its order; it writes HT for HR
    rows = dict(numbers["table3"].get(backbone, {}).get(dataset, {}))
    if backbone == "sasrec":
        rows = numbers["table4_sasrec"].get(dataset, {}) | rows
    return {method: row[column] for method, row in rows.items()}


def paper_change(dataset: str, backbone: str, method: str, metric: str = "ndcg@10",
                 versus: str = "base") -> float | None:
    """The paper's change of a method against another in percent; None where it prints none."""
    scores = paper_scores(dataset, backbone, metric)
    if method == versus or not {method, versus} <= set(scores):
        return None
    return 100 * (scores[method] / scores[versus] - 1)


def paper_slips(where: str | None = None, **row: str) -> list[str]:
    """Where the paper contradicts itself, its data or its sources, in sentences.

    where: such as "table2"; None: all. row: dataset, backbone and method of a row of the table;
    then those that concern it alone.
    """
    found = [slip for slip in paper_numbers()["slips"] if where in (None, slip["where"])]
    if row:
        found = [slip for slip in found if len(slip) > 2  # more than "where" and "text"
                 and {**row, "where": slip["where"], "text": slip["text"]}.items() >= slip.items()]
    return [slip["text"] for slip in found]


def readings() -> pd.DataFrame:
    """Where the paper is silent or contradicts itself, one row an open place."""
    return pd.read_csv(Path(__file__).with_name("readings.csv"), index_col="number",
                       keep_default_na=False)
