"""The stored results of a profile: reading the file and choosing the records a figure needs.

A record is one run (see `experiments.runs`); figures and tables never train, they read records.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path

from ..experiments.configuration import NOT_IDENTITY, identity, stored_file
from ..support.files import read_json

METRICS = {"ndcg@10": "NDCG@10", "hr@10": "HR@10"}
BACKBONE_NAMES = {"sasrec": "SASRec", "gru4rec": "GRU4Rec", "causalcnn": "causal CNN"}
DATASET_NAMES = {
    "synthetic": "synthetic world",
    "ml-latest-small": "MovieLens latest-small",
    "ml-1m": "MovieLens-1M",
    "beauty": "Amazon Beauty",
    "video": "Amazon Video Games",
    "clothing": "Amazon Clothing",
}
METHOD_ORDER = (
    "base",
    "base+100",
    "adv_random",
    "adv_linear",
    "adv_seq",
    "adv_global",
    "adv_cas_1",
    "adv_cas_2",
    "adv_cas",
    "neighbour",
    "adv_neighbour",
)


# roles of runs that stand beside a comparison and are no part of it (see `plan.Job`)
ASIDE = {"values", "switch", "seed", "trade-off"}


class MissingRecords(ValueError):
    """The results hold too little for a figure or table; the message names what is missing."""


def load_results(profile_or_path: str | Path) -> dict:
    """Read the results of a profile, or the file (or its folder) at a given path.

    Of a profile it is what this machine has made (figures/made/<profile>/), else what is committed
    (figures/<profile>/). Returns the dict with "profile", "dataset", "optimum" and "records".
    Raises MissingRecords where there is no such file, ValueError where it cannot be read.
    """
    path = results_file(profile_or_path)
    results = read_json(path)
    if not isinstance(results, dict) or not isinstance(results.get("records"), list):
        raise ValueError(f"{path} has no list 'records'; it is not a file of results")
    return results


def results_file(profile_or_path: str | Path) -> Path:
    """The file that `load_results` reads; MissingRecords where there is none."""
    given = Path(profile_or_path)
    is_profile = given.name == str(profile_or_path) and not given.suffix
    path = given if given.suffix == ".json" else given / "results.json"
    path = stored_file(str(given), "results.json") if is_profile else path
    if not path.is_file():
        profile = given.name if is_profile else "quick"
        raise MissingRecords(
            f"profile_or_path is {str(profile_or_path)!r}, and there is no file {path}; "
            f"`make figures` or `python -m casadv_lib grid --profile {profile}` writes it"
        )
    return path


def identity_of(record: dict) -> str:
    """Text that is equal for the records of equal runs on equal data (see `profiles.identity`)."""
    return identity(record["config"], record["provenance"]["data_hash"])


def known_first(values, order) -> list:
    """`values` without repeats, those in `order` first and in that order."""
    values = list(dict.fromkeys(values))
    return [v for v in order if v in values] + [v for v in values if v not in order]


def datasets(results: dict) -> list[str]:
    """The data sets that have records, in the order of the file."""
    return list(dict.fromkeys(record["config"]["dataset"] for record in results["records"]))


def choose_dataset(results: dict, dataset: str | None) -> str:
    """`dataset` if it has records; the first of the file for None."""
    there = datasets(results)
    if not there:
        raise MissingRecords("results hold no records at all")
    if dataset is None:
        return there[0]
    if dataset not in there:
        raise MissingRecords(f"dataset is {dataset!r}; there are records of {', '.join(there)}")
    return dataset


def backbones(results: dict, dataset: str) -> list[str]:
    """The backbones with records on `dataset`, SASRec first as in the paper's tables."""
    there = [r["config"]["backbone"] for r in results["records"]
             if r["config"]["dataset"] == dataset]
    return known_first(there, BACKBONE_NAMES)


def methods(results: dict, dataset: str, backbone: str) -> list[str]:
    """The methods with records on `dataset` and `backbone`, in the order of METHOD_ORDER."""
    return known_first((r["config"]["method"] for r in records_of(results, dataset, backbone)),
                       METHOD_ORDER)


def records_of(results: dict, dataset: str, backbone: str, method: str | None = None) -> list:
    """All records of a data set and backbone, and of a method if one is given."""
    wanted = {"dataset": dataset, "backbone": backbone}
    if method is not None:
        wanted["method"] = method
    return [r for r in results["records"] if wanted.items() <= r["config"].items()]


