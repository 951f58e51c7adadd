"""What two runs differ by, with intervals: the part of results.json that needs every user's hit.

All intervals come from the same resamples of a data set's users (see `resampled_gains`), so runs
are always compared on the same users. `of_runs` gives plain values, which figures, tables and the
scoreboard read without any run at hand.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import combinations, product
from pathlib import Path

import numpy as np

from ..evaluation import METRICS, gains, resampled_gains
from ..experiments.hits import EPOCHS, Outcome
from ..experiments.runs import attack_path
from .paper import PAPER_BASELINES, PAPER_SPARSE
from .records import METHOD_ORDER


def seed_of(data_hash: str) -> int:
    """The seed of a data set's resamples: other data, other draws."""
    return int(data_hash[:8], 16)


def interval(values: np.ndarray) -> dict[str, float | None]:
    """{"value", "low", "high"} of (1 + resamples,) values, row 0 the estimate; 95%.

    None where a number has no meaning, such as a change relative to a score of 0.
    """
    found = (values[0], *np.quantile(values[1:], [0.025, 0.975]))
    return {name: None if np.isnan(number) else float(number)
            for name, number in zip(("value", "low", "high"), found, strict=True)}


def percent(attacked: np.ndarray, clean: np.ndarray) -> np.ndarray:
    """100 * (attacked / clean - 1), NaN where the second is 0."""
    with np.errstate(divide="ignore", invalid="ignore"):
        change = 100 * (attacked / clean - 1)
    return np.where(np.isfinite(change), change, np.nan)


def compare(better: np.ndarray, worse: np.ndarray) -> dict[str, dict[str, float]]:
    """The "difference" of two (1 + resamples,) means and the "percent" by which one is above."""
    return {"difference": interval(better - worse), "percent": interval(percent(better, worse))}


class Resampled:
    """Resampled means of runs and attacks on one data set, one pass over the users."""

    def __init__(self, runs: Iterable[Outcome]):
        self.means: dict[tuple, np.ndarray] = {}
        by_users: dict[tuple, list[tuple[tuple, np.ndarray]]] = {}
        for one in runs:
            keys = {which: (which,) for which in EPOCHS}
            for attack in filter(is_compared, one.attacks):
                columns = one.columns_of(attack)
                keys |= {columns["attacked"]: (attack, "attacked"),
                         columns["clean"]: (_stem(attack), "clean")}
            for column, key in keys.items():
                users = (one.users(column).tobytes(), seed_of(one.data_hash))
                by_users.setdefault(users, []).extend(
                    ((one.run, *key, metric), gains(one.ranks(column), metric))
                    for metric in METRICS)
        for (_, seed), columns in by_users.items():
            table = np.stack([column for _, column in columns], axis=1)
            for (key, _), mean in zip(columns, resampled_gains(table, seed).T, strict=True):
                self.means[key] = mean

    def run(self, run: str, metric: str, which: str = "last") -> np.ndarray:
        """(1 + resamples,) means of a run, by the name of its folder."""
        return self.means[run, which, metric]

    def attack(self, run: str, attack: str, metric: str) -> np.ndarray:
        """The same after an attack, by the name of its record."""
        return self.means[run, attack, "attacked", metric]

    def clean(self, run: str, attack: str, metric: str) -> np.ndarray:
        """The same of the attacked users before the attack."""
        return self.means[run, _stem(attack), "clean", metric]

    def change(self, run: str, attack: str, metric: str) -> np.ndarray:
        """The relative change by an attack, in percent of the same users' clean score."""
        return percent(self.attack(run, attack, metric), self.clean(run, attack, metric))


def is_compared(attack: str) -> bool:
    """Whether runs are compared under an attack: all by the rule "both"; by the other two, what
    they change, those of Figures 5 and 6."""
    return attack.endswith("-both") or attack.endswith(("-0.1-attacked", "-0.1-original"))


def _stem(attack: str) -> str:
    return attack.rpartition("-")[0]


def of_runs(runs: list[tuple[Outcome, list[str]]]) -> dict:
    """Everything that results.json keeps of pairs: "pairs", "drops" and "averages".

    runs: with their roles (see `plan.Job`).
    """
    found: dict[str, list] = {"pairs": [], "drops": [], "averages": []}
    resampled = {}
    for name in dict.fromkeys(one.dataset for one, _ in runs):
        own = [(one, roles) for one, roles in runs if one.dataset == name]
        resampled[name] = Resampled([one for one, _ in own])
        for kind, group in _comparable(own):
            found["pairs"] += _pairs(group, resampled[name])
            found["drops"] += _drops(group, resampled[name]) if kind == "main" else []
    found["averages"] = _averages(runs, resampled)
    return found


