"""The claims of the paper (and some questions of ours) as data: sentence, rule, conditions.

A claim is tested at places, each a data set and a backbone. The test looks up intervals and
returns conditions that hold or not; `scoreboard.verdict` turns them into a word.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from .evidence import Evidence, above_zero
from .paper import (
    MOST_REPLACED,
    PAPER_BACKBONES,
    PAPER_BASELINES,
    PAPER_BEST_EPSILON,
    PAPER_DATASETS,
    PAPER_LAST_DROP_PERCENT,
    PAPER_MEAN_GAIN_PERCENT,
    PAPER_MORE_GAIN_PERCENT,
    PAPER_SPARSE,
    SMALL_PERCENT,
    paper_numbers,
)
from .results import METRICS, MissingRecords, main_record

Place = tuple[str, str]
ALL = tuple((dataset, backbone) for backbone in PAPER_BACKBONES for dataset in PAPER_DATASETS)
VIDEO = tuple(("video", backbone) for backbone in PAPER_BACKBONES)
ALREADY_EPSILON, TOO_LARGE = 1.0, 30.0  # Section 5.5
CONVERGED_EPOCHS = 500  # Section 5.5
HARDLY_PERCENT = 5  # a gain that "hardly" is one; a wider interval would settle nothing


@dataclass(frozen=True)
class Finding:
    """What a test found: the number to show with its interval, and the conditions.

    shown: {"value", "low", "high"}, None for bounds that do not exist. unit: "%", "points" or a
    metric. conditions: none where the numbers decide nothing. about: which of several numbers is
    shown, in words.
    """

    shown: dict
    unit: str
    conditions: list[bool]
    about: str = ""


@dataclass(frozen=True)
class Claim:
    """One sentence, where it is tested, and how.

    paper: the paper's number at a place, as text. rule: the conditions, in words.
    """

    section: str
    text: str
    rule: str
    places: tuple[Place, ...]
    test: Callable[[Evidence, Place], Finding]
    paper: Callable[[Place], str] = lambda place: ""


def table3_change(place: Place, method: str, metric: int = 0) -> float:
    """The paper's change against the base in percent, Table 3."""
    row = paper_numbers()["table3"][place[1]][place[0]]
    return 100 * (row[method][metric] / row["base"][metric] - 1)


def signed(value: float) -> str:
    return f"{value:+.1f}%"


def any_method_helps(evidence: Evidence, place: Place) -> Finding:
    pairs = {m: evidence.pair(place, m, "base") for m in (*PAPER_BASELINES, "adv_cas")}
    least = min(pairs, key=lambda method: pairs[method]["difference"]["value"])
    return Finding(pairs[least]["percent"], "%",
                   above_zero(pair["difference"] for pair in pairs.values()),
                   f"the least, {least}")


def cascade_is_best(evidence: Evidence, place: Place) -> Finding:
    pairs = {m: evidence.pair(place, "adv_cas", m) for m in ("base", *PAPER_BASELINES)}
    second = min(pairs, key=lambda method: pairs[method]["difference"]["value"])
    return Finding(pairs[second]["percent"], "%",
                   above_zero(pair["difference"] for pair in pairs.values()),
                   f"over the best other, {second}")


def paper_over_second(place: Place) -> str:
    row = paper_numbers()["table3"][place[1]][place[0]]
    second = max(PAPER_BASELINES, key=lambda method: row[method][0])
    return signed(100 * (row["adv_cas"][0] / row[second][0] - 1))


def mean_gain(evidence: Evidence, place: Place) -> Finding:
    """place: any data set, "..." stands for all that were run."""
    [found] = evidence.averages("gain", backbone=place[1])
    printed = _paper_mean(place[1], found["datasets"])
    return Finding(found, "%", [*above_zero([found]), _reaches(found, printed)],
                   f"{_of(found)}; Table 3 on these: {signed(printed)}")


