"""From stored runs to tables: what the grid leaves behind, or a notebook has just made."""

import math
import os
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from functools import partial
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest.mock import patch

import numpy as np
import pandas as pd

from ..adversarial import BASE, METHOD_ORDER, METHODS
from ..data import SequenceDataset
from ..datasets.sources import SOURCES
from ..evaluation import METRICS
from ..experiments import runs
from ..experiments.configuration import NOT_IDENTITY, PROFILES, attack_name
from ..experiments.plan import GROUP, SWITCHES, Known
from ..experiments.runs import Run, Study, provenance
from ..settings import EXCLUDES
from ..support.checks import one_of
from ..support.files import read_arrays, read_json
from ..support.machine import choose_device
from . import frames
from .comparisons import intervals
from .frames import BACKBONE_NAMES, COLUMNS, WHICH, Ranks, Results, read_ranks, select

TOLD_APART = ("positions", "k", "pick", "step", "surrogate")  # columns of an attack's options
CHOSEN = ("epsilon", "lambda1", "replace_probability")  # on validation
KEYS = {"runs": ["run", "which", "split"], "curves": ["run", "epoch", "split"],
        "attacks": ["run", "attack", "exclude"]}  # what tells rows of a table apart
COMPARED = {"runs": [*METRICS, "epoch", "tie_rate"], "curves": [*METRICS, "epoch", "loss"]}


def collect(made: Mapping[Run, Iterable[str]], stored: Results | None = None,
            folder: Path | None = None, only: Mapping[str, Iterable[str]] | None = None
            ) -> tuple[Results, dict[str, Ranks]]:
    """The tables of complete runs, {run: what for}, joined to stored ones; and the new ranks.

    stored, folder: tables with the ranks beside them. only: {stored run: what for} of those that
    are taken; None: all. A stored run stays as it is; attacks that it lacks join from the same run.
    """
    stored, ranks = stored or Results(), {}
    roles = dict(zip(stored.runs["run"], stored.runs["roles"].str.split()))
    roles = roles if only is None else dict(only)
    parts = {name: [select(getattr(stored, name), run=list(roles))] for name in KEYS}
    configs, origins = dict(stored.configs), dict(stored.provenance)
    for run, wanted in made.items():
        there = attacks_in(stored, folder, run.name) if run.name in roles else None
        if there is None and not run.is_complete:
            continue
        roles[run.name] = [*roles.get(run.name, ()), *wanted]
        if there is None:
            configs[run.name], origins[run.name] = run.config.flat(), run.metrics["provenance"]
            old, joining = {}, list(KEYS)
        elif ({one["attack"] for one in _attacks(run)} - there
              and not difference(stored, folder, run)):
            old, joining = read_ranks(folder, run.name), ["attacks"]
        else:
            continue
        # what is stored stays, and stays first
        ranks[run.name] = old | {column: codes for column, codes in ranks_of(run).items()
                                 if column not in old}
        for name in joining:
            parts[name].append(_tables_of(run)[name])
    tables = {name: _joined(own, name, roles) for name, own in parts.items()}
    names, rows = tables["runs"]["run"].unique(), stored.intervals
    if made:
        rows = intervals(tables["runs"], {
            name: ranks[name] if name in ranks else read_ranks(folder, name) for name in names})
    else:
        ends = ["", *names]
        rows = select(rows, run=ends, versus=ends, dataset=list(tables["runs"]["dataset"]))
    return replace(stored, **tables, intervals=rows,
                   configs={name: configs[name] for name in names},
                   provenance={name: origins[name] for name in names}), ranks


def attacks_in(results: Results, folder: Path | None, run: str) -> set[str] | None:
    """The attacks on a run that the tables in a folder hold with the ranks by all rules; None
    where they do not hold the run with its ranks."""
    if not folder or run not in results.configs or not frames.ranks_file(folder, run).exists():
        return None
    ranks = read_ranks(folder, run)
    return {attack for attack in select(results.attacks, run=run)["attack"].unique()
            if all(f"{attack}-{rule} attacked" in ranks for rule in EXCLUDES)}


