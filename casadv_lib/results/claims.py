"""The paper's claims, and some questions of ours, put to the test on stored intervals.

A claim is a row of claims.json: a sentence, its rule in words, and a test of this module with its
options, which looks up `intervals` at a setting: a data set and a backbone. It is "reproduced"
where all rows hold, "partly" where some do, "not" where none does (which need not mean that the
opposite holds), "undecided" where no interval exists, and "not run" where records are missing.
"""

from collections.abc import Iterable
from contextlib import suppress
from itertools import product
from pathlib import Path

import pandas as pd

from ..evaluation import METRICS
from ..experiments.configuration import EPSILONS, attack_name
from ..support.files import read_json
from . import frames, paper
from .frames import ESTIMATE, MissingRecords, Results, interval, main_run, select

Setting = tuple[str, str]
OURS = "ours"  # in place of a section: a question that the paper does not ask
SEVERAL = "several data sets"  # the topic of claims that make sense in the paper's settings alone
USUAL = {  # what a row of claims.json need not say
    "options": {},  # of the test
    "settings": {},  # {backbone: data sets} of the scoreboard; {}: a reader's own, in a notebook
    "holds": ["low > 0"],  # what all rows must do; first_low: of the claim's first row
    "also": [],  # {"options", "holds"} of the same test once more, whose rows must hold as well
    "shown": "least",  # the row whose number is shown: "least", "first" or "last"
    "about": "",  # words beside it, with names of that row in braces
    "unit": "%",  # or "points", or a metric
    "paper": {},  # {data set or backbone: the paper's number, as text}
}
CLAIMS = [USUAL | row for row in read_json(Path(__file__).with_name("claims.json"))]


def difference(results: Results, run: str, versus: str, which: str = "last",
               metric: str = "ndcg@10") -> dict:
    """The interval of a run's score minus another's; which: the epoch of the other. "percent_value"
    and so on: in percent of the other's, left out where the pair is stored the other way round."""
    ends = {"run": run, "which": "last", "versus": versus, "versus_which": which}
    with suppress(MissingRecords):
        percent = interval(results, "pair", "percent", metric, **ends)
        return interval(results, "pair", "difference", metric, **ends) | {
            f"percent_{name}": percent[name] for name in ESTIMATE}
    turned = dict(zip(ends, [versus, which, run, "last"]))
    return opposite(interval(results, "pair", "difference", metric, **turned))


def opposite(row: dict) -> dict:
    """The interval of the opposite difference."""
    return row | {"value": -row["value"], "low": -row["high"], "high": -row["low"]}


# Tests: each returns rows of `intervals` with words for `about`.

def better(results: Results, setting: Setting, methods: list[str], versus: list[str],
           metrics: Iterable[str] = ("ndcg@10",), which: str = "last",
           roles: Iterable[str] = ("main",), **values) -> list[dict]:
    """Each method against each other one, seed by seed; roles, values: of runs but the base's."""
    def runs(method):
        if method == "base":
            return {0: main_run(results, *setting, "base")}
        made = {}
        for role in roles:
            rows = frames.with_role(results, role, dataset=setting[0], backbone=setting[1],
                                    method=method, **values)
            if rows.empty:
                raise MissingRecords(f"no run of {method} for {role!r} on {' and '.join(setting)}")
            made |= dict(zip(rows["seed"], rows["run"], strict=True))
        return made

    return [difference(results, run, runs(other)[seed], which, metric)
            | {"method": method, "versus": other, "seed": seed}
            for method, other, metric in product(methods, versus, metrics)
            for seed, run in runs(method).items() if seed in runs(other)]


def average(results: Results, setting: Setting, quantity: str, among: Iterable[dict] = ({},)
            ) -> list[dict]:
    """Averages over data sets, those with the values `among`; the paper's "drop" of the metric, and
    of Table 3 over the same data sets the mean that is "wanted"."""
    rows = []
    for values in among:
        row = interval(results, "average", quantity, **{"metric": "", "backbone": setting[1]}
                       | values)
        names, printed = row["dataset"].split("+"), []
        for name, metric in product(names, METRICS):
            own, *others = (paper.paper_change(name, setting[1], method, metric)
                            for method in ("adv_cas", *paper.PAPER_BASELINES))
            if own is not None:
                printed.append(100 * (own / max(others) - 1) if quantity == "more gain" else own)
        rows.append(row | {"names": ", ".join(names), "drop": paper.PAPER_LAST_DROP_PERCENT.get(
            row["metric"]), "wanted": pd.Series(printed, dtype=float).mean()})
    return rows


def swept(results: Results, setting: Setting, epsilons: list[float] = (),
          versus: list[str] = (), rival: str = "") -> list[dict]:
    """adv_cas with these epsilons, or with the best on validation, against other methods, and
    against the best on validation of the larger epsilons, or of "any other" outside these."""
    rows = frames.with_role(results, "sweep", dataset=setting[0], backbone=setting[1])
    runs = dict(zip(rows["epsilon"], rows["run"], strict=True))
    # the best of a part of the sweep may not be the best
    if absent := [f"{epsilon:g}" for epsilon in EPSILONS if epsilon not in runs]:
        raise MissingRecords(f"the sweep of {' and '.join(setting)} has no epsilon "
                             + ", ".join(absent))

    def best(allowed):
        return max(allowed, key=lambda e: frames.score(results, runs[e], split="validation"))

    own = epsilons or [best(runs)]
    others = {method: main_run(results, *setting, method) for method in versus}
    if rival:
        epsilon = best([e for e in runs if e > max(own) or rival == "any other" and e < min(own)])
        others[f"{epsilon:g}"] = runs[epsilon]
    return [difference(results, runs[epsilon], run) | {"epsilon": epsilon, "versus": name}
            for epsilon, (name, run) in product(own, others.items())]


