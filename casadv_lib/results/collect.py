"""From stored runs to tables: what the grid leaves behind, or a notebook has just made."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from functools import partial
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd

from ..adversarial import METHOD_ORDER, METHODS
from ..data import SequenceDataset
from ..datasets import load_dataset
from ..datasets.sources import SOURCES
from ..evaluation import METRICS
from ..experiments.configuration import NOT_IDENTITY, PROFILES, Configuration, attack_name
from ..experiments.environment import provenance
from ..experiments.grid import Known
from ..experiments.plan import SWITCHES
from ..experiments.runs import (
    Run,
    Unequal,
    another_folder,
    one_at_a_time,
    run_attack,
    stored_attacks,
)
from ..experiments.runs import run as make
from ..experiments.study import Study
from ..settings import EXCLUDES
from ..support.checks import one_of
from ..support.devices import choose_device
from .comparisons import intervals
from .frames import (
    BACKBONE_NAMES,
    COLUMNS,
    EPOCHS,
    NOT_RANKED,
    MissingRecords,
    Ranks,
    Results,
    encode,
    ranks_file,
    read_ranks,
    read_results,
    select,
    stored_folder,
    with_role,
    write_ranks,
    write_results,
)


def collect(made: Mapping[Run, Iterable[str]], profile: str = "quick",
            stored: Results | None = None, folder: Path | None = None
            ) -> tuple[Results, dict[str, Ranks]]:
    """The tables of runs, {run: what for}, joined to stored ones; and the ranks behind them.

    stored, folder: tables with the ranks beside them. A stored run stays as it is, unless more
    attacks on it are here; runs that are not complete are left out.
    """
    stored = stored or Results(profile)
    frames = {name: [getattr(stored, name)] for name in ("runs", "curves", "attacks")}
    configs, provenance = dict(stored.configs), dict(stored.provenance)
    roles = dict(zip(stored.runs["run"], stored.runs["roles"], strict=True))
    attacks = stored.attacks.groupby("run").size().to_dict()  # older ones are by one rule alone
    ranks: dict[str, Ranks] = {}
    for run, wanted in made.items():
        if run.name not in roles and not run.is_complete:
            continue
        before = roles.get(run.name, "").split()
        if run.is_complete and (run.name not in configs
                                or len(stored_attacks(run)) > attacks.get(run.name, 0)):
            tables = _tables_of(run)
            for name, parts in frames.items():
                frames[name] = [part[part["run"] != run.name] for part in parts] + [tables[name]]
            configs[run.name] = run.config.flat()
            provenance[run.name] = run.metrics["provenance"]
            ranks[run.name] = ranks_of(run)
        roles[run.name] = " ".join(dict.fromkeys([*before, *wanted]))
    tables = {name: _joined(parts, name, roles) for name, parts in frames.items()}
    names = list(dict.fromkeys(tables["runs"]["run"]))
    everyone = {name: ranks[name] if name in ranks else read_ranks(folder, name) for name in names}
    results = stored.but(profile=profile, **tables, configs={n: configs[n] for n in names},
                         provenance={n: provenance[n] for n in names},
                         intervals=intervals(tables["runs"], everyone))
    return results, ranks


def store(made: Mapping[Run, Iterable[str]], folder: Path, profile: str, keep: bool = False,
          trials: Iterable[dict] = (), figure1: Callable[[Run], dict] | None = None) -> Path:
    """Write the tables of runs and the ranks behind them into a folder; the path of runs.json.

    keep: what the folder holds stays, unless it is made anew. trials: rows of that table. figure1:
    gives Figure 1's arrays from a run. What was tried before, and Table 2's rows of the published
    data sets, are those that the profile had.
    """
    with one_at_a_time(folder):  # what another grid has added since stays
        stored = Results(profile)
        if keep and (folder / "runs.json").exists():
            stored = read_results(folder)
        results, ranks = collect(made, profile, stored, folder)
        if results.runs.empty:
            raise ValueError(f"no run of profile {profile!r} is stored yet")
        for name, one in ranks.items():
            write_ranks(folder, name, one)
        before = stored
        if profile in PROFILES and stored.trials.empty:
            with suppress(MissingRecords):
                before = read_results(profile)
        here = next((run for run in made if run.is_complete), None)
        if results.figure1 is None and figure1 and here:
            results = results.but(figure1=figure1(here))
        data = {run.config.dataset: run.data for run in made}
        return write_results(results.but(
            trials=_newer(before.trials, trials, "trials", results.runs["data_hash"],
                          ["data_hash", "backbone", "family", "base_epochs", "dim"]),
            datasets=_newer(before.datasets, [dataset_row(d, n) for n, d in data.items()],
                            "datasets", {*results.runs["data_hash"], *before.datasets[
                                before.datasets["dataset"].isin(SOURCES)]["data_hash"]},
                            ["dataset"])), folder)


def _newer(before: pd.DataFrame, rows: Iterable[dict], name: str, data_hashes: Iterable[str],
           key: list[str]) -> pd.DataFrame:
    """New rows of a table, and below them the old ones of these data that have another key."""
    new = pd.DataFrame(list(rows), columns=COLUMNS[name])
    known = set(new[key].itertuples(index=False, name=None))
    old = before[before["data_hash"].isin(set(data_hashes))]
    old = old[[row not in known for row in old[key].itertuples(index=False, name=None)]]
    return pd.concat([part for part in (new, old) if len(part)] or [new], ignore_index=True)


def known(folder: Path) -> Known:
    """What the tables in a folder hold, for a grid that goes on from them: the runs whose ranks
    are there, with the attacks by all rules, and what was tried."""
    if not (folder / "runs.json").exists():
        return Known()
    results, found = read_results(folder), Known()
    for run, rows in results.runs.groupby("run"):
        if ranks_file(folder, run).exists():
            ranks = read_ranks(folder, run)
            attacks = select(results.attacks, run=run)["attack"].unique()
            found.attacks[run] = {attack for attack in attacks if all(
                f"{attack}-{rule} attacked" in ranks for rule in EXCLUDES)}
            kind = tuple(rows.iloc[0][["dataset", "backbone", "method"]])
            found.seconds.setdefault(kind, []).append(float(rows.iloc[0]["seconds_per_epoch"]))
    found.trials, found.differs = results.trials.to_dict("records"), partial(differences, results)
    return found


def differences(results: Results, run: Run) -> list[str]:
    """The tables in which a stored run is other than its rows, to the last digit; none if new."""
    if run.name not in results.configs or not run.is_complete:
        return []
    again, found = _tables_of(run), []
    for name, columns in (("runs", ["ndcg@10", "hr@10", "tie_rate", "epoch"]),
                          ("curves", ["ndcg@10", "hr@10", "loss", "epoch"])):
        old = select(getattr(results, name), run=run.name)[columns].to_numpy(float)
        if not np.array_equal(old, again[name][columns].to_numpy(float), equal_nan=True):
            found.append(name)
    if not found:
        return []
    first, second = (select(table, run=run.name, which="last", split="test")["ndcg@10"].item()
                     for table in (results.runs, again["runs"]))
    return [f"other numbers than its record, in {' and '.join(found)} (test NDCG@10 of the last "
            f"epoch: stored {first!r}, now {second!r}). Another kind of processor, number of "
            "threads or version of a package rounds differently"]


def verified(results: Results, config: Configuration, report: Callable[[str], None]) -> str:
    """Make the stored run of a configuration again from nothing, and compare; returns its name.

    Raises ValueError where the tables do not hold it or the data are others, Unequal where the
    numbers differ.
    """
    match = [run for run, flat in results.configs.items()
             if Configuration.of(flat | {"device": "auto"}).identity("") == config.identity("")]
    if not match:  # the device that it was made on need not be here
        raise ValueError(f"no run in the tables of {results.profile} has method {config.method!r}, "
                         f"backbone {config.backbone!r}, dataset {config.dataset!r}")
    stored, data = results.provenance[match[0]], load_dataset(config.dataset)
    if data.fingerprint != stored["data_hash"]:
        raise ValueError(f"the data set {data.name!r} has the hash {data.fingerprint}; allowed is "
                         f"{stored['data_hash']}, that of the stored run")
    here = provenance(stored["data_hash"], choose_device(config.training.device), 0.0)
    for name in ("hardware", "packages"):
        report(f"{name}: stored {stored[name]}, here {here[name]}")
    with another_folder():
        if parts := differences(results, make(config, data)):
            raise Unequal("; ".join(parts))
    return match[0]


def results_of(study: Study, methods: Iterable[str] = METHOD_ORDER, attacks: Iterable[dict] = (),
               epsilons: Iterable[float] = (), switches: Iterable[str] = (),
               folder: Path | None = None) -> Results:
    """The tables of a study: its methods, each with these attacks, adv_cas at these epsilons (role
    "sweep") and with these switches of `plan.SWITCHES` (roles "switch" and "switch:NAME").

    What the tables of the profile (or of a folder) hold is taken from there: a run of the same
    settings on the same data, where those that were chosen on validation may have been chosen anew.
    The rest is made. Stored runs of other methods and backbones with the study's settings join.
    """
    with suppress(MissingRecords):
        folder = stored_folder(folder or study.profile)
    stored = read_results(folder) if folder else Results(study.profile)
    methods, attacks = list(methods), list(attacks)
    names = {attack_name(**options) for options in attacks}
    asked = [(method, {}, "main") for method in METHOD_ORDER]
    asked += [("adv_cas", {"epsilon": epsilon, "health": "note"}, "sweep") for epsilon in epsilons]
    asked += [("adv_cas", SWITCHES[one_of("switches", name, SWITCHES)][1], f"switch switch:{name}")
              for name in switches]
    asked += [("adv_cas", {}, "switch")] * bool(switches)
    configs = []
    for backbone, (method, more, role) in product(BACKBONE_NAMES, asked):  # errors before work
        with suppress(*[ValueError] * (backbone != study.backbone)):  # a setting that it lacks
            configs.append((study.config(method, backbone=backbone, **more), more, role))
    taken: dict[str, list[str]] = {}
    made: dict[Run, list[str]] = {}
    for config, more, role in configs:
        free = {"epsilon", "lambda1", "replace_probability"} - {*study.asked, *more}
        run = _stored_run(stored, config, study.data.fingerprint, role.split()[0], free)
        if config.backbone == study.backbone and (config.method in methods or role != "main"):
            if run is None or role == "main" and not _has_attacks(stored, run, names):
                run, own = None, make(config, study.data)
                for options in attacks if role == "main" else ():
                    run_attack(own, **options)
                made[own] = [*made.get(own, ()), *role.split()]
        if run is not None:
            taken[run] = [*taken.get(run, ()), *role.split()]
    results = _only(stored, {run: " ".join(dict.fromkeys(roles)) for run, roles in taken.items()},
                    study.dataset)
    if made:
        results, _ = collect(made, study.profile, results, folder)
    named = select(stored.datasets, data_hash=study.data.fingerprint)
    return results.but(
        datasets=named if len(named) else pd.DataFrame(
            [dataset_row(study.data, study.dataset)], columns=COLUMNS["datasets"]),
        trials=select(stored.trials, data_hash=study.data.fingerprint,
                      base_epochs=study.config().training.epochs))


def _stored_run(stored: Results, config: Configuration, data_hash: str, role: str, free: set[str]
                ) -> str | None:
    """The stored run of a configuration; settings that are `free` may differ in runs of a role."""
    name = config.run_name(data_hash)
    if name in stored.configs:
        return name
    fitting = with_role(stored, role, data_hash=data_hash, method=config.method,
                        backbone=config.backbone, seed=config.seed)["run"]
    ignored = free | set(NOT_IDENTITY)
    wanted = {name: value for name, value in config.flat().items() if name not in ignored}
    return next((run for run in fitting if wanted.items() <= stored.configs[run].items()), None)


def _has_attacks(stored: Results, run: str, names: set[str]) -> bool:
    own = select(stored.attacks, run=run)
    return set(product(names, EXCLUDES)) <= set(zip(own["attack"], own["exclude"], strict=True))


def _only(stored: Results, roles: dict[str, str], dataset: str) -> Results:
    """The tables of some runs, with these roles."""
    tables = {name: getattr(stored, name) for name in ("runs", "curves", "attacks")}
    tables = {name: table[table["run"].isin(roles)] for name, table in tables.items()}
    for name in ("runs", "attacks"):
        tables[name] = tables[name].assign(roles=tables[name]["run"].map(roles))
    rows = stored.intervals
    both = rows["run"].isin(["", *roles]) & rows["versus"].isin(["", *roles])
    return stored.but(**tables, intervals=rows[both & (rows["dataset"] == dataset)],
                      configs={run: stored.configs[run] for run in roles},
                      provenance={run: stored.provenance[run] for run in roles})


def _joined(parts: list[pd.DataFrame], name: str, roles: dict[str, str]) -> pd.DataFrame:
    """One table, in the order of the paper's data sets, backbones and methods."""
    filled = [part for part in parts if len(part)]
    table = pd.concat(filled, ignore_index=True) if filled else parts[0].copy()
    if "roles" in table:
        table["roles"] = table["run"].map(roles)
    if "dataset" in table:
        orders = {"dataset": ("synthetic", "beauty", "video", "clothing", "ml-1m"),
                  "backbone": tuple(BACKBONE_NAMES), "method": METHOD_ORDER}
        keys = {column: table[column].map({v: i for i, v in enumerate(
            dict.fromkeys([*order, *table[column]]))}) for column, order in orders.items()}
        table = table.iloc[pd.DataFrame(keys).sort_values(list(keys), kind="stable").index]
    return table[COLUMNS[name]].reset_index(drop=True)


