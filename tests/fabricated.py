"""Made-up results: tidy tables with intervals, from a few plain numbers.

A level is a score relative to the base's; NDCG@10 is 0.04 times it, HR@10 0.08 times. Every
interval is the value plus or minus a width, so that a test says by its numbers what holds.
"""

from dataclasses import replace
from itertools import combinations, product

import numpy as np
import pandas as pd

from casadv_lib.adversarial import METHOD_ORDER
from casadv_lib.evaluation import METRICS
from casadv_lib.experiments.configuration import EPSILONS, attack_name, attack_options
from casadv_lib.experiments.plan import PLAN
from casadv_lib.results.frames import COLUMNS, Results

SETTINGS = [(dataset, backbone) for backbone, dataset in product(
    ("sasrec", "gru4rec"), ("beauty", "video", "clothing", "ml-1m"))]
LEVELS = {"base": 1.0, "base+100": 1.0, "adv_random": 1.0, "adv_linear": 1.10, "adv_seq": 1.08,
          "adv_global": 1.12, "adv_cas_1": 1.2, "adv_cas_2": 1.2, "adv_cas": 1.3,
          "neighbour": 1.2, "adv_neighbour": 1.4}
WIDTH = 0.01  # half of an interval, relative to the base
SCALE = {"ndcg@10": 0.04, "hr@10": 0.08}
ATTACKED = ("base", "adv_linear", "adv_seq", "adv_global", "adv_cas", "adv_neighbour")


def bounds(value, width=WIDTH):
    return {"value": value, "low": value - width, "high": value + width}


def scores(level, end=""):
    return {metric + end: scale * level for metric, scale in SCALE.items()}


