"""What the paper prints: its scores (paper.csv), other numbers and known slips (paper.json)."""

from pathlib import Path

import pandas as pd

from ..evaluation import METRICS
from ..support.files import read_json
from .frames import select

HERE = Path(__file__).parent
# Section 5: the data sets, the three sparse ones first, and the baselines besides the base.
PAPER_DATASETS = ("beauty", "video", "clothing", "ml-1m")
PAPER_SPARSE = PAPER_DATASETS[:3]
PAPER_BASELINES = ("adv_linear", "adv_seq", "adv_global")
PAPER_BEST_EPSILON = (10, 20)  # Section 5.5, Figure 4
# Section 5.6: what the last item costs the bases on Video, in percent, the mean of both backbones
PAPER_LAST_DROP_PERCENT = {"ndcg@10": 23.22, "hr@10": 11.04}
PAPER_ADDED_TIME = 100 * 8.3 / 10.6  # Section 5.7: minutes of the second phase over the first's
NUMBERS = read_json(HERE / "paper.json")  # of Table 2 and of Section 5.7, and the slips
# Tables 3 and 4 (SASRec alone), the base first; the paper writes HT for HR, and trains by the BCE
SCORES = pd.read_csv(HERE / "paper.csv").assign(loss="bce")
# where the paper is silent or contradicts itself, one row an open place
READINGS = pd.read_csv(HERE / "readings.csv", index_col="number", keep_default_na=False)
RUN = ["dataset", "backbone", "loss", "method"]


def paper_beside(runs: pd.DataFrame, where: str | None = None) -> pd.DataFrame:
    """The paper's scores of rows of `runs`, in their order, NaN where it prints none: columns of
    both metrics, and "METRIC change", in percent of the base's. where: one table alone."""
    printed = select(SCORES, where=where).drop_duplicates(RUN)
    for metric in METRICS:
        base = printed.groupby(["dataset", "backbone"])[metric].transform("first")
        change = 100 * (printed[metric] / base - 1)
        printed[f"{metric} change"] = change.mask(printed["method"] == "base")
    return runs[RUN].merge(printed, "left", on=RUN)


def paper_change(dataset: str, backbone: str, method: str, metric: str = "ndcg@10",
                 versus: str = "base") -> float | None:
    """The paper's change of a method against another in percent; None where it prints none."""
    scores = select(SCORES, dataset=dataset, backbone=backbone).drop_duplicates(RUN).set_index(
        "method")[metric]
    both = method != versus and {method, versus} <= {*scores.index}
    return 100 * (scores[method] / scores[versus] - 1) if both else None


def paper_slips(where: str | None = None, **row: str) -> list[str]:
    """Where the paper contradicts itself, its data or its sources, in sentences. where: such as
    "table2". row: dataset, backbone and method: what concerns that row of the table alone."""
    found = [dict(slip) for slip in NUMBERS["slips"] if where in (None, slip["where"])]
    texts = {slip.pop("text"): slip.items() - {("where", slip["where"])} for slip in found}
    return [text for text, about in texts.items() if not row or about and about <= row.items()]
