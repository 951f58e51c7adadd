"""Tables 2 to 4, the cost of training (Section 5.7), and how settings were chosen.

Each function returns a pandas DataFrame of plain numbers, the paper's beside ours, NaN where
there is none (the paper has no synthetic world), with a column "note" for the paper's slips about
that row and `DataFrame.attrs["notes"]` for sentences about the table. `readable` and `markdown`
round them.
"""

from __future__ import annotations

import math

import pandas as pd

from ..attacks import EXCLUDES
from .paper import paper_numbers, paper_slips, row_note
from .records import (
    METRICS,
    MissingRecords,
    backbones,
    choose_dataset,
    datasets,
    find_attack,
    load_results,
    main_record,
    methods,
)

__all__ = ["efficiency", "load_results", "markdown", "paper_numbers", "paper_slips", "readable",
           "robustness", "selection", "table2", "table3", "table4"]

NONE = float("nan")
TABLE4_METHODS = ("base", "adv_cas_1", "adv_cas_2", "adv_cas")
CHOSEN = ("epsilon", "lambda1", "replace_probability")  # what trials choose
ATTACKS = {  # the columns of `robustness`: options of `results.find_attack`
    "first": {"positions": "first"}, "middle": {"positions": "middle"}, "last": {},
    "K = 3": {"k": 3}, "K = 5": {"k": 5}, "step 0.25": {"step": 0.25}, "step 0.5": {"step": 0.5},
    "step 1": {"step": 1.0}, "half-space": {"pick": "halfspace"}, "nearest": {"pick": "nearest"},
    "random": {"pick": "random"}, "by the base": {"surrogate": "base"},
    "by the base, K = 5": {"surrogate": "base", "k": 5},
}
TABLE4_ONLY = ("adv_cas_1", "adv_cas_2")
READING_NOTE = (
    "Columns: the last epoch, as in the paper; the 95% bootstrap interval of the difference to "
    "the base (absolute, over users); 'best', the epoch with the best validation score.")


def _chosen(results: dict, dataset: str | None) -> list[str]:
    """The data sets of a table: one, or all for None."""
    first = choose_dataset(results, dataset)
    return datasets(results) if dataset is None else [first]


def change_percent(value: float, base: float) -> float:
    """The change relative to the base, in percent; NaN where the base is 0."""
    return 100 * (value / base - 1) if base else NONE


def table2(results: dict) -> pd.DataFrame:
    """Table 2: users, items, interactions, density (percent), mean length; ours and the paper's.

    Needs results["dataset"], the rows of `SequenceDataset.statistics` with the data set's name.
    """
    rows = results.get("dataset")
    if not rows:
        raise MissingRecords("results hold no 'dataset', the rows of Table 2")
    printed = paper_numbers()["table2_datasets"]
    table = []
    for row in rows:
        paper = printed.get(row["dataset"], {})
        line = {"dataset": row["dataset"]}
        for column in ("users", "items", "interactions", "density_percent"):
            name = column.replace("density_percent", "density %")
            line[name] = row[column]
            line[f"{name} paper"] = paper.get(column, NONE)
        line["mean length"] = row["mean_length"]
        line["note"] = row_note("table2", dataset=row["dataset"])
        table.append(line)
    return _with_notes(pd.DataFrame(table), paper_slips("table2"))


def table3(results: dict, dataset: str | None = None) -> pd.DataFrame:
    """Table 3: accuracy on test, one row a data set, backbone and method; controls included.

    Columns, for NDCG@10 and HR@10 each: the value at the last epoch, its change against the base
    in percent, the 95% interval (low, high) of the difference to the base, the value at the
    best-validation epoch, the paper's value and its change. All data sets for dataset None.
    Needs the record of "base" and of at least one other method.
    """
    printed = paper_numbers()["table3"]
    rows, missing = [], []
    for name in _chosen(results, dataset):
        for backbone in backbones(results, name):
            there = [method for method in methods(results, name, backbone)
                     if method not in TABLE4_ONLY]
            if "base" not in there or len(there) < 2:
                missing.append(f"dataset {name!r}, backbone {backbone!r} has records of "
                               f"{', '.join(there) or 'no method'} only, 'base' and another "
                               "method are needed")
                continue
            paper = printed.get(backbone, {}).get(name, {})
            rows += _accuracy_rows(results, name, backbone, there, paper, "table3")
    return _accuracy_table(rows, missing, paper_slips("table3"))


def table4(results: dict, dataset: str | None = None) -> pd.DataFrame:
    """Table 4: which part of the cascade effect helps, columns as in Table 3.

    Needs the records of "base", "adv_cas_1", "adv_cas_2" and "adv_cas"; the paper has SASRec only.
    """
    printed = paper_numbers()["table4_sasrec"]
    rows, missing = [], []
    for name in _chosen(results, dataset):
        for backbone in backbones(results, name):
            there = methods(results, name, backbone)
            lacking = [method for method in TABLE4_METHODS if method not in there]
            if lacking:
                missing.append(f"no record of method {', '.join(map(repr, lacking))}, backbone "
                               f"{backbone!r}, dataset {name!r}")
                continue
            paper = printed.get(name, {}) if backbone == "sasrec" else {}
            rows += _accuracy_rows(results, name, backbone, TABLE4_METHODS, paper, "table4")
    return _accuracy_table(rows, missing, paper_slips("table4"))


