"""From stored runs to tables: what the grid leaves behind, or a notebook has just made."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from pathlib import Path

import pandas as pd

from ..adversarial import METHODS
from ..data import SequenceDataset
from ..experiments.configuration import Configuration
from ..experiments.runs import Run, one_at_a_time, stored_attacks
from .comparisons import intervals
from .frames import (
    BACKBONE_NAMES,
    COLUMNS,
    METHOD_ORDER,
    METRICS,
    Results,
    known_first,
    write_results,
)
from .ranks import UserRanks, of_run, ranks_file, read_ranks, write_ranks


def collect(made: Mapping[Run, Iterable[str]], profile: str = "quick",
            stored: Results | None = None, folder: Path | None = None
            ) -> tuple[Results, dict[str, UserRanks]]:
    """The tables of runs, {run: what for}, joined to stored ones; and the ranks behind them.

    stored, folder: tables with the ranks beside them. A stored run stays as it is, unless more
    attacks on it are here; runs that are not complete are left out.
    """
    stored = stored or Results(profile)
    frames = {name: [getattr(stored, name)] for name in ("runs", "curves", "attacks")}
    configs, provenance = dict(stored.configs), dict(stored.provenance)
    roles = dict(zip(stored.runs["run"], stored.runs["roles"], strict=True))
    attacks = stored.attacks.groupby("run")["attack"].nunique().to_dict()
    ranks: dict[str, UserRanks] = {}
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
            ranks[run.name] = of_run(run)
        roles[run.name] = " ".join(known_first([*before, *wanted], ()))
    tables = {name: _joined(parts, name, roles) for name, parts in frames.items()}
    names = known_first(tables["runs"]["run"], ())
    everyone = {name: ranks[name] if name in ranks else read_ranks(folder, name) for name in names}
    results = stored.but(profile=profile, **tables, configs={n: configs[n] for n in names},
                         provenance={n: provenance[n] for n in names},
                         intervals=intervals(tables["runs"], everyone))
    return results, ranks


def store(made: Mapping[Run, Iterable[str]], folder: Path, profile: str,
          stored: Results | None = None, **parts) -> Path:
    """Join runs to the tables in a folder and write both there; returns the path of runs.json.

    stored: the tables to go on from; None starts anew. parts: other tables and fields of `Results`.
    """
    with one_at_a_time(folder):
        results, ranks = collect(made, profile, stored, folder)
        for name, one in ranks.items():
            write_ranks(folder, name, one)
        return write_results(results.but(**parts), folder)


def has_ranks(folder: Path, run: str) -> bool:
    """Whether the ranks of a run lie beside the tables in a folder."""
    return ranks_file(folder, run).exists()


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
            known_first(table[column], order))}) for column, order in orders.items()}
        table = table.iloc[pd.DataFrame(keys).sort_values(list(keys), kind="stable").index]
    return table[COLUMNS[name]].reset_index(drop=True)


def _tables_of(run: Run) -> dict[str, pd.DataFrame]:
    """The rows of one run in `runs`, `curves` and `attacks`."""
    metrics, attacks = run.metrics, stored_attacks(run)
    records = [{"attack": name} | record for name, by_rule in attacks.items()
               for record in by_rule.values()]
    return rows_of(run.name, run.config, metrics, records, metrics["provenance"]["data_hash"])


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

