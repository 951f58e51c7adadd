"""Stored results as tidy tables, one row an observation.

In a folder each table of `Results` is a CSV of that name, with the columns of columns.csv;
`runs.json` holds the rest. `ranks/` holds the users' ranks as far as NDCG@10 and HR@10 look at
them, a byte a user: intervals of new comparisons need no run that is long gone.
"""

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd

from ..evaluation import CUTOFF
from ..settings import PROFILES
from ..support import files
from ..support.machine import folder_named_by, root

BACKBONE_NAMES, DATASET_NAMES, LOSS_NAMES = files.read_json(
    Path(__file__).with_name("names.json")).values()
SCHEMA = pd.read_csv(Path(__file__).with_name("columns.csv"))
COLUMNS = {name: own["column"].tolist() for name, own in SCHEMA.groupby("table", sort=False)}
TEXT = {name: own["column"][own["holds"] == "text"].tolist()
        for name, own in SCHEMA.groupby("table")}  # the columns that hold text
NOT_RANKED = 255  # the code of a user who was not ranked, or not attacked
WHICH = ("last", "best")  # epoch of a run, a column of its ranks; best: on validation
ESTIMATE = ["value", "low", "high"]  # of `intervals`, stored with six digits
# A run's ranks on test, columns of codes (see `encode`), (users,) uint8: "last", "best", for each
# attack "ATTACK clean", and for each attack and rule of exclusion "ATTACK-RULE attacked".
Ranks = dict[str, np.ndarray]


class MissingRecords(ValueError):
    """The results hold too little for a figure or table; the message names what is missing."""


def _frame(name: str):
    return field(default_factory=lambda: pd.DataFrame(columns=COLUMNS[name]), repr=False)


@dataclass(frozen=True)
class Results:
    """The tables of a profile or of some runs."""

    profile: str = "quick"
    runs: pd.DataFrame = _frame("runs")  # the last or best-validation epoch, on a split
    curves: pd.DataFrame = _frame("curves")  # an evaluation during training
    attacks: pd.DataFrame = _frame("attacks")  # on a run, ranked by one rule of exclusion
    intervals: pd.DataFrame = _frame("intervals")  # 95%: of two runs, by an attack, over data sets
    trials: pd.DataFrame = _frame("trials")  # what was tried on validation to choose settings
    datasets: pd.DataFrame = _frame("datasets")  # Table 2, and the best possible score if known
    configs: dict = field(default_factory=dict, repr=False)  # {run: its flat configuration}
    provenance: dict = field(default_factory=dict, repr=False)  # {run: where its numbers are from}
    figure1: dict | None = field(default=None, repr=False)  # arguments of figure 1

    @cached_property
    def main(self) -> dict[tuple[str, str], dict[str, str]]:
        """{(data set, backbone): {method: its run}} of the comparison that the tables show."""
        rows = with_role(self, "main").groupby(["dataset", "backbone"], sort=False)
        return {setting: dict(zip(own["method"], own["run"])) for setting, own in rows}


def folder_of(profile: str, dataset: str | None = None) -> Path:
    """Where a profile's results lie: <profile>/ in `folder_made`, but those of the paper profile,
    which goes on from what is committed, in figures/paper/.

    dataset: how tables name it; one that is not of the profile has a folder <profile>-<dataset>/.
    """
    own = DATASET_NAMES if profile == "paper" else [PROFILES[profile]["dataset"]]
    if dataset is not None and dataset not in own:
        return folder_made() / f"{profile}-{dataset}"
    return root() / "figures" / profile if profile == "paper" else folder_made() / profile


def folder_made() -> Path:
    """`CASADV_FIGURES`, or `figures/made/` in the repository."""
    return folder_named_by("CASADV_FIGURES") or root() / "figures" / "made"


def stored_folder(profile_or_folder: str | Path, dataset: str | None = None) -> Path:
    """The folder with the results of a profile (first those of a data set of one's own), as made
    here, else the committed ones; or a folder itself. MissingRecords where there are none."""
    name, profile, folders = str(profile_or_folder), "quick", [Path(profile_or_folder)]
    if name in PROFILES:
        profile = name
        folders = [folder_of(name, dataset=dataset), folder_of(name), root() / "figures" / name]
    for folder in folders:
        if (folder / "runs.json").is_file():
            return folder
    raise MissingRecords(
        f"profile_or_folder is {name!r}, and there is no {folders[-1] / 'runs.json'}; allowed "
        f"are {', '.join(PROFILES)} and folders of results; `make figures` or `python -m "
        f"casadv_lib grid --profile {profile}` writes one")


