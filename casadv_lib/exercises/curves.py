"""Notebook 06: reading learning curves."""

from .common import exercise


def made_curve(validation: list[float], test: list[float] | None = None, every: int = 5) -> list:
    """A curve with an entry every `every` epochs; test is the validation's reverse by default."""
    values = zip(validation, test or validation[::-1])
    return [{"epoch": every * count, "validation": {"ndcg@10": one}, "test": {"ndcg@10": two}}
            for count, (one, two) in enumerate(values, start=1)]


RISING = made_curve([0.02, 0.04, 0.05, 0.06])
FALLING = made_curve([0.05, 0.09, 0.08, 0.06, 0.07], [0.05, 0.06, 0.07, 0.10, 0.08])
TWO_TOPS = made_curve([0.03, 0.07, 0.05, 0.07, 0.06, 0.08, 0.02], every=2)
STEEP = made_curve([0.1] * 5, [0.10, 0.13, 0.14, 0.145, 0.15], every=1)


@exercise([(RISING,), (FALLING,), (TWO_TOPS[:4],)], "the epoch")
def check_best_epoch(curve):
    """function(curve) -> the epoch with the best validation NDCG@10, the earliest of equals."""
    # max keeps the first of equals
    return max(curve, key=lambda entry: entry["validation"]["ndcg@10"])["epoch"]


@exercise(
    [(RISING, 2), (FALLING, 2), (FALLING, 9), (TWO_TOPS, 2), (TWO_TOPS, 4), (TWO_TOPS, 1)],
    ("the epoch of the end", "the epoch that is kept"))
def check_early_stopping(curve, patience):
    """function(curve, patience) -> (epoch of the end, epoch that is kept)."""
    entry, best, waited = curve[0], curve[0], 0
    for entry in curve[1:]:
        is_better = entry["validation"]["ndcg@10"] > best["validation"]["ndcg@10"]
        best, waited = (entry, 0) if is_better else (best, waited + 1)
        if waited == patience:
            break
    return entry["epoch"], best["epoch"]


@exercise([(STEEP, 0.05, 0.5), (STEEP, 0.05, 0.85), (FALLING, 0.04, 1.0)], "the epoch")
def check_first_reaching(curve, start, share):
    """function(curve, start, share) -> the first epoch with that share of the gain (test)."""
    goal = start + share * (curve[-1]["test"]["ndcg@10"] - start)
    return next(entry["epoch"] for entry in curve if entry["test"]["ndcg@10"] >= goal)
