"""The paper's claims, and some questions of ours, put to the test on stored intervals.

A claim is a sentence with conditions, each about a 95% paired bootstrap interval over users, and
is tested at a setting: a data set and a backbone. It is "reproduced" where all conditions hold,
"partly" where some do, "not" where none does, "undecided" where the interval does not exist, and
"not run" where records are missing. So "not" says that our runs do not show the claim, not that
they show the opposite: the interval beside it tells the two apart.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import pandas as pd

from ..experiments.configuration import EPSILONS, attack_name
from . import frames
from . import paper as printed
from .frames import METRICS, MissingRecords, Results, interval
from .paper import PAPER_BACKBONES, PAPER_BASELINES, PAPER_DATASETS, PAPER_SPARSE, paper_change

Setting = tuple[str, str]
VERDICTS = ("reproduced", "partly", "not", "undecided", "not run")
OURS = "ours"  # in place of a section: a question that the paper does not ask
SEVERAL = "several data sets"  # the topic of claims that make sense in the paper's settings alone
ALL_SETS = "all that were run"  # stands for a data set
CONVERGED_EPOCHS = 500  # Section 5.5
HARDLY_PERCENT = 5  # a gain that "hardly" is one; a wider interval would settle nothing
ALL = tuple((dataset, backbone) for backbone in PAPER_BACKBONES for dataset in PAPER_DATASETS)
EVERYWHERE = tuple((ALL_SETS, backbone) for backbone in PAPER_BACKBONES)
DENSE = tuple(("ml-1m", backbone) for backbone in PAPER_BACKBONES)
VIDEO = tuple(("video", backbone) for backbone in PAPER_BACKBONES)
ABOVE = "the 95% interval of the difference lies above 0"
SHARES = "the 95% interval of the difference of the relative changes lies above 0"
# the last item, by every attack that is stored: what a defence must not fear
LAST_ITEM = {
    "step 0.1": {"step": 0.1}, "step 0.25": {"step": 0.25}, "step 0.5": {"step": 0.5},
    "step 1": {"step": 1.0}, "half-space": {"pick": "halfspace"}, "nearest": {"pick": "nearest"},
    "random": {"pick": "random"}, "substitutes of the base": {"surrogate": "base"},
}


@dataclass(frozen=True)
class Finding:
    """What a test found: the interval to show {"value", "low", "high"}, its unit ("%", "points"
    or a metric), the conditions (none where the numbers decide nothing), and which of several
    numbers is shown, in words."""

    shown: dict
    unit: str
    conditions: list[bool]
    about: str = ""


@dataclass(frozen=True)
class At:
    """The intervals at one setting; every look-up raises MissingRecords where there is none.

    epsilons: what a sweep must hold, for the best of half of it may not be the best. most: the
    largest K. attack: options of all attacks, where a claim does not name its own.
    """

    results: Results
    setting: Setting
    epsilons: Sequence[float] = EPSILONS
    most: int = printed.MOST_REPLACED
    attack: dict = field(default_factory=dict)

    def run(self, method: str) -> str:
        return frames.main_run(self.results, *self.setting, method)

    def pair(self, method: str, versus: str, which: str = "last", metric: str = "ndcg@10") -> dict:
        """{"difference", "percent"} of two methods; which: the epoch of the second."""
        return self.runs(self.run(method), self.run(versus), which, metric)

    def runs(self, run: str, versus: str, which: str = "last", metric: str = "ndcg@10") -> dict:
        """The same of two runs; "difference" alone where the pair is stored the other way round."""
        def stored(quantity, *ends):
            names = dict(zip(("run", "which", "versus", "versus_which"), ends, strict=True))
            return interval(self.results, "pair", quantity, metric, **names)

        try:
            return {quantity: stored(quantity, run, "last", versus, which)
                    for quantity in ("difference", "percent")}
        except MissingRecords:
            return {"difference": turned(stored("difference", versus, which, run, "last"))}

    def sweep(self, *needed: float) -> dict[float, str]:
        """{epsilon: run} of the whole sweep, these epsilons among it."""
        rows = frames.sweep(self.results, *self.setting)
        runs = dict(zip(rows["epsilon"], rows["run"], strict=True))
        if absent := sorted({f"{e:g}" for e in (*self.epsilons, *needed) if e not in runs}):
            raise MissingRecords(f"the sweep of {' and '.join(self.setting)} has no epsilon "
                                 + ", ".join(absent))
        return runs

    def best_of(self, runs: dict[float, str]) -> tuple[float, str]:
        """The (epsilon, run) with the best validation score."""
        if not runs:
            raise MissingRecords(f"no such epsilon in the sweep of {' and '.join(self.setting)}")
        best = max(runs, key=lambda e: frames.score(self.results, runs[e], split="validation"))
        return best, runs[best]

    @cached_property
    def rule(self) -> str:
        """By which rule the attacks here are ranked (see `frames.rule_of`)."""
        return self.attack.get("exclude") or frames.rule_of(self.results, self.run("base"))

    def attacked(self, method: str, quantity: str, metric: str = "ndcg@10", **attack) -> dict:
        """What an attack on a method does: its "change", and against adv_cas under the same
        attack "spared", "above" and "above_clean" (see `comparisons`)."""
        options = {name: v for name, v in self.attack.items() if name != "exclude"} | attack
        return interval(self.results, "attack", quantity, metric, run=self.run(method),
                        attack=attack_name(**options), exclude=self.rule)

    def by_k(self, quantity: str) -> dict[int, dict]:
        """That quantity of HR@10 of the base, with the last K = 1, 2, ... items replaced."""
        return {k: self.attacked("base", quantity, "hr@10", k=k) for k in range(1, self.most + 1)}

    def made_for(self, role: str, method: str, **values) -> dict[int, str]:
        """{seed: run} of the runs made for a purpose."""
        rows = frames.with_role(self.results, role, dataset=self.setting[0],
                                backbone=self.setting[1], method=method, **values)
        if rows.empty:
            raise MissingRecords(f"no run of {method} for {role!r} on {' and '.join(self.setting)}")
        return dict(zip(rows["seed"], rows["run"], strict=True))

    def average(self, quantity: str, metric: str = "", **where) -> dict:
        """A number over several data sets or backbones."""
        return interval(self.results, "average", quantity, metric, **where)


@dataclass(frozen=True)
class Claim:
    """One sentence, its conditions in words (`rule`), where the scoreboard tests it (nowhere: a
    notebook does, at a reader's own setting), and how. topic: the table or figure of the paper
    that it is about. paper: the paper's number at a setting, as text."""

    section: str
    topic: str
    text: str
    rule: str
    settings: tuple[Setting, ...]
    test: Callable[[At], Finding]
    paper: Callable[[Setting], str] = lambda setting: ""


def above_zero(bounds: Iterable[dict]) -> list[bool]:
    """For each interval whether it lies above 0; one without ends does not."""
    return [bool(bound["low"] > 0) for bound in bounds]


def turned(bound: dict) -> dict:
    """The interval of the opposite difference."""
    return {"value": -bound["value"], "low": -bound["high"], "high": -bound["low"]}


def signed(value: float) -> str:
    return f"{value:+.1f}%"


def all_above(found: dict, unit: str = "%", about: str = "{}", shown: object = None) -> Finding:
    """All of {name: interval, or a pair's "difference" and "percent"} must lie above 0.

    Shown is the named one, else the least; about: words, {} is its name.
    """
    bounds = {name: one.get("difference", one) for name, one in found.items()}
    if shown is None:
        shown = min(bounds, key=lambda name: bounds[name]["value"])
    return Finding(found[shown].get("percent", bounds[shown]), unit, above_zero(bounds.values()),
                   about.format(shown))


def better(section: str, topic: str, text: str, method: str, *versus: str,
           settings: tuple[Setting, ...] = (), rule: str = "", about: str = "") -> Claim:
    """The claim that a method ranks better than each of the others."""
    def paper(setting: Setting) -> str:
        changes = [paper_change(*setting, method, versus=other) for other in versus]
        if None not in changes:
            return signed(min(changes))
        there = [change for change in (paper_change(name, setting[1], method, versus=versus[0])
                                       for name in PAPER_DATASETS) if change is not None]
        higher = sum(change > 0 for change in there)
        return f"higher on {higher} of {len(there)} data sets" if there and not versus[1:] else ""

    return Claim(section, topic, text,
                 f"{rule or f'{method} against ' + ', '.join(versus)}: {ABOVE} (NDCG@10)", settings,
                 lambda at: all_above({v: at.pair(method, v) for v in versus}, about=about), paper)


def in_both(text: str, method: str, versus: str, rule: str, which: str = "last") -> Claim:
    """The claim, one of ours, that a method is above another in both metrics."""
    def test(at: At) -> Finding:
        return all_above({metric: at.pair(method, versus, which, metric) for metric in METRICS},
                         about="NDCG@10", shown="ndcg@10")

    return Claim(OURS, "Table 3", text, f"{rule}for both metrics: {ABOVE}", ALL, test)


# Accuracy

def any_method_helps(at: At) -> Finding:
    return all_above({m: at.pair(m, "base") for m in (*PAPER_BASELINES, "adv_cas")},
                     about="the least, {}")


def _mean(at: At, quantity: str, paper: Callable[[Setting], float]) -> Finding:
    """An average must be above 0, and reach Table 3's over the same data sets."""
    found = at.average(quantity, backbone=at.setting[1])
    names = found["dataset"].split("+")
    known = [paper((name, at.setting[1])) for name in names if name in PAPER_DATASETS]
    wanted = sum(known) / len(known) if known else math.nan
    conditions = [*above_zero([found]), bool(found["high"] >= wanted)]
    if math.isnan(found["low"]):  # the second best gains nothing in a resample
        conditions = []
    return Finding(found, "%", conditions,
                   f"mean over {', '.join(names)}; Table 3 on these: {signed(wanted)}")


def _paper_gain(setting: Setting) -> float:
    return sum(paper_change(*setting, "adv_cas", metric) for metric in METRICS) / len(METRICS)


def _paper_more(setting: Setting) -> float:
    second = {metric: max(paper_change(*setting, method, metric) for method in PAPER_BASELINES)
              for metric in METRICS}
    return sum(100 * (paper_change(*setting, "adv_cas", metric) / second[metric] - 1)
               for metric in METRICS) / len(METRICS)


def _in_the_text(numbers: dict, paper: Callable[[Setting], float]) -> Callable[[Setting], str]:
    """The number of Section 5.5's text, and Table 3's where that averages to another."""
    def words(setting: Setting) -> str:
        number = numbers[setting[1]]
        average = sum(paper((name, setting[1])) for name in PAPER_DATASETS) / len(PAPER_DATASETS)
        same = math.isclose(number, average, abs_tol=0.05)
        return f"+{number}%" + ("" if same else f" (Table 3: {signed(average)})")
    return words


def sparse_gains_more(at: At) -> Finding:
    return all_above({name: at.average("sparse gain", backbone=at.setting[1], dataset=name)
                      for name in PAPER_SPARSE}, "points", "the least, {} over ml-1m")


def _paper_sparse(setting: Setting) -> str:
    gains = {name: _paper_gain((name, setting[1])) for name in PAPER_DATASETS}
    return f"{min(gains[name] for name in PAPER_SPARSE) - gains['ml-1m']:+.1f} points"


def only_cascade_helps(at: At) -> Finding:
    own = at.pair("adv_cas", "base")
    [guided] = above_zero([own["difference"]])
    others = above_zero(at.pair(m, "base")["difference"] for m in PAPER_BASELINES)
    return Finding(own["percent"], "%", [guided, *(guided and not helps for helps in others)],
                   "adv_cas")


def base_has_converged(at: At) -> Finding:
    [epochs] = set(frames.select(at.results.runs, run=at.run("base"))["epochs"])
    if epochs != CONVERGED_EPOCHS:
        raise MissingRecords(f"the base was trained for {epochs} epochs, not {CONVERGED_EPOCHS}")
    longer, best = at.pair("base+100", "base"), at.pair("base", "base", "best")
    conditions = [not above_zero([longer["difference"]])[0],
                  longer["percent"]["high"] < HARDLY_PERCENT, best["difference"]["high"] >= 0]
    return Finding(longer["percent"], "%", list(map(bool, conditions)), "100 more epochs")


def both_terms_help(at: At) -> Finding:
    terms = ("adv_cas_1", "adv_cas_2")
    found = all_above({term: at.pair("adv_cas", term) for term in terms}, about="both over {}")
    alone = above_zero(at.pair(term, "base")["difference"] for term in terms)
    return Finding(found.shown, "%", [*alone, *found.conditions], found.about)


def every_seed(at: At) -> Finding:
    seeds = {}
    for role in ("main", "seed"):
        guided, equal = (at.made_for(role, method) for method in ("adv_cas", "adv_global"))
        seeds |= {seed: at.runs(guided[seed], equal[seed]) for seed in guided if seed in equal}
    return all_above(seeds, about=f"the least of {len(seeds)} seeds, {{}}")


def paper_values(scope: str, versus: str) -> Callable[[At], Finding]:
    """With the paper's epsilon and lambda both methods must be above the base, or adv_cas above
    adv_global (and above the base: else it is the better of two ruins)."""
    def test(at: At) -> Finding:
        [equal], [guided] = (at.made_for("values", method, preset=scope).values()
                             for method in ("adv_global", "adv_cas"))
        compared = [(guided, at.run("base")),
                    (equal, at.run("base")) if versus == "base" else (guided, equal)]
        return all_above({pair: at.runs(*pair) for pair in compared}, "%", f"adv_cas over {versus}",
                         compared[0] if versus == "base" else compared[1])
    return test


# The sweep over epsilon; where others are meant, the best of them on validation stands for them

def small_epsilon_helps(at: At) -> Finding:
    run = at.sweep(printed.PAPER_SMALL_EPSILON)[printed.PAPER_SMALL_EPSILON]
    return all_above({"base": at.runs(run, at.run("base"))}, about="epsilon 1 over {}")


def best_epsilon(at: At) -> Finding:
    low, high = printed.PAPER_BEST_EPSILON
    runs = at.sweep(low, high)
    outside, rival = at.best_of({e: run for e, run in runs.items() if not low <= e <= high})
    return all_above({f"{end:g}": at.runs(runs[end], rival)["difference"] for end in (low, high)},
                     "NDCG@10", f"epsilon {{}}, the less good end, over {outside:g}")


def large_epsilon_falls(at: At) -> Finding:
    large = printed.PAPER_LARGE_EPSILON
    runs = at.sweep(large)
    _, larger = at.best_of({e: run for e, run in runs.items() if e > large})
    return all_above({"base": at.runs(runs[large], at.run("base")),
                      "larger": at.runs(runs[large], larger)}, "%", f"epsilon {large} over {{}}",
                     "base")


def chosen_epsilon_helps(at: At) -> Finding:
    epsilon, run = at.best_of(at.sweep())
    return all_above({control: at.runs(run, at.run(control)) for control in ("base", "base+100")},
                     "%", f"epsilon {epsilon:g} over {{}}", "base")


# Attacks

def early_items_cost_little(at: At) -> Finding:
    changes = {where: at.attacked("base", "change", positions=where)
               for where in ("first", "middle")}
    worst = min(changes, key=lambda where: changes[where]["value"])
    little = [bool(bound["low"] > -printed.SMALL_PERCENT) for bound in changes.values()]
    return Finding(changes[worst], "%", little, f"the {worst} item, NDCG@10")


def last_item_costs(at: At) -> Finding:
    rows = {metric: at.average("last item", dataset=at.setting[0], metric=metric)
            for metric in METRICS}
    conditions = []
    for metric, row in rows.items():
        number = -printed.PAPER_LAST_DROP_PERCENT[metric]
        conditions += [bool(row["high"] < 0), bool(row["low"] <= number <= row["high"])]
    other = rows["hr@10"]["value"]
    return Finding(rows["ndcg@10"], "%", conditions,
                   f"NDCG@10; HR@10 {'no number' if math.isnan(other) else signed(other)}")


def adv_cas_against(quantity: str, unit: str, about: str, *methods: str, **attack
                    ) -> Callable[[At], Finding]:
    """Under an attack, adv_cas must lose less than each method ("spared"), or rank better."""
    return lambda at: all_above({m: at.attacked(m, quantity, **attack) for m in methods}, unit,
                                about)


def ours_against(quantity: str, unit: str, attacks: dict[str, dict]) -> Callable[[At], Finding]:
    """Under each of the attacks, adv_neighbour must lose less than adv_cas, or rank better."""
    return lambda at: all_above(
        {name: turned(at.attacked("adv_neighbour", quantity, **attack))
         for name, attack in attacks.items()}, unit, "the least, {}")


def milder(**attack) -> Callable[[At], Finding]:
    """An attack must cost the base less than the gradient on the last item."""
    return lambda at: all_above({"base": at.attacked("base", "milder", **attack)}, "points", "{}")


def with_last_k(quantity: str, unit: str, about: str) -> Callable[[At], Finding]:
    """With the last K items replaced, adv_cas must be above the base, for each K."""
    return lambda at: all_above(at.by_k(quantity), unit, about, at.most)


def decay_is_alike(at: At) -> Finding:
    spared = at.by_k("spared")
    alike = [bool(bound["low"] <= 0 <= bound["high"]) for bound in spared.values()]
    return Finding(spared[at.most], "points", alike, f"HR@10 at K = {at.most}")


def added_time(at: At) -> Finding:
    base, guided = (frames.select(at.results.runs, run=at.run(method)).iloc[0]
                    for method in ("base", "adv_cas"))
    if base["hardware"] != guided["hardware"]:
        raise MissingRecords("the two were timed on different machines")
    ratio = guided["seconds_per_epoch"] / base["seconds_per_epoch"]
    added = 100 * ratio * guided["adv_epochs"] / base["epochs"]
    return Finding({"value": added, "low": math.nan, "high": math.nan}, "%",
                   [bool(added <= times * _paper_time()) for times in (1, 2)],
                   f"an epoch takes {ratio:.2f} of the base's")


def _paper_time() -> float:
    paper = printed.paper_numbers()["section57_efficiency"]
    return 100 * paper["adversarial_100_epochs_minutes"] / paper["base_500_epochs_minutes"]


CLAIMS = (
    Claim("5.5", "Table 3", "Any adversarial method improves the base",
          f"for each of adv_linear, adv_seq, adv_global, adv_cas against base: {ABOVE} (NDCG@10)",
          ALL, any_method_helps, lambda setting: signed(min(
              paper_change(*setting, method) for method in (*PAPER_BASELINES, "adv_cas")))),
    better("5.5", "Table 3", "adv_cas is better than every baseline", "adv_cas", "base",
           *PAPER_BASELINES, settings=ALL, about="over the best other, {}"),
    Claim("5.5", SEVERAL, "The mean gain of adv_cas over the base",
          "the interval of the mean over data sets and both metrics lies above 0; and it reaches "
          "Table 3's mean over the same data sets", EVERYWHERE,
          lambda at: _mean(at, "gain", _paper_gain),
          _in_the_text(printed.PAPER_MEAN_GAIN_PERCENT, _paper_gain)),
    Claim("5.5", SEVERAL, "How much more adv_cas gains than the second best baseline",
          "as for the mean gain; the gain of adv_cas relative to the best gain of adv_linear, "
          "adv_seq, adv_global, in each column of Table 3; undecided where a best gain is not "
          "above 0 in every resample", EVERYWHERE,
          lambda at: _mean(at, "more gain", _paper_more),
          _in_the_text(printed.PAPER_MORE_GAIN_PERCENT, _paper_more)),
    Claim("5.5", SEVERAL, "The gains are larger on sparse data",
          "for each of the three sparse data sets: the 95% interval of its gain minus that on "
          "ml-1m (mean of both metrics) lies above 0", DENSE, sparse_gains_more, _paper_sparse),
    Claim("5.5", SEVERAL, "Only adv_cas helps GRU4Rec on Clothing",
          f"adv_cas against base: {ABOVE}; and then, for each of adv_linear, adv_seq, adv_global "
          "it does not (NDCG@10)", (("clothing", "gru4rec"),), only_cascade_helps,
          lambda setting: signed(paper_change(*setting, "adv_cas"))),
    Claim("5.5", "Figure 3", "The base has converged by 500 epochs; more epochs do not help",
          "the interval of base+100 minus base does not lie above 0, and ends below "
          f"+{HARDLY_PERCENT}%; that of the base's last minus its best-validation epoch does not "
          "lie below 0 (NDCG@10)", ALL, base_has_converged, lambda setting: "hardly (Figure 3)"),
    Claim("5.5", "Table 4", "Both cascade terms help, and together most (Table 4)",
          f"adv_cas_1 and adv_cas_2 against base, adv_cas against each of them: {ABOVE} (NDCG@10)",
          ALL[:4], both_terms_help, lambda setting: signed(min(
              paper_change(*setting, "adv_cas", versus=term)
              for term in ("adv_cas_1", "adv_cas_2")))),
    Claim("5.5", "Figure 4", "Epsilon 1 already helps (Figure 4)",
          f"adv_cas at epsilon 1 against base: {ABOVE} (NDCG@10)", VIDEO, small_epsilon_helps),
    Claim("5.5", "Figure 4", "Epsilon from 10 to 20 is best (Figure 4)",
          "epsilon 10 and epsilon 20, each against the best other one (chosen on validation): "
          f"{ABOVE} (NDCG@10)", VIDEO, best_epsilon),
    Claim("5.5", "Figure 4", "Accuracy falls above epsilon 30, and not before (Figure 4)",
          f"epsilon 30 against the base, and against the best larger one: {ABOVE} (NDCG@10)",
          VIDEO, large_epsilon_falls),
    Claim("5.6", "Figure 5", "Replacing the first or the middle item costs the base 0 to 3%",
          "for each of the two places: the 95% interval of the change lies above -3% (NDCG@10)",
          VIDEO, early_items_cost_little, lambda setting: "0 to -3%"),
    Claim("5.6", SEVERAL, "Replacing the last item costs the base models 23% NDCG and 11% hits",
          "for both metrics, mean of the two backbones: the 95% interval of the change lies below "
          "0; and it holds the paper's number", (("video", "both"),), last_item_costs,
          lambda setting: "{ndcg@10:.1f}%; HT@10 {hr@10:.1f}%".format(
              **{m: -drop for m, drop in printed.PAPER_LAST_DROP_PERCENT.items()})),
    Claim("5.6", "Figure 5", "At the last item adv_cas loses less than base and generic training",
          "adv_cas against base, adv_linear, adv_global: the 95% interval of the difference of "
          "the relative changes lies above 0 (NDCG@10)", VIDEO, adv_cas_against(
              "spared", "points", "less than {}", "base", "adv_linear", "adv_global")),
    Claim("5.6", "Figure 6", "With K last items replaced, adv_cas falls more slowly than base",
          "the same for HR@10 and each K from 1 to 5, against base", ALL[:-1],
          with_last_k("spared", "points", "HR@10 at K = {}")),
    Claim("5.6", SEVERAL, "Except GRU4Rec on MovieLens-1M, where both fall alike",
          "for each K from 1 to 5 the 95% interval of that difference holds 0", ALL[-1:],
          decay_is_alike),
    Claim("5.6", "Figure 6", "With 5 items replaced, adv_cas is still above the base on clean data",
          f"adv_cas attacked at K = 5 against base not attacked, same users: {ABOVE} (HR@10)",
          tuple(setting for setting in ALL if setting[0] in PAPER_SPARSE), lambda at: all_above(
              {"": at.attacked("base", "above_clean", "hr@10", k=at.most)}, "HR@10",
              "attacked adv_cas over clean base")),
    Claim("5.7", "Section 5.7", "The second phase adds no more than 78% of the training time",
          "100 epochs of adv_cas over 500 of the base take no more than the paper's share; and no "
          "more than twice that (times have no bootstrap interval, and come from a machine with "
          "other work on it)", ALL[:4], added_time,
          lambda setting: f"+{_paper_time():.0f}%" if setting[0] == "ml-1m" else ""),
    in_both("The gain of adv_cas survives against base+100", "adv_cas", "base+100",
            "adv_cas against base+100, "),
    in_both("The gain of adv_cas survives against the base's best-validation epoch", "adv_cas",
            "base", "adv_cas (last epoch) against it, ", "best"),
    Claim(OURS, "seeds", "adv_cas is above adv_global with every seed",
          f"for each seed: {ABOVE} (NDCG@10)", VIDEO, every_seed),
    in_both("adv_neighbour is more accurate than adv_cas", "adv_neighbour", "adv_cas", ""),
    Claim(OURS, "attacks", "With the last item replaced, adv_neighbour ranks better than adv_cas",
          f"attacked alike, for each of {', '.join(LAST_ITEM)}: {ABOVE} (NDCG@10)", ALL,
          ours_against("above", "NDCG@10", LAST_ITEM)),
    Claim(OURS, "attacks",
          "With the last item replaced, adv_neighbour loses a smaller share than adv_cas",
          "the same for the difference of the relative changes", ALL,
          ours_against("spared", "points", LAST_ITEM)),
    *(claim for scope, words in (("batch", "norms over the batch"),
                                 ("literal", "norms as Eq. 7 and 9 are printed"))
      for claim in (
          Claim(OURS, "the paper's values",
                f"The paper's epsilon 10 and lambda 1 improve the base, {words}",
                f"adv_global and adv_cas against base: {ABOVE} (NDCG@10)", ALL[:2],
                paper_values(scope, "base")),
          Claim(OURS, "the paper's values",
                f"With these values adv_cas is better than adv_global, {words}",
                "adv_cas against adv_global, both with the paper's values, and against base: "
                f"{ABOVE} (NDCG@10)", ALL[:2], paper_values(scope, "adv_global")))),
    # what notebooks ask besides
    *(better("5.5", "Table 3", *row) for row in (
        ("Level 2 alone improves the base", "adv_linear", "base"),
        ("Level 1 alone improves the base", "adv_seq", "base"),
        ("Both levels improve the base", "adv_global", "base"),
        ("Both levels with cascade weights improve the base", "adv_cas", "base"),
        ("adv_cas is better than level 2 alone", "adv_cas", "adv_linear"),
        ("adv_cas is better than level 1 alone", "adv_cas", "adv_seq"),
        ("Cascade weights are better than equal weights", "adv_cas", "adv_global"))),
    *(better("5.5", "Table 4", *row) for row in (
        ("The own-history term alone improves the base", "adv_cas_1", "base"),
        ("The other-histories term alone improves the base", "adv_cas_2", "base"),
        ("Both terms are better than the own-history term", "adv_cas", "adv_cas_1"),
        ("Both terms are better than the other-histories term", "adv_cas", "adv_cas_2"))),
    Claim(OURS, "Figure 4", "The epsilon chosen on validation improves the base",
          f"against base, and against base+100: {ABOVE} (NDCG@10)", (), chosen_epsilon_helps),
    Claim("5.6", "Figure 5", "The last item costs the base more than the first",
          f"{SHARES} (NDCG@10)", (), milder(positions="first")),
    *(Claim(section, "Figure 5", f"adv_cas loses a smaller share than {method}, {words}",
            f"{SHARES} (NDCG@10)", (), adv_cas_against("spared", "points", "NDCG@10", method,
                                                       **attack))
      for section, method, words, attack in (
          ("5.6", "base", "last item", {}), ("5.6", "adv_linear", "last item", {}),
          ("5.6", "adv_seq", "last item", {}), ("5.6", "adv_global", "last item", {}),
          (OURS, "base", "plain nearest item", {"pick": "nearest"}))),
    Claim("5.6", "Figure 5", "After the attack on the last item adv_cas is still above the base",
          f"both attacked: {ABOVE} (NDCG@10)", (), adv_cas_against("above", "NDCG@10", "", "base")),
    Claim(OURS, "Figure 5", "The gradient costs the base more than the plain nearest item",
          f"{SHARES} (NDCG@10)", (), milder(pick="nearest")),
    Claim(OURS, "Figure 5", "A random item costs the base more than the gradient's",
          f"{SHARES} (NDCG@10)", (), lambda at: all_above(
              {"base": turned(at.attacked("base", "milder", pick="random"))}, "points")),
    Claim(OURS, "Figure 5", "adv_neighbour loses a smaller share than adv_cas, last item",
          f"{SHARES} (NDCG@10)", (), ours_against("spared", "points", {"gradient": {}})),
    Claim("5.6", "Figure 6", "With K last items replaced, adv_cas is still above base",
          f"both attacked, each K: {ABOVE} (HR@10)", (), with_last_k("above", "HR@10", "K = {}")),
)  # fmt: skip


def check(results: Results, settings: Iterable[Setting] | None = None, topic: str | None = None,
          claims: Iterable[Claim] = CLAIMS, **options) -> pd.DataFrame:
    """Claims put to the test: one row a claim and setting.

    settings: a reader's own, for all claims that make sense there; None: where each claim says.
    topic: claims about this table or figure alone. options: of `At`.
    Columns: section, claim, dataset, backbone, paper (text), ours, low, high (NaN where there is
    no number), unit, about (which number is shown), verdict and rule. `attrs["missing"]`: what the
    rows "not run" lack, {row: sentence}.
    """
    rows, missing = [], {}
    for claim in claims:
        if (topic or claim.topic) != claim.topic or (settings and claim.topic == SEVERAL):
            continue
        for setting in settings or claim.settings:
            is_its_own = setting in claim.settings or not claim.settings
            row = {"section": claim.section, "claim": claim.text, "dataset": setting[0],
                   "backbone": setting[1], "paper": claim.paper(setting) if is_its_own else ""}
            at, found = At(results, setting, **options), Finding({}, "", [])
            try:
                found = claim.test(at)
                word = verdict(found.conditions)
            except MissingRecords as error:
                missing[len(rows)], word = str(error), "not run"
            competes = word != "not run" and claim.section == "5.6" and (
                setting[1] in frames.BACKBONE_NAMES and at.rule == "original")
            rows.append(row | {
                **{column: found.shown.get(name, math.nan) for column, name in
                   (("ours", "value"), ("low", "low"), ("high", "high"))},
                "unit": found.unit, "verdict": word, "rule": claim.rule,
                "about": found.about + ", while substitutes compete" * competes})
    table = pd.DataFrame(rows, columns=["section", "claim", "dataset", "backbone", "paper", "ours",
                                        "low", "high", "unit", "about", "verdict", "rule"])
    table.attrs["missing"] = missing
    return table


def verdict(conditions: list[bool]) -> str:
    """The word for conditions that hold or not; "undecided" where there is none."""
    if not conditions:
        return "undecided"
    return "reproduced" if all(conditions) else "partly" if any(conditions) else "not"
