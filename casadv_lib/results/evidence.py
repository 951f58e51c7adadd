"""Looking up, in stored results, the intervals that a claim is about.

Every look-up raises MissingRecords where the results do not hold it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from ..experiments.plan import EPSILONS
from ..experiments.runs import attack_path
from .records import METRICS, MissingRecords, epsilon_sweep, main_record, records_of, rule_of

_NOWHERE = Path()  # the name of an attack's file is the same in every folder


class Evidence:
    """The intervals of a results.json: {"value", "low", "high"} each, on the test split."""

    def __init__(self, results: dict):
        self.results = results
        self._pairs = {(*pair["better"], *pair["worse"]): pair for pair in
                       results.get("pairs", ())}
        self._drops = {(drop["run"], drop["attack"]): drop for drop in results.get("drops", ())}

    def run(self, place: tuple[str, str], method: str) -> str:
        """The name of the main run of a method; place: (dataset, backbone)."""
        return _run_of(main_record(self.results, *place, method))

    def pair(self, place: tuple[str, str], better: str, worse: str, epoch: str = "last",
             metric: str = "ndcg@10") -> dict[str, dict]:
        """The "difference" and "percent" of two methods; epoch: of the worse one, or "best"."""
        return self._pair(self.run(place, better), self.run(place, worse), epoch, metric)

    def _pair(self, better: str, worse: str, epoch: str, metric: str) -> dict[str, dict]:
        found = self._pairs.get((better, "last", worse, epoch))
        if found is not None:
            return found[metric]
        turned = self._pairs.get((worse, epoch, better, "last"))
        if turned is None:
            raise MissingRecords(f"no pair of the runs {better} and {worse} ({epoch} epoch)")
        bounds = turned[metric]["difference"]
        return {"difference": {"value": -bounds["value"], "low": -bounds["high"],
                               "high": -bounds["low"]}}

    def swept(self, place: tuple[str, str], fits: Callable[[float], bool]) -> tuple[float, str]:
        """(epsilon, run) of the sweep's best on validation among the epsilons that fit.

        Only the whole sweep counts: the best of half of it may not be the best.
        """
        sweep = epsilon_sweep(self.results, *place)
        if absent := [e for e in EPSILONS if e not in sweep]:
            raise MissingRecords(f"the sweep of {' and '.join(place)} has no epsilon "
                                 + ", ".join(f"{e:g}" for e in absent))
        there = {epsilon: record for epsilon, record in sweep.items() if fits(epsilon)}
        if not there:
            raise MissingRecords(f"no such epsilon in the sweep of {' and '.join(place)}")
        best = max(there, key=lambda e: there[e]["metrics"]["last"]["validation"]["ndcg@10"])
        return best, _run_of(there[best])

    def of_runs(self, better: str, worse: str) -> dict[str, dict]:
        """The pair of two runs by their names, NDCG@10, last epochs."""
        return self._pair(better, worse, "last", "ndcg@10")

    def rule(self, place: tuple[str, str]) -> str:
        """By which rule the attacks of a place are ranked (see `results.rule_of`)."""
        return rule_of(main_record(self.results, *place, "base"))

    def drop(self, place: tuple[str, str], method: str, what: str, metric: str = "ndcg@10",
             **attack) -> dict[str, float]:
        """What an attack on a method does: its "change", and against adv_cas under the same
        attack "spared", "above" and "above clean" (see `pairs`).

        attack: options of `runs.run_attack`; the rule is the place's own where none is named."""
        record = main_record(self.results, *place, method)
        attack = {"exclude": self.rule(place)} | attack
        run, name = _run_of(record), attack_path(_NOWHERE, **attack).stem
        if (run, name) not in self._drops:
            raise MissingRecords(f"no attack {name} on the run {run}")
        found = self._drops[run, name][metric]
        if what not in found:
            raise MissingRecords(f"the attack {name} on the run {run} has no such one on adv_cas")
        return found[what]

    def paper_values(self, place: tuple[str, str], scope: str) -> tuple[str, str]:
        """The runs of adv_global and adv_cas at the paper's epsilon and lambda; scope: "batch" or
        "literal" (see `plan.PAPER_VALUES`)."""
        [equal] = self.with_role(place, "adv_global", "values", scope=scope).values()
        [guided] = self.with_role(place, "adv_cas", "values", scope=scope).values()
        return equal, guided

    def averages(self, what: str, **where) -> list[dict]:
        """The averages of one kind; MissingRecords where there is none."""
        found = [row for row in self.results.get("averages", ())
                 if ({"what": what} | where).items() <= row.items()]
        if not found:
            raise MissingRecords(f"no average {what!r} of {where}")
        return found

    def with_role(self, place: tuple[str, str], method: str, role: str, **settings
                  ) -> dict[int, str]:
        """{seed: run} of a role ("main", "values", "seed") with these settings."""
        found = [record for record in records_of(self.results, *place, method)
                 if role in record.get("roles", ())
                 and settings.items() <= record["config"].items()]
        if not found:
            raise MissingRecords(f"no run of {method} for {role!r} on {' and '.join(place)}")
        return {record["config"]["seed"]: _run_of(record) for record in found}


def in_words(bound: dict, unit: str = "%") -> str:
    """Such as "+15.9% [+10.2, +21.3]"; the value alone where there are no bounds.

    unit: "%", or a word with a blank before it; metrics get four digits.
    """
    digits = 4 if unit.strip() in METRICS.values() else 1
    text = f"{bound['value']:+.{digits}f}{unit}"
    if bound["low"] is None:
        return text
    return f"{text} [{bound['low']:+.{digits}f}, {bound['high']:+.{digits}f}]"


def above_zero(bounds: Iterable[dict]) -> list[bool]:
    """For each interval whether it lies above 0; an interval without bounds does not."""
    return [bound["low"] is not None and bound["low"] > 0 for bound in bounds]


def _run_of(record: dict) -> str:
    if "run" not in record:
        raise MissingRecords(f"the record of {record['config']['method']} names no run; "
                             "`python -m casadv_lib grid --stored` writes the results anew")
    return record["run"]
