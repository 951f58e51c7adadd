"""Tables 2 to 4, the cost of training (Section 5.7), robustness, choices, and the scoreboard.

Each function returns a DataFrame of plain numbers, the paper's beside ours, NaN for none, or raises
MissingRecords. The column "note" holds the paper's slips about that row, `attrs["notes"]` sentences
about the table. dataset: one data set; None: all.
"""

import math
import re
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import pandas as pd

from ..adversarial import METHOD_ORDER
from ..evaluation import METRICS
from ..experiments.configuration import attack_name, choice
from ..settings import EXCLUDES
from ..support.files import read_json
from . import frames, paper
from .claims import OURS, check, time_added
from .comparisons import percent
from .frames import MissingRecords, Results, select

VERDICTS = ("reproduced", "partly", "not", "undecided", "not run")
SETTING = ["dataset", "backbone"]
TABLE4_METHODS = ("base", "adv_cas_1", "adv_cas_2", "adv_cas")
TEXTS = read_json(Path(__file__).with_name("tables.json"))
ATTACKS = TEXTS["attacks"]  # the columns of `robustness`
FORMATS = TEXTS["formats"]  # of the first pattern that a column's name holds


def compared(results: Results, dataset: str | None = None, methods: Iterable[str] = METHOD_ORDER,
             needed: Iterable[str] = ("base",)) -> pd.DataFrame:
    """The rows of `runs` behind a table, with the base's in columns "base ...", where a data set
    and backbone have the needed methods and any second one."""
    rows = frames.with_role(results, "main", dataset=dataset, method=list(methods))
    rows = rows.groupby(SETTING, sort=False).filter(
        lambda own: {*needed} <= {*own["method"]} and len(own) > 1)
    if rows.empty:
        raise MissingRecords(f"no backbone has a run of {', '.join(needed)} and a second method on "
                             f"{dataset or 'any data set'}")
    base = select(rows, method="base").add_prefix("base ")
    return rows.merge(base, left_on=SETTING, right_on=["base dataset", "base backbone"])


def table2(results: Results) -> pd.DataFrame:
    """Table 2: users, items, interactions, density (percent), mean length; ours and the paper's."""
    own, table = results.datasets, results.datasets[["dataset"]].copy()
    if own.empty:
        raise MissingRecords("results hold no data sets")
    printed = pd.DataFrame(paper.NUMBERS["table2_datasets"]).T.reindex(own["dataset"])
    for column in ("users", "items", "interactions", "density_percent"):
        name = column.replace("_percent", " %")
        table[name], table[f"{name} paper"] = own[column], printed[column].to_numpy(float)
    table["mean length"] = own["mean_length"]
    table["note"] = [" ".join(paper.paper_slips("table2", dataset=name)) for name in own["dataset"]]
    table.attrs["notes"] = paper.paper_slips("table2")
    return table


def table3(results: Results, dataset: str | None = None) -> pd.DataFrame:
    """Table 3: accuracy on test, one row a data set, backbone and method; controls included. For
    each metric: the value at the last epoch, its change against the base, the interval of the
    difference, the value at the best-validation epoch, the paper's and its change."""
    methods = [m for m in METHOD_ORDER if m not in TABLE4_METHODS[1:3]]
    return _accuracy(results, "table3", compared(results, dataset, methods))


def table4(results: Results, dataset: str | None = None) -> pd.DataFrame:
    """Table 4: which part of the cascade effect helps, columns as in Table 3 (SASRec's paper)."""
    return _accuracy(results, "table4", compared(results, dataset, TABLE4_METHODS, TABLE4_METHODS))


