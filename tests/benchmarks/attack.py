"""Attacking all users, for each number K of replaced items, against ranking them."""

from __future__ import annotations

from benchmarks.rows import dearer
from benchmarks.timing import take_turns, timed
from benchmarks.worlds import model_of

import casadv_lib as cas


def main(dataset: str = "beauty", ks=(1, 2, 3, 5), repeats: int = 2, dim: int = 100,
         device: str = "cpu") -> dict:
    """The last K items, by gradient; the attack ranks clean and attacked users itself."""
    data = cas.load_dataset(dataset)
    model = model_of("sasrec", dataset, data.n_items, dim).to(device)
    clocks = {k: timed(lambda k=k: cas.attack(model, data, "last", k)) for k in ks}
    clocks["evaluate"] = timed(lambda: cas.evaluate(model, data))
    seconds = take_turns(clocks, repeats)
    return {
        "title": f"Replacing the last K items of every user of {data.name}",
        "rows": [
            dearer(f"{data.name}, SASRec: attack on the last {k}", seconds[k],
                   "one `evaluate`", seconds["evaluate"], headline=k == 1)
            for k in ks
        ],
        "data": data.fingerprint,
        "notes": ["An attack ranks its users twice, before and after, and searches substitutes "
                  "among all items; with a larger K fewer users are long enough."],
    }
