"""Results stored as one results.json, by code before these tables, made into them."""

import math

import pandas as pd

from casadv_lib.experiments.configuration import Configuration
from casadv_lib.results.collect import rows_of
from casadv_lib.results.frames import COLUMNS, METRICS, Results


def converted(old: dict) -> Results:
    """The tables of a results.json's content; `intervals` stays empty, they are drawn anew."""
    tables = {name: [] for name in ("runs", "curves", "attacks")}
    configs, provenance = {}, {}
    for record in old["records"]:
        config, name = Configuration.of(record["config"]), record["run"]
        configs[name], provenance[name] = config.flat(), record["provenance"]
        attacks = [{"attack": _name(attack), **attack} for attack in record["attacks"]]
        rows = rows_of(name, config, record["metrics"] | {
            part: record[part] for part in ("curve", "seconds", "provenance")}, attacks,
            record["provenance"]["data_hash"], " ".join(record["roles"]))
        for table in tables:
            tables[table].append(rows[table])
    return Results(
        old["profile"], **{name: _joined(parts) for name, parts in tables.items()},
        trials=pd.DataFrame(list(_trials(old)), columns=COLUMNS["trials"]),
        datasets=pd.DataFrame(list(_datasets(old)), columns=COLUMNS["datasets"]),
        configs=configs, provenance=provenance, figure1=old.get("figure1"))


def _joined(parts: list[pd.DataFrame]) -> pd.DataFrame:
    return pd.concat([part for part in parts if len(part)] or parts[:1], ignore_index=True)


def _name(attack: dict) -> str:
    """The name of an attack: the values of its options, in the order of their names."""
    options = [name for name in ("joint", "k", "loss", "pick", "positions", "seed", "step",
                                 "surrogate") if name in attack]
    return "-".join([attack["split"], *(str(attack[name]) for name in options)])


def _trials(old: dict):
    for entry in old["selection"]:
        for trial in entry["tried"]:
            yield {name: entry.get(name) for name in COLUMNS["trials"]} | trial | {
                **trial["validation"],
                **{f"base_{metric}": (entry["base"] or {}).get(metric, math.nan)
                   for metric in METRICS},
                "chosen": entry["chosen"].items() <= trial.items()}


def _datasets(old: dict):
    for row in old["dataset"]:
        optimum = old["optimum"].get(row["dataset"], {})
        hashes = {record["provenance"]["data_hash"] for record in old["records"]
                  if record["config"]["dataset"] == row["dataset"]}
        yield {"data_hash": next(iter(hashes), "")} | row | {
            f"optimum_{metric}": optimum.get(metric, math.nan) for metric in METRICS}
