"""What runs differ by, with intervals: the table `intervals`, which needs every user's rank.

All intervals come from the same resamples of a data set's users (see `resampled_gains`), so runs
are always compared on the same users.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations, product

import numpy as np
import pandas as pd

from ..evaluation import METRICS, gains, resampled_gains
from ..experiments.configuration import attack_name
from .frames import COLUMNS, METHOD_ORDER, Results, known_first, main_runs, select
from .paper import PAPER_BASELINES, PAPER_SPARSE
from .ranks import UserRanks, decode

COMPARED_ROLES = ("main", "seed", "sweep", "values", "switch")
LAST_ITEM = attack_name(positions="last", k=1)
NUMBERS = ["value", "low", "high"]  # stored with six digits


def interval(values: np.ndarray) -> dict[str, float]:
    """{"value", "low", "high"} of (1 + resamples,) values, row 0 the estimate; 95%.

    NaN where a number has no meaning, such as a change relative to a score of 0.
    """
    low, high = np.quantile(values[1:], [0.025, 0.975])  # one NaN makes both NaN
    return {"value": float(values[0]), "low": float(low), "high": float(high)}


def percent(score: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """100 * (score / reference - 1), NaN where the reference is 0."""
    with np.errstate(divide="ignore", invalid="ignore"):
        change = 100 * (score / reference - 1)
    return np.where(np.isfinite(change), change, np.nan)


class Resampled:
    """Means of runs and attacks on one data set, of all users and resampled, (1 + resamples,)."""

    def __init__(self, ranks: dict[str, UserRanks], data_hash: str):
        seed = int(data_hash[:8], 16)  # other data, other draws
        by_users: dict[bytes, list[tuple[tuple, np.ndarray]]] = {}
        # who can be attacked at every K, so that Figure 6 is about one group of users
        self.able = np.logical_and.reduce([
            one.users(column) for one in ranks.values() for column in filter(is_last, one.codes)])
        for run, one in ranks.items():
            for column in one.codes:
                # columns about the same users are resampled together
                by_users.setdefault(one.users(column).tobytes(), []).extend(
                    ((run, column, metric), gains(one.ranks(column), metric))
                    for metric in METRICS)
                if is_last(column):
                    ranks_of_able = decode(one.codes[column][self.able])
                    by_users.setdefault(self.able.tobytes(), []).append(
                        ((run, f"{column} of able", "hr@10"), gains(ranks_of_able, "hr@10")))
        self.means: dict[tuple[str, str, str], np.ndarray] = {}
        for columns in by_users.values():
            table = np.stack([gain for _, gain in columns], axis=1)  # (users, columns)
            self.means |= dict(zip((key for key, _ in columns), resampled_gains(table, seed).T,
                                   strict=True))

    def run(self, run: str, metric: str, which: str = "last") -> np.ndarray:
        return self.means[run, which, metric]

    def attacked(self, run: str, attack: str, rule: str, metric: str) -> np.ndarray:
        return self.means[run, f"{attack}-{rule} attacked", metric]

    def clean(self, run: str, attack: str, metric: str) -> np.ndarray:
        """The score of the attacked users before the attack."""
        return self.means[run, f"{attack} clean", metric]

    def of_able(self, run: str, column: str) -> np.ndarray:
        """HR@10 of the users who can be attacked at every K, clean or attacked."""
        return self.means[run, f"{column} of able", "hr@10"]

    def change(self, run: str, attack: str, rule: str, metric: str) -> np.ndarray:
        """The change by an attack, in percent of the same users' clean score."""
        return percent(self.attacked(run, attack, rule, metric), self.clean(run, attack, metric))


def is_last(column: str) -> bool:
    """Whether a column of ranks is of an attack on the last items."""
    return "-last-" in column


def intervals(runs: pd.DataFrame, ranks: dict[str, UserRanks]) -> pd.DataFrame:
    """The table `intervals` of all these runs (a frame like `Results.runs`)."""
    one_each = select(runs, which="last", split="test")
    rows, resampled = [], {}
    for dataset, own in one_each.groupby("dataset", sort=False):
        there = {run: ranks[run] for run in own["run"]}
        resampled[dataset] = Resampled(there, own["data_hash"].iloc[0])
        for (backbone, _), group in own.groupby(["backbone", "seed"], sort=False):
            where = {"dataset": dataset, "backbone": backbone}
            for compared, are_main in _groups(group):
                rows += [where | row for row in _pairs(compared, resampled[dataset])]
                if are_main:
                    rows += [where | row
                             for row in _attack_rows(compared, there, resampled[dataset])]
    rows += _averages(one_each, resampled)
    table = pd.DataFrame(rows, columns=COLUMNS["intervals"])
    for column in NUMBERS:
        table[column] = table[column].map(lambda value: float(f"{value:.6g}"))
    names = [c for c in COLUMNS["intervals"] if c not in NUMBERS]
    table[names] = table[names].astype(object).fillna("")
    return table.drop_duplicates(names, ignore_index=True)


def _groups(group: pd.DataFrame) -> Iterator[tuple[dict[str, str], bool]]:
    """({run: method}, whether these are the methods themselves) of what is compared: the methods
    with one backbone and seed; a sweep, the switches, or the paper's values, with their base."""
    for role in COMPARED_ROLES:
        rows = group[group["roles"].str.split().map(lambda roles, r=role: r in roles).astype(bool)]
        are_main = role in ("main", "seed")
        if rows.empty:
            continue
        if not are_main:
            controls = group[group["method"].isin(["base", "base+100"] if role == "sweep"
                                                  else ["base"])]
            rows = pd.concat([controls, rows]).drop_duplicates("run")
        order = [METHOD_ORDER.index(method) for method in rows["method"]]
        rows = rows.iloc[np.argsort(order, kind="stable")]
        yield dict(zip(rows["run"], rows["method"], strict=True)), are_main


