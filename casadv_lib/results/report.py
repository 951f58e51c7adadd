"""The parts of the README that are generated from figures/paper/results.json.

A part stands between two marks, `<!-- begin NAME -->` and `<!-- end NAME -->`. A test holds the
README to what `with_parts` gives; `python -m casadv_lib figures --profile paper` writes it.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import pandas as pd

from ..experiments.plan import plan, stages_of
from .evidence import Evidence, above_zero, in_words
from .readme import with_part
from .records import (
    BACKBONE_NAMES,
    DATASET_NAMES,
    METRICS,
    MissingRecords,
    backbones,
    datasets,
    load_results,
)
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
    return in_words(found)


def _filled(value: float, layout: str, unit: str = "") -> str:
    return "" if pd.isna(value) else f"{value:{layout}}{unit}"


# what adv_cas is compared with: (method, its epoch), and how it is called
VERSUS = {("base", "last"): "the base", ("base+100", "last"): "100 more epochs of the base",
          ("base", "best"): "the base's best epoch on validation",
          ("adv_linear", "last"): "adv_linear", ("adv_global", "last"): "adv_global"}


def short_part(results: dict) -> str:
    """One paragraph a data set and backbone: adv_cas against its rivals, the last item, and the
    paper's values of epsilon and lambda; then how much of the plan is stored."""
    evidence, lines = Evidence(results), []
    for dataset in datasets(results) if results["records"] else ():
        for backbone in backbones(results, dataset):
            place = dataset, backbone
            found = [*_rivals(evidence, place), *_last_item(evidence, place),
                     *_ours(evidence, place), *_paper_values(evidence, place)]
            if found:
                name = f"{BACKBONE_NAMES.get(backbone, backbone)} on " + (
                    DATASET_NAMES.get(dataset, dataset))
                lines.append(f"- **{name}.** " + " ".join(found))
    return "\n".join([*lines, *([""] if lines else []), _stored_so_far(results)]) + "\n"


def _rivals(evidence: Evidence, place: tuple[str, str]) -> list[str]:
    said = []
    for rival, words in VERSUS.items():
        with suppress(MissingRecords):
            change = evidence.pair(place, "adv_cas", *rival)["percent"]
            said.append(f"{in_words(change)} against {words}")
    return [f"NDCG@10 of adv_cas: {'; '.join(said)}."] if said else []


def _last_item(evidence: Evidence, place: tuple[str, str]) -> list[str]:
    with suppress(MissingRecords):
        costs = {m: evidence.drop(place, m, "change") for m in ("base", "adv_cas")}
        spared = evidence.drop(place, "base", "spared")
        older = " (while substitutes compete)" if evidence.rule(place) == "original" else ""
        return [f"Replacing the last item{older} changes the base by {in_words(costs['base'])}, "
                f"adv_cas by {in_words(costs['adv_cas'])}, {in_words(spared, ' points')} apart."]
    return []


def _ours(evidence: Evidence, place: tuple[str, str]) -> list[str]:
    """What our own defence does, where it was run."""
    with suppress(MissingRecords):
        clean = evidence.pair(place, "adv_neighbour", "base")["percent"]
        against = evidence.pair(place, "adv_neighbour", "adv_cas")["percent"]
        cost = evidence.drop(place, "adv_neighbour", "change")
        return [f"adv_neighbour, which is ours: NDCG@10 {in_words(clean)} against the base, "
                f"{in_words(against)} against adv_cas; the last item changes it by "
                f"{in_words(cost)}."]
    return []


def _paper_values(evidence: Evidence, place: tuple[str, str]) -> list[str]:
    said = []
    for scope, words in (("batch", "over the batch"), ("literal", "as Eq. 7 and 9 are printed")):
        with suppress(MissingRecords):
            base, (equal, guided) = evidence.run(place, "base"), evidence.paper_values(place, scope)
            each = [f"{method} {in_words(evidence.of_runs(run, base)['percent'])}"
                    for method, run in (("adv_global", equal), ("adv_cas", guided))]
            if above_zero([evidence.of_runs(guided, base)["difference"]])[0]:
                each.append(in_words(evidence.of_runs(guided, equal)["percent"]) + " apart")
            said.append(f"{words}: {', '.join(each)}")
    return [f"With the paper's epsilon 10 and lambda 1 against the base, norms {'; '.join(said)}."
            ] if said else []


def _stored_so_far(results: dict) -> str:
    """Such as "beauty-sasrec 9 of 9" for each stage of the plan."""
    said = []
    for stage in stages_of(PROFILE):
        jobs = plan(PROFILE, [stage])
        role = next(role for role in ("sweep", "values", "seed", "trade-off", "main")
                    if jobs.of_role(role))
        there = [record for record in results["records"] if role in record.get("roles", ())
                 and (record["config"]["dataset"], record["config"]["backbone"])
                 == (stage.dataset, stage.backbone)]
        said.append(f"{stage.name} {len(there)} of {len(jobs.of_role(role))}")
    return f"Runs stored so far, by the stages of `make paper`: {', '.join(said)}."


PARTS: dict[str, Callable[[dict], str]] = {
    "in short": short_part,
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
