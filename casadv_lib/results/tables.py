"""Tables 2 to 4, the cost of training (Section 5.7), robustness, choices, and the scoreboard.

Each function returns a DataFrame of plain numbers, the paper's beside ours, NaN where there is
none (the paper has no synthetic world), and raises MissingRecords where nothing can be shown. A
column "note" holds the paper's slips about that row, `attrs["notes"]` sentences about the table.
dataset: one data set; None: all. `readable` and `markdown` round the numbers.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from contextlib import suppress

import pandas as pd

from ..experiments.configuration import attack_name
from ..settings import EXCLUDES
from . import frames
from .claims import CLAIMS, OURS, VERDICTS, check
from .frames import BACKBONE_NAMES, DATASET_NAMES, METRICS, MissingRecords, Results, score
from .paper import PAPER_DATASETS, paper_change, paper_numbers, paper_scores, paper_slips

TABLE4_METHODS = ("base", "adv_cas_1", "adv_cas_2", "adv_cas")
ATTACKS = {  # the columns of `robustness`
    "first": {"positions": "first"}, "middle": {"positions": "middle"}, "last": {},
    "K = 3": {"k": 3}, "K = 5": {"k": 5}, "step 0.25": {"step": 0.25}, "step 0.5": {"step": 0.5},
    "step 1": {"step": 1.0}, "half-space": {"pick": "halfspace"}, "nearest": {"pick": "nearest"},
    "random": {"pick": "random"}, "by the base": {"surrogate": "base"},
    "by the base, K = 5": {"surrogate": "base", "k": 5},
}
FORMATS = (  # of the first pattern that a column's name holds
    ("^(users|items|interactions)", ",.0f"), ("^density", ".3f"), ("difference", "+.4f"),
    ("vs base %| %$", "+.1f"), ("^(epsilon|lambda1|replace_probability)$", "g"),
    ("^(best )?epoch$", ".0f"), ("^(NDCG|HR)@10", ".4f"), ("", ".2f"),
)  # fmt: skip


def _with_notes(rows: list[dict], notes: Iterable[str], missing: Iterable[str] = ()
                ) -> pd.DataFrame:
    if not rows:
        raise MissingRecords("; ".join(missing))
    table = pd.DataFrame(rows)
    table.attrs["notes"] = [*notes, *(f"Left out: {sentence}." for sentence in missing)]
    return table


def _settings(results: Results, dataset: str | None) -> list[tuple[str, str, dict[str, str]]]:
    """(data set, backbone, {method: its main run}) of one or all data sets."""
    first = frames.choose_dataset(results, dataset)
    return [(name, backbone, frames.main_runs(results, name, backbone))
            for name in (frames.datasets(results) if dataset is None else [first])
            for backbone in frames.backbones(results, name)]


def _percent(value: float, base: float) -> float:
    return 100 * (value / base - 1) if base else math.nan


def table2(results: Results) -> pd.DataFrame:
    """Table 2: users, items, interactions, density (percent), mean length; ours and the paper's."""
    rows, printed = [], paper_numbers()["table2_datasets"]
    for _, own in results.datasets.iterrows():
        row = {"dataset": own["dataset"]}
        for column in ("users", "items", "interactions", "density_percent"):
            name = column.replace("_percent", " %")
            row |= {name: own[column],
                    f"{name} paper": printed.get(own["dataset"], {}).get(column, math.nan)}
        rows.append(row | {"mean length": own["mean_length"], "note": " ".join(
            paper_slips("table2", dataset=own["dataset"]))})
    return _with_notes(rows, paper_slips("table2"), [] if rows else ["results hold no data sets"])


def table3(results: Results, dataset: str | None = None) -> pd.DataFrame:
    """Table 3: accuracy on test, one row a data set, backbone and method; controls included.

    For NDCG@10 and HR@10 each: the value at the last epoch, its change against the base in
    percent, the 95% interval (low, high) of the difference to the base, the value at the
    best-validation epoch, the paper's value and its change.
    """
    return _accuracy(results, dataset, "table3", ("base",), TABLE4_METHODS[1:3])


def table4(results: Results, dataset: str | None = None) -> pd.DataFrame:
    """Table 4: which part of the cascade effect helps, columns as in Table 3 (SASRec's paper)."""
    return _accuracy(results, dataset, "table4", TABLE4_METHODS)


def _accuracy(results: Results, dataset: str | None, where: str, needed: tuple[str, ...],
              left_out: tuple[str, ...] = ()) -> pd.DataFrame:
    rows, missing = [], []
    for name, backbone, runs in _settings(results, dataset):
        shown = needed if where == "table4" else [m for m in runs if m not in left_out]
        if lacking := [m for m in needed if m not in runs] or ["another"] * (len(shown) < 2):
            missing.append(f"no run of method {', '.join(lacking)}, backbone {backbone!r}, "
                           f"dataset {name!r}")
            continue
        # the paper's Table 4 has SASRec alone
        printed = (name, backbone) if where == "table3" or backbone == "sasrec" else ("", "")
        for method in shown:
            row = {"dataset": name, "backbone": backbone, "method": method,
                   "epoch": score(results, runs[method], "epoch")}
            for metric, label in METRICS.items():
                row |= _scores(results, runs, method, metric, label, printed)
            rows.append(row | {
                "best epoch": score(results, runs[method], "epoch", "best"),
                "note": " ".join(paper_slips(where, dataset=name, backbone=backbone,
                                             method=method))})
    table = _with_notes(rows, [
        "Columns: the last epoch, as in the paper; the 95% bootstrap interval of the difference "
        "to the base (absolute, over users); 'best', the epoch with the best validation score.",
        *paper_slips(where)], missing)
    table[["epoch", "best epoch"]] = table[["epoch", "best epoch"]].astype(int)
    return table