def _tables_of(run: Run) -> dict[str, pd.DataFrame]:
    """The rows of one run in `runs`, `curves` and `attacks`."""
    metrics, attacks = run.metrics, stored_attacks(run)
    return rows_of(run.name, run.config, metrics, attacks, metrics["provenance"]["data_hash"])


def ranks_of(made: Run) -> Ranks:
    """The ranks of a stored run and of the attacks on it."""
    def column(ranks, users=slice(None)):
        whole = np.full(made.data.n_users, NOT_RANKED, np.uint8)
        whole[users] = encode(ranks)
        return whole

    codes = {which: column(made.ranks("test", which)) for which in EPOCHS}
    substitutes: dict[str, np.ndarray] = {}
    for attack in {record["attack"]: None for record in stored_attacks(made)}:
        with np.load(made.folder / "attacks" / f"{attack}.npz", allow_pickle=False) as stored:
            users = stored["users"]
            codes[f"{attack} clean"] = column(stored["clean"], users)
            codes |= {f"{attack}-{rule} attacked": column(stored[rule], users)
                      for rule in EXCLUDES}
            items = stored["substitutes"]
        if "-random-" not in attack:
            name, k = attack.replace(f"-{items.shape[1]}-", "-", 1), items.shape[1]
            before = substitutes.get(name, np.zeros((made.data.n_users, 0), np.int32))
            missing = max(0, k - before.shape[1])  # columns of a larger k, for those who have it
            substitutes[name] = np.pad(before, ((0, 0), (0, missing)))
            substitutes[name][users, :k] = items
    return codes | {f"substitutes {name}": items for name, items in substitutes.items()}


