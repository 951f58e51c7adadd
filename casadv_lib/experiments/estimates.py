"""How long a job will take, from the times of stored runs; a guess where none is like it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from statistics import median

from ..support.files import read_json
from .board import Board, epochs_of
from .plan import Job
from .runs import runs_folder

# An epoch of a method over an epoch of the base, where no stored run says it: by the passes that
# the method makes. Level 1 reads each history three times, level 2 moves vectors only.
OVER_BASE = {"base": 1.0, "base+100": 1.0, "neighbour": 1.0, "adv_linear": 1.2,
             "adv_neighbour": 1.2, "adv_seq": 2.5}
OVER_BASE_TWO_LEVELS = 3.0
SECONDS_AN_INTERACTION = 3e-5  # an epoch of the base, one thread, d = 100
SECONDS_A_SCORE = 1e-8  # evaluation: one user and one item
ALIKE = ("dim", "batch_size", "max_len", "backbone")


@dataclass(frozen=True)
class Estimate:
    """Seconds that are left of a job; is_guess: no stored run on this data and method says so."""

    seconds: float
    is_guess: bool

    def __add__(self, other: Estimate) -> Estimate:
        return Estimate(self.seconds + other.seconds, self.is_guess or other.is_guess)


class Times:
    """The times of all stored runs and attacks, by data set, method and size; of kept ones, too."""

    def __init__(self, records: Iterable[dict] = ()):
        """records: of runs that are kept and need not be stored here (see `kept`)."""
        self.epoch: dict[tuple, list[float]] = {}
        self.evaluation: dict[tuple, list[float]] = {}
        self.attack: dict[tuple, list[float]] = {}
        for record in records:
            self._learn(record["config"], record, record["attacks"])
        for path in sorted(runs_folder().glob("*/metrics.json")):
            attacks = [read_json(found) for found in (path.parent / "attacks").glob("*.json")]
            self._learn(read_json(path.parent / "config.json"), read_json(path), attacks)

    def _learn(self, config: dict, made: dict, attacks: list[dict]) -> None:
        place = self._place(config)
        self.epoch.setdefault((*place, config["method"]), []).append(made["seconds"]["per_epoch"])
        # a run that was cut off counts its wall time from the last start only
        beside = made["provenance"]["wall_seconds"] - made["seconds"]["train"]
        if beside > 0:
            self.evaluation.setdefault(place, []).append(beside / (len(made["curve"]) + 2))
        for found in attacks:
            self.attack.setdefault(place, []).append(found["provenance"]["wall_seconds"])

    @staticmethod
    def _place(config: dict) -> tuple:
        return (config["dataset"], *(config.get(name) for name in ALIKE))

    def per_epoch(self, config: dict, interactions: int) -> Estimate:
        """Seconds an epoch: measured on the same data, or scaled from the nearest runs."""
        place, method = self._place(config), config["method"]
        if (*place, method) in self.epoch:
            return Estimate(median(self.epoch[*place, method]), False)
        ratio = self._ratio(method)
        if (*place, "base") in self.epoch:
            return Estimate(ratio * median(self.epoch[*place, "base"]), True)
        return Estimate(ratio * SECONDS_AN_INTERACTION * interactions, True)

    def _ratio(self, method: str) -> float:
        """An epoch of the method over one of the base, where any data set has both."""
        found = [median(times) / median(self.epoch[*place, "base"])
                 for (*place, name), times in self.epoch.items()
                 if name == method and (*place, "base") in self.epoch]
        return median(found) if found else OVER_BASE.get(method, OVER_BASE_TWO_LEVELS)

    def per_evaluation(self, config: dict, scores: int) -> Estimate:
        """Seconds for both splits; scores: users times items."""
        known = self.evaluation.get(self._place(config))
        return Estimate(median(known), False) if known else \
            Estimate(2 * SECONDS_A_SCORE * scores, True)

    def per_attack(self, config: dict, scores: int) -> Estimate:
        known = self.attack.get(self._place(config))
        return Estimate(median(known), False) if known else \
            Estimate(3 * SECONDS_A_SCORE * scores, True)


def time_left(board: Board, job: Job, times: Times) -> Estimate:
    """What is left of a job that is not done, from its checkpoint on."""
    data, config = board.data(job), board.rough(job)
    done, total = board.progress(job)
    scores = data.n_users * data.n_items
    if job.attacks:
        one = times.per_attack(config, scores)
        return Estimate((total - done) * one.seconds, one.is_guess)
    own = board.epoch_seconds(job)
    epoch = Estimate(median(own), False) if own else times.per_epoch(config, data.n_interactions)
    once = times.per_evaluation(config, scores)
    every = config["eval_every"] or epochs_of(config)
    evaluations = -(-(total - done) // every) + 2  # the last epoch and the best, once more
    return Estimate((total - done) * epoch.seconds, epoch.is_guess) + Estimate(
        evaluations * once.seconds, once.is_guess)


def in_words(seconds: float) -> str:
    """Such as "2 h 05 min" or "40 s"."""
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes // 60} h {minutes % 60:02d} min" if minutes >= 60 else f"{minutes} min"
