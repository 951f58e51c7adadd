"""Where the paper is silent or contradicts itself: the readings, and the switches that change them.

READINGS lists the open places with the default taken here. SWITCHES names settings of a second
phase that take another reading; `switch_effects` says what each one changes.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import pandas as pd

from ..data import SequenceDataset
from ..evaluation import paired_bootstrap
from ..experiments.configuration import configure
from ..experiments.runs import Run, run
from ..support.checks import one_of
from .comparison import verdict


@dataclass(frozen=True)
class Reading:
    """One open place of the paper: the question, our default, the alternatives, the setting."""

    number: int
    question: str
    default: str
    others: str
    setting: str


READINGS = tuple(Reading(number, *row) for number, row in enumerate((
    ("Is C in [0, 1] (Section 4.2) or at least 1 (Section 4.1)?",
     "at least 1, as Eq. 11 gives it", "1 + min-max", "cascade_norm"),
    ("Which mean is 1 when 'the average cascade values' are re-normalised (Section 5.5)?",
     "that of the weights 1/C, so that all methods perturb alike", "that of C, to the letter",
     "weight_mean"),
    ("Does a user count itself in the cross term?", "no (Eq. 11)", "yes (Algorithm 1)",
     "count_self"),
    ("Which histories feed C?", "the training inputs only", "none offered: others would leak", ""),
    ("Over what is the norm of g taken?", "the whole batch",
     "each sequence and each vector (Eq. 7, 9 as written)", "scope, preset"),
    ("The norm of Eq. 6 has gradient 0 at A = 0. Where is g taken?", "at a small random start",
     "by the BCE; by other dropout masks", "start"),
    ("Do the clean and the moved pass share their dropout masks?", "yes", "no", "dropout_masks"),
    ("Does the clean w in Eq. 6 carry a gradient?", "no", "yes", "detach_clean"),
    ("Is A added before or after the scaling of the embeddings?", "before", "after", "inject"),
    ("Over which positions is Eq. 6 averaged?", "all", "the last only", "level1_positions"),
    ("What is 'L2 norm 1e-5'?", "decoupled weight decay (AdamW)",
     "coupled decay (Adam); the norm of the item table in the loss", "decay"),
    ("Adam's betas?", "0.9 and 0.98, as in SASRec's code", "0.9 and 0.999", "beta1, beta2"),
    ("Adam's state at the switch of phases?", "fresh", "kept", "optimizer_state"),
    ("What does the attack maximise?", "the loss of the held-out item",
     "the loss of the model's own first choice", "loss (attack)"),
    ("'Closest item along the gradient'?", "nearest to a small step along g",
     "other steps; half-space; projection; cosine", "pick, step (attack)"),
    ("K items: one gradient or several?", "one, for all", "greedy, one after the other",
     "joint (attack)"),
    ("Which item is the first, the middle?", "the first that the model reads; index (n - 1) // 2",
     "none offered", ""),
    ("Ties of scores?", "the average rank", "none offered: others flatter a broken model", ""),
    ("adv_cas_2: C can be 0.", "1 + the cross term", "none offered", ""),
    ("Is 1/C applied before g is taken?", "no, g first", "yes", "weighted_gradient"),
    ("Sign of the gradient (Section 4.1's FGSM) or its direction (Eq. 7, 9)?", "the direction",
     "the sign", "direction"),
    ("Eq. 9 prints a derivative by the embedding; by what?", "by w", "none offered: a slip", ""),
    ("Which items are negatives? (Eq. 5 excludes the target alone.)",
     "those that the user has not met in training", "none offered", ""),
    ("Which items is an attacked user ranked over?",
     "all but those of the original history and those put in",
     "all but the attacked history; all but the original one", "exclude (attack)"),
), start=1))  # fmt: skip

# name: (number of the reading, settings over the defaults)
SWITCHES = {
    "minmax": (1, {"cascade_norm": "minmax"}),
    "mean_of_C": (2, {"weight_mean": "cascade"}),
    "count_self": (3, {"count_self": True}),
    "literal": (5, {"preset": "literal"}),
    "paper_values": (5, {"epsilon": 10.0, "lambda1": 1.0}),
    "bce_start": (6, {"start": "bce"}),
    "other_masks": (7, {"dropout_masks": "independent"}),
    "not_detached": (8, {"detach_clean": False}),
    "lambda1_1": (8, {"lambda1": 1.0}),
    "lambda1_tenth": (8, {"lambda1": 0.1}),
    "level1_bce": (8, {"level1_loss": "bce"}),
    "after_scaling": (9, {"inject": "after"}),
    "last_position": (10, {"level1_positions": "last"}),
    "kept_state": (13, {"optimizer_state": "kept"}),
    "weights_first": (20, {"weighted_gradient": True}),
    "sign": (21, {"direction": "sign"}),
}

# those that matter most: what notebook 11 runs by default, and the quick grid beforehand
COMPARED = ("literal", "lambda1_1", "lambda1_tenth", "minmax", "mean_of_C", "other_masks",
            "not_detached", "level1_bce", "after_scaling", "sign", "kept_state")


def readings_table() -> pd.DataFrame:
    """READINGS as a table."""
    return pd.DataFrame([vars(reading) for reading in READINGS]).set_index("number")


def switch_runs(data: SequenceDataset, asked: dict, switches: Collection[str]) -> dict[str, Run]:
    """{"default": Run, name: Run, ...} of adv_cas, each from the same base; made or reused.

    asked: arguments of `profiles.configure` without the method. A setting that `asked` names
    is overruled by a switch of that setting. A switch to what is the default here is left out.
    """
    for name in switches:
        one_of("switches", name, SWITCHES)
    made = {"default": run(configure(method="adv_cas", **asked), data)}
    for name in switches:
        made[name] = run(configure(method="adv_cas", **{**asked, **SWITCHES[name][1]}), data)
    return {name: one for name, one in made.items()
            if name == "default" or one.folder != made["default"].folder}


def switch_effects(made: dict[str, Run], metric: str = "ndcg@10") -> pd.DataFrame:
    """What each switch changes against the default, one row a switch.

    Columns: switch, reading, value (test), difference (test, absolute), low, high (95% paired
    bootstrap over users), low_all, high_all (so wide that all rows together hold with 95%,
    Bonferroni), validation (difference there) and effect, in words, from low_all and high_all.
    """
    rows, count = [], max(1, len(made) - 1)
    default = made["default"]
    for name, one in made.items():
        if name == "default":
            continue
        pair = one.ranks("test"), default.ranks("test")
        found = paired_bootstrap(*pair, metric)
        wide = paired_bootstrap(*pair, metric, resamples=4000, level=1 - 0.05 / count)
        on_validation = paired_bootstrap(one.ranks("validation"), default.ranks("validation"),
                                         metric, resamples=1)["difference"]
        rows.append({"switch": name, "reading": SWITCHES[name][0],
                     "value": one.metrics["last"]["test"][metric], **found,
                     "low_all": wide["low"], "high_all": wide["high"],
                     "validation": on_validation,
                     "effect": effect_in_words(wide["low"], wide["high"])})
    return pd.DataFrame(rows)


def effect_in_words(low: float, high: float) -> str:
    """"better", "worse" or "not settled" than the default, from an interval of the difference."""
    return {"holds here": "better", "the opposite holds here": "worse"}.get(
        verdict(low, high), "not settled")