def _accuracy(results: Results, where: str, rows: pd.DataFrame) -> pd.DataFrame:
    names, is_base = rows[[*SETTING, "method"]], rows["method"] == "base"
    best = rows[["run"]].merge(select(results.runs, which="best", split="test"), on="run")
    table = names.assign(epoch=rows["epoch"].astype(int))
    printed = paper.paper_beside(rows, where)
    for metric, label in METRICS.items():
        stored = select(results.intervals, kind="pair", quantity="difference", metric=metric,
                        versus_which="last")
        bounds = rows.merge(stored, "left", left_on=["run", "base run"], right_on=["run", "versus"])
        table = table.assign(**{
            label: rows[metric],
            f"{label} vs base %": percent(rows[metric], rows[f"base {metric}"]).mask(is_base),
            f"{label} difference low": bounds["low"], f"{label} difference high": bounds["high"],
            f"{label} best": best[metric], f"{label} paper": printed[metric],
            f"{label} paper vs base %": printed[f"{metric} change"]})
    table["best epoch"] = best["epoch"].astype(int)
    table["note"] = [" ".join(paper.paper_slips(where, **row)) for row in names.to_dict("records")]
    table["note"] = table["note"].where(rows["loss"] == "bce", "")
    is_other = (rows["method"] == "base+100") & (rows["adv_epochs"] != 100)
    table.loc[is_other, "note"] = rows["adv_epochs"].map("{:g} more epochs, not 100".format)
    slips = paper.paper_slips(where) if "bce" in set(rows["loss"]) else []
    table.attrs["notes"] = [TEXTS["accuracy"], *slips]
    return table


def efficiency(results: Results) -> pd.DataFrame:
    """Section 5.7: seconds an epoch, an epoch over one of the base, and "added time %" (see
    `claims.time_added`). The seconds of whole trainings also hold what else the machine did."""
    printed, rows = paper.NUMBERS["section57_efficiency"], compared(results)
    base = rows.filter(like="base ").rename(columns=lambda name: name.removeprefix("base "))
    over_base, added = time_added(base, rows)
    table = rows[[*SETTING, "method"]].assign(**{
        "seconds an epoch": rows["seconds_per_epoch"],
        "over base epoch": over_base,
        "training seconds": rows["train_seconds"],
        "added time %": added.where(rows["method"] != "base"),
        "hardware": rows["hardware"],
        "note": ("not comparable: the base ran on " + rows["base hardware"]).where(
            rows["hardware"] != rows["base hardware"], "")})
    table.attrs["notes"] = [TEXTS["efficiency"].format(added=paper.PAPER_ADDED_TIME, **printed)]
    return table


def selection(results: Results) -> pd.DataFrame:
    """The trials of settings, scored on *validation*, and which were chosen, or collapsed later."""
    tried = results.trials
    if tried.empty:
        raise MissingRecords("results hold nothing that was tried on validation")

    def mark(row: dict) -> str:
        gone = choice(row | {"profile": results.profile, "method": row["family"],
                             "epochs": row["base_epochs"]})["collapsed"]
        passed_over = any(one.items() <= (row | {"epoch": one["epoch"]}).items() for one in gone)
        return "yes" if row["chosen"] else "collapsed" if passed_over else ""

    table = tried[["dataset", "backbone", "family", "epsilon", "lambda1", "replace_probability"]]
    table = table.assign(**{f"{label} validation": tried[m] for m, label in METRICS.items()}, **{
        "vs base %": percent(tried["ndcg@10"], tried["base_ndcg@10"]),
        "chosen": [mark(row) for row in tried.to_dict("records")]})
    epochs = ", ".join(f"{epochs:g}" for epochs in sorted(set(tried["trial_epochs"])))
    table.attrs["notes"] = [note.format(epochs=epochs) for note in TEXTS["selection"]]
    table.attrs["notes"] += [TEXTS["collapsed"]] * ("collapsed" in set(table["chosen"]))
    return table