def store(made: Mapping[Run, Iterable[str]], folder: Path, profile: str, keep: bool = False,
          trials: Iterable[dict] = (), figure1: Callable[[Run], dict] | None = None) -> Path:
    """Write the tables of runs and the ranks behind them into a folder; the path of runs.json.

    keep: what the folder holds stays. trials: rows of that table. figure1: Figure 1's arrays of a
    run. Earlier trials, and Table 2's rows of the published data sets, are those of the profile.
    """
    with runs.one_at_a_time(folder):  # what another grid has added since stays
        before = stored = Results(profile)
        if keep and (folder / "runs.json").exists():
            before = stored = replace(frames.read_results(folder), profile=profile)
        results, ranks = collect(made, stored, folder)
        if results.runs.empty:
            raise ValueError(f"no run of profile {profile!r} is stored yet")
        for name, one in ranks.items():
            frames.write_ranks(folder, name, one)
        if profile in PROFILES and stored.trials.empty:
            with suppress(frames.MissingRecords):
                before = frames.read_results(profile)
        here = next((run for run in made if run.is_complete), None)
        if results.figure1 is None and figure1 and here:
            results = replace(results, figure1=figure1(here))
        there = set(results.runs["data_hash"])
        is_ours = before.datasets["data_hash"].isin(there)
        tables = {
            "trials": (before.trials[before.trials["data_hash"].isin(there)], trials, GROUP),
            "datasets": (before.datasets[is_ours | before.datasets["dataset"].isin(SOURCES)],
                         [dataset_row(run.data, name) for name, run in
                          {run.dataset: run for run in made}.items()], ["dataset"])}
        return frames.write_results(replace(results, **{
            name: _newer(name, *own) for name, own in tables.items()}), folder)


def _newer(name: str, before: pd.DataFrame, rows: Iterable[dict], key: list[str]) -> pd.DataFrame:
    """A table with new rows in the place of the old ones that have the same key, others below."""
    new = pd.DataFrame(list(rows), columns=COLUMNS[name])
    old, new = (table.set_index(key, drop=False) for table in (before, new))
    order, old = old.index.append(new.index).unique(), old[~old.index.isin(new.index)]
    table = pd.concat([part for part in (old, new) if len(part)] or [new])
    places = order.get_indexer(table.index).argsort(kind="stable")
    return table.iloc[places].reset_index(drop=True)


def known(folder: Path) -> Known:
    """What the tables in a folder hold, for a grid that goes on from them."""
    if not (folder / "runs.json").exists():
        return Known()
    results = frames.read_results(folder)
    attacks = {run: attacks_in(results, folder, run) for run in results.configs}
    compared = Results(runs=results.runs, curves=results.curves)  # all that a worker needs of them
    return Known({run: names for run, names in attacks.items() if names is not None},
                 partial(difference, compared, folder), results.trials.to_dict("records"))


def difference(results: Results, folder: Path | None, run: Run) -> str:
    """In what a run differs from its record here, if there is one, to the last digit, or in the
    ranks that lie in the folder, where they do; or ""."""
    record, again = {name: select(getattr(results, name), run=run.name)
                     for name in COMPARED}, _tables_of(run)
    if record["runs"].empty:
        return ""
    parts = [name for name, columns in COMPARED.items() if not np.array_equal(*(
        tables[name][columns].to_numpy(float) for tables in (record, again)), equal_nan=True)]
    if folder and frames.ranks_file(folder, run.name).exists():
        ranks, now = read_ranks(folder, run.name), ranks_of(run)
        others = np.any([now[which] != ranks[which] for which in WHICH], axis=0)
        if others.any():
            parts.append(f"the ranks of {others.sum():,} of {len(others):,} users")
    if not parts:
        return ""
    first, second = (select(table, which="last", split="test")["ndcg@10"].item()
                     for table in (record["runs"], again["runs"]))
    return (f"other numbers than its record, in {' and '.join(parts)} (test NDCG@10 of the last "
            f"epoch: stored {first!r}, now {second!r}). Other code, another kind of processor, "
            "number of threads or version of a package gives other digits")


