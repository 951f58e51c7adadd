"""Comparing methods: their records from where they are, and the paper's claims put to the test.

Notebooks use it: `compared` finds or makes the runs, `claims` says in numbers which of the paper's
sentences about accuracy (Section 5.5) hold on them.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ..adversarial import METHODS
from ..backbones import BACKBONES
from ..data import SequenceDataset
from ..evaluation import paired_bootstrap
from ..experiments.configuration import configure, identity
from ..experiments.runs import canonical, is_complete, record_of, run
from .paper import paper_numbers
from .records import METRICS, MissingRecords, identity_of, load_results, main_record, methods

CASES = ("base", "base+100", "adv_linear", "adv_seq", "adv_global", "adv_cas_1", "adv_cas_2",
         "adv_cas")


@dataclass(frozen=True)
class Claim:
    """One sentence of Section 5.5: `better` ranks more accurately than `worse`."""

    better: str
    worse: str
    text: str


CLAIMS = (
    Claim("adv_linear", "base", "level 2 alone improves on the base"),
    Claim("adv_seq", "base", "level 1 alone improves on the base"),
    Claim("adv_global", "base", "both levels improve on the base"),
    Claim("adv_cas", "base", "both levels with cascade weights improve on the base"),
    Claim("adv_cas", "base+100", "the gain is more than that of longer training (our control)"),
    Claim("adv_cas", "adv_linear", "adv_cas is better than level 2 alone"),
    Claim("adv_cas", "adv_seq", "adv_cas is better than level 1 alone"),
    Claim("adv_cas", "adv_global", "cascade weights are better than equal weights"),
    Claim("adv_cas_1", "base", "the own-history term alone improves on the base"),
    Claim("adv_cas_2", "base", "the other-histories term alone improves on the base"),
    Claim("adv_cas", "adv_cas_1", "both terms are better than the own-history term"),
    Claim("adv_cas", "adv_cas_2", "both terms are better than the other-histories term"),
)


def compared(data: SequenceDataset, profile: str, dataset: str | None, backbone: str,
             wanted: Collection[str] = CASES, seed: int = 0, device: str = "auto",
             stored: dict | None = None, **overrides) -> tuple[dict, dict[str, np.ndarray]]:
    """Records of the wanted methods, and the test ranks of those whose runs are stored.

    A record is taken from `stored` (default: the profile's results where they are there)
    if its configuration and its data are exactly those asked for; else the run is reused or
    made. Records of other backbones join where `stored` has them; they are never made here.

    Returns (results, ranks): results as `load_results` gives them, for this data set alone, and
    {method: (users,) float64} for `backbone`.
    """
    stored = _stored(profile) if stored is None else stored
    by_identity = {identity_of(record): record for record in stored.get("records", [])}
    records, ranks = [], {}
    for name in (backbone, *(other for other in BACKBONES if other != backbone)):
        settings = overrides if name == backbone else _known(name, overrides)
        for method in ("base", *METHODS):
            config = canonical(
                configure(profile, dataset, name, method, seed, device=device, **settings))
            record = by_identity.get(identity(config, data.fingerprint))
            if name == backbone and method in wanted:
                record = record or record_of(run(config, data))
                if is_complete(config, data):
                    ranks[method] = run(config, data).ranks("test")
            if record is not None:
                records.append(record)
    optimum = {} if data.world is None else {config["dataset"]: data.world.optimum("test")}
    return {"profile": profile, "dataset": [{"dataset": data.name} | data.statistics()],
            "optimum": optimum, "records": records}, ranks


def _stored(profile: str) -> dict:
    try:
        return load_results(profile)
    except MissingRecords:
        return {}


def _known(backbone: str, overrides: dict) -> dict:
    """The overrides that a backbone has: n_blocks, say, means nothing to GRU4Rec."""
    own = configure(backbone=backbone)
    return {name: value for name, value in overrides.items() if name in own or name == "preset"}


def claims(results: dict, ranks: dict[str, np.ndarray], dataset: str, backbone: str,
           metric: str = "ndcg@10") -> pd.DataFrame:
    """One row a claim whose two methods have records: our difference and the paper's tally.

    Columns: claim, better, worse, difference (absolute, test, last epoch), low, high (95% paired
    bootstrap over users; NaN where neither the ranks nor the record hold one), verdict, and
    "paper": on how many of its data sets the paper's own table shows the difference.
    """
    there = methods(results, dataset, backbone)
    rows = []
    for claim in CLAIMS:
        if claim.better not in there or claim.worse not in there:
            continue
        pair = [main_record(results, dataset, backbone, m) for m in (claim.better, claim.worse)]
        level = [record["metrics"]["last"]["test"][metric] for record in pair]
        if claim.better in ranks and claim.worse in ranks:
            bound = paired_bootstrap(ranks[claim.better], ranks[claim.worse], metric)
        else:
            known = pair[0].get("versus_base") if claim.worse == "base" else None
            bound = known["test"][metric] if known else {"low": np.nan, "high": np.nan}
        rows.append({"claim": claim.text, "better": claim.better, "worse": claim.worse,
                     "difference": level[0] - level[1], "low": bound["low"],
                     "high": bound["high"], "verdict": verdict(bound["low"], bound["high"]),
                     "paper": _paper_tally(claim, backbone, metric)})
    return pd.DataFrame(rows)


def verdict(low: float, high: float) -> str:
    """What a 95% interval of a difference allows us to say."""
    if np.isnan(low) or np.isnan(high):
        return "no interval"
    if low > 0:
        return "holds here"
    return "the opposite holds here" if high < 0 else "not settled here"


def _paper_tally(claim: Claim, backbone: str, metric: str) -> str:
    """Such as "4 of 4": the data sets on which the paper's table has better above worse."""
    numbers, place = paper_numbers(), list(METRICS).index(metric)
    tables = [numbers["table3"].get(backbone, {})]
    tables += [numbers["table4_sasrec"]] if backbone == "sasrec" else []
    for table in tables:
        rows = [row for row in table.values() if isinstance(row, dict)]
        rows = [row for row in rows if claim.better in row and claim.worse in row]
        if rows:
            above = sum(row[claim.better][place] > row[claim.worse][place] for row in rows)
            return f"{above} of {len(rows)}"
    return "not measured"
