"""The whole path at a small size: all runs and attacks, results, every figure and table."""

import json

from casadv_lib.experiments.selection import CANDIDATES
from casadv_lib.results.readings import COMPARED
from oracles import random_sequences

from casadv_lib.experiments.grid import run_grid
from casadv_lib.experiments.plan import EPSILONS
from casadv_lib.figures import write as figures

SMALL = {"epochs": 2, "adv_epochs": 1, "dim": 8, "eval_every": 1, "batch_size": 32}


def test_from_data_to_figures(tmp_path, runs_folder):
    path = tmp_path / "own.txt"
    lines = enumerate(random_sequences(60, 30, 7, 12), 1)
    path.write_text("".join(f"{u} {' '.join(map(str, items))}\n" for u, items in lines))
    stored = run_grid(
        "quick", str(path), "causalcnn", workers=1, folder=tmp_path / "figures", **SMALL
    )
    results = json.loads(stored.read_text())
    # among the epsilons and the two switches of lambda1 is what was chosen for adv_cas
    assert len(results["records"]) == 11 + len(EPSILONS) - 1 + len(COMPARED) - 1
    families = [entry["family"] for entry in results["selection"]]
    assert sorted(families) == sorted(CANDIDATES)
    assert results["dataset"][0]["users"] == 60
    said = []
    written = figures.write_all(results, tmp_path / "figures", said.append)
    names = {file.name for file in written}
    drawn = (*(f"figure{n}" for n in range(1, 7)), "gains")
    figure_files = {f"{name}.{kind}" for name in drawn for kind in ("png", "svg")}
    tables = ("table2", "table3", "table4", "efficiency", "selection", "robustness")
    table_files = {f"{table}.{kind}" for table in tables for kind in ("csv", "md")}
    assert names == figure_files | table_files, said
    # a second call reuses every run: the records are the same
    again = run_grid("quick", str(path), "causalcnn", workers=1, folder=tmp_path / "b", **SMALL)
    assert json.loads(again.read_text()) == results