def _accuracy_rows(results, dataset, backbone, wanted, paper, where) -> list[dict]:
    """The rows of Table 3 or 4 for one data set and backbone; `paper` is {method: [ndcg, hr]}."""
    base = main_record(results, dataset, backbone, "base")
    rows = []
    for method in wanted:
        record = main_record(results, dataset, backbone, method)
        last, best = record["metrics"]["last"], record["metrics"]["best"]
        row = {"dataset": dataset, "backbone": backbone, "method": method, "epoch": last["epoch"]}
        for place, (metric, label) in enumerate(METRICS.items()):
            bound = ((record.get("versus_base") or {}).get("test") or {}).get(metric, {})
            printed = paper[method][place] if method in paper else NONE
            is_base = method == "base"
            row |= {
                label: last["test"][metric],
                f"{label} vs base %": NONE if is_base else change_percent(
                    last["test"][metric], base["metrics"]["last"]["test"][metric]),
                f"{label} difference low": bound.get("low", NONE),
                f"{label} difference high": bound.get("high", NONE),
                f"{label} best": best["test"][metric],
                f"{label} paper": printed,
                f"{label} paper vs base %": NONE if is_base or method not in paper
                else change_percent(printed, paper["base"][place]),
            }
        row["best epoch"] = best["epoch"]
        row["note"] = row_note(where, dataset=dataset, backbone=backbone, method=method)
        rows.append(row)
    return rows


def _accuracy_table(rows: list[dict], missing: list[str], slips: list[str]) -> pd.DataFrame:
    if not rows:
        raise MissingRecords("; ".join(missing))
    left_out = [f"Left out: {sentence}." for sentence in missing]
    return _with_notes(pd.DataFrame(rows), [READING_NOTE, *slips, *left_out])


def efficiency(results: dict, dataset: str | None = None) -> pd.DataFrame:
    """Section 5.7: seconds an epoch, and an epoch of each method over an epoch of the base.

    "added time %" is the second phase's training time relative to the first's. The paper's
    numbers (adv_cas, SASRec on MovieLens-1M, one A100) stand in the adv_cas rows of SASRec.
    Needs the record of "base" and of at least one other method, both with "seconds".
    """
    paper = paper_numbers()["section57_efficiency"]
    added = 100 * paper["adversarial_100_epochs_minutes"] / paper["base_500_epochs_minutes"]
    rows, missing = [], []
    for name in _chosen(results, dataset):
        for backbone in backbones(results, name):
            timed = {}
            for method in methods(results, name, backbone):
                record = main_record(results, name, backbone, method)
                if record.get("seconds"):
                    timed[method] = record
            if "base" not in timed or len(timed) < 2:
                missing.append(f"dataset {name!r}, backbone {backbone!r} has times of "
                               f"{', '.join(timed) or 'no method'} only, 'base' and another "
                               "method are needed")
                continue
            base = timed["base"]
            for method, record in timed.items():
                is_paper = (backbone, method) == ("sasrec", "adv_cas")
                rows.append({
                    "dataset": name, "backbone": backbone, "method": method,
                    "seconds an epoch": record["seconds"]["per_epoch"],
                    "over base epoch": record["seconds"]["per_epoch"]
                    / base["seconds"]["per_epoch"],
                    "training seconds": record["seconds"]["train"],
                    "added time %": NONE if method == "base"
                    else 100 * record["seconds"]["train"] / base["seconds"]["train"],
                    "over base epoch paper (ml-1m)":
                    paper["adversarial_epoch_over_base_epoch"] if is_paper else NONE,
                    "added time % paper (ml-1m)": added if is_paper else NONE,
                    "hardware": _machine(record),
                    "note": "" if _machine(record) == _machine(base)
                    else f"not comparable: the base ran on {_machine(base)}",
                })
    if not rows:
        raise MissingRecords("; ".join(missing))
    notes = [f"The paper: {paper['hardware']}, SASRec on MovieLens-1M, 500 epochs of the base in "
             f"{paper['base_500_epochs_minutes']} minutes, 100 adversarial ones in "
             f"{paper['adversarial_100_epochs_minutes']}.",
             *(f"Left out: {sentence}." for sentence in missing)]
    return _with_notes(pd.DataFrame(rows), notes)