def attacked(results: Results, setting: Setting, quantity: str, methods: list[str],
             versus: list[str | None] = (None,), attacks: dict[str, dict] | None = None,
             metric: str = "ndcg@10", turned: bool = False) -> list[dict]:
    """A quantity (see `comparisons`) of methods, or of methods against others, under each attack.

    attacks: {name: its options}; None: the gradient on the last item. turned: the opposite of the
    quantity.
    """
    attacks, rows = attacks or {"last": {}}, []
    for method, other, (name, options) in product(methods, versus, attacks.items()):
        ends = {"run": method, "versus": other} if other else {"run": method}
        row = interval(results, "attack", quantity, metric, exclude="both",
                       attack=attack_name(**options),
                       **{end: main_run(results, *setting, one) for end, one in ends.items()})
        row = opposite(row) if turned else row
        rows.append(row | {"method": method, "versus": other, "attack": name})
    return rows


def time_added(base: pd.Series | pd.DataFrame, second: pd.Series | pd.DataFrame) -> tuple:
    """Of a run's last epoch or of columns of them: its epoch's seconds over the base's, by medians,
    and the second phase's time in percent of the first's up to the epoch that was kept."""
    ratio = second["seconds_per_epoch"] / base["seconds_per_epoch"]
    return ratio, 100 * ratio * second["adv_epochs"] / base["epoch"]


def added_time(results: Results, setting: Setting) -> list[dict]:
    """The second phase's share of the time, without an interval, and the one that is "printed"."""
    last = select(results.runs, which="last")
    base, guided = (select(last, run=main_run(results, *setting, method)).iloc[0]
                    for method in ("base", "adv_cas"))
    if base["hardware"] != guided["hardware"]:
        raise MissingRecords("the two were timed on different machines")
    ratio, added = time_added(base, guided)
    return [{"value": added, "ratio": ratio, "printed": paper.PAPER_ADDED_TIME}]


def check(results: Results, settings: Iterable[Setting] | None = None, topic: str | None = None
          ) -> pd.DataFrame:
    """Claims put to the test: one row a claim and setting.

    settings: a reader's own, for all claims that make sense there; None: where each claim says.
    topic: claims about this table or figure alone. Columns: those below; ours, low and high are NaN
    where there is no number, about says which number they are.
    """
    rows = []
    for claim in CLAIMS:
        if topic not in (None, claim["topic"]) or (settings and claim["topic"] == SEVERAL):
            continue
        own = [(name, backbone) for backbone, names in claim["settings"].items() for name in names]
        for setting in settings or own:
            where = dict(zip(("dataset", "backbone"), setting))
            is_theirs = (setting in own or not own) and set(
                select(results.runs, **where)["loss"]) <= {"bce"}
            row = claim | where | {"unit": "", "about": "", "verdict": "not run",
                                   "paper": printed(claim, setting) if is_theirs else ""}
            with suppress(MissingRecords):
                row |= judged(claim, results, setting)
            rows.append(row)
    return pd.DataFrame(rows, columns=["section", "claim", "dataset", "backbone", "paper", "ours",
                                       "low", "high", "unit", "about", "verdict", "rule"])


def judged(claim: dict, results: Results, setting: Setting) -> dict:
    """What our records say: "ours", "low", "high", "unit", "about" and "verdict"."""
    test, conditions = globals()[claim["test"]], []
    rows = test(results, setting, **claim["options"])
    for part in (claim, *claim["also"]):
        own = rows if part is claim else test(results, setting, **part["options"])
        known = pd.DataFrame(own).assign(first_low=rows[0].get("low"))
        known = known.dropna(subset=known.columns.intersection(["low"]))
        for rule in part["holds"]:
            conditions += known.eval(rule).tolist()
    word = "reproduced" if all(conditions) else "partly" if any(conditions) else "not"
    least = min(rows, key=lambda row: row["value"])
    row = {"least": least, "first": rows[0], "last": rows[-1]}[claim["shown"]]
    prefix = "percent_" if claim["unit"] == "%" and "percent_value" in row else ""
    return {"ours": row[f"{prefix}value"], "low": row.get(f"{prefix}low"),
            "high": row.get(f"{prefix}high"), "unit": claim["unit"],
            "about": claim["about"].format(**row, rows=rows, number=len(rows)),
            "verdict": word if conditions else "undecided"}


def printed(claim: dict, setting: Setting) -> str:
    """The paper's number at a setting, as text; of its tables where they have it."""
    if claim["test"] == "better" and claim["section"] != OURS:
        changes = [paper.paper_change(*setting, method, versus=other) for method, other in product(
            claim["options"]["methods"], claim["options"]["versus"])]
        if None not in changes:
            return f"{min(changes):+.1f}%"
    return next((text for name, text in claim["paper"].items() if name in setting), "")
