"""What the paper prints: its numbers (paper.json, beside this file) and its known slips."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from .frames import METRICS

# Section 5: the data sets, the three sparse ones first, the backbones, and the baselines
# besides the base.
PAPER_DATASETS = ("beauty", "video", "clothing", "ml-1m")
PAPER_SPARSE = PAPER_DATASETS[:3]
PAPER_BACKBONES = ("sasrec", "gru4rec")
PAPER_BASELINES = ("adv_linear", "adv_seq", "adv_global")
# Section 5.6: K of Figure 6 goes up to this; the first and the middle item cost 0 to 3 percent.
MOST_REPLACED = 5
SMALL_PERCENT = 3.0
# Section 5.5, Figure 4: better than the base already at 1, best in [10, 20], falling above 30.
PAPER_SMALL_EPSILON = 1
PAPER_BEST_EPSILON = (10, 20)
PAPER_LARGE_EPSILON = 30
# Section 5.6: what the last item costs the base models on Video, in percent, the mean of SASRec
# and GRU4Rec.
PAPER_LAST_DROP_PERCENT = {"ndcg@10": 23.22, "hr@10": 11.04}
# Section 5.5's text: the mean gain of adv_cas, and how much more that is than the second best's.
PAPER_MEAN_GAIN_PERCENT = {"sasrec": 15.32, "gru4rec": 15.99}
PAPER_MORE_GAIN_PERCENT = {"sasrec": 18.16, "gru4rec": 168.94}


def paper_numbers() -> dict:
    """The numbers of Tables 2 to 4, Figures 4 to 6 (in words) and Section 5.7, as in paper.json."""
    return json.loads(Path(__file__).with_name("paper.json").read_text(encoding="utf-8"))


def paper_change(dataset: str, backbone: str, method: str, metric: str = "ndcg@10"
                 ) -> float | None:
    """The paper's change against its base in percent; None where it prints none.

    From Table 3, and for the parts of the cascade effect from Table 4 (SASRec).
    """
    numbers = paper_numbers()
    row = numbers["table3"].get(backbone, {}).get(dataset, {})
    if method not in row and backbone == "sasrec":
        row = numbers["table4_sasrec"].get(dataset, {})
    if method == "base" or method not in row:
        return None
    column = list(METRICS).index(metric)  # the paper's order; it writes HT for HR
    return 100 * (row[method][column] / row["base"][column] - 1)


@dataclass(frozen=True)
class Slip:
    """One place where the paper contradicts itself, its data or its sources.

    `where` names the table, figure or section; `dataset`, `backbone` and `method`, where given,
    name the table rows that the sentence is about.
    """

    where: str
    text: str
    dataset: str = ""
    backbone: str = ""
    method: str = ""

    def is_about(self, where: str, **row: str) -> bool:
        """Whether this slip concerns one row of the table `where`, and not the table at large."""
        named = {name: getattr(self, name) for name in ("dataset", "backbone", "method")}
        named = {name: value for name, value in named.items() if value}
        return self.where == where and bool(named) and named.items() <= row.items()


PAPER_SLIPS = (
    Slip(
        "table2",
        "Table 2 gives Beauty 10,121 items; the 5-core data set has 12,101, most likely two "
        "digits were swapped. The printed density, 0.088%, follows from it; it is 0.073%.",
        dataset="beauty",
    ),
    Slip(
        "table2",
        "Table 2 gives MovieLens-1M 987,540 interactions; the data set has 999,611. The printed "
        "number is 163.50 x 6,040, so most likely it comes from a rounded mean length of the "
        "training part (999,611 - 2 x 6,040 = 987,531).",
        dataset="ml-1m",
    ),
    Slip(
        "table2",
        "The paper cites the 2018 release of the Amazon reviews; its counts are those of the "
        "2014 release.",
    ),
    Slip(
        "table3",
        "The text says that adv_cas improves SASRec by 15.32% on average; the eight changes of "
        "Table 3 average to 21.9%.",
    ),
    Slip(
        "table3",
        "The text says that adv_cas improves GRU4Rec by 168.94% more than the second best "
        "baselines; the columns of Table 3 average to 112.4%. The printed number follows if "
        "adv_seq's 1.33% is taken as second best for HT@10 on Clothing, where adv_linear has "
        "2.67%.",
    ),
    Slip(
        "table3",
        "GRU4Rec with adv_seq on Video: HT@10 rises from 0.0872 to 0.0888, which is +1.83%; "
        "Table 3 prints 1.49%.",
        dataset="video",
        backbone="gru4rec",
        method="adv_seq",
    ),
    Slip(
        "table3",
        "The text says that all other adversarial methods fail to improve GRU4Rec on Clothing; "
        "in Table 3 adv_seq is above the base in both metrics and adv_linear in HT@10.",
        dataset="clothing",
        backbone="gru4rec",
        method="adv_seq",
    ),
    Slip(
        "table3",
        "The paper's SASRec base on Beauty (NDCG@10 0.0264) is below what the same backbone "
        "reaches elsewhere under full ranking (0.0318): a gain must be shown from a "
        "well-trained base.",
        dataset="beauty",
        backbone="sasrec",
        method="base",
    ),
    Slip(
        "table3",
        "The paper gives no seeds and no errors. For SASRec the distance from adv_global to "
        "adv_cas is within one standard error on three of the four data sets.",
    ),
    Slip(
        "figure2",
        "The histories of Figure 2 are not given in the text; the toy drawn here is our own, "
        "made so that the marked interaction has the paper's value, 11.",
    ),
    Slip(
        "section4",
        "Section 4.1 puts the cascade effects in [1, infinity); Section 4.2 and Algorithm 1 put "
        "them in [0, 1] after a min-max step, where 1/C can be infinite.",
    ),
)


def paper_slips(where: str | None = None) -> list[str]:
    """The sentences about one table, figure or section ("table2", "table3", ...), or all."""
    return [slip.text for slip in PAPER_SLIPS if where is None or slip.where == where]


def row_note(where: str, **row: str) -> str:
    """The slips that concern one row of a table, joined to one text; "" where there is none."""
    return " ".join(slip.text for slip in PAPER_SLIPS if slip.is_about(where, **row))