def _comparable(runs: list[tuple[Outcome, list[str]]]) -> list[tuple[str, list[Outcome]]]:
    """Groups of runs to compare: the methods with one backbone and seed; a sweep, or the paper's
    values, with their base."""
    groups: dict[tuple, list[Outcome]] = {}
    for one, roles in runs:
        for role in roles:
            kind = "main" if role == "seed" else role
            key = (kind, one.config["backbone"], one.config["seed"])
            groups.setdefault(key, []).append(one)
    for (kind, *rest), group in groups.items():
        bases = [one for one in groups.get(("main", *rest), ()) if one.config["method"] == "base"]
        group += bases if kind != "main" else []
    order = list(METHOD_ORDER)
    return [(kind, sorted(group, key=lambda one: order.index(one.config["method"])))
            for (kind, *_), group in groups.items() if kind in ("main", "sweep", "values")]


def _pairs(group: list[Outcome], resampled: Resampled) -> list[dict]:
    """All pairs of last epochs, and of all last epochs with the base's best on validation."""
    named = [(one.run, "last") for one in group]
    pairs = [(better, worse) for worse, better in combinations(named, 2)]
    bases = [one.run for one in group if one.config["method"] == "base"]
    pairs += [(better, (base, "best")) for base in bases for better in named]
    return [{"better": list(better), "worse": list(worse)} | {
        metric: compare(resampled.run(better[0], metric, better[1]),
                        resampled.run(worse[0], metric, worse[1]))
        for metric in METRICS} for better, worse in pairs]


def _drops(group: list[Outcome], resampled: Resampled) -> list[dict]:
    """Every attack's change in percent, alone and against the same attack on the base and others.

    "spared": how many points less adv_cas loses; "above": its attacked score minus the other's,
    attacked; "above clean": minus the other's clean score on the same users.
    """
    found = []
    guided = next((one for one in group if one.config["method"] == "adv_cas"), None)
    for one in group:
        for attack in filter(is_compared, one.attacks):
            row = {"run": one.run, "attack": attack}
            for metric in METRICS:
                change = resampled.change(one.run, attack, metric)
                row[metric] = {"change": interval(change)}
                own = guided and (guided.run, attack, "attacked", metric)
                if own in resampled.means and guided is not one:
                    attacked = resampled.means[own]
                    spared = resampled.change(guided.run, attack, metric) - change
                    clean = resampled.clean(one.run, attack, metric)
                    row[metric] |= {
                        "guided": guided.run, "spared": interval(spared),
                        "above": interval(attacked - resampled.attack(one.run, attack, metric)),
                        "above clean": interval(attacked - clean),
                    }
            found.append(row)
    return found


def _averages(runs: list[tuple[Outcome, list[str]]], resampled: dict[str, Resampled]) -> list[dict]:
    """Numbers over several data sets or backbones: mean gains, gains against the second best, the
    gain on sparse data against MovieLens-1M, and what the last item costs the bases."""
    main: dict[tuple, dict[str, str]] = {}
    for one, roles in runs:
        if "main" in roles:
            place = main.setdefault((one.dataset, one.config["backbone"]), {})
            place[one.config["method"]] = one.run

    def gain(place, method, metric):
        own, names = resampled[place[0]], main[place]
        return percent(own.run(names[method], metric), own.run(names["base"], metric))

    found = []
    for backbone in dict.fromkeys(backbone for _, backbone in main):
        places = [place for place in main if place[1] == backbone
                  and {"base", "adv_cas"} <= set(main[place])]
        if not places:
            continue
        where = {"backbone": backbone, "datasets": [name for name, _ in places]}
        mean = np.mean([gain(place, "adv_cas", metric) for place in places for metric in METRICS],
                       axis=0)
        found.append({"what": "gain"} | where | interval(mean))
        rivals = [place for place in places if set(PAPER_BASELINES) <= set(main[place])]
        more = []
        for place, metric in product(rivals, METRICS):
            # the second best by the estimate, the same one in every resample
            second = max((gain(place, m, metric) for m in PAPER_BASELINES), key=lambda g: g[0])
            ratio = percent(gain(place, "adv_cas", metric), second)
            more.append(np.where(second > 0, ratio, np.nan))
        if more:
            found.append({"what": "more gain", "backbone": backbone,
                          "datasets": [name for name, _ in rivals]}
                         | interval(np.mean(more, axis=0)))
        sparse = [place for place in places if place[0] in PAPER_SPARSE]
        dense = [place for place in places if place[0] == "ml-1m"]
        for place in sparse if dense else ():
            apart = [gain(place, "adv_cas", metric) - gain(dense[0], "adv_cas", metric)
                     for metric in METRICS]
            found.append({"what": "sparse"} | where | {"sparse": place[0]}
                         | interval(np.mean(apart, axis=0)))
    stem = attack_path(Path(), positions="last", k=1).stem
    for name in dict.fromkeys(name for name, _ in main):
        bases = {backbone: names["base"] for (dataset, backbone), names in main.items()
                 if dataset == name and "base" in names}
        keys = [(base, stem, "attacked", METRICS[0]) for base in bases.values()]
        if len(bases) > 1 and all(key in resampled[name].means for key in keys):
            found += [{"what": "last item", "dataset": name, "backbones": list(bases),
                       "metric": metric} | interval(np.mean(
                           [resampled[name].change(base, stem, metric)
                            for base in bases.values()], axis=0)) for metric in METRICS]
    return found
