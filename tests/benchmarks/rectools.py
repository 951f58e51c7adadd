"""An epoch of phase 1 against RecTools' SASRec, trained by Lightning (RecTools has no GRU4Rec)."""

from __future__ import annotations

from benchmarks.public import compare

MATCHED = {"ours": "sasrec", "loss": "BCE", "negatives": 1, "batch_size": 128}
SHIPPED = {"ours": "sasrec", "loss": "softmax", "negatives": 1, "batch_size": 128,
           "headline": False}


def main(dataset: str = "beauty", batches: int = 24, repeats: int = 3, dim: int = 100,
         device: str = "cpu", steps: int = 8, shipped: bool | None = None, script=None) -> dict:
    """steps: of theirs, a turn. shipped: also with its default loss; None: not for ml-1m."""
    variants = {"RecTools SASRec": MATCHED | {"steps": steps}}
    if dataset != "ml-1m" if shipped is None else shipped:
        variants["RecTools SASRec, its default loss"] = SHIPPED | {"steps": max(1, steps // 4)}
    found = compare("rectools", dataset, variants, batches, repeats, dim, device, script)
    found["notes"].append(
        "RecTools pads every history to T and has a target at each place, as here; its rows have "
        "the same binary cross-entropy with one negative, its default is a softmax over all items "
        "at each place. It drops nothing of the user's own items from the negatives, and its Adam "
        "has no decay."
    )
    return found
