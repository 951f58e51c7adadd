"""What the benchmarks against public implementations share: our epochs and theirs in turns."""

from __future__ import annotations

import tempfile

from benchmarks.others import Worker, request_of, written
from benchmarks.rows import faster
from benchmarks.timing import take_turns, timed
from benchmarks.worlds import model_of, sample

import casadv_lib as cas
from casadv_lib.settings import TrainingSettings
from casadv_lib.training import Trainer


def compare(name: str, dataset: str, variants: dict, batches: int, repeats: int, dim: int,
            device: str, script=None) -> dict:
    """Rows of an epoch here against an epoch there, scaled from the parts that are timed.

    variants: {words on theirs: {"ours": our backbone, ... what the worker wants}}.
    """
    data = cas.load_dataset(dataset)
    settings = TrainingSettings(epochs=1, device=device)
    part = sample(data, batches * settings.batch_size)
    scale = data.n_users / part.n_users
    clocks = {}
    for backbone in dict.fromkeys(v["ours"] for v in variants.values()):
        model = model_of(backbone, dataset, data.n_items, dim)
        clocks[backbone] = timed(Trainer(model, part, settings).train_epoch)
    with tempfile.TemporaryDirectory() as folder:
        request = request_of(data, written(data, folder), dataset, dim, device, variants)
        with Worker(name, request, script) as worker:
            for key in variants:
                clocks[key] = lambda key=key: worker.turn(key)
            seconds = take_turns(clocks, repeats)
    rows = []
    for key, variant in variants.items():
        here = [scale * x for x in seconds[variant["ours"]]]
        there = [worker.steps[key] * x for x in seconds[key]]
        kind = cas.BACKBONES[variant["ours"]].__name__
        rows.append(faster(f"{data.name}, {kind}: an epoch of phase 1", here, key, there,
                           headline=variant.get("headline", True)))
    steps = ", ".join(f"{worker.steps[key]:,} ({v['steps']} timed a turn; {key})"
                      for key, v in variants.items())
    ours = -(-data.n_users // settings.batch_size)
    return {
        "title": f"Phase 1 on {data.name} against {name}",
        "rows": rows,
        "data": data.fingerprint,
        "others": worker.versions,
        "notes": [
            "An epoch, here and there, takes every training item once as a target. Steps of an "
            f"epoch there: {steps}; {ours:,} here. Their times are scaled from the timed steps to "
            "the epoch, without shuffling and other work between epochs; ours from "
            f"{part.n_users:,} users to {data.n_users:,}, all of an epoch's work included.",
            "Matched: d, T, two blocks, one head, inner size d, one GRU layer, dropout 0.2, "
            "learning rate, one thread.",
        ],
    }
