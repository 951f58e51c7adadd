"""Going on from published results: records that count although their runs are not stored here.

A grid of days is made piece by piece, on machines that come and go; checkpoints are too large to
be handed on. So what is handed on is results.json with the hits beside it (see `hits`): a run
whose record is there counts as made. Where a missing run starts from such a run, that one is made
again first, and must give the stored numbers to the last digit.
"""

from __future__ import annotations

from pathlib import Path

from ..attacks import EXCLUDES
from ..support.files import read_json
from .hits import Outcome, hits_path, read_hits

COMPARED = ("metrics", "curve", "versus_base")  # of a record; times and dates may differ


class Kept:
    """The records of a folder's results.json that have their hits beside them."""

    def __init__(self, folder: Path | str):
        self.folder = Path(folder)
        path = self.folder / "results.json"
        self.results: dict = read_json(path) if path.exists() else {}
        self._records = {record["run"]: record for record in self.results.get("records", ())
                         if "run" in record and hits_path(self.folder, record["run"]).exists()}
        self._codes: dict[str, dict] = {}

    def records(self) -> list[dict]:
        """All records that count."""
        return list(self._records.values())

    def record(self, run: str) -> dict | None:
        """The record of a run, by the name of its folder; None where there is none."""
        return self._records.get(run)

    def outcome(self, run: str) -> Outcome:
        """A kept run as comparisons see it."""
        record = self._records[run]
        return Outcome(run, record["config"], Path(record["config"]["dataset"]).stem,
                       record["provenance"]["data_hash"], self._of(run))

    def has_attacks(self, run: str, stems: list[str]) -> bool:
        """Whether a run's record holds all of these attacks (see `runs.attack_stem`)."""
        return run in self._records and all(
            f"{stem}-{EXCLUDES[0]} attacked" in self._of(run) for stem in stems)

    def _of(self, run: str) -> dict:
        if run not in self._codes:
            self._codes[run] = read_hits(self.folder, run)
        return self._codes[run]


def differences(record: dict, again: dict) -> list[str]:
    """The parts in which a run made again differs from its record; [] where all is equal.

    Compared to the last digit: the metrics of both splits, the curve, and the intervals of the
    difference to the base. Each part is named with both numbers of the last epoch's NDCG@10.
    """
    first, second = (found["metrics"]["last"]["test"]["ndcg@10"] for found in (record, again))
    return [f"{name} (test NDCG@10 of the last epoch: stored {first!r}, now {second!r})"
            for name in COMPARED if record[name] != again[name]]