def selection(results: dict, dataset: str | None = None) -> pd.DataFrame:
    """What was tried to choose settings, one row a trial; the chosen ones are marked.

    Columns: data set, backbone, family, epsilon, lambda1, replace_probability (NaN where a family
    does not read it), NDCG@10 and HR@10 on *validation* after
    the trial's last epoch, the change of the first against the base in percent, and chosen.
    All data sets for dataset None. Needs results["selection"], the entries of `selection.json`.
    """
    entries = [entry for entry in results.get("selection", ())
               if dataset in (None, entry["dataset"])]
    if not entries:
        raise MissingRecords("results hold no 'selection', what was tried on validation, of "
                             + (dataset or "any data set"))
    rows = []
    for entry in entries:
        for trial in entry["tried"]:
            scores = trial["validation"]
            rows.append({
                **{name: entry[name] for name in ("dataset", "backbone", "family")},
                **{name: trial.get(name, NONE) for name in CHOSEN},
                **{f"{label} validation": scores[m] for m, label in METRICS.items()},
                "vs base %": change_percent(scores["ndcg@10"], entry["base"]["ndcg@10"]),
                "chosen": "yes" if entry["chosen"].items() <= trial.items() else "",
            })
    epochs = ", ".join(sorted({str(entry["trial_epochs"]) for entry in entries}))
    notes = [f"Each trial goes on from the same base for {epochs} epochs; the rule: "
             f"{entries[0]['rule']}. The test split is not read.",
             "adv_random, adv_cas_1, adv_cas_2 and adv_cas take the choice of adv_global."]
    return _with_notes(pd.DataFrame(rows), notes)


def robustness(results: dict, dataset: str | None = None) -> pd.DataFrame:
    """What each stored attack changes, one row a model and rule of exclusion, test split.

    Columns: data set, backbone, method, "left out" (see `attacks.excluded`), NDCG@10 of the users
    with three items or more before the attack, and its change in percent of the same users' clean
    score under each attack of ATTACKS (NaN where it is not stored). All data sets for None.
    """
    rows = []
    for name in _chosen(results, dataset):
        for backbone in backbones(results, name):
            for method in methods(results, name, backbone):
                record = main_record(results, name, backbone, method)
                rows += [row for rule in EXCLUDES if (row := _attacks_row(record, rule))]
    if not rows:
        raise MissingRecords("results hold no attack on a main run")
    notes = ["Changes of NDCG@10 in percent of the same users' clean score. The last item by the "
             "gradient's step 0.1 unless said; K items from the end; 'by the base': the base picks "
             "the substitutes. 'both' is the rule of Section 5.4 (notebook 08)."]
    return _with_notes(pd.DataFrame(rows), notes)


def _attacks_row(record: dict, rule: str) -> dict | None:
    config, changes, clean = record["config"], {}, None
    for label, asked in ATTACKS.items():
        try:
            found = find_attack(record, exclude=rule, **{"positions": "last", "k": 1} | asked)
        except MissingRecords:
            changes[f"{label} %"] = NONE
            continue
        clean = found["clean"]["ndcg@10"] if label == "last" else clean
        changes[f"{label} %"] = change_percent(found["attacked"]["ndcg@10"],
                                               found["clean"]["ndcg@10"])
    if clean is None:
        return None
    names = {name: config[name] for name in ("dataset", "backbone", "method")}
    return names | {"left out": rule, "NDCG@10 clean": clean} | changes


def _machine(record: dict) -> str:
    """Where a run was made, in a few words."""
    provenance = record.get("provenance") or {}
    words = [str(provenance[name]) for name in ("hardware", "device") if provenance.get(name)]
    return ", ".join(words) or "unknown"


def _with_notes(table: pd.DataFrame, notes: list[str]) -> pd.DataFrame:
    table.attrs["notes"] = notes
    return table


def readable(table: pd.DataFrame) -> pd.DataFrame:
    """A table as rounded text for the eye: empty columns dropped, missing values blank.

    Scores have four decimals, percentages one (a density three), differences a sign.
    """
    filled = [name for name in table if not table[name].map(_is_empty).all()]
    return pd.DataFrame({name: [_text(name, value) for value in table[name]] for name in filled},
                        dtype=object)


def _is_empty(value) -> bool:
    return value == "" or (isinstance(value, float) and math.isnan(value))


def _text(column: str, value) -> str:
    if _is_empty(value):
        return ""
    if isinstance(value, str):
        return value
    if column.split(" paper")[0] in ("users", "items", "interactions"):
        return f"{value:,.0f}"
    if column.startswith("density"):
        return f"{value:.3f}"
    if "vs base %" in column:
        return f"{value:+.1f}"
    if "difference" in column:
        return f"{value:+.4f}"
    if column.endswith(" %") and "vs" not in column:
        return f"{value:+.1f}"
    if column in CHOSEN:
        return f"{value:g}"
    if column in ("epoch", "best epoch"):
        return f"{value:.0f}"
    if column.split(" ")[0] in METRICS.values():
        return f"{value:.4f}"
    return f"{value:.2f}"


def markdown(table: pd.DataFrame) -> str:
    """The table as GitHub markdown, its notes as a list below."""
    shown = readable(table)
    numbers = [name for name in shown if pd.api.types.is_numeric_dtype(table[name])]
    rule = ["---:" if name in numbers else "---" for name in shown]
    lines = [list(shown), rule, *shown.itertuples(index=False, name=None)]
    text = ["| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines]
    notes = [f"- {note}" for note in table.attrs.get("notes", [])]
    return "\n".join(text + ([""] + notes if notes else [])) + "\n"
