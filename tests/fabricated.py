"""Made-up results: tidy tables with intervals, from a few plain numbers.

A level is a score relative to the base's; NDCG@10 is 0.04 times it, HR@10 0.08 times. Every
interval is the value plus or minus a width, so that a test says by its numbers what holds.
"""

from itertools import combinations

import pandas as pd

from casadv_lib.experiments.configuration import EPSILONS, attack_name
from casadv_lib.results.claims import LAST_ITEM
from casadv_lib.results.frames import COLUMNS, METHOD_ORDER, METRICS, Results

SETTINGS = [(dataset, backbone) for backbone in ("sasrec", "gru4rec")
            for dataset in ("beauty", "video", "clothing", "ml-1m")]
LEVELS = {"base": 1.0, "base+100": 1.0, "adv_random": 1.0, "adv_linear": 1.10, "adv_seq": 1.08,
          "adv_global": 1.12, "adv_cas_1": 1.2, "adv_cas_2": 1.2, "adv_cas": 1.3,
          "neighbour": 1.2, "adv_neighbour": 1.4}
SWEEP = dict(zip(EPSILONS, (1.0, 1.1, 1.12, 1.15, 1.3, 1.25, 1.15, 1.05), strict=True))
WIDTH = 0.01  # half of an interval, relative to the base
SCALE = {"ndcg@10": 0.04, "hr@10": 0.08}
ATTACKED = ("base", "adv_linear", "adv_seq", "adv_global", "adv_cas", "adv_neighbour")
KINDS = {"first": {"positions": "first"}, "middle": {"positions": "middle"},
         **{f"K = {k}": {"k": k} for k in range(2, 6)}, **LAST_ITEM}


def bounds(value, width=WIDTH):
    return {"value": value, "low": value - width, "high": value + width}


class World:
    """Rows of the tables, put together one run at a time."""

    def __init__(self):
        self.rows = {name: [] for name in COLUMNS}
        self.levels, self.provenance = {}, {}

    def run(self, setting, method, level, roles="main", detail="", **columns):
        name = "-".join((*setting, method)) + detail
        self.levels[name] = level
        self.provenance[name] = {"hardware": "two cores", "device": "cpu"}
        shared = {"run": name, "dataset": setting[0], "backbone": setting[1], "loss": "bce",
                  "method": method, "seed": 0, "epsilon": 3.0, "lambda1": 0.1, "preset": "batch",
                  "roles": roles, "tie_rate": 0.0, "epochs": 500, "adv_epochs": 100,
                  "data_hash": "00000001", "hardware": "two cores", "train_seconds": 500.0,
                  "seconds_per_epoch": 1.0 if method == "base" else 3.5} | columns
        for which in ("last", "best"):
            for split in ("validation", "test"):
                self.rows["runs"].append(shared | {
                    "which": which, "split": split, "epoch": 600 if which == "last" else 580,
                    **{metric: scale * level for metric, scale in SCALE.items()}})
        return name

    def interval(self, setting, run, quantity, shown, metrics=tuple(METRICS), **columns):
        empty = dict.fromkeys(("which", "versus", "versus_which", "attack", "exclude"), "")
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
            self.interval(setting, run, "percent", bounds(100 * (one / two - 1), 100 * WIDTH),
                          [metric], **ends)

    def attack(self, setting, method, change, spared, above, milder=1.0, rules=("both",),
               **options):
        """spared, above: of adv_cas over this method; milder: than the gradient."""
        run, name = "-".join((*setting, method)), attack_name(**options)
        level = self.levels[run]
        for rule in rules:
            where = {"attack": name, "exclude": rule}
            self.interval(setting, run, "change", bounds(change, 0.5), **where)
            self.interval(setting, run, "milder", bounds(milder, 0.5), **where)
            if method != "adv_cas":
                self.interval(setting, run, "spared", bounds(spared, 1.0), **where)
                for quantity in ("above", "above_clean"):
                    self.interval(setting, run, quantity, bounds(above), **where)
            options = {"positions": "last", "k": 1, "pick": "gradient", "step": 0.1,
                       "surrogate": ""} | options
            self.rows["attacks"].append({
                "run": run, "dataset": setting[0], "backbone": setting[1], "loss": "bce",
                "method": method, "seed": 0, "roles": "main", "split": "test", "users": 1000,
                "distance": 0.7, "unit": 0.8, "seconds": 1.0, **where, **options,
                **{f"{m}_clean": scale * level for m, scale in SCALE.items()},
                **{m: scale * level * (1 + change / 100) for m, scale in SCALE.items()}})

    def methods(self, setting, levels=LEVELS):
        names = [self.run(setting, method, levels[method]) for method in METHOD_ORDER
                 if method in levels]
        for versus, run in combinations(names, 2):
            self.pair(setting, run, versus)
        for run in names:
            self.pair(setting, run, names[0], "best")

    def attacks(self, setting, spared=5.0, ours=1, rules=("both",), costs=-23.0, early=-1.0,
                above=0.1):
        """ours: 1 where adv_neighbour is better than adv_cas under every attack, -1: worse."""
        for method in ATTACKED:
            mine = method == "adv_neighbour"
            for kind, options in KINDS.items():
                self.attack(setting, method, early if kind in ("first", "middle") else costs,
                            -5.0 * ours if mine else spared, -0.1 * ours if mine else above,
                            -1.0 if options.get("pick") == "random" else 1.0, rules, **options)

    def sweep(self, setting, levels=SWEEP):
        runs = [self.run(setting, "adv_cas", level, "sweep", f"-epsilon{epsilon:g}",
                         epsilon=epsilon) for epsilon, level in levels.items()]
        for versus, run in combinations(runs, 2):
            self.pair(setting, run, versus)
        for run in runs:
            for control in ("base", "base+100"):
                self.pair(setting, run, "-".join((*setting, control)))

    def values(self, setting, equal=1.2, guided=1.25):
        base = "-".join((*setting, "base"))
        for scope in ("batch", "literal"):
            one, two = (self.run(setting, method, level, "values", f"-{scope}", preset=scope)
                        for method, level in (("adv_global", equal), ("adv_cas", guided)))
            for run, versus in ((one, base), (two, base), (two, one)):
                self.pair(setting, run, versus)

    def seeds(self, setting, equal=1.1, guided=1.3):
        for seed in (1, 2):
            one, two = (self.run(setting, method, level, "seed", f"-seed{seed}", seed=seed)
                        for method, level in (("adv_global", equal), ("adv_cas", guided)))
            self.pair(setting, two, one)

    def averages(self, gain=40, more=200, sparse=10, last=(-23.2, -11)):
        for backbone in ("sasrec", "gru4rec"):
            rows = [("gain", "beauty+video", gain), ("more gain", "beauty+video", more)]
            rows += [("sparse gain", name, sparse) for name in ("beauty", "video", "clothing")]
            for quantity, dataset, value in rows:
                self.interval((dataset, backbone), "", quantity, bounds(value, 1.0), [""],
                              kind="average", which="")
        for metric, value in zip(METRICS, last, strict=True):
            self.interval(("video", "both"), "", "last item", bounds(value, 1.0), [metric],
                          kind="average", which="")

    def results(self, **parts) -> Results:
        return Results("paper", **{
            name: pd.DataFrame(rows, columns=COLUMNS[name]) for name, rows in self.rows.items()
            if rows}, provenance=self.provenance).but(**parts)