def _paper_mean(backbone: str, datasets: list[str]) -> float:
    there = [name for name in datasets if name in PAPER_DATASETS]
    return sum(table3_change((name, backbone), "adv_cas", metric)
               for name in there for metric in (0, 1)) / (2 * len(there)) if there else math.nan


def _paper_more(backbone: str, datasets: list[str]) -> float:
    ratios = []
    for name in (name for name in datasets if name in PAPER_DATASETS):
        for metric in (0, 1):
            of = {m: table3_change((name, backbone), m, metric)
                  for m in (*PAPER_BASELINES, "adv_cas")}
            ratios.append(100 * (of["adv_cas"] / max(of[m] for m in PAPER_BASELINES) - 1))
    return sum(ratios) / len(ratios) if ratios else math.nan


def paper_mean(place: Place) -> str:
    return _printed(PAPER_MEAN_GAIN_PERCENT, _paper_mean, place)


def paper_more(place: Place) -> str:
    return _printed(PAPER_MORE_GAIN_PERCENT, _paper_more, place)


def _printed(text: dict, table3: Callable[[str, list[str]], float], place: Place) -> str:
    """The number of Section 5.5's text, and Table 3's where that averages to another."""
    number, average = text[place[1]], table3(place[1], list(PAPER_DATASETS))
    same = math.isclose(number, average, abs_tol=0.05)
    return f"+{number}%" + ("" if same else f" (Table 3: {signed(average)})")


def more_gain(evidence: Evidence, place: Place) -> Finding:
    [found] = evidence.averages("more gain", backbone=place[1])
    printed = _paper_more(place[1], found["datasets"])
    decided = found["low"] is not None  # not where the second best gains nothing in a resample
    return Finding(found, "%", [*above_zero([found]), _reaches(found, printed)] if decided else [],
                   f"{_of(found)}; Table 3 on these: {signed(printed)}")


def _of(average: dict) -> str:
    return "mean over " + ", ".join(average["datasets"])


def _reaches(bounds: dict, number: float) -> bool:
    return bounds["high"] is not None and bounds["high"] >= number


def sparse_gains_more(evidence: Evidence, place: Place) -> Finding:
    rows = evidence.averages("sparse", backbone=place[1])
    if absent := set(PAPER_SPARSE) - {row["sparse"] for row in rows}:
        raise MissingRecords(f"no gain of {' and '.join(sorted(absent))} to compare")
    least = min(rows, key=lambda row: row["value"])
    return Finding(least, "points", above_zero(rows), f"the least, {least['sparse']} over ml-1m")


def paper_sparse(place: Place) -> str:
    means = {name: _paper_mean(place[1], [name]) for name in PAPER_DATASETS}
    least = min(PAPER_SPARSE, key=means.__getitem__)
    return f"{means[least] - means['ml-1m']:+.1f} points"


def only_cascade_helps(evidence: Evidence, place: Place) -> Finding:
    others = [evidence.pair(place, m, "base")["difference"] for m in PAPER_BASELINES]
    own = evidence.pair(place, "adv_cas", "base")
    [guided] = above_zero([own["difference"]])
    return Finding(own["percent"], "%", [guided, *(guided and not helps for helps
                                                   in above_zero(others))], "adv_cas")


def base_has_converged(evidence: Evidence, place: Place) -> Finding:
    epochs = main_record(evidence.results, *place, "base")["config"]["epochs"]
    if epochs != CONVERGED_EPOCHS:
        raise MissingRecords(f"the base was trained for {epochs} epochs, not {CONVERGED_EPOCHS}")
    longer = evidence.pair(place, "base+100", "base")
    best = evidence.pair(place, "base", "base", "best")["difference"]
    most = longer["percent"]["high"]
    return Finding(longer["percent"], "%",
                   [not above_zero([longer["difference"]])[0],
                    most is not None and most < HARDLY_PERCENT, _reaches(best, 0.0)],
                   "100 more epochs")