def robustness(results: Results) -> pd.DataFrame:
    """What each attack of ATTACKS changes, one row a model and rule of exclusion: NDCG@10 on test
    of the users who were attacked, and its change in percent."""
    stored = results.attacks.set_index(["run", "exclude", "attack"])
    names = {attack_name(**options): f"{label} %" for label, options in ATTACKS.items()}
    changes = percent(stored["ndcg@10"], stored["ndcg@10_clean"]).unstack("attack")
    clean = select(results.attacks, attack=attack_name())[["run", "exclude", "ndcg@10_clean"]]
    rows = frames.with_role(results, "main")[[*SETTING, "method", "run"]]
    rows = rows.merge(pd.Series(EXCLUDES, name="exclude"), "cross").merge(clean)
    if rows.empty:
        raise MissingRecords("results hold no attack on a main run")
    table = rows.merge(changes.reindex(columns=list(names)), on=["run", "exclude"]).rename(
        columns={"exclude": "left out", "ndcg@10_clean": "NDCG@10 clean"} | names)
    table = table.drop(columns="run")
    table.attrs["notes"] = [TEXTS["robustness"]]
    return table


def seeds(results: Results) -> pd.DataFrame:
    """What a method gains on another with several seeds, in percent of its accuracy, or in points
    less lost to the attack on the last item: the mean with its interval of users and seeds (see
    `comparisons.seeds_interval`), and the gain with each."""
    stored, rows = select(results.intervals, kind="seeds"), []
    if stored.empty:
        raise MissingRecords("results hold no method that was run with several seeds")
    for row in stored.to_dict("records"):
        runs = frames.runs_by_seed(results, row["dataset"], row["backbone"])
        pair = [runs.columns[(runs == row[end]).any()].item() for end in ("run", "versus")]
        gains = {}
        for seed, (run, versus) in zip(runs.index, runs[pair].to_numpy()):
            with suppress(MissingRecords):  # no such run, or one that is not attacked
                gains[seed] = frames.interval(
                    results, "pair", row["quantity"], row["metric"], run=run, which="last",
                    versus=versus, versus_which="last")["value"]
        by_seed = ", ".join(f"{seed}: {gain:+.1f}" for seed, gain in gains.items())
        rows.append([row["dataset"], row["backbone"], *pair, TEXTS["gains"][row["quantity"]].format(
            METRICS[row["metric"]]), row["value"], row["low"], row["high"], by_seed])
    table = pd.DataFrame(rows, columns=[*SETTING, "method", "versus", "gain in", "mean %", "low %",
                                        "high %", "by seed"])
    table.attrs["notes"] = [TEXTS["seeds"]]
    return table


def scoreboard(results: Results) -> pd.DataFrame:
    """Every claim where the paper makes it (see `claims.check`)."""
    if not set(results.runs["dataset"]) & set(paper.PAPER_DATASETS):
        raise MissingRecords("results hold no run on a data set of the paper")
    table = check(results)
    rules = table.drop_duplicates(["section", "claim"])
    is_ours, counts = table["section"] == OURS, []
    for name, rows in (("the paper's", table[~is_ours]), ("ours", table[is_ours])):
        found = rows["verdict"].value_counts().reindex(VERDICTS).dropna()
        counts.append(f"{name}: " + ", ".join(f"{n:g} {word}" for word, n in found.items()))
    table.attrs["notes"] = [
        TEXTS["scoreboard"].format(counts="; ".join(counts)),
        *(f"*{row['claim']} ({row['section']})*: {row['rule']}." for _, row in rules.iterrows())]
    return table


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
            "where": list(map(frames.setting_name, table["backbone"], table["dataset"])),
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
    text = shown.to_markdown(index=False, disable_numparse=True, colalign=sides) + "\n"
    notes = [f"- {note}\n" for note in table.attrs.get("notes", [])]
    return "".join([text, *["\n"] * bool(notes), *notes])


TABLES = {"table2": table2, "table3": table3, "table4": table4, "efficiency": efficiency,
          "selection": selection, "robustness": robustness, "seeds": seeds,
          "scoreboard": scoreboard}
