"""What runs differ by, with intervals: the table `intervals`, which needs every user's rank.

Runs on a data set are always compared on the same resamples of its users (see `resampled_gains`).
"""

from collections import defaultdict
from collections.abc import Iterator
from contextlib import suppress
from itertools import combinations, product

import numpy as np
import pandas as pd

from ..adversarial import METHOD_ORDER
from ..evaluation import METRICS, gains, resampled_gains
from ..experiments.configuration import attack_name
from . import frames
from .frames import ESTIMATE, NOT_RANKED, Ranks, Results, select, with_role
from .paper import PAPER_BASELINES, PAPER_SPARSE

COMPARED_ROLES = ("main", "seed", "sweep", "values", "switch")
LAST_ITEM = attack_name(positions="last", k=1)
LADDER = [method for method in METHOD_ORDER if method not in (
    "base", "base+100", "adv_cas_1", "adv_cas_2")]
MEASURES = (("accuracy over base+more", "percent", "base+100", "last"),
            ("accuracy over base", "percent", "base", "best"),
            ("robustness over base+more", "change difference", "base+100", "last"),
            ("robustness over base", "change difference", "base", "last"))
# {seeds: 97.5% quantile of Student's t with one degree of freedom less}
STUDENT = {2: 12.706, 3: 4.303, 4: 3.182, 5: 2.776, 6: 2.571, 7: 2.447, 8: 2.365}
# {(run, column of ranks, metric): a mean over all users, and over resamples, (1 + resamples,)}
Means = dict[tuple[str, str, str], np.ndarray]


def percentile_interval(values: np.ndarray) -> dict[str, float]:
    """{"value", "low", "high"}: row 0 of (1 + resamples,) values, and 95%; NaN if any is."""
    low, high = np.quantile(values[1:], [0.025, 0.975])
    return {"value": float(values[0]), "low": float(low), "high": float(high)}


def seeds_interval(values: np.ndarray) -> dict[str, float]:
    """{"value", "low", "high"}: the mean over seeds of (seeds, 1 + resamples) values, and 95%.

    The luck of users and that of training are independent, so the squares of their half-widths add:
    1.96 standard deviations of the mean over resamples of users, the same ones for all seeds, and
    Student's t times the standard error of the mean over seeds.
    """
    mean, seeds = values.mean(axis=0), len(values)
    of_users = 1.96 * mean[1:].std()
    of_training = STUDENT[seeds] * values[:, 0].std(ddof=1) / seeds**0.5
    half = np.hypot(of_users, of_training)
    return dict(zip(ESTIMATE, (mean[0], mean[0] - half, mean[0] + half)))


def percent(score, reference):
    """100 * (score / reference - 1) of arrays or columns, NaN where the reference is 0."""
    return 100 * (score / np.where(reference == 0, np.nan, reference) - 1)


def resampled_means(ranks: dict[str, Ranks], data_hash: str) -> Means:
    """The means of all runs on one data set and of the attacks on them; those on the last items
    also "... of able": HR@10 of Figure 6's users, who can be attacked at every K."""
    codes = {(run, column): code for run, one in ranks.items() for column, code in one.items()}
    of_last = [key for key in codes if "-last-" in key[1]]
    able = np.logical_and.reduce([codes[key] != NOT_RANKED for key in of_last])
    codes |= {(run, f"{column} of able"): np.where(able, codes[run, column], NOT_RANKED)
              for run, column in of_last}
    alike: dict[bytes, list] = {}  # columns about the same users are resampled together
    for (run, column), code in codes.items():
        users = code != NOT_RANKED
        for metric in ["hr@10"] if column.endswith("of able") else METRICS:
            alike.setdefault(users.tobytes(), []).append(
                ((run, column, metric), gains(frames.decode(code[users]), metric)))
    means: Means = {}
    for columns in alike.values():
        table = np.stack([gain for _, gain in columns], axis=1)  # (users, columns)
        seed = int(data_hash[:8], 16)  # other data, other draws
        means |= zip((key for key, _ in columns), resampled_gains(table, seed).T, strict=True)
    return means


def change_by(means: Means, run: str, attack: str, rule: str, metric: str) -> np.ndarray:
    return percent(means[run, f"{attack}-{rule} attacked", metric],
                   means[run, f"{attack} clean", metric])


