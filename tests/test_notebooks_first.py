"""Notebooks 00, 02 and 03 run on a reader's own data and on other backbones."""

import nbformat
import numpy as np
import pandas as pd
import pytest

from casadv_lib import batch

SMALL = {"epochs": 2, "adv_epochs": 1, "dim": 8, "batch_size": 16, "eval_every": 1}
CASES = {
    "00_start_here": ({"backbone": "gru4rec", "device": "cpu", "overrides": SMALL}, 1),
    "02_backbones": ({"backbone": "causalcnn", "device": "cpu", "overrides": SMALL}, 7),
    "03_cascade_effects": (
        {"largest": 10000, "overrides": {"max_len": 3, "batch_size": 8}}, 5),
}


@pytest.fixture
def own_file(tmp_path):
    rng = np.random.default_rng(0)
    rows = [(f"u{user}", f"film {item}", step) for user in range(40)
            for step, item in enumerate(rng.permutation(30)[: rng.integers(4, 9)])]
    path = tmp_path / "own.csv"
    pd.DataFrame(rows, columns=["user", "item", "timestamp"]).to_csv(path, index=False)
    return str(path)


@pytest.mark.parametrize("name", CASES)
def test_runs_on_other_data(name, tmp_path, own_file, runs_folder):
    given, agreements = CASES[name]
    source = batch.notebooks_folder() / f"{name}.ipynb"
    output = batch.run_notebook(source, tmp_path / "out.ipynb", {"dataset": own_file, **given})
    checked = [cell for cell in nbformat.read(output, as_version=4).cells
               if "nbval-check-output" in cell.metadata.get("tags", [])]
    text = "\n".join(out.get("text", "") for cell in checked for out in cell.outputs)
    assert text.count("True") >= agreements and "False" not in text, text