def verify(results: Results, folder: Path | None, run: Run) -> None:
    """Make a stored run again from nothing; Unequal where it differs."""
    config, name, data = run.config, run.name, run.data
    if name not in results.configs:
        raise ValueError(f"no run in the tables of {results.profile} has method {config.method!r}, "
                         f"backbone {config.backbone!r}, dataset {config.dataset!r} with the hash "
                         f"{data.fingerprint}; there are {', '.join(results.configs)}")
    stored = results.provenance[name]
    here = provenance(data.fingerprint, choose_device(config.training.device), 0.0)
    for part in ("code_version", "hardware", "packages"):
        print(f"{part}: stored {stored[part]}, here {here[part]}")
    with TemporaryDirectory() as empty, patch.dict(os.environ, {"CASADV_RUNS": empty}):
        try:
            again = runs.run(config, data)
        except KeyboardInterrupt:  # whose own words name a checkpoint that goes with the folder
            raise KeyboardInterrupt("stopped; the same command begins anew") from None
        if why := difference(results, folder, again):
            raise runs.Unequal(why)


def results_of(study: Study, methods: Iterable[str] = METHOD_ORDER, attacks: Iterable[dict] = (),
               epsilons: Iterable[float] = (), switches: Iterable[str] = ()) -> Results:
    """The tables of a study: its methods, each with these attacks, adv_cas at these epsilons (role
    "sweep") and with these switches of `plan.SWITCHES` (roles "switch" and "switch:NAME").

    What the tables of the profile hold with the same settings (but for those in CHOSEN) and data is
    taken, the rest is made. Other methods and backbones join where stored.
    """
    folder = None
    with suppress(frames.MissingRecords):
        folder = frames.stored_folder(study.profile, study.dataset)
    stored = frames.read_results(folder) if folder else Results(study.profile)
    methods, attacks = list(methods), list(attacks)
    for name in set().union(*attacks):
        one_of("attacks", name, TOLD_APART)
    attacked = {attack_name(**options) for options in attacks}
    asked = [(method, {}, "main") for method in METHOD_ORDER]
    asked += [("adv_cas", {"epsilon": epsilon, "health": "note"}, "sweep") for epsilon in epsilons]
    asked += [("adv_cas", SWITCHES[one_of("switches", name, SWITCHES)][1], f"switch switch:{name}")
              for name in switches]
    asked += [("adv_cas", {}, "switch")] * bool(switches)
    configs = []
    for backbone, (method, more, role) in product(
            dict.fromkeys([*BACKBONE_NAMES, study.backbone]), asked):  # errors before work
        with suppress(*[ValueError] * (backbone != study.backbone)):
            configs.append((study.config(method, backbone=backbone, **more), more, role))
    taken, made = defaultdict(list), defaultdict(list)
    for config, more, role in configs:
        ignored = {*CHOSEN} - {*study.asked, *more} | {*NOT_IDENTITY, "dataset"}  # it has the hash
        settings = {item for item in config.flat().items() if item[0] not in ignored}
        fitting = frames.with_role(stored, role.split()[0], data_hash=study.data.fingerprint)
        names = [config.run_name(study.data.fingerprint), *fitting["run"]]
        run = next((run for run in names if settings <= stored.configs.get(run, {}).items()), None)
        is_main = role == "main"
        is_asked = config.backbone == study.backbone and (config.method in methods or not is_main)
        wanted = attacked if is_asked and is_main else set()
        if run and (not wanted or wanted <= (attacks_in(stored, folder, run) or set())):
            taken[run] += role.split()
        elif is_asked:
            own = runs.run(config, study.data)
            for options in attacks if wanted else ():
                runs.run_attack(own, **options)
            made[own] += role.split()
    results, _ = collect(made, stored, folder, taken)
    return replace(results, datasets=pd.DataFrame([dataset_row(study.data, study.dataset)]))