def intervals(runs: pd.DataFrame, ranks: dict[str, Ranks]) -> pd.DataFrame:
    """The table `intervals` of all these runs (a frame like `Results.runs`)."""
    results = Results(runs=select(runs, which="last", split="test"))
    rows, means = [], {}
    for dataset, own in results.runs.groupby("dataset", sort=False):
        means[dataset] = resampled_means({run: ranks[run] for run in own["run"]},
                                         own["data_hash"].iloc[0])
        for (backbone, _), group in own.groupby(["backbone", "seed"], sort=False):
            for role in COMPARED_ROLES:
                compared = _compared(group, role)
                found = [*_pairs(compared, means[dataset])]
                if role in ("main", "seed"):
                    found += _attacks(compared, ranks, means[dataset])
                rows += [{"dataset": dataset, "backbone": backbone} | row for row in found]
        rows += _over_seeds(results, dataset, means[dataset])
    rows += _averages(results, means)
    table = pd.DataFrame(rows, columns=frames.COLUMNS["intervals"])
    table[ESTIMATE] = table[ESTIMATE].map(lambda value: float(f"{value:.6g}"))
    names = frames.TEXT["intervals"]
    table[names] = table[names].astype(object).fillna("")
    return table.drop_duplicates(names, ignore_index=True)


def _compared(group: pd.DataFrame, role: str) -> dict[str, str]:
    """{run: method} of runs with one backbone and seed, in the tables' order: the methods, or a
    role's with the base."""
    rows = with_role(Results(runs=group), role)
    if len(rows) and role not in ("main", "seed"):
        controls = ["base", "base+100"] if role == "sweep" else ["base"]
        rows = pd.concat([group[group["method"].isin(controls)], rows]).drop_duplicates("run")
    return dict(zip(rows["run"], rows["method"], strict=True))


def _pairs(compared: dict[str, str], means: Means) -> Iterator[dict]:
    """All pairs of last epochs, and of all last epochs with the base's best on validation: the
    "difference", in "percent", and how many points less of its score the first loses where the last
    item is replaced, "change difference"."""
    last = [(run, "last") for run in compared]
    couples = [(second, first) for first, second in combinations(last, 2)]
    couples += [(one, (run, "best")) for run, method in compared.items() if method == "base"
                for one in last]
    ends = ("run", "which", "versus", "versus_which", "metric")
    for (one, other), metric in product(couples, METRICS):
        ours, theirs = means[*one, metric], means[*other, metric]
        found = {"difference": ours - theirs, "percent": percent(ours, theirs)}
        if other[1] == "last":  # the epoch that is attacked
            found |= _change_difference(means, one[0], other[0], metric)
        for quantity, values in found.items():
            yield ({"kind": "pair", "quantity": quantity}
                   | dict(zip(ends, (*one, *other, metric))) | percentile_interval(values))


def _change_difference(means: Means, run: str, other: str, metric: str) -> dict[str, np.ndarray]:
    """{"change difference": by the attack on the last item}; {} where one was not attacked."""
    with suppress(KeyError):
        ours, theirs = (change_by(means, one, LAST_ITEM, "both", metric) for one in (run, other))
        return {"change difference": ours - theirs}
    return {}


def _attacks(compared: dict[str, str], ranks: dict[str, Ranks], means: Means) -> Iterator[dict]:
    """Every attack on a run: the "change" in percent; of the last K items HR@10 of those who are
    "able", and "able_clean"; of the base the "change difference to last item", in points, to the
    gradient on the last item. And of adv_cas against the others under the same attack the "change
    difference", the "difference" of the attacked scores, and for the last K items that of its
    HR@10 "to clean" ones.
    """
    guided = next((run for run, method in compared.items() if method == "adv_cas"), None)
    columns = [(run, column) for run in compared for column in ranks[run]
               if column.endswith(" attacked")]
    for (run, column), metric in product(columns, METRICS):
        attack, _, rule = column.removesuffix(" attacked").rpartition("-")
        change, last = change_by(means, run, attack, rule, metric), f"{LAST_ITEM}-{rule} attacked"
        own, versus = {"run": run}, {"run": guided, "versus": run, "versus_which": "last"}
        found = [(own, "change", change)]
        of_last_items = "-last-" in column and metric == "hr@10"  # Figure 6
        if of_last_items:
            found += [(own, "able", means[run, f"{column} of able", metric]),
                      (own, "able_clean", means[run, f"{attack} clean of able", metric])]
        if compared[run] == "base" and column != last and last in ranks[run] and np.array_equal(
                ranks[run][column] != NOT_RANKED, ranks[run][last] != NOT_RANKED):
            found += [(own, "change difference to last item", change - change_by(
                means, run, LAST_ITEM, rule, metric))]
        if guided not in (None, run) and (guided, column, metric) in means:
            score, clean = means[guided, column, metric], means[run, f"{attack} clean", metric]
            found += [(versus, "change difference",
                       change_by(means, guided, attack, rule, metric) - change),
                      (versus, "difference", score - means[run, column, metric])]
            found += [(versus, "difference to clean", score - clean)] if of_last_items else []
        for ends, quantity, values in found:
            yield {"kind": "attack", "which": "last", "attack": attack, "exclude": rule,
                   "metric": metric, "quantity": quantity} | ends | percentile_interval(values)


