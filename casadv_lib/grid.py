"""The runs and attacks behind a profile's figures, one process a core, and their collection."""

from __future__ import annotations

import multiprocessing
import os
from pathlib import Path

import torch
from tqdm.auto import tqdm

from .adversarial import METHODS
from .checks import number
from .data import load_dataset
from .files import read_json, write_json
from .illustration import perturbed_history
from .optimisation import choose_device
from .profiles import configure
from .readings import SWITCHES, TEN
from .results import repository_root
from .runs import canonical, is_complete, record_of, run, run_attack

BACKBONES_OF_PAPER = ("sasrec", "gru4rec")
EPSILONS = (0.1, 1.0, 3.0, 5.0, 10.0, 20.0, 30.0, 50.0)  # Figure 4
ATTACKED = ("base", "adv_linear", "adv_seq", "adv_global", "adv_cas")  # Figures 5 and 6
MOST_REPLACED = 5  # K of Figure 6
SWITCHED = {"quick": TEN}  # profiles whose grid holds the readings that notebook 11 compares


def attacks_of(method: str) -> list[dict]:
    """The attacks of Figure 5 (first, middle, last) and Figure 6 (the last K)."""
    if method not in ATTACKED:
        return []
    found = [{"positions": position} for position in ("first", "middle")]
    picks = ("gradient", "nearest", "random")
    found += [{"k": k, "pick": pick} for k in range(1, MOST_REPLACED + 1) for pick in picks]
    return found


def jobs(
    profile: str,
    dataset: str | None = None,
    backbone: str | None = None,
    device: str = "auto",
    **overrides,
) -> list[tuple[dict, list[dict]]]:
    """All runs of a profile, each once, with the attacks on it; bases first."""
    backbones = BACKBONES_OF_PAPER if backbone is None else (backbone,)
    options = {"device": device} | overrides
    found: list[tuple[dict, list[dict]]] = []

    def add(name, method, attacks, **more):
        config = canonical(configure(profile, dataset, name, method, **options | more))
        if config not in [known for known, _ in found]:
            found.append((config, attacks))

    for name in backbones:
        for method in ("base", *METHODS):
            add(name, method, attacks_of(method))
    for name in backbones:
        for epsilon in EPSILONS:
            add(name, "adv_cas", [], epsilon=epsilon)
    for switch in SWITCHED.get(profile, ()):
        add(backbones[0], "adv_cas", [], **SWITCHES[switch][1])
    return sorted(found, key=lambda job: job[0]["method"] != "base")


def _work(job: tuple[dict, list[dict]]) -> None:
    torch.set_num_threads(1)
    config, attacks = job
    made = run(config, progress=False)
    for options in attacks:
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
    folder: Path | str | None = None,
    stored: bool = False,
    **overrides,
) -> Path:
    """Make what is missing (with `stored`: nothing), then write `results.json`; returns its path.

    Stored runs are reused, so an interrupted grid goes on where it was.
    workers: processes; None takes one a core, or one a GPU. folder: where the results go; None
    takes `figures/<profile>/`. overrides: settings, as in `profiles.configure`.
    """
    todo = jobs(profile, dataset, backbone, device, **overrides)
    workers = default_workers(device) if workers is None else workers
    number("workers", workers, low=1, kind=int)
    data = load_dataset(todo[0][0]["dataset"])  # downloads happen once, before the processes start
    if stored:
        todo = [job for job in todo if is_complete(job[0], data)]
        if not todo:
            raise ValueError(f"no run of profile {profile!r} on {data.name!r} is stored yet")
    else:
        _make(todo, workers)
    folder = repository_root() / "figures" / profile if folder is None else Path(folder)
    return write_json(folder / "results.json", collect(profile, todo, data))


def _make(todo: list[tuple[dict, list[dict]]], workers: int) -> None:
    bases = [job for job in todo if job[0]["method"] == "base"]
    context = multiprocessing.get_context("spawn")
    with context.Pool(workers) as pool:
        with tqdm(total=len(todo), desc="runs", disable=bool(os.environ.get("CI"))) as bar:
            for batch in (bases, todo[len(bases) :]):
                for _ in pool.imap_unordered(_work, batch):
                    bar.update()
        pool.close()  # let the processes end by themselves: killed ones leave warnings
        pool.join()


def dataset_rows(data) -> list[dict]:
    """Table 2's rows: this data set's, then those stored by `python -m casadv_lib data`."""
    rows = [{"dataset": data.name} | data.statistics()]
    path = repository_root() / "figures" / "datasets.json"
    known = read_json(path)["dataset"] if path.exists() else []
    return rows + [row for row in known if row["dataset"] != data.name]


def collect(profile: str, todo: list[tuple[dict, list[dict]]], data) -> dict:
    """The stored results of a profile: records of complete runs, the data, the optimum."""
    made = [run(config, data, progress=False) for config, _ in todo]
    return {
        "profile": profile,
        "dataset": dataset_rows(data),
        "optimum": {} if data.world is None else {data.name: data.world.optimum("test")},
        "figure1": perturbed_history(made[0].model(device="cpu"), data),
        "records": [record_of(one) for one in made],
    }