def perfect(levels=LEVELS) -> Results:
    """A world in which every claim holds that can: two of them exclude each other."""
    world = World()
    for setting in SETTINGS:
        only = dict.fromkeys(("adv_linear", "adv_seq", "adv_global"), 1.0)
        world.methods(setting, levels | (only if setting == ("clothing", "gru4rec") else {}))
        world.attacks(setting, spared=0.0 if setting == SETTINGS[-1] else 5.0)
    for setting in SETTINGS[1::4]:  # Video
        world.sweep(setting)
        world.seeds(setting)
    for setting in SETTINGS[:2]:
        world.values(setting)
    world.averages()
    return world.results()


def bad() -> Results:
    """A world in which nothing holds."""
    world = World()
    for setting in SETTINGS:
        # more epochs help a lot, and the base was better before its end
        world.methods(setting, dict.fromkeys(LEVELS, 0.8) | {"base": 1.0, "base+100": 1.5})
        world.attacks(setting, spared=9.0 if setting == SETTINGS[-1] else -9.0, ours=-1,
                      costs=-1.0, early=-9.0, above=-0.1)
    for setting in SETTINGS[1::4]:
        world.sweep(setting, dict(zip(EPSILONS, (0.95, 0.9, 0.9, 0.9, 0.5, 0.5, 0.5, 0.95),
                                      strict=True)))
        world.seeds(setting, 1.1, 0.9)
    for setting in SETTINGS[:2]:
        world.values(setting, 0.8, 0.7)
    world.averages(-40, -200, -10, (2, 2))
    found = world.results()
    found = found.but(runs=found.runs.assign(
        seconds_per_epoch=[1.0 if m == "base" else 9.0 for m in found.runs["method"]]))
    found = changed(found, versus_which="best", quantity="difference", value=-1, low=-2, high=-1)
    return changed(found, quantity="milder", value=0, low=-1, high=1)


def changed(results: Results, value=0.0, low=-1.0, high=1.0, **where) -> Results:
    """The same with other bounds in all intervals that have these values."""
    table = results.intervals.copy()
    rows = pd.Series(True, index=table.index)
    for column, wanted in where.items():
        rows &= table[column] == wanted
    assert rows.any(), where
    table.loc[rows, ["value", "low", "high"]] = [value, low, high]
    return results.but(intervals=table)


def without(results: Results, **where) -> Results:
    """The same without the runs that have these values."""
    rows = pd.Series(True, index=results.runs.index)
    for column, wanted in where.items():
        rows &= results.runs[column] == wanted
    return results.but(runs=results.runs[~rows])