def _joined(parts: list[pd.DataFrame], name: str, roles: Mapping[str, list[str]]) -> pd.DataFrame:
    """One table in the paper's order; the last of rows with the same key stays."""
    filled = [part for part in parts if len(part)]
    table = pd.concat(filled or parts[:1]).drop_duplicates(KEYS[name], keep="last")
    if "roles" in table:
        table["roles"] = [" ".join(dict.fromkeys(roles[run])) for run in table["run"]]
        orders = {"dataset": frames.DATASET_NAMES, "backbone": BACKBONE_NAMES,
                  "method": METHOD_ORDER}
        table = table.sort_values(list(orders), kind="stable", key=lambda names: names.map(
            list(dict.fromkeys([*orders[names.name], *names])).index))
    return table[COLUMNS[name]].reset_index(drop=True)


def _attacks(run: Run) -> list[dict]:
    """Records of the attacks on a run's test split, one a rule, with the "attack" of each; without
    those with options that have no column."""
    stored = [{"attack": path.stem.rpartition("-")[0]} | read_json(path)
              for path in sorted((run.folder / "attacks").glob("test-*.json"))]
    return [record for record in stored if record["attack"] == attack_name(
        **{column: record.get(column) for column in TOLD_APART})]


def _tables_of(run: Run) -> dict[str, pd.DataFrame]:
    """The rows of a run in `runs`, `curves` and `attacks`."""
    config, metrics, method = run.config, run.metrics, METHODS.get(run.config.method, BASE)
    both = {"run": run.name, "dataset": run.dataset, "backbone": config.backbone,
            "loss": config.training.loss, "method": config.method, "seed": config.training.seed,
            "roles": ""}
    perturbs, settings = method.level1 or method.level2, config.adversarial
    own = both | {
        "epsilon": settings.epsilon if perturbs else math.nan,
        "lambda1": settings.lambda1 if method.level1 else math.nan,
        "replace_probability": settings.replace_probability if method.replaces else math.nan,
        "preset": settings.scope if perturbs else "",
        "seconds_per_epoch": metrics["seconds"]["per_epoch"],
        "train_seconds": metrics["seconds"]["train"], "epochs": config.training.epochs,
        "adv_epochs": 0 if config.method == "base" else config.adv_epochs,
        "data_hash": metrics["provenance"]["data_hash"],
        "hardware": metrics["provenance"]["hardware"]}
    rows = {
        "runs": [own | metrics[which][split] | {
            "which": which, "epoch": metrics[which]["epoch"], "split": split}
            for which, split in product(WHICH, runs.SPLITS)],
        "curves": [both | entry | entry[split] | {"split": split}
                   for entry in metrics["curve"] for split in runs.SPLITS],
        "attacks": [record | record["attacked"] | both | {
            "surrogate": record.get("surrogate") or "",
            **{f"{m}_clean": record["clean"][m] for m in METRICS},
            "seconds": record["provenance"]["wall_seconds"]}
            for record in _attacks(run)]}
    return {name: pd.DataFrame(rows[name], columns=COLUMNS[name]) for name in rows}


def ranks_of(made: Run) -> Ranks:
    """The ranks of a stored run and of the attacks on it."""
    def column(ranks, users=slice(None)):
        whole = np.full(made.data.n_users, frames.NOT_RANKED, np.uint8)
        whole[users] = frames.encode(ranks)
        return whole

    codes = {which: column(made.ranks("test", which)) for which in WHICH}
    for attack in dict.fromkeys(record["attack"] for record in _attacks(made)):
        stored = read_arrays(made.folder / "attacks" / f"{attack}.npz")
        users = stored["users"]
        codes[f"{attack} clean"] = column(stored["clean"], users)
        codes |= {f"{attack}-{rule} attacked": column(stored[rule], users) for rule in EXCLUDES}
    return codes


def dataset_row(data: SequenceDataset, name: str) -> dict:
    """A row of the table `datasets`; name: as configurations name it."""
    optimum = data.world.optimum("test") if data.world is not None else {}
    return {"dataset": name} | data.statistics() | {
        "data_hash": data.fingerprint,
        **{f"optimum_{m}": optimum.get(m, math.nan) for m in METRICS}}

