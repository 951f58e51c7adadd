"""The paper's claims, and some questions of ours, put to the test on stored intervals.

A claim is a row of claims.json: a sentence, its rule in words, and a test of this module with its
options. A test looks up rows of `intervals` at a setting: a data set and a backbone. The claim is
"reproduced" where all rows hold, "partly" where some do, "not" where none does (our runs do not
show it, which need not mean that they show the opposite), "undecided" where the interval does not
exist, and "not run" where records are missing.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from itertools import product
from pathlib import Path

import pandas as pd

from ..evaluation import METRICS
from ..experiments.configuration import EPSILONS, attack_name
from ..settings import MOST_REPLACED
from ..support.files import read_json
from . import frames, paper
from .frames import MissingRecords, Results, interval

Setting = tuple[str, str]
OURS = "ours"  # in place of a section: a question that the paper does not ask
SEVERAL = "several data sets"  # the topic of claims that make sense in the paper's settings alone
HOLDS = {  # what an interval must do, unless a test says how its rows hold; first: of the claim
    "above 0": lambda row, first: row["low"] > 0,
    "not above 0": lambda row, first: not row["low"] > 0,
    "not above 0, as the first is": lambda row, first: first["low"] > 0 and not row["low"] > 0,
    "not below 0": lambda row, first: row["high"] >= 0,
    "around 0": lambda row, first: row["low"] <= 0 <= row["high"],
    "above -3": lambda row, first: row["low"] > -3,
    "below 5%": lambda row, first: row["percent"]["high"] < 5,
}
USUAL = {  # what a row of claims.json need not say
    "options": {},  # of the test
    "settings": {},  # {backbone: data sets} of the scoreboard; {}: a reader's own, in a notebook
    "holds": ["above 0"],  # see HOLDS
    "also": [],  # {"options", "holds"} of the same test once more, whose rows must hold as well
    "shown": "least",  # the row whose number is shown: "least", "first" or "last"
    "about": "",  # words beside it, with names of that row in braces
    "unit": "%",  # or "points", or a metric
    "paper": {},  # {data set or backbone: the paper's number, as text}
}
CLAIMS = [USUAL | row for row in read_json(Path(__file__).with_name("claims.json"))]


@dataclass(frozen=True)
class At:
    """The intervals at one setting; every look-up raises MissingRecords where there is none.

    epsilons: what a sweep must hold, for the best of half of it may not be the best. most: the
    largest K. attack: options of all attacks, where a claim does not name its own.
    """

    results: Results
    setting: Setting
    epsilons: Sequence[float] = EPSILONS
    most: int = MOST_REPLACED
    attack: dict = field(default_factory=dict)

    def run(self, method: str) -> str:
        return frames.main_run(self.results, *self.setting, method)

    def runs(self, run: str, versus: str, which: str = "last", metric: str = "ndcg@10") -> dict:
        """A run's score minus another's; which: the epoch of the other. "percent": the same in
        percent of the other's, left out where the pair is stored the other way round."""
        ends = {"run": run, "which": "last", "versus": versus, "versus_which": which}
        with suppress(MissingRecords):
            found, percent = (interval(self.results, "pair", quantity, metric, **ends)
                              for quantity in ("difference", "percent"))
            return found | {"percent": percent}
        return opposite(interval(self.results, "pair", "difference", metric, run=versus,
                                 which=which, versus=run, versus_which="last"))

    @cached_property
    def rule(self) -> str:
        """By which rule the attacks here are ranked (see `frames.rule_of`)."""
        return self.attack.get("exclude") or frames.rule_of(self.results, self.run("base"))

    def made_for(self, role: str, method: str, **values) -> dict[int, str]:
        """{seed: run} of the runs made for a purpose."""
        rows = frames.with_role(self.results, role, dataset=self.setting[0],
                                backbone=self.setting[1], method=method, **values)
        if rows.empty:
            raise MissingRecords(f"no run of {method} for {role!r} on {' and '.join(self.setting)}")
        return dict(zip(rows["seed"], rows["run"], strict=True))


def opposite(row: dict) -> dict:
    """The interval of the opposite difference."""
    return row | {"value": -row["value"], "low": -row["high"], "high": -row["low"]}


def signed(value: float) -> str:
    return f"{value:+.1f}%"


# Tests: each returns rows, the first named interval with words for `about`. A row may say itself
# how it "holds", a list of conditions.

