"""An epoch of phase 2 against an epoch of phase 1, method by method, evaluation excluded."""

from __future__ import annotations

from benchmarks.rows import dearer
from benchmarks.timing import take_turns, timed
from benchmarks.worlds import model_of, sample

import casadv_lib as cas
from casadv_lib.adversarial import METHODS
from casadv_lib.experiments.configuration import USUAL
from casadv_lib.settings import AdversarialSettings, TrainingSettings
from casadv_lib.training import Trainer

AT_MOST = 2.0  # adv_cas over the base; the paper has 3.92, the count of passes 8/3


def main(dataset: str = "beauty", batches: int = 24, repeats: int = 7, dim: int = 100,
         methods=tuple(METHODS), backbones=("sasrec", "gru4rec"), device: str = "cpu") -> dict:
    """batches: users of that many batches are drawn and trained on."""
    data = cas.load_dataset(dataset)
    settings = TrainingSettings(epochs=1, device=device)
    part = sample(data, batches * settings.batch_size)
    scale = data.n_users / part.n_users
    rows = []
    for name in backbones:
        clocks = {}
        for method in ("base", *methods):
            model = model_of(name, dataset, data.n_items, dim)
            phase = None if method == "base" else method
            trainer = Trainer(model, part, settings, phase, AdversarialSettings(**USUAL))
            clocks[method] = timed(trainer.train_epoch)
        seconds = take_turns(clocks, repeats)
        scaled = {method: [scale * x for x in values] for method, values in seconds.items()}
        for method in methods:
            rows.append(dearer(
                f"{data.name}, {cas.BACKBONES[name].__name__}: an epoch of {method}",
                scaled[method], "an epoch of the base", scaled["base"],
                AT_MOST if method == "adv_cas" else None, headline=method == "adv_cas",
            ))  # fmt: skip
    return {
        "title": f"Adversarial epochs on {data.name}",
        "rows": rows,
        "data": data.fingerprint,
        "notes": [
            "The paper: 3.92 for adv_cas, SASRec on MovieLens-1M, one A100; counting passes "
            "through the encoder gives 8/3.",
            f"Epochs over the same {part.n_users:,} of {data.n_users:,} users, scaled by "
            f"{scale:.2f}.",
        ],
    }