def _scores(results: Results, runs: dict[str, str], method: str, metric: str, label: str,
            printed: tuple[str, str]) -> dict[str, float]:
    """The columns of one method and metric; printed: where the paper's numbers are from."""
    value, base = (score(results, runs[m], metric) for m in (method, "base"))
    bound, change = {}, paper_change(*printed, method, metric)
    with suppress(MissingRecords):  # there is none of the base itself
        bound = frames.interval(results, "pair", "difference", metric, run=runs[method],
                                versus=runs["base"], versus_which="last")
    return {
        label: value, f"{label} vs base %": math.nan if method == "base" else _percent(value, base),
        **{f"{label} difference {end}": bound.get(end, math.nan) for end in ("low", "high")},
        f"{label} best": score(results, runs[method], metric, "best"),
        f"{label} paper": paper_scores(*printed, metric).get(method, math.nan),
        f"{label} paper vs base %": math.nan if change is None else change}


def efficiency(results: Results, dataset: str | None = None) -> pd.DataFrame:
    """Section 5.7: seconds an epoch, and an epoch of each method over an epoch of the base.

    "added time %" is the second phase's training time relative to the first's. The paper's
    numbers (adv_cas, SASRec on MovieLens-1M, one A100) stand in the adv_cas rows of SASRec.
    """
    paper, rows, missing = paper_numbers()["section57_efficiency"], [], []
    minutes = paper["base_500_epochs_minutes"], paper["adversarial_100_epochs_minutes"]
    for name, backbone, runs in _settings(results, dataset):
        if "base" not in runs or len(runs) < 2:
            missing.append(f"dataset {name!r}, backbone {backbone!r} has times of "
                           f"{', '.join(runs) or 'no method'} only, 'base' and another are needed")
            continue
        own = {m: frames.select(results.runs, run=run).iloc[0] for m, run in runs.items()}
        machines = {m: ", ".join(results.provenance[run].get(key, "unknown")
                                 for key in ("hardware", "device")) for m, run in runs.items()}
        base = own["base"]
        for method, row in own.items():
            is_paper = (backbone, method) == ("sasrec", "adv_cas")
            rows.append({
                "dataset": name, "backbone": backbone, "method": method,
                "seconds an epoch": row["seconds_per_epoch"],
                "over base epoch": row["seconds_per_epoch"] / base["seconds_per_epoch"],
                "training seconds": row["train_seconds"],
                "added time %": math.nan if method == "base"
                else 100 * row["train_seconds"] / base["train_seconds"],
                "over base epoch paper (ml-1m)":
                paper["adversarial_epoch_over_base_epoch"] if is_paper else math.nan,
                "added time % paper (ml-1m)":
                100 * minutes[1] / minutes[0] if is_paper else math.nan,
                "hardware": machines[method],
                "note": "" if machines[method] == machines["base"]
                else f"not comparable: the base ran on {machines['base']}"})
    return _with_notes(rows, [
        f"The paper: {paper['hardware']}, SASRec on MovieLens-1M, 500 epochs of the base in "
        f"{minutes[0]} minutes, 100 adversarial ones in {minutes[1]}."], missing)


def selection(results: Results, dataset: str | None = None) -> pd.DataFrame:
    """What was tried to choose settings, one row a trial; the chosen ones are marked.

    NDCG@10 and HR@10 are those on *validation* after the trial's last epoch, with the change of
    the first against the base; settings are NaN where a family does not read them.
    """
    tried = results.trials
    tried = tried if dataset is None else frames.select(tried, dataset=dataset)
    if tried.empty:
        raise MissingRecords("results hold nothing that was tried on validation, of "
                             + (dataset or "any data set"))
    table = tried[["dataset", "backbone", "family", "epsilon", "lambda1", "replace_probability"]]
    table = table.assign(**{f"{label} validation": tried[m] for m, label in METRICS.items()}, **{
        "vs base %": 100 * (tried["ndcg@10"] / tried["base_ndcg@10"] - 1),
        "chosen": tried["chosen"].map({True: "yes", False: ""})})
    epochs = ", ".join(f"{epochs:g}" for epochs in sorted(set(tried["trial_epochs"])))
    table.attrs["notes"] = [
        f"Each trial goes on from the same base for {epochs} epochs; the rule: best validation "
        "ndcg@10. The test split is not read.",
        "adv_random, adv_cas_1, adv_cas_2 and adv_cas take the choice of adv_global."]
    return table


