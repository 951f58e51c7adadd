"""Rows of a benchmark: medians and their spread, a ratio pair by pair, a target and verdict."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median


def spread(values: Sequence[float], unit: str) -> dict:
    """Median, least and most of repeated measurements."""
    return {"median": median(values), "low": min(values), "high": max(values), "unit": unit,
            "repeats": len(values)}


def faster(what: str, here: Sequence[float], against: str, other: Sequence[float],
           at_least: float | None = None, unit: str = "s", headline: bool = False) -> dict:
    """How many times as fast as `other` the library is; the values of a turn make a pair."""
    ratios = [b / a for a, b in zip(here, other, strict=True)]
    return _row(what, spread(here, unit), against, spread(other, unit), spread(ratios, "x"),
                {"ratio_at_least": at_least}, headline)


def dearer(what: str, here: Sequence[float], against: str, other: Sequence[float],
           at_most: float | None = None, unit: str = "s", headline: bool = False) -> dict:
    """How many times the cost of `other` the library's work has."""
    ratios = [a / b for a, b in zip(here, other, strict=True)]
    return _row(what, spread(here, unit), against, spread(other, unit), spread(ratios, "x"),
                {"ratio_at_most": at_most}, headline)


def measured(what: str, here: Sequence[float], unit: str, at_most: float | None = None,
             headline: bool = False) -> dict:
    """A measurement that is compared with nothing but its target."""
    return _row(what, spread(here, unit), None, None, None, {"at_most": at_most}, headline)


def _row(what, here, against, other, ratio, target, headline) -> dict:
    (kind, bound), = target.items()
    row = {"what": what, "here": here, "against": against, "other": other, "ratio": ratio,
           "headline": headline, "target": None, "met": None}
    if bound is not None:
        value = (ratio or here)["median"]
        met = value >= bound if kind == "ratio_at_least" else value <= bound
        row |= {"target": {kind: bound}, "met": bool(met)}
    return row
