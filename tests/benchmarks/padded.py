"""An epoch of phase 1 against the same model, batches and loss in padded blocks."""

from __future__ import annotations

import copy

from benchmarks.padded_training import ENCODERS, PaddedTrainer
from benchmarks.rows import faster
from benchmarks.timing import take_turns, timed
from benchmarks.worlds import model_of, sample

import casadv_lib as cas
from casadv_lib.settings import TrainingSettings
from casadv_lib.training import Trainer

# at least this many times as fast; long histories hold little padding
TARGETS = {"beauty": 10.0, "video": 10.0, "ml-1m": 2.5}


def main(dataset: str = "beauty", batches: int | None = 24, repeats: int = 5, dim: int = 100,
         device: str = "cpu") -> dict:
    """batches: users of that many batches are drawn and trained on; None: all users."""
    data = cas.load_dataset(dataset)
    settings = TrainingSettings(epochs=1, device=device)
    size = settings.batch_size
    part = data if batches is None else sample(data, batches * size)
    scale = data.n_users / part.n_users
    rows = []
    for name in ENCODERS:
        model = model_of(name, dataset, data.n_items, dim)
        theirs = PaddedTrainer(copy.deepcopy(model), part, settings, name)
        ours = Trainer(model, part, settings)
        seconds = take_turns({"here": timed(ours.train_epoch), "padded": timed(theirs.train_epoch)},
                             repeats)
        here, other = ([scale * x for x in seconds[key]] for key in ("here", "padded"))
        rows.append(faster(f"{data.name}, {cas.BACKBONES[name].__name__}: an epoch of phase 1",
                           here, "padded", other, TARGETS.get(dataset), headline=True))
    return {
        "title": f"Phase 1 on {data.name}, packed against padded",
        "rows": rows,
        "data": data.fingerprint,
        "notes": [
            f"Padded: the same model, users a batch ({size}), negatives, loss and decay; blocks of "
            f"{size} x {model.max_len}; `F.dropout`; PyTorch's own AdamW over the whole item "
            "table.",
            f"Both train on the same {part.n_users:,} of {data.n_users:,} users, all of an epoch's "
            f"work included; the times are scaled by {scale:.2f}.",
        ],
    }
