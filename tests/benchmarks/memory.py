"""Peak memory of a run with the paper's sizes: both phases, evaluation, an attack."""

import os
import tempfile

from benchmarks.measuring import call, peak_bytes, row

import casadv_lib as cas
from casadv_lib.experiments.configuration import configure
from casadv_lib.experiments.runs import run, run_attack

AT_MOST = 1.5  # GB


def peak_of(profile: str, dataset: str, backbone: str, settings: dict) -> int:
    """Peak bytes of this process after a run of adv_cas and an attack on its last items."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ["CASADV_RUNS"] = folder
        run_attack(run(configure(profile, dataset, backbone, "adv_cas", **settings)),
                   positions="last")
    return peak_bytes()


def main(dataset: str = "beauty", profile: str = "paper", backbones=("sasrec", "gru4rec"),
         device: str = "cpu", **settings) -> dict:
    """One epoch of each phase: what is held does not grow with their number."""
    settings |= {"epochs": 1, "adv_epochs": 1, "eval_every": 1, "device": device}
    rows = []
    for name in backbones:
        peak = call(peak_of, profile=profile, dataset=dataset, backbone=name, settings=settings)
        rows.append(row(f"{os.path.basename(dataset)}, {cas.BACKBONES[name].__name__}: peak "
                        f"memory, profile {profile}", [peak / 1e9], "GB", target=AT_MOST,
                        headline=True))
    return {"rows": rows, "data": cas.load_dataset(dataset).fingerprint}