def rows_of(name: str, config: Configuration, metrics: dict, attacks: list[dict], data_hash: str,
            roles: str = "") -> dict[str, pd.DataFrame]:
    """Rows of `runs`, `curves` and `attacks` out of what a run stores."""
    method = METHODS.get(config.method)
    both = {"run": name, "dataset": config.dataset, "backbone": config.backbone, "loss": "bce",
            "method": config.method, "seed": config.seed, "roles": roles}
    perturbs = method is not None and bool(method.level1 or method.level2)
    settings = config.adversarial
    runs = [both | {
        "epsilon": settings.epsilon if perturbs else math.nan,
        "lambda1": settings.lambda1 if perturbs and method.level1 else math.nan,
        "replace_probability": (settings.replace_probability if method and method.replaces
                                else math.nan),
        "preset": settings.scope if perturbs else "",
        "which": which, "epoch": metrics[which]["epoch"], "split": split,
        **{m: metrics[which][split][m] for m in ("ndcg@10", "hr@10", "tie_rate")},
        "seconds_per_epoch": metrics["seconds"]["per_epoch"],
        "train_seconds": metrics["seconds"]["train"], "epochs": config.training.epochs,
        "adv_epochs": config.adv_epochs if method else 0, "data_hash": data_hash,
        "hardware": metrics["provenance"]["hardware"],
    } for which in ("last", "best") for split in ("validation", "test")]
    curves = [{"run": name, "phase": entry["phase"], "epoch": entry["epoch"], "split": split,
               **{m: entry[split][m] for m in METRICS}, "loss": entry["loss"]}
              for entry in metrics["curve"] for split in ("validation", "test")]
    attacked = [both | {
        **{column: record[column] for column in ("attack", "split", "positions", "k", "pick",
                                                 "step", "exclude", "users", "distance", "unit")},
        "surrogate": record.get("surrogate") or "",
        **{f"{m}_clean": record["clean"][m] for m in METRICS},
        **{m: record["attacked"][m] for m in METRICS},
        "seconds": record["provenance"]["wall_seconds"],
    } for record in attacks]
    rows = {"runs": runs, "curves": curves, "attacks": attacked}
    return {table: pd.DataFrame(rows[table], columns=COLUMNS[table]) for table in rows}


def dataset_row(data: SequenceDataset, name: str | None = None) -> dict:
    """A row of the table `datasets`; name: as configurations name it, by default its own."""
    optimum = data.world.optimum("test") if data.world is not None else {}
    return {"dataset": name or data.name} | data.statistics() | {
        "data_hash": data.fingerprint,
        **{f"optimum_{m}": optimum.get(m, math.nan) for m in METRICS}}

