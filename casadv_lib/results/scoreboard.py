"""The scoreboard: every claim of the paper, its number, ours with an interval, and a verdict.

The verdict follows from stored records by one rule. A claim is one condition or several, each
about a 95% paired bootstrap interval over users; it is "reproduced" where all of them hold,
"partly" where some do, "not" where none does, "undecided" where the interval does not exist, and
"not run" where records are missing. So "not" says that our runs do not show the claim, not that
they show the opposite: the interval beside it tells the two apart.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import pandas as pd

from . import claims as c
from . import claims_robustness as robust
from .evidence import Evidence, in_words
from .paper import PAPER_BACKBONES, PAPER_BASELINES, PAPER_SPARSE, paper_change
from .records import BACKBONE_NAMES, DATASET_NAMES, MissingRecords

ABOVE = "the 95% interval of the difference lies above 0"
VERDICTS = ("reproduced", "partly", "not", "undecided", "not run")
OURS = "ours"  # in place of a section: a question the paper does not ask
ALL_SETS = "all that were run"
BOTH_SETS = (("beauty", "sasrec"), ("video", "sasrec"))
EVERYWHERE = tuple((ALL_SETS, backbone) for backbone in PAPER_BACKBONES)

CLAIMS = (
    c.Claim("5.5", "Any adversarial method improves the base",
            f"for each of adv_linear, adv_seq, adv_global, adv_cas against base: {ABOVE} "
            "(NDCG@10)", c.ALL, c.any_method_helps,
            lambda place: c.signed(min(paper_change(*place, m)
                                       for m in (*PAPER_BASELINES, "adv_cas")))),
    c.Claim("5.5", "adv_cas is better than every baseline",
            f"adv_cas against base, adv_linear, adv_seq, adv_global: {ABOVE} (NDCG@10)",
            c.ALL, c.cascade_is_best, c.paper_over_second),
    c.Claim("5.5", "The mean gain of adv_cas over the base",
            "the interval of the mean over data sets and both metrics lies above 0; and it "
            "reaches Table 3's mean over the same data sets",
            EVERYWHERE, c.mean_gain, c.paper_mean),
    c.Claim("5.5", "How much more adv_cas gains than the second best baseline",
            "as for the mean gain; the gain of adv_cas relative to the best gain of adv_linear, "
            "adv_seq, adv_global, in each column of Table 3; undecided where a best gain is not "
            "above 0 in every resample",
            EVERYWHERE, c.more_gain, c.paper_more),
    c.Claim("5.5", "The gains are larger on sparse data",
            "for each of the three sparse data sets: the 95% interval of its gain minus that on "
            "ml-1m (mean of both metrics) lies above 0",
            tuple(("ml-1m", backbone) for backbone in PAPER_BACKBONES), c.sparse_gains_more,
            c.paper_sparse),
    c.Claim("5.5", "Only adv_cas helps GRU4Rec on Clothing",
            f"adv_cas against base: {ABOVE}; and then, for each of adv_linear, adv_seq, "
            "adv_global it does not (NDCG@10)", (("clothing", "gru4rec"),), c.only_cascade_helps,
            lambda place: c.signed(paper_change(*place, "adv_cas"))),
    c.Claim("5.5", "The base has converged by 500 epochs; more epochs do not help",
            "the interval of base+100 minus base does not lie above 0, and ends below "
            f"+{c.HARDLY_PERCENT}%; that of the base's last minus its best-validation epoch does "
            "not lie below 0 (NDCG@10)",
            c.ALL, c.base_has_converged, lambda place: "hardly (Figure 3)"),
    c.Claim("5.5", "Both cascade terms help, and together most (Table 4)",
            f"adv_cas_1 and adv_cas_2 against base, adv_cas against each of them: {ABOVE} "
            "(NDCG@10)", tuple(place for place in c.ALL if place[1] == "sasrec"),
            c.both_terms_help, c.paper_terms),
    c.Claim("5.5", "Epsilon 1 already helps (Figure 4)",
            f"adv_cas at epsilon 1 against base: {ABOVE} (NDCG@10)", c.VIDEO,
            c.small_epsilon_helps),
    c.Claim("5.5", "Epsilon from 10 to 20 is best (Figure 4)",
            "epsilon 10 and epsilon 20, each against the best other one (chosen on validation): "
            f"{ABOVE} (NDCG@10)", c.VIDEO, c.best_epsilon),
    c.Claim("5.5", "Accuracy falls above epsilon 30, and not before (Figure 4)",
            f"epsilon 30 against the base, and against the best larger one: {ABOVE} (NDCG@10)",
            c.VIDEO, c.large_epsilon_falls),
    c.Claim("5.6", "Replacing the first or the middle item costs the base 0 to 3%",
            "for each of the two places: the 95% interval of the change lies above -3% (NDCG@10)",
            c.VIDEO, robust.early_items_cost_little, lambda place: "0 to -3%"),
    c.Claim("5.6", "Replacing the last item costs the base models 23% NDCG and 11% hits",
            "for both metrics, mean of the two backbones: the 95% interval of the change lies "
            "below 0; and it holds the paper's number",
            (("video", "both"),), robust.last_item_costs, robust.paper_last_item),
    c.Claim("5.6", "At the last item adv_cas loses less than base and generic training",
            "adv_cas against base, adv_linear, adv_global: the 95% interval of the difference of "
            "the relative changes lies above 0 (NDCG@10)", c.VIDEO, robust.last_item_is_spared),
    c.Claim("5.6", "With K last items replaced, adv_cas falls more slowly than base",
            "the same for HR@10 and each K from 1 to 5, against base",
            tuple(place for place in c.ALL if place != ("ml-1m", "gru4rec")),
            robust.decay_is_slower),
    c.Claim("5.6", "Except GRU4Rec on MovieLens-1M, where both fall alike",
            "for each K from 1 to 5 the 95% interval of that difference holds 0",
            (("ml-1m", "gru4rec"),), robust.decay_is_alike),
    c.Claim("5.6", "With 5 items replaced, adv_cas is still above the base on clean data",
            f"adv_cas attacked at K = 5 against base not attacked, same users: {ABOVE} (HR@10)",
            tuple(place for place in c.ALL if place[0] in PAPER_SPARSE),
            robust.attacked_is_above_clean),
    c.Claim("5.7", "The second phase adds no more than 78% of the training time",
            "100 epochs of adv_cas over 500 of the base take no more than the paper's share; and "
            "no more than twice that (times have no bootstrap interval, and come from a machine "
            "with other work on it)",
            tuple(place for place in c.ALL if place[1] == "sasrec"), robust.added_time,
            lambda place: f"+{robust.paper_time():.0f}%" if place[0] == "ml-1m" else ""),
    c.Claim(OURS, "The gain of adv_cas survives against base+100",
            f"adv_cas against base+100, for both metrics: {ABOVE}", c.ALL, c.survives_control),
    c.Claim(OURS, "The gain of adv_cas survives against the base's best-validation epoch",
            f"adv_cas (last epoch) against it, for both metrics: {ABOVE}", c.ALL,
            c.survives_best_base),
    c.Claim(OURS, "adv_cas is above adv_global with every seed",
            f"for each seed: {ABOVE} (NDCG@10)", c.VIDEO, c.holds_in_every_seed),
    c.Claim(OURS, "adv_neighbour is more accurate than adv_cas", "for both metrics: " + ABOVE,
            c.ALL, robust.neighbour_is_more_accurate),
    c.Claim(OURS, "With the last item replaced, adv_neighbour ranks better than adv_cas",
            f"attacked alike, for each of {', '.join(robust.LAST_ITEM)}: {ABOVE} (NDCG@10)",
            c.ALL, robust.neighbour_attacked_is_above),
    c.Claim(OURS, "With the last item replaced, adv_neighbour loses a smaller share than adv_cas",
            "the same for the difference of the relative changes", c.ALL,
            robust.neighbour_loses_less),
    *(claim for scope, words in (("batch", "norms over the batch"),
                                 ("literal", "norms as Eq. 7 and 9 are printed"))
      for claim in (
          c.Claim(OURS, f"The paper's epsilon 10 and lambda 1 improve the base, {words}",
                  f"adv_global and adv_cas against base: {ABOVE} (NDCG@10)",
                  BOTH_SETS, c.paper_values_help(scope)),
          c.Claim(OURS, f"With these values adv_cas is better than adv_global, {words}",
                  "adv_cas against adv_global, both with the paper's values, and against base: "
                  f"{ABOVE} (NDCG@10)",
                  BOTH_SETS, c.weights_help_at_paper_values(scope)))),
)  # fmt: skip


def verdict(conditions: Iterable[bool]) -> str:
    """The word for conditions that hold or not; "undecided" where there is none."""
    found = list(conditions)
    if not found:
        return "undecided"
    return "reproduced" if all(found) else "partly" if any(found) else "not"


def scoreboard(results: dict, claims: Iterable[c.Claim] = CLAIMS) -> pd.DataFrame:
    """One row a claim and place.

    Columns: section, claim, dataset, backbone, paper (text), ours, low, high (NaN where there is
    no number), unit, about (which number is shown), verdict and rule.
    `attrs["missing"]`: what the rows "not run" lack, {row: sentence}.
    """
    evidence, rows, missing = Evidence(results), [], {}
    for claim in claims:
        for place in claim.places:
            row = {"section": claim.section, "claim": claim.text, "dataset": place[0],
                   "backbone": place[1], "paper": claim.paper(place)}
            try:
                found = claim.test(evidence, place)
            except MissingRecords as error:
                missing[len(rows)] = str(error)
                shown, unit, about, word = {}, "", "", "not run"
            else:
                shown, unit, about = found.shown, found.unit, found.about
                is_attack = claim.section == "5.6" and place[1] in BACKBONE_NAMES
                if is_attack and evidence.rule(place) == "original":
                    about += ", while substitutes compete"
                word = verdict(found.conditions)
            numbers = {name: _number(shown.get(key)) for name, key in
                       (("ours", "value"), ("low", "low"), ("high", "high"))}
            rows.append(row | numbers | {"unit": unit, "about": about, "verdict": word,
                                         "rule": claim.rule})
    table = pd.DataFrame(rows)
    table.attrs["missing"] = missing
    return table


def _number(value: float | None) -> float:
    return math.nan if value is None else float(value)


def counts(table: pd.DataFrame) -> str:
    """How often each verdict stands in a scoreboard, in words: claims of the paper, then ours."""
    said = []
    for name, rows in (("the paper's", table[table["section"] != OURS]),
                       ("ours", table[table["section"] == OURS])):
        found = rows["verdict"].value_counts()
        said.append(f"{name}: " + ", ".join(f"{found[word]} {word}" for word in VERDICTS
                                            if word in found))
    return "; ".join(said)


def ours_in_words(row) -> str:
    """Such as "+15.9% [+10.2, +21.3] (about)" of a row."""
    if math.isnan(row["ours"]):
        return "" if row["verdict"] == "not run" else f"no number, {row['about']}"
    unit = row["unit"] if row["unit"] == "%" else f" {row['unit']}"
    low, high = (None if math.isnan(row[end]) else row[end] for end in ("low", "high"))
    text = in_words({"value": row["ours"], "low": low, "high": high}, unit)
    return text + (f" {row['about']}" if row["about"] else "")


def where_in_words(places: Iterable[tuple[str, str]]) -> str:
    """Such as "SASRec: Beauty, Video Games; GRU4Rec: Beauty"."""
    by_backbone: dict[str, list[str]] = {}
    for dataset, backbone in places:
        name = BACKBONE_NAMES.get(backbone, f"{backbone} backbones")
        by_backbone.setdefault(name, []).append(
            DATASET_NAMES.get(dataset, dataset).removeprefix("Amazon "))
    return "; ".join(f"{name}: {', '.join(sets)}" for name, sets in by_backbone.items())


def as_markdown(table: pd.DataFrame) -> str:
    """The scoreboard as GitHub markdown, then the rules; a claim's "not run" rows are one."""
    lines = ["| claim | where | the paper | ours, 95% interval | verdict |",
             "|---|---|---|---|---|"]
    rules = []
    for (section, claim), rows in table.groupby(["section", "claim"], sort=False):
        there = rows[rows["verdict"] != "not run"]
        absent = rows[rows["verdict"] == "not run"]
        head = f"{claim} ({section})"
        rules.append(f"- *{head}*: {rows['rule'].iloc[0]}.")
        for _, row in there.iterrows():
            where = where_in_words([(row["dataset"], row["backbone"])])
            lines.append(f"| {head} | {where} | {row['paper']} | {ours_in_words(row)} | "
                         f"**{row['verdict']}** |")
            head = ""
        if len(absent):
            where = where_in_words(zip(absent["dataset"], absent["backbone"], strict=True))
            lines.append(f"| {head} | {where} | | | not run |")
    return "\n".join([
        *lines, "", f"Claims and places, {counts(table)}.", "", "<details><summary>The rules: "
        "\"reproduced\" where all conditions hold, \"partly\" where some do, \"not\" where none "
        "does: our runs do not show it, which need not mean that they show the opposite"
        "</summary>",
        "", *rules, "", "</details>"]) + "\n"
