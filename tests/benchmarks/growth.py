"""How the cost grows: with users, with items, and with the length of the histories."""

import torch
from benchmarks.measuring import exponent, line, row, take_turns, timed
from benchmarks.worlds import dataset_of

import casadv_lib as cas
from casadv_lib.experiments.configuration import USUAL
from casadv_lib.settings import AdversarialSettings, TrainingSettings
from casadv_lib.training import Trainer

USERS, ITEMS, LENGTHS = (500, 2000, 8000), (1000, 4000, 16000), (50, 100, 200, 400)
FIXED = {"users": 1000, "items": 2000, "users_of_length": 128}


def actions(data, max_len: int, dim: int, device: str) -> dict:
    """The four curves: an epoch of each backbone, one of adv_cas, the ranking of all users."""
    settings = TrainingSettings(epochs=1, device=device, health="note")
    torch.manual_seed(0)
    sasrec, gru4rec = (kind(data.n_items, max_len=max_len, dim=dim).to(device)
                       for kind in (cas.SASRec, cas.GRU4Rec))
    cascade = Trainer(sasrec, data, settings, "adv_cas", AdversarialSettings(**USUAL))
    return {
        "SASRec, phase 1": Trainer(sasrec, data, settings).train_epoch,
        "GRU4Rec, phase 1": Trainer(gru4rec, data, settings).train_epoch,
        "SASRec, adv_cas": cascade.train_epoch,
        "SASRec, ranking": lambda: cas.evaluate(sasrec, data),
    }


def main(users=USERS, items=ITEMS, lengths=LENGTHS, fixed=None, repeats: int = 3, dim: int = 100,
         device: str = "cpu") -> dict:
    fixed = FIXED | (fixed or {})
    many = fixed["users_of_length"]
    worlds = {  # name: ({size: (data, T)}, the axis, what stays as it is)
        "users": ({n: (dataset_of(n, fixed["items"]), 50) for n in users},
                  "users", f"{fixed['items']:,} items, about 9 a history"),
        "items": ({n: (dataset_of(fixed["users"], n), 50) for n in items},
                  "items in the catalogue", f"{fixed['users']:,} users, about 9 items a history"),
        # three items more: one target to learn from, two held out
        "length": ({n: (dataset_of(many, fixed["items"], n + 3), n) for n in lengths},
                   "items a history = T", f"{many} users, {fixed['items']:,} items"),
    }
    rows, curves = [], {}
    for name, (sized, label, words) in worlds.items():
        clocks = {(what, size): timed(action) for size, (data, max_len) in sized.items()
                  for what, action in actions(data, max_len, dim, device).items()}
        seconds = take_turns(clocks, repeats)  # all sizes and actions take turns
        curves[name] = {"x": list(sized), "label": label, "fixed": words, "lines": {}}
        for what in seconds.columns.unique(0):
            powers = exponent(list(sized), seconds[what])  # a column a size
            rows.append(row(f"{what}: exponent in the number of {label}", powers, ""))
            curves[name]["lines"][what] = line(seconds[what])
    return {"rows": rows, "curves": curves}
