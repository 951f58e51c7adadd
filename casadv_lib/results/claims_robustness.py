"""Tests of the paper's claims about robustness (Section 5.6) and time (Section 5.7).

Each returns a `claims.Finding`, as those about accuracy do.
"""

from __future__ import annotations

from .claims import Finding, Place, signed
from .evidence import Evidence, above_zero
from .paper import MOST_REPLACED, PAPER_LAST_DROP_PERCENT, SMALL_PERCENT, paper_numbers
from .records import METRICS, MissingRecords, main_record


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


# the last item, by every attack that is stored: what a defence must not fear
LAST_ITEM = {
    "step 0.1": {}, "step 0.25": {"step": 0.25}, "step 0.5": {"step": 0.5}, "step 1": {"step": 1.0},
    "half-space": {"pick": "halfspace"}, "nearest": {"pick": "nearest"},
    "random": {"pick": "random"}, "substitutes of the base": {"surrogate": "base"},
}


def _against_guided(evidence: Evidence, place: Place, what: str, unit: str) -> Finding:
    """adv_neighbour under each of LAST_ITEM against adv_cas; a positive number is in its favour."""
    found = {}
    for name, attack in LAST_ITEM.items():
        stored = evidence.drop(place, "adv_neighbour", what, **attack)  # of adv_cas against it
        found[name] = {"value": -stored["value"], "low": -stored["high"], "high": -stored["low"]}
    least = min(found, key=lambda name: found[name]["value"])
    return Finding(found[least], unit, above_zero(found.values()), f"the least, {least}")


def neighbour_attacked_is_above(evidence: Evidence, place: Place) -> Finding:
    return _against_guided(evidence, place, "above", "NDCG@10")


def neighbour_loses_less(evidence: Evidence, place: Place) -> Finding:
    return _against_guided(evidence, place, "spared", "points")


def neighbour_is_more_accurate(evidence: Evidence, place: Place) -> Finding:
    pairs = [evidence.pair(place, "adv_neighbour", "adv_cas", metric=metric) for metric in METRICS]
    return Finding(pairs[0]["percent"], "%", above_zero(pair["difference"] for pair in pairs),
                   "NDCG@10")


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