def read_results(profile_or_folder: str | Path) -> Results:
    """The results in `stored_folder`; DamagedFile where they cannot be read."""
    folder = stored_folder(profile_or_folder)
    tables = {}
    with files.reading(folder, "holds no whole results",
                       "bring its files back, or delete its runs.json and make them again"):
        for name, columns in COLUMNS.items():
            # nothing but an empty field is a missing number: "NA" may be a name
            table = pd.read_csv(folder / f"{name}.csv", dtype=dict.fromkeys(TEXT[name], str),
                                keep_default_na=False, na_values=[""])
            tables[name] = table[columns].fillna(dict.fromkeys(TEXT[name], ""))
        found = Results(**files.read_json(folder / "runs.json"), **tables)
        if {*found.configs} != {*found.runs["run"]}:
            raise ValueError("runs.csv and runs.json name different runs")
        return found


def write_results(results: Results, folder: Path) -> Path:
    """Write the tables into a folder; `runs.json`, whose path is returned, comes last."""
    files.make_folder(folder)
    for name in COLUMNS:
        text = getattr(results, name)[COLUMNS[name]].to_csv(index=False, lineterminator="\n")
        files.write_bytes(folder / f"{name}.csv", text.encode())
    return files.write_json(folder / "runs.json", {
        "profile": results.profile, "configs": results.configs,
        "provenance": results.provenance, "figure1": results.figure1})


def encode(ranks: np.ndarray) -> np.ndarray:
    """Twice the rank where it is at most 10 (ties have half ranks), 0 elsewhere; uint8."""
    return np.where(ranks <= CUTOFF, np.rint(2 * ranks), 0).astype(np.uint8)


def decode(codes: np.ndarray) -> np.ndarray:
    """Ranks, float64; 11 stands for every rank behind the tenth. No code is NOT_RANKED."""
    return np.where(codes == 0, CUTOFF + 1.0, codes / 2)


def setting_name(backbone: str, dataset: str, loss: str = "bce") -> str:
    """Where a number is from, such as "SASRec, Amazon Beauty"; with the loss, where not Eq. 5's."""
    where = f"{BACKBONE_NAMES.get(backbone, backbone)}, {DATASET_NAMES.get(dataset, dataset)}"
    return where if loss == "bce" else f"{where}, {LOSS_NAMES.get(loss, loss)}"


def ranks_file(folder: Path, run: str) -> Path:
    return folder / "ranks" / f"{run}.npz"


def write_ranks(folder: Path, run: str, ranks: Ranks) -> Path:
    files.make_folder(folder / "ranks")
    return files.write_arrays(ranks_file(folder, run), {
        "columns": np.array(list(ranks)), "codes": np.stack(list(ranks.values()))})


def read_ranks(folder: Path, run: str) -> Ranks:
    """The stored ranks of a run; raises DamagedFile where the file is not whole."""
    path = ranks_file(folder, run)
    with files.reading(path, "does not hold the ranks of a run"):
        stored = files.read_arrays(path)
        return dict(zip(stored["columns"].tolist(), stored["codes"], strict=True))


def select(table: pd.DataFrame, **values) -> pd.DataFrame:
    """The rows whose columns have these values, or one of a list or tuple; None allows any."""
    for column, value in values.items():
        if value is not None:
            wanted = value if isinstance(value, (list, tuple)) else [value]
            table = table[table[column].isin(wanted)]
    return table


def with_role(results: Results, role: str, **values) -> pd.DataFrame:
    """The rows of `runs` with a role, such as "sweep", and these values; last epoch, on test."""
    rows = select(results.runs, which="last", split="test", **values)
    return rows.loc[[role in roles.split() for roles in rows["roles"]]]


def runs_by_seed(results: Results, dataset: str, backbone: str) -> pd.DataFrame:
    """The compared runs, a row a seed and a column a method, NaN for none."""
    rows = pd.concat([with_role(results, role, dataset=dataset, backbone=backbone)
                      for role in ("main", "seed")])
    return rows.pivot_table(index="seed", columns="method", values="run", aggfunc="first")


def main_run(results: Results, dataset: str, backbone: str, method: str) -> str:
    """The run of a method in the comparison that the tables show; MissingRecords for none."""
    there = results.main.get((dataset, backbone), {})
    if method not in there:
        raise MissingRecords(f"no run of method {method!r}, backbone {backbone!r}, dataset "
                             f"{dataset!r}")
    return there[method]


def score(results: Results, run: str, metric: str = "ndcg@10", split: str = "test") -> float:
    """A metric of a run at its last epoch."""
    return float(select(results.runs, run=run, which="last", split=split)[metric].item())


def interval(results: Results, kind: str, quantity: str, metric: str = "ndcg@10", **values) -> dict:
    """The row of `intervals` with these values; MissingRecords where there is none."""
    rows = select(results.intervals, kind=kind, quantity=quantity, metric=metric, **values)
    found = rows.to_dict("records")
    if len(found) != 1:
        raise MissingRecords(f"no {quantity} ({kind}, {metric}) of {values}")
    return found[0]