def _over_seeds(results: Results, dataset: str, means: Means) -> Iterator[dict]:
    """Means over the seeds, at most 8, that two methods share, of "percent" and "change difference"
    as in `_pairs`; named by their first runs."""
    for backbone in select(results.runs, dataset=dataset)["backbone"].unique():
        runs = frames.runs_by_seed(results, dataset, backbone)
        methods = [method for method in METHOD_ORDER if method in runs]
        for (versus, method), metric in product(combinations(methods, 2), METRICS):
            pairs = runs[[method, versus]].dropna().head(8).to_numpy()
            found = defaultdict(list)
            for run, other in pairs:
                found["percent"].append(percent(*(means[one, "last", metric]
                                                  for one in (run, other))))
                for quantity, values in _change_difference(means, run, other, metric).items():
                    found[quantity].append(values)
            for quantity, values in found.items():
                if len(values) > 1:
                    yield {"kind": "seeds", "quantity": quantity, "metric": metric,
                           "dataset": dataset, "backbone": backbone, "run": pairs[0][0],
                           "which": "last", "versus": pairs[0][1], "versus_which": "last",
                           } | seeds_interval(np.stack(values))


def _averages(results: Results, means: dict[str, Means]) -> Iterator[dict]:
    """Mean gains, also against the second best; sparse data against MovieLens-1M; the last item."""
    main = results.main

    def row(name, values, of, **where):
        return {"kind": "average", "quantity": name, "dataset": "+".join(d for d, _ in of),
                "backbone": of[0][1]} | where | percentile_interval(np.vstack(values).mean(axis=0))

    gain = {setting: {method: np.stack([  # (metrics, 1 + resamples)
        percent(*(means[setting[0]][one, "last", metric] for one in (run, runs["base"])))
        for metric in METRICS]) for method, run in runs.items()}
        for setting, runs in main.items() if {"base", "adv_cas"} <= set(runs)}
    for backbone in dict.fromkeys(backbone for _, backbone in gain):
        ours = {setting: own["adv_cas"] for setting, own in gain.items() if setting[1] == backbone}
        more = {}
        for setting in [s for s in ours if set(PAPER_BASELINES) <= set(gain[s])]:
            rivals = np.stack([gain[setting][method] for method in PAPER_BASELINES])
            # the second best by the estimate, the same one in every resample
            second = rivals[rivals[:, :, 0].argmax(0), range(len(METRICS))]
            more[setting] = np.where(second > 0, percent(ours[setting], second), np.nan)
        for name, values in (("gain", ours), ("more gain", more)):
            if values:
                yield row(name, [*values.values()], [*values])
        for sparse in [s for s in ours if s[0] in PAPER_SPARSE and ("ml-1m", backbone) in ours]:
            yield row("sparse gain", ours[sparse] - ours["ml-1m", backbone], [sparse])
    for dataset, own in means.items():
        bases = [runs["base"] for (name, _), runs in main.items()
                 if name == dataset and "base" in runs]
        if len(bases) > 1:
            with suppress(KeyError):  # not attacked
                for metric in METRICS:
                    changes = [change_by(own, base, LAST_ITEM, "both", metric) for base in bases]
                    yield row("last item", changes, [(dataset, "both")], metric=metric)


def ladder(bases: dict[str, str], dataset: str, backbone: str = "sasrec") -> pd.DataFrame:
    """What each method adds to a base, with several losses; what was not run is left out.

    bases: {name of a loss: a profile, or a folder of tables}. Columns "loss", "measure", "method",
    "value", "low", "high". "accuracy over base+more": the change of NDCG@10 in percent against as
    many epochs of plain training; "... over base": against the base's best epoch on validation;
    "robustness over ...": how many points less of NDCG@10 than theirs the last item costs.
    """
    rows = []
    for loss, name in bases.items():
        results = frames.read_results(name)
        runs = results.main.get((dataset, backbone), {})
        for method in [method for method in LADDER if method in runs]:
            for measure, quantity, versus, which in MEASURES:
                with suppress(KeyError, frames.MissingRecords):  # not trained, not attacked
                    row = frames.interval(results, "pair", quantity, run=runs[method], which="last",
                                          versus=runs[versus], versus_which=which)
                    rows.append({"loss": loss, "measure": measure, "method": method}
                                | {name: row[name] for name in ESTIMATE})
    return pd.DataFrame(rows)
