"""Peak memory of a run with the paper's sizes: both phases, evaluation, an attack."""

from __future__ import annotations

import os
import tempfile

from benchmarks.measuring import call, measured, peak_bytes

import casadv_lib as cas
from casadv_lib.experiments.configuration import configure
from casadv_lib.experiments.runs import run, run_attack

AT_MOST = 1.5  # GB


def peak_of(profile: str, dataset: str, backbone: str, settings: dict) -> float:
    """Peak bytes of this process after a run of adv_cas and an attack on its last items."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ["CASADV_RUNS"] = folder
        run_attack(run(configure(profile, dataset, backbone, "adv_cas", **settings)),
                   positions="last")
    return float(peak_bytes())


def main(dataset: str = "beauty", profile: str = "paper", backbones=("sasrec", "gru4rec"),
         repeats: int = 1, device: str = "cpu", **settings) -> dict:
    """One epoch of each phase: what is held does not grow with their number."""
    settings |= {"epochs": 1, "adv_epochs": 1, "eval_every": 1, "device": device}
    rows = []
    for name in backbones:
        peaks = [call("memory", "peak_of", backbone=name, dataset=dataset, profile=profile,
                      settings=settings) / 1e9 for _ in range(repeats)]
        rows.append(measured(f"{os.path.basename(dataset)}, {cas.BACKBONES[name].__name__}: peak "
                             f"memory, profile {profile}", peaks, "GB", AT_MOST, headline=True))
    return {
        "title": f"Peak memory of a run, profile {profile}",
        "rows": rows,
        "data": cas.load_dataset(dataset).fingerprint,
        "notes": ["Both phases with evaluation (one epoch each, as what is held does not grow with "
                  "their number) and an attack on the last item, in a process of its own; Python "
                  "and PyTorch, about 0.3 GB, are part of it."],
    }
