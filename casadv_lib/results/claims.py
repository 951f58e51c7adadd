"""The claims of the paper (and some questions of ours) as data: sentence, rule, conditions.

A claim is tested at places, each a data set and a backbone. The test looks up intervals and
returns conditions that hold or not; `scoreboard.verdict` turns them into a word. Here are the
tests about accuracy; those about robustness and time are in `claims_robustness`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from .evidence import Evidence, above_zero
from .paper import (
    PAPER_BACKBONES,
    PAPER_BASELINES,
    PAPER_DATASETS,
    PAPER_LARGE_EPSILON,
    PAPER_MEAN_GAIN_PERCENT,
    PAPER_MORE_GAIN_PERCENT,
    PAPER_SPARSE,
    paper_change,
    paper_numbers,
)
from .records import METRICS, MissingRecords, main_record
from .sweep import SENTENCES

Place = tuple[str, str]
ALL = tuple((dataset, backbone) for backbone in PAPER_BACKBONES for dataset in PAPER_DATASETS)
VIDEO = tuple(("video", backbone) for backbone in PAPER_BACKBONES)
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
    return sum(paper_change(name, backbone, "adv_cas", metric) for name in there
               for metric in METRICS) / (len(METRICS) * len(there)) if there else math.nan


def _paper_more(backbone: str, datasets: list[str]) -> float:
    ratios = []
    for name in (name for name in datasets if name in PAPER_DATASETS):
        for metric in METRICS:
            of = {m: paper_change(name, backbone, m, metric)
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


def _of_sentence(evidence: Evidence, place: Place, name: str) -> dict:
    """{(better epsilon, worse epsilon or "base"): their pair} of a sentence on Figure 4."""
    found = {}
    for better, worse in SENTENCES[name].values():
        epsilon, run = evidence.swept(place, better)
        other, rival = ("base", evidence.run(place, "base")) if worse is None else (
            evidence.swept(place, worse))
        found[epsilon, other] = evidence.of_runs(run, rival)
    return found


def small_epsilon_helps(evidence: Evidence, place: Place) -> Finding:
    [pair] = _of_sentence(evidence, place, "small").values()
    return Finding(pair["percent"], "%", above_zero([pair["difference"]]), "epsilon 1 over base")


def best_epsilon(evidence: Evidence, place: Place) -> Finding:
    found = {of: pair["difference"] for of, pair in _of_sentence(evidence, place, "best").items()}
    least, outside = min(found, key=lambda of: found[of]["value"])
    return Finding(found[least, outside], "NDCG@10", above_zero(found.values()),
                   f"epsilon {least:g}, the less good end, over {outside:g}")


def large_epsilon_falls(evidence: Evidence, place: Place) -> Finding:
    found = _of_sentence(evidence, place, "large")
    over_base = found[PAPER_LARGE_EPSILON, "base"]
    return Finding(over_base["percent"], "%",
                   above_zero(pair["difference"] for pair in found.values()),
                   f"epsilon {PAPER_LARGE_EPSILON:g} over base")


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