def better(at: At, methods: list[str], versus: list[str], metrics: Iterable[str] = ("ndcg@10",),
           which: str = "last", roles: Iterable[str] = ("main",), base_epochs: int | None = None,
           **values) -> list[dict]:
    """Each method against each other one, seed by seed; which: the epoch of the others.

    roles, values: of the runs; the base is that of the tables. base_epochs: how long it must have
    been trained.
    """
    def runs(method):
        asked = [("main", {})] if method == "base" else [(role, values) for role in roles]
        return {seed: run for role, more in asked
                for seed, run in at.made_for(role, method, **more).items()}

    if base_epochs is not None:
        [epochs] = set(frames.select(at.results.runs, run=at.run("base"))["epochs"])
        if epochs != base_epochs:
            raise MissingRecords(f"the base was trained for {epochs} epochs, not {base_epochs}")
    found = [(run, runs(other)[seed], metric, {"method": method, "versus": other, "seed": seed})
             for method, other, metric in product(methods, versus, metrics)
             for seed, run in runs(method).items() if seed in runs(other)]
    return [at.runs(run, other, which, metric) | words | {"number": len(found)}
            for run, other, metric, words in found]


def paper_gain(dataset: str, backbone: str, quantity: str) -> float:
    """Table 3's "gain" of adv_cas, or how much "more gain" that is than the second best's."""
    gains = []
    for metric in METRICS:
        own, *others = (paper.paper_change(dataset, backbone, method, metric)
                        for method in ("adv_cas", *paper.PAPER_BASELINES))
        gains.append(own if quantity == "gain" else 100 * (own / max(others) - 1))
    return sum(gains) / len(gains)


def mean_gain(at: At, quantity: str) -> list[dict]:
    """An average must be above 0, and reach Table 3's over the same data sets."""
    backbone = at.setting[1]
    row = interval(at.results, "average", quantity, "", backbone=backbone)
    names = row["dataset"].split("+")
    known = [paper_gain(name, backbone, quantity) for name in names if name in paper.PAPER_DATASETS]
    wanted = sum(known) / len(known) if known else math.nan
    holds = [row["low"] > 0, row["high"] >= wanted]
    if math.isnan(row["low"]):  # the second best gains nothing in a resample
        holds = []
    return [row | {"names": ", ".join(names), "wanted": signed(wanted), "holds": holds}]


def sparse_gains_more(at: At) -> list[dict]:
    return [interval(at.results, "average", "sparse gain", "", backbone=at.setting[1], dataset=name)
            for name in paper.PAPER_SPARSE]


def swept(at: At, epsilons: list[float] = (), versus: list[str] = (), rival: str = ""
          ) -> list[dict]:
    """adv_cas with these epsilons, or with the best on validation, against other methods, and
    against the best on validation of the larger epsilons, or of "any other" outside these."""
    runs = frames.sweep(at.results, *at.setting).set_index("epsilon")["run"].to_dict()
    if absent := sorted({f"{e:g}" for e in (*at.epsilons, *epsilons) if e not in runs}):
        raise MissingRecords(f"the sweep of {' and '.join(at.setting)} has no epsilon "
                             + ", ".join(absent))

    def best(allowed):
        if not allowed:
            raise MissingRecords(f"no such epsilon in the sweep of {' and '.join(at.setting)}")
        return max(allowed, key=lambda e: frames.score(at.results, runs[e], split="validation"))

    own, others = epsilons or [best(runs)], {method: at.run(method) for method in versus}
    if rival:
        epsilon = best([e for e in runs
                        if e > max(own) or rival == "any other" and e < min(own)])
        others[f"{epsilon:g}"] = runs[epsilon]
    return [at.runs(runs[epsilon], run) | {"epsilon": epsilon, "versus": name}
            for epsilon, (name, run) in product(own, others.items())]


def attacked(at: At, quantity: str, methods: list[str], versus: list[str | None] = (None,),
             attacks: dict[str, dict] | None = None, k: str = "", metric: str = "ndcg@10",
             turned: bool = False) -> list[dict]:
    """A quantity (see `comparisons`) of methods, or of methods against others, under each attack.

    attacks: {name: its options}; None: the gradient on the last item. k: on the last K items, for
    "each" K or the "largest". turned: the opposite of the quantity.
    """
    attacks, rows = attacks or {"last": {}}, []
    if k:
        first = 1 if k == "each" else at.most
        attacks = {f"K = {most}": {"k": most} for most in range(first, at.most + 1)}
    usual = {name: value for name, value in at.attack.items() if name != "exclude"}
    for method, other, (name, options) in product(methods, versus, attacks.items()):
        ends = {"run": at.run(method)} | ({"versus": at.run(other)} if other else {})
        row = interval(at.results, "attack", quantity, metric, **ends, exclude=at.rule,
                       attack=attack_name(**usual | options))
        row = opposite(row) if turned else row
        rows.append(row | {"method": method, "versus": other, "attack": name})
    return rows


