"""How the cost grows: with users, with items, and with the length of the histories."""

from __future__ import annotations

import numpy as np
import torch
from benchmarks.curves import exponent
from benchmarks.measuring import measured, take_turns, timed
from benchmarks.worlds import dataset_of

import casadv_lib as cas
from casadv_lib.experiments.configuration import USUAL
from casadv_lib.settings import AdversarialSettings, TrainingSettings
from casadv_lib.training import Trainer

USERS, ITEMS = (500, 2000, 8000), (1000, 4000, 16000)
LENGTHS = (50, 100, 200, 400)
FIXED = {"users": 1000, "items": 2000, "users_of_length": 128}


def actions(data, max_len: int, dim: int, device: str) -> dict:
    """The four curves: an epoch of each backbone, one of adv_cas, the ranking of all users."""
    settings = TrainingSettings(epochs=1, device=device, health="note")
    models = {}
    for name in ("SASRec", "GRU4Rec"):
        torch.manual_seed(0)
        models[name] = getattr(cas, name)(data.n_items, max_len=max_len, dim=dim).to(device)
    base = {name: Trainer(model, data, settings) for name, model in models.items()}
    cascade = Trainer(models["SASRec"], data, settings, "adv_cas", AdversarialSettings(**USUAL))
    return {
        "SASRec, phase 1": base["SASRec"].train_epoch,
        "GRU4Rec, phase 1": base["GRU4Rec"].train_epoch,
        "SASRec, adv_cas": cascade.train_epoch,
        "SASRec, ranking": lambda: cas.evaluate(models["SASRec"], data),
    }


def curve(worlds: dict[int, tuple], repeats: int, dim: int, device: str) -> dict:
    """worlds: {size: (data, max_len)}. All sizes and actions take turns."""
    clocks = {(name, size): timed(action) for size, (data, max_len) in worlds.items()
              for name, action in actions(data, max_len, dim, device).items()}
    seconds = take_turns(clocks, repeats)
    lines = {}
    for name in dict.fromkeys(name for name, _ in clocks):
        turns = np.array([seconds[name, size] for size in worlds])
        lines[name] = {"median": np.median(turns, 1).tolist(), "low": turns.min(1).tolist(),
                       "high": turns.max(1).tolist(),
                       "exponents": [exponent(list(worlds), turn) for turn in turns.T]}
    return {"x": list(worlds), "lines": lines}


def main(users=USERS, items=ITEMS, lengths=LENGTHS, fixed=None, repeats: int = 3, dim: int = 100,
         device: str = "cpu") -> dict:
    fixed = FIXED | (fixed or {})
    many = fixed["users_of_length"]
    curves = {  # name: ({size: (data, T)}, the axis, what stays as it is)
        "users": ({n: (dataset_of(n, fixed["items"]), 50) for n in users},
                  "users", f"{fixed['items']:,} items, about 9 a history"),
        "items": ({n: (dataset_of(fixed["users"], n), 50) for n in items},
                  "items in the catalogue", f"{fixed['users']:,} users, about 9 items a history"),
        # three items more: one target to learn from, two held out
        "length": ({n: (dataset_of(many, fixed["items"], n + 3), n) for n in lengths},
                   "items a history = T", f"{many} users, {fixed['items']:,} items"),
    }
    drawn = {name: curve(worlds, repeats, dim, device) | {"label": label, "fixed": words}
             for name, (worlds, label, words) in curves.items()}
    rows = [measured(f"{name}: exponent in the number of {one['label']}", line["exponents"], "")
            for one in drawn.values() for name, line in one["lines"].items()]
    return {"title": "How the cost grows", "rows": rows, "curves": drawn,
            "notes": ["Seconds grow like size ** exponent, fitted over the sizes of a curve: 1 is "
                      "linear. Made-up data; the other sizes stand above each panel."]}