def robustness(results: Results, dataset: str | None = None) -> pd.DataFrame:
    """What each stored attack changes, one row a model and rule of exclusion, test split.

    Columns: data set, backbone, method, "left out" (see `attacks.excluded`), NDCG@10 of the users
    with three items or more before the attack, and its change in percent of the same users' clean
    score under each attack of ATTACKS.
    """
    stored = results.attacks.set_index(["run", "exclude", "attack"]).sort_index()
    change = 100 * (stored["ndcg@10"] / stored["ndcg@10_clean"] - 1)
    names, rows = {label: attack_name(**options) for label, options in ATTACKS.items()}, []
    for name, backbone, runs in _settings(results, dataset):
        for (method, run), rule in ((item, rule) for item in runs.items() for rule in EXCLUDES):
            if (run, rule, names["last"]) in change:
                rows.append({"dataset": name, "backbone": backbone, "method": method,
                             "left out": rule,
                             "NDCG@10 clean": stored["ndcg@10_clean"][run, rule, names["last"]],
                             **{f"{label} %": change.get((run, rule, attack), math.nan)
                                for label, attack in names.items()}})
    return _with_notes(rows, [
        "Changes of NDCG@10 in percent of the same users' clean score. The last item by the "
        "gradient's step 0.1 unless said; K items from the end; 'by the base': the base picks "
        "the substitutes. 'both' is the rule of Section 5.4 (notebook 08)."],
        [] if rows else ["results hold no attack on a main run"])


def scoreboard(results: Results) -> pd.DataFrame:
    """Every claim where the paper makes it (see `claims.check`)."""
    if not set(frames.datasets(results)) & set(PAPER_DATASETS):
        raise MissingRecords("results hold no run on a data set of the paper")
    table = check(results, claims=[claim for claim in CLAIMS if claim.settings])
    rules = table.drop_duplicates(["section", "claim"])
    table.attrs["notes"] = [
        f"Claims and settings, {counts(table)}. \"reproduced\" where all conditions hold, "
        "\"partly\" where some do, \"not\" where none does: our runs do not show it, which need "
        "not mean that they show the opposite.",
        *(f"*{row['claim']} ({row['section']})*: {row['rule']}." for _, row in rules.iterrows())]
    return table


def counts(table: pd.DataFrame) -> str:
    """How often each verdict stands in a table of claims: those of the paper, then ours."""
    said = []
    for name, is_ours in (("the paper's", False), ("ours", True)):
        found = table["verdict"][(table["section"] == OURS) == is_ours].value_counts()
        said.append(f"{name}: " + ", ".join(f"{found[word]} {word}" for word in VERDICTS
                                            if word in found))
    return "; ".join(said)


def in_words(row) -> str:
    """A claim's number, such as "+15.9% [+10.2, +21.3] over base"."""
    if math.isnan(row["ours"]):
        return "" if row["verdict"] == "not run" else f"no number, {row['about']}"
    digits = 4 if row["unit"] in METRICS.values() else 1
    value, low, high = (f"{row[name]:+.{digits}f}" for name in ("ours", "low", "high"))
    unit = row["unit"] if row["unit"] == "%" else f" {row['unit']}"
    interval = "" if math.isnan(row["low"]) else f" [{low}, {high}]"
    return f"{value}{unit}{interval} {row['about']}".strip()


def readable(table: pd.DataFrame) -> pd.DataFrame:
    """A table as rounded text for the eye: empty columns dropped, missing values blank."""
    if "verdict" in table:  # of claims
        named = table["claim"] + " (" + table["section"] + ")"
        return pd.DataFrame({
            "claim": named.mask(named.duplicated(), ""),
            "where": [f"{BACKBONE_NAMES.get(b, b)}, {DATASET_NAMES.get(d, d)}" for d, b in
                      zip(table["dataset"], table["backbone"], strict=True)],
            "the paper": table["paper"],
            "ours, 95% interval": [in_words(row) for _, row in table.iterrows()],
            "verdict": table["verdict"]})
    shown = {}
    for column in table:
        layout = next(layout for pattern, layout in FORMATS if re.search(pattern, column))
        shown[column] = ["" if pd.isna(value) else value if isinstance(value, str)
                         else f"{value:{layout}}" for value in table[column]]
    return pd.DataFrame({name: texts for name, texts in shown.items() if any(texts)}, dtype=object)


def markdown(table: pd.DataFrame) -> str:
    """The table as GitHub markdown, its notes as a list below."""
    shown = readable(table).map(lambda text: text.replace("|", "\\|"))
    sides = ["right" if name in table and pd.api.types.is_numeric_dtype(table[name]) else "left"
             for name in shown]
    text = shown.to_markdown(index=False, disable_numparse=True, colalign=sides)
    notes = [f"- {note}" for note in table.attrs.get("notes", [])]
    return "\n".join([text, *([""] if notes else []), *notes]) + "\n"


TABLES = {"table2": table2, "table3": table3, "table4": table4, "efficiency": efficiency,
          "selection": selection, "robustness": robustness, "scoreboard": scoreboard}
