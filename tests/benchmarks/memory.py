"""Peak memory of a run with the paper's sizes: both phases, evaluation, an attack."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile

from benchmarks.own_process import call
from benchmarks.rows import measured
from benchmarks.timing import peak_bytes

import casadv_lib as cas
from casadv_lib.__main__ import main as command

AT_MOST = 1.5  # GB


def peak_of(backbone: str, dataset: str, profile: str, settings: list[str], device: str) -> float:
    """Peak bytes of this process after the run and the attack of the command line."""
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(sys.stderr):
        os.environ["CASADV_RUNS"] = folder
        asked = ["--dataset", dataset, "--backbone", backbone, "--profile", profile,
                 "--method", "adv_cas", "--set", f"device={device}"]
        for setting in settings:
            asked += ["--set", setting]
        for words in (["run"], ["attack"]):
            if status := command([*words, *asked]):
                raise RuntimeError(f"{words[0]} ended with {status}")
    return float(peak_bytes())


def main(dataset: str = "beauty", profile: str = "paper", backbones=("sasrec", "gru4rec"),
         repeats: int = 1, device: str = "cpu", settings=()) -> dict:
    """One epoch of each phase: what is held does not grow with their number."""
    settings = ["epochs=1", "adv_epochs=1", "eval_every=1", *settings]
    rows = []
    for name in backbones:
        peaks = [call("memory", "peak_of", backbone=name, dataset=dataset, profile=profile,
                      settings=settings, device=device) / 1e9 for _ in range(repeats)]
        kind = cas.BACKBONES[name].__name__
        rows.append(measured(f"{os.path.basename(dataset)}, {kind}: peak memory, profile "
                             f"{profile}", peaks, "GB", AT_MOST, headline=True))
    return {
        "title": f"Peak memory of a run, profile {profile}",
        "rows": rows,
        "data": cas.load_dataset(dataset).fingerprint,
        "notes": ["Both phases with evaluation (one epoch each, as what is held does not grow "
                  "with their number) and an attack on the last item, by the command line, in a "
                  "process of its own; Python and PyTorch, about 0.3 GB, are part of it."],
    }