def main_record(results: dict, dataset: str, backbone: str, method: str) -> dict:
    """The one record of a method that the tables show, where a sweep or seeds left several.

    It is the one that the grid made for the tables (role "main"). Where no record says its role,
    it is the one whose epsilon most adversarial methods share (a sweep varies the epsilon of
    one, the others stay at the setting of the comparison); among equals the one with the most
    attacks, then the lowest seed, then the first of the file.
    """
    candidates = records_of(results, dataset, backbone, method)
    candidates = [r for r in candidates if "main" in r.get("roles", ())] or candidates
    if not candidates:
        raise MissingRecords(f"no record of method {method!r}, backbone {backbone!r}, "
                             f"dataset {dataset!r}")
    # The base and the control may carry an epsilon too, but they do not use it.
    peers = [r["config"] for r in records_of(results, dataset, backbone)
             if not r["config"]["method"].startswith("base")]

    def rank(record):
        epsilon = record["config"].get("epsilon")
        sharing = {config["method"] for config in peers if config.get("epsilon") == epsilon}
        seed = record["config"].get("seed") or 0
        return len(sharing), len(record.get("attacks") or []), -seed

    return max(candidates, key=rank)  # max keeps the first of equals


def epsilon_sweep(results: dict, dataset: str, backbone: str, method: str = "adv_cas") -> dict:
    """`{epsilon: record}`, rising, of runs that differ in epsilon alone.

    Where there are several such families (two seeds, say), it is the one with most values.
    """
    families: dict[str, dict] = {}
    for record in records_of(results, dataset, backbone, method):
        if set(record.get("roles", ("main",))) <= ASIDE:
            continue
        rest = {name: v for name, v in record["config"].items()
                if name not in ("epsilon", *NOT_IDENTITY)}
        family = families.setdefault(json.dumps(rest, sort_keys=True, default=str), {})
        family.setdefault(float(record["config"]["epsilon"]), record)
    sweep = max(families.values(), key=len, default={})
    if len(sweep) < 2:
        raise MissingRecords(
            f"no sweep over epsilon of method {method!r}, backbone {backbone!r}, dataset "
            f"{dataset!r}: records with {len(sweep)} value(s) of epsilon, at least 2 are needed")
    return dict(sorted(sweep.items()))


def attacks_by_k(record: dict, positions: str, pick: str = "gradient", step: float = 0.1,
                 exclude: str = "both", surrogate: str | None = None) -> dict:
    """`{k: attack}`, rising, of a record's attacks at one place with one way of picking.

    step matters for pick "gradient" alone. Attacks with another aim (loss) or one item at a time
    (joint) are variants of their own and never taken; of several seeds the lowest is.
    exclude, surrogate: as in `casadv_lib.attack` and `runs.run_attack`.
    """
    found: dict[int, dict] = {}
    for attack in sorted(record.get("attacks") or [], key=lambda attack: attack.get("seed", 0)):
        own = (attack["positions"], attack["pick"], attack["exclude"], attack.get("surrogate"))
        same = own == (positions, pick, exclude, surrogate)
        same &= pick != "gradient" or math.isclose(attack["step"], step)
        if same and attack.get("loss", "target") == "target" and attack.get("joint", True):
            found.setdefault(attack["k"], attack)
    return dict(sorted(found.items()))


def rule_of(record: dict) -> str:
    """By which rule a record's attacks are ranked: "both" where they are stored by it, "original"
    where only those are left that let the substitutes compete (see `attacks.excluded`)."""
    rules = {attack["exclude"] for attack in record.get("attacks") or ()}
    return "original" if "original" in rules and "both" not in rules else "both"


def find_attack(record: dict, positions: str, k: int, pick: str = "gradient",
                step: float = 0.1, exclude: str = "both", surrogate: str | None = None) -> dict:
    """The record's attack with these settings, chosen as in `attacks_by_k`."""
    found = attacks_by_k(record, positions, pick, step, exclude, surrogate)
    if k not in found:
        config = record["config"]
        raise MissingRecords(
            f"no attack with positions {positions!r}, k {k}, pick {pick!r}, step {step:g}, exclude "
            f"{exclude!r} in the record of method {config['method']!r}, backbone "
            f"{config['backbone']!r}, dataset {config['dataset']!r}")
    return found[k]


def gather(results: dict, dataset: str, collect: Callable[[str], dict]) -> tuple[dict, list[str]]:
    """`{backbone: collect(backbone)}` for backbones with all records, and what the others lack.

    A figure gets one panel for each backbone found and says which were left out; where none has
    all it needs, MissingRecords names everything that is missing.
    """
    found, missing = {}, []
    for backbone in backbones(results, dataset):
        try:
            found[backbone] = collect(backbone)
        except MissingRecords as error:
            missing.append(str(error))
    if not found:
        raise MissingRecords("; ".join(missing))
    return found, missing