def both_terms_help(evidence: Evidence, place: Place) -> Finding:
    single = ("adv_cas_1", "adv_cas_2")
    alone = [evidence.pair(place, m, "base")["difference"] for m in single]
    both = {m: evidence.pair(place, "adv_cas", m) for m in single}
    second = min(both, key=lambda method: both[method]["difference"]["value"])
    return Finding(both[second]["percent"], "%", above_zero(
        [*alone, *(pair["difference"] for pair in both.values())]), f"both over {second}")


def paper_terms(place: Place) -> str:
    row = paper_numbers()["table4_sasrec"][place[0]]
    return signed(100 * (row["adv_cas"][0] / max(row[m][0] for m in ("adv_cas_1", "adv_cas_2"))
                          - 1))


def small_epsilon_helps(evidence: Evidence, place: Place) -> Finding:
    _, run = evidence.swept(place, lambda e: math.isclose(e, ALREADY_EPSILON))
    pair = evidence.of_runs(run, evidence.run(place, "base"))
    return Finding(pair["percent"], "%", above_zero([pair["difference"]]), "epsilon 1 over base")


def best_epsilon(evidence: Evidence, place: Place) -> Finding:
    ends = PAPER_BEST_EPSILON
    outside, worse = evidence.swept(place, lambda e: not ends[0] <= e <= ends[1])
    found = {}
    for end in ends:
        _, better = evidence.swept(place, lambda e, end=end: math.isclose(e, end))
        found[end] = evidence.of_runs(better, worse)["difference"]
    least = min(ends, key=lambda end: found[end]["value"])
    return Finding(found[least], "NDCG@10", above_zero(found.values()),
                   f"epsilon {least:g}, the less good end, over {outside:g}")


def large_epsilon_falls(evidence: Evidence, place: Place) -> Finding:
    limit, better = evidence.swept(place, lambda e: math.isclose(e, TOO_LARGE))
    _, worse = evidence.swept(place, lambda e: e > TOO_LARGE)
    base = evidence.of_runs(better, evidence.run(place, "base"))
    falls = evidence.of_runs(better, worse)["difference"]
    return Finding(base["percent"], "%", above_zero([base["difference"], falls]),
                   f"epsilon {limit:g} over base")


def early_items_cost_little(evidence: Evidence, place: Place) -> Finding:
    changes = {position: evidence.drop(place, "base", "change", positions=position)
               for position in ("first", "middle")}
    worst = min(changes, key=lambda position: changes[position]["value"])
    little = [bound["low"] is not None and bound["low"] > -SMALL_PERCENT
              for bound in changes.values()]
    return Finding(changes[worst], "%", little, f"the {worst} item, NDCG@10")


def last_item_costs(evidence: Evidence, place: Place) -> Finding:
    rows = {row["metric"]: row for row in evidence.averages("last item", dataset=place[0])}
    conditions = []
    for metric, row in rows.items():
        printed = -PAPER_LAST_DROP_PERCENT[metric]
        known = row["low"] is not None
        conditions += [known and row["high"] < 0, known and row["low"] <= printed <= row["high"]]
    other = rows["hr@10"]["value"]
    return Finding(rows["ndcg@10"], "%", conditions,
                   f"NDCG@10; HR@10 {'no number' if other is None else signed(other)}")


def paper_last_item(place: Place) -> str:
    return (f"{-PAPER_LAST_DROP_PERCENT['ndcg@10']:.1f}%; "
            f"HT@10 {-PAPER_LAST_DROP_PERCENT['hr@10']:.1f}%")


def last_item_is_spared(evidence: Evidence, place: Place) -> Finding:
    spared = {m: evidence.drop(place, m, "spared") for m in ("base", "adv_linear", "adv_global")}
    least = min(spared, key=lambda method: spared[method]["value"])
    return Finding(spared[least], "points", above_zero(spared.values()), f"less than {least}")


def _spared_by_k(evidence: Evidence, place: Place) -> list[dict]:
    """By how many points adv_cas loses less than the base, for K = 1, 2, ..."""
    return [evidence.drop(place, "base", "spared", "hr@10", k=k)
            for k in range(1, MOST_REPLACED + 1)]