def _pairs(compared: dict[str, str], resampled: Resampled) -> Iterator[dict]:
    """All pairs of last epochs, and of all last epochs with the base's best on validation."""
    last = [(run, "last") for run in compared]
    couples = [(second, first) for first, second in combinations(last, 2)]
    couples += [(one, (run, "best")) for run, method in compared.items() if method == "base"
                for one in last]
    for ((run, which), (versus, versus_which)), metric in product(couples, METRICS):
        ours, theirs = (resampled.run(run, metric, which),
                        resampled.run(versus, metric, versus_which))
        names = {"kind": "pair", "run": run, "which": which, "versus": versus,
                 "versus_which": versus_which, "metric": metric}
        yield names | {"quantity": "difference"} | interval(ours - theirs)
        yield names | {"quantity": "percent"} | interval(percent(ours, theirs))


def _attack_rows(compared: dict[str, str], ranks: dict[str, UserRanks], resampled: Resampled
                 ) -> Iterator[dict]:
    """Every attack's "change" in percent; how many points "milder" it is than the gradient on the
    last item, on the same users; and against the same attack on adv_cas: "spared", how many points
    less adv_cas loses; "above", its attacked score minus the other's, attacked; "above_clean",
    minus the other's clean score. Of the last K items also "able" and "able_clean": HR@10,
    attacked and clean, of those who can be attacked at every K."""
    guided = next((run for run, method in compared.items() if method == "adv_cas"), None)
    columns = [(run, column) for run in compared for column in ranks[run].codes
               if column.endswith(" attacked")]
    for (run, column), metric in product(columns, METRICS):
        attack, _, rule = column.removesuffix(" attacked").rpartition("-")
        change = resampled.change(run, attack, rule, metric)
        names = {"kind": "attack", "run": run, "which": "last", "attack": attack, "exclude": rule,
                 "metric": metric}
        yield names | {"quantity": "change"} | interval(change)
        if is_last(column) and metric == "hr@10":
            yield names | {"quantity": "able"} | interval(resampled.of_able(run, column))
            yield names | {"quantity": "able_clean"} | interval(
                resampled.of_able(run, f"{attack} clean"))
        last = f"{LAST_ITEM}-{rule} attacked"
        if column != last and last in ranks[run].codes and (
                ranks[run].users(column) == ranks[run].users(last)).all():
            yield names | {"quantity": "milder"} | interval(
                change - resampled.change(run, LAST_ITEM, rule, metric))
        if guided in (None, run) or (guided, column, metric) not in resampled.means:
            continue
        own = resampled.attacked(guided, attack, rule, metric)
        against = {
            "spared": resampled.change(guided, attack, rule, metric) - change,
            "above": own - resampled.attacked(run, attack, rule, metric),
            "above_clean": own - resampled.clean(run, attack, metric),
        }
        for quantity, values in against.items():
            yield names | {"versus": guided, "quantity": quantity} | interval(values)


def _averages(runs: pd.DataFrame, resampled: dict[str, Resampled]) -> Iterator[dict]:
    """Numbers over several data sets or backbones: mean gains, gains against the second best, the
    gain on sparse data against MovieLens-1M, and what the last item costs the bases."""
    results = Results(runs=runs)
    settings = list(dict.fromkeys(zip(runs["dataset"], runs["backbone"], strict=True)))
    main = {setting: main_runs(results, *setting) for setting in settings}

    def gain(setting, method, metric):
        own, names = resampled[setting[0]], main[setting]
        return percent(own.run(names[method], metric), own.run(names["base"], metric))

    def row(name, values, of, **where):
        return {"kind": "average", "quantity": name, "dataset": "+".join(d for d, _ in of),
                "backbone": of[0][1]} | where | interval(values)

    for backbone in known_first((b for _, b in settings), ()):
        both = [s for s in settings if s[1] == backbone and {"base", "adv_cas"} <= set(main[s])]
        if both:
            values = [gain(s, "adv_cas", metric) for s in both for metric in METRICS]
            yield row("gain", np.mean(values, axis=0), both)
        rivals, more = [s for s in both if set(PAPER_BASELINES) <= set(main[s])], []
        for setting, metric in product(rivals, METRICS):
            # the second best by the estimate, the same one in every resample
            second = max((gain(setting, m, metric) for m in PAPER_BASELINES), key=lambda g: g[0])
            ratio = percent(gain(setting, "adv_cas", metric), second)
            more.append(np.where(second > 0, ratio, np.nan))
        if more:
            yield row("more gain", np.mean(more, axis=0), rivals)
        dense = [s for s in both if s[0] == "ml-1m"]
        for setting in (s for s in both if dense and s[0] in PAPER_SPARSE):
            apart = [gain(setting, "adv_cas", metric) - gain(dense[0], "adv_cas", metric)
                     for metric in METRICS]
            yield row("sparse gain", np.mean(apart, axis=0), [setting])
    for dataset in known_first((d for d, _ in settings), ()):
        bases = [main[s]["base"] for s in settings if s[0] == dataset and "base" in main[s]]
        means = resampled[dataset].means
        if len(bases) > 1 and all((base, f"{LAST_ITEM}-both attacked", METRICS[0]) in means
                                  for base in bases):
            for metric in METRICS:
                changes = [resampled[dataset].change(base, LAST_ITEM, "both", metric)
                           for base in bases]
                yield row("last item", np.mean(changes, axis=0), [(dataset, "both")],
                          metric=metric)
