"""The runs and attacks behind a profile's figures, one process a core, and their collection."""

from __future__ import annotations

import multiprocessing
import os
from pathlib import Path

import torch
from tqdm.auto import tqdm

from .adversarial import METHODS
from .data import load_dataset
from .files import write_json
from .illustration import perturbed_history
from .optimisation import choose_device
from .profiles import PROFILES, configure
from .results import repository_root
from .runs import canonical, record_of, run, run_attack

BACKBONES_OF_PAPER = ("sasrec", "gru4rec")
EPSILONS = (0.1, 1.0, 3.0, 5.0, 10.0, 20.0, 30.0, 50.0)  # Figure 4
ATTACKED = ("base", "adv_linear", "adv_seq", "adv_global", "adv_cas")  # Figures 5 and 6
MOST_REPLACED = 5  # K of Figure 6


def attacks_of(method: str) -> list[dict]:
    """The attacks of Figure 5 (first, middle, last) and Figure 6 (the last K)."""
    if method not in ATTACKED:
        return []
    found = [{"positions": position} for position in ("first", "middle")]
    picks = ("gradient", "nearest", "random")
    found += [{"k": k, "pick": pick} for k in range(1, MOST_REPLACED + 1) for pick in picks]
    return found


def jobs(profile: str, dataset: str | None, backbone: str | None, device: str) -> list[dict]:
    """Configurations of all runs of a profile, each once, bases first."""
    backbones = BACKBONES_OF_PAPER if backbone is None else (backbone,)
    asked = []
    for name in backbones:
        for method in ("base", *METHODS):
            asked.append(configure(profile, dataset, name, method, device=device))
    for name in backbones:
        for epsilon in EPSILONS:
            asked.append(
                configure(profile, dataset, name, "adv_cas", device=device, epsilon=epsilon)
            )
    unique = []
    for config in map(canonical, asked):
        if config not in unique:
            unique.append(config)
    return sorted(unique, key=lambda config: config["method"] != "base")


def _work(config: dict) -> None:
    torch.set_num_threads(1)
    sweep = config["epsilon"] != PROFILES[config["profile"]]["epsilon"]
    made = run(config, progress=False)
    for options in [] if sweep else attacks_of(config["method"]):
        run_attack(made, **options)


def default_workers(device: str) -> int:
    """One process a GPU, or one a core."""
    kind = choose_device(device).type
    return (os.cpu_count() or 1) if kind == "cpu" else max(1, torch.accelerator.device_count())


def run_grid(
    profile: str = "quick",
    dataset: str | None = None,
    backbone: str | None = None,
    device: str = "auto",
    workers: int | None = None,
) -> Path:
    """Make what is missing, then write `figures/<profile>/results.json`; returns its path.

    Stored runs are reused, so an interrupted grid goes on where it was.
    """
    todo = jobs(profile, dataset, backbone, device)
    data = load_dataset(todo[0]["dataset"])  # downloads happen once, before the processes start
    bases = [config for config in todo if config["method"] == "base"]
    others = [config for config in todo if config["method"] != "base"]
    context = multiprocessing.get_context("spawn")
    with context.Pool(workers or default_workers(device), maxtasksperchild=8) as pool:
        with tqdm(total=len(todo), desc="runs", disable=bool(os.environ.get("CI"))) as bar:
            for batch in (bases, others):
                for _ in pool.imap_unordered(_work, batch):
                    bar.update()
    return collect(profile, todo, data)


def collect(profile: str, configs: list[dict], data) -> Path:
    """Write the records of complete runs to `figures/<profile>/results.json`."""
    made = [run(config, data, progress=False) for config in configs]
    base = made[0].model(device="cpu")
    content = {
        "profile": profile,
        "dataset": [{"dataset": data.name} | data.statistics()],
        "optimum": {} if data.world is None else {data.name: data.world.optimum("test")},
        "figure1": perturbed_history(base, data),
        "records": [record_of(one) for one in made],
    }
    return write_json(repository_root() / "figures" / profile / "results.json", content)