class World:
    """Rows of the tables, put together one run at a time."""

    def __init__(self):
        self.rows = {name: [] for name in COLUMNS}
        self.levels, self.shared, self.provenance = {}, {}, {}

    def run(self, setting, method, level, roles="main", detail="", **columns):
        name = "-".join((*setting, method)) + detail
        self.levels[name] = level
        self.provenance[name] = {"hardware": "two cores"}
        self.shared[name] = {"run": name, "dataset": setting[0], "backbone": setting[1],
                             "loss": "bce", "method": method, "seed": 0, "roles": roles} | columns
        own = {"epsilon": 3.0, "lambda1": 0.1, "preset": "batch", "tie_rate": 0.0, "epochs": 500,
               "adv_epochs": 100, "data_hash": "00000001", "hardware": "two cores",
               "train_seconds": 500.0, "seconds_per_epoch": 1.0 if method == "base" else 3.5}
        end = 500 if method == "base" else 600
        self.rows["runs"] += [
            own | self.shared[name] | scores(level)
            | {"which": which, "split": split, "epoch": end if which == "last" else end - 20}
            for which, split in product(("last", "best"), ("validation", "test"))]
        return name

    def interval(self, setting, run, quantity, shown, metrics=tuple(METRICS), **columns):
        empty = dict.fromkeys(("versus", "versus_which", "attack", "exclude"), "")
        self.rows["intervals"] += [
            empty | {"kind": "attack", "run": run, "which": "last", "metric": metric,
                     "quantity": quantity, "dataset": setting[0], "backbone": setting[1]}
            | columns | shown for metric in metrics]

    def pair(self, setting, run, versus, versus_which="last"):
        one, two = self.levels[run], self.levels[versus]
        ends = {"kind": "pair", "versus": versus, "versus_which": versus_which}
        for metric, scale in SCALE.items():
            self.interval(setting, run, "difference", bounds(scale * (one - two), scale * WIDTH),
                          [metric], **ends)
        self.interval(setting, run, "percent", bounds(100 * (one / two - 1), 100 * WIDTH), **ends)

    def attack(self, setting, method, change, less, above, to_last=1.0, rules=("both",),
               **options):
        """less, above: of adv_cas, than this method; to_last: than the gradient on the last."""
        run, guided = ("-".join((*setting, name)) for name in (method, "adv_cas"))
        asked = attack_options(**options) | {"surrogate": options.get("surrogate") or ""}
        for rule in rules:
            where = {"attack": attack_name(**options), "exclude": rule}
            against = where | {"versus": run, "versus_which": "last"}
            for one, quantity, shown, names in (
                    (run, "change", bounds(change, 0.5), where),
                    (run, "change difference to last item", bounds(to_last, 0.5), where),
                    (guided, "change difference", bounds(less, 1.0), against),
                    (guided, "difference", bounds(above), against),
                    (guided, "difference to clean", bounds(above), against)):
                if names is where or run != guided:
                    self.interval(setting, one, quantity, shown, **names)
            self.rows["attacks"].append(
                self.shared[run] | where | asked | scores(self.levels[run], "_clean")
                | scores(self.levels[run] * (1 + change / 100))
                | {"split": "test", "users": 1000, "distance": 0.7, "unit": 0.8, "seconds": 1.0})

    def methods(self, setting, levels=LEVELS):
        names = [self.run(setting, method, levels[method]) for method in METHOD_ORDER]
        for versus, run in combinations(names, 2):
            self.pair(setting, run, versus)
        for run in names:
            self.pair(setting, run, names[0], "best")

    def attacks(self, setting, less=5.0, rules=("both",)):
        for method in ATTACKED:
            sizes = (-5.0, -0.1) if method == "adv_neighbour" else (less, 0.1)
            for options in PLAN["attacks"] + PLAN["attacks_by_base"] * (method != "base"):
                self.attack(setting, method, -1.0 if "positions" in options else -23.0, *sizes,
                            -1.0 if options.get("pick") == "random" else 1.0, rules, **options)

    def sweep(self, setting, levels):
        runs = [self.run(setting, "adv_cas", level, "sweep", f"-epsilon{epsilon:g}",
                         epsilon=epsilon) for epsilon, level in zip(EPSILONS, levels, strict=True)]
        controls = ["-".join((*setting, control)) for control in ("base", "base+100")]
        for versus, run in [*combinations(runs, 2), *product(controls, runs)]:
            self.pair(setting, run, versus)

    def variants(self, setting, role, equal, guided, **values):
        """adv_global and adv_cas once more, with each of the values of one column."""
        [(column, own)] = values.items()
        for value in own:
            names = ["-".join((*setting, "base")), *(
                self.run(setting, method, level, role, f"-{value}", **{column: value})
                for method, level in (("adv_global", equal), ("adv_cas", guided)))]
            for versus, run in combinations(names, 2):
                self.pair(setting, run, versus)

    def averages(self, gain, more, sparse, last):
        rows = [(("beauty+video", backbone), quantity, value, "") for backbone, (quantity, value)
                in product(("sasrec", "gru4rec"), (("gain", gain), ("more gain", more)))]
        rows += [(setting, "sparse gain", sparse, "") for setting in SETTINGS]
        rows += [(("video", "both"), "last item", value, metric)
                 for metric, value in zip(METRICS, last, strict=True)]
        for setting, quantity, value, metric in rows:
            self.interval(setting, "", quantity, bounds(value, 1.0), [metric], kind="average",
                          which="")

    def results(self, **parts) -> Results:
        tables = {name: pd.DataFrame(rows, columns=COLUMNS[name])
                  for name, rows in self.rows.items() if rows}
        return Results("paper", **{"configs": {name: {} for name in self.shared},
                                   "provenance": self.provenance} | tables | parts)


def perfect() -> Results:
    """A world in which every claim holds that can: two of them exclude each other."""
    world = World()
    others = dict.fromkeys(("adv_linear", "adv_seq", "adv_global"), 1.0)
    for setting in SETTINGS:
        world.methods(setting, LEVELS | (others if setting == ("clothing", "gru4rec") else {}))
        world.attacks(setting, 0.0 if setting == ("ml-1m", "gru4rec") else 5.0)
    for setting in SETTINGS[1::4]:  # Video
        world.sweep(setting, (1.0, 1.1, 1.12, 1.15, 1.3, 1.25, 1.15, 1.05))
        world.variants(setting, "seed", 1.1, 1.3, seed=(1, 2))
    for setting in SETTINGS[:2]:
        world.variants(setting, "values", 1.2, 1.25, preset=("batch", "literal"))
    world.averages(40, 200, 10, (-23.2, -11))
    return world.results()


def matching(table: pd.DataFrame, **where) -> np.ndarray:
    """Which rows have these values."""
    return np.logical_and.reduce([table[name] == value for name, value in where.items()])


def changed(results: Results, value=0.0, low=-1.0, high=1.0, **where) -> Results:
    """The same with other bounds in all intervals that have these values."""
    table, rows = results.intervals.copy(), matching(results.intervals, **where)
    assert rows.any(), where
    table.loc[rows, ["value", "low", "high"]] = [value, low, high]
    return replace(results, intervals=table)


def without(results: Results, **where) -> Results:
    """The same without the runs that have these values."""
    return replace(results, runs=results.runs[~matching(results.runs, **where)])