def last_item_costs(at: At) -> list[dict]:
    """Both metrics must fall, and hold the paper's drop."""
    rows = []
    for metric, drop in paper.PAPER_LAST_DROP_PERCENT.items():
        row = interval(at.results, "average", "last item", metric, dataset=at.setting[0])
        rows.append(row | {"holds": [row["high"] < 0, row["low"] <= -drop <= row["high"]]})
    hits = rows[1]["value"]
    return [row | {"hits": "no number" if math.isnan(hits) else signed(hits)} for row in rows]


def added_time(at: At) -> list[dict]:
    """The share of the second phase must be no more than the paper's, or than twice that."""
    base, guided = (frames.select(at.results.runs, run=at.run(method)).iloc[0]
                    for method in ("base", "adv_cas"))
    if base["hardware"] != guided["hardware"]:
        raise MissingRecords("the two were timed on different machines")
    ratio = guided["seconds_per_epoch"] / base["seconds_per_epoch"]
    added = 100 * ratio * guided["adv_epochs"] / base["epochs"]
    minutes = paper.paper_numbers()["section57_efficiency"]
    share = 100 * minutes["adversarial_100_epochs_minutes"] / minutes["base_500_epochs_minutes"]
    return [{"value": added, "low": math.nan, "high": math.nan, "ratio": ratio,
             "holds": [added <= share, added <= 2 * share]}]


TESTS = {test.__name__: test for test in (
    better, mean_gain, sparse_gains_more, swept, attacked, last_item_costs, added_time)}


def check(results: Results, settings: Iterable[Setting] | None = None, topic: str | None = None,
          **options) -> pd.DataFrame:
    """Claims put to the test: one row a claim and setting.

    settings: a reader's own, for all claims that make sense there; None: where each claim says.
    topic: claims about this table or figure alone. options: of `At`.
    Columns: section, claim, dataset, backbone, paper (text), ours, low, high (NaN where there is
    no number), unit, about (which number is shown), verdict and rule. `attrs["missing"]`: what the
    rows "not run" lack, {row: sentence}.
    """
    rows, missing = [], {}
    for claim in CLAIMS:
        if topic not in (None, claim["topic"]) or (settings and claim["topic"] == SEVERAL):
            continue
        own = [(name, backbone) for backbone, names in claim["settings"].items() for name in names]
        for setting in settings or own:
            row = claim | {"dataset": setting[0], "backbone": setting[1], "unit": "", "about": "",
                           "paper": printed(claim, setting) if setting in own or not own else "",
                           "verdict": "not run"}
            try:
                row |= judged(claim, At(results, setting, **options))
            except MissingRecords as error:
                missing[len(rows)] = str(error)
            rows.append(row)
    table = pd.DataFrame(rows, columns=["section", "claim", "dataset", "backbone", "paper", "ours",
                                        "low", "high", "unit", "about", "verdict", "rule"])
    table.attrs["missing"] = missing
    return table


def judged(claim: dict, at: At) -> dict:
    """What our records say: "ours", "low", "high", "unit", "about" and "verdict"."""
    test = TESTS[claim["test"]]
    rows = test(at, **claim["options"])
    parts = [(rows, claim["holds"]),
             *((test(at, **more["options"]), more["holds"]) for more in claim["also"])]
    conditions = [one for own, rules in parts for row in own for one in row.get(
        "holds", (HOLDS[rule](row, rows[0]) for rule in rules))]
    word = "reproduced" if all(conditions) else "partly" if any(conditions) else "not"
    least = min(rows, key=lambda row: row["value"])
    row = {"least": least, "first": rows[0], "last": rows[-1]}[claim["shown"]]
    number = row.get("percent", row) if claim["unit"] == "%" else row
    competes = claim["section"] == "5.6" and row.get("exclude") == "original"
    about = claim["about"].format(**row) + ", while substitutes compete" * competes
    return {"ours": number["value"], "low": number["low"], "high": number["high"], "about": about,
            "unit": claim["unit"], "verdict": word if conditions else "undecided"}


def printed(claim: dict, setting: Setting) -> str:
    """The paper's number at a setting, as text; of its tables where they have it."""
    if claim["test"] == "better" and claim["section"] != OURS:
        changes = [paper.paper_change(*setting, method, versus=other) for method, other in product(
            claim["options"]["methods"], claim["options"]["versus"])]
        if None not in changes:
            return signed(min(changes))
    return next((text for name, text in claim["paper"].items() if name in setting), "")