def decay_is_slower(evidence: Evidence, place: Place) -> Finding:
    spared = _spared_by_k(evidence, place)
    return Finding(spared[-1], "points", above_zero(spared), "HR@10 at K = 5")


def decay_is_alike(evidence: Evidence, place: Place) -> Finding:
    spared = _spared_by_k(evidence, place)
    alike = [bound["low"] is not None and bound["low"] <= 0 <= bound["high"] for bound in spared]
    return Finding(spared[-1], "points", alike, "HR@10 at K = 5")


def attacked_is_above_clean(evidence: Evidence, place: Place) -> Finding:
    found = evidence.drop(place, "base", "above clean", "hr@10", k=5)
    return Finding(found, "HR@10", above_zero([found]), "attacked adv_cas over clean base")


def added_time(evidence: Evidence, place: Place) -> Finding:
    base, guided = (main_record(evidence.results, *place, m) for m in ("base", "adv_cas"))
    if base["provenance"]["hardware"] != guided["provenance"]["hardware"]:
        raise MissingRecords("the two were timed on different machines")
    epochs = guided["config"]["adv_epochs"] / base["config"]["epochs"]
    ratio = guided["seconds"]["per_epoch"] / base["seconds"]["per_epoch"]
    added = 100 * ratio * epochs
    printed = paper_time()
    return Finding({"value": added, "low": None, "high": None}, "%",
                   [added <= printed, added <= 2 * printed],
                   f"an epoch takes {ratio:.2f} of the base's")


def paper_time() -> float:
    paper = paper_numbers()["section57_efficiency"]
    return 100 * paper["adversarial_100_epochs_minutes"] / paper["base_500_epochs_minutes"]


def survives_control(evidence: Evidence, place: Place) -> Finding:
    pairs = [evidence.pair(place, "adv_cas", "base+100", metric=metric) for metric in METRICS]
    return Finding(pairs[0]["percent"], "%", above_zero(pair["difference"] for pair in pairs),
                   "NDCG@10")


def survives_best_base(evidence: Evidence, place: Place) -> Finding:
    pairs = [evidence.pair(place, "adv_cas", "base", "best", metric) for metric in METRICS]
    return Finding(pairs[0]["percent"], "%", above_zero(pair["difference"] for pair in pairs),
                   "NDCG@10")


def paper_values_help(scope: str) -> Callable[[Evidence, Place], Finding]:
    def test(evidence: Evidence, place: Place) -> Finding:
        base = evidence.run(place, "base")
        pairs = [evidence.of_runs(run, base) for run in evidence.paper_values(place, scope)]
        return Finding(pairs[1]["percent"], "%", above_zero(
            pair["difference"] for pair in pairs), "adv_cas over base")
    return test


def weights_help_at_paper_values(scope: str) -> Callable[[Evidence, Place], Finding]:
    def test(evidence: Evidence, place: Place) -> Finding:
        equal, guided = evidence.paper_values(place, scope)
        pair = evidence.of_runs(guided, equal)
        base = evidence.of_runs(guided, evidence.run(place, "base"))  # the better of two ruins?
        return Finding(pair["percent"], "%", above_zero([pair["difference"], base["difference"]]),
                       "adv_cas over adv_global")
    return test


def holds_in_every_seed(evidence: Evidence, place: Place) -> Finding:
    seeds = {}
    for role in ("main", "seed"):
        runs = [evidence.with_role(place, m, role) for m in ("adv_cas", "adv_global")]
        seeds |= {seed: evidence.of_runs(runs[0][seed], runs[1][seed])
                  for seed in runs[0] if seed in runs[1]}
    least = min(seeds, key=lambda seed: seeds[seed]["difference"]["value"])
    return Finding(seeds[least]["percent"], "%",
                   above_zero(pair["difference"] for pair in seeds.values()),
                   f"the least of {len(seeds)} seeds, {least}")
