"""The notebooks on a reader's own file and on other backbones, from nothing.

One of each kind (01 data, 06 training, 07 sweep, 08 robustness) runs twice, the second time from
a copy in another folder and with its runs stored.
"""

import shutil
from pathlib import Path

import nbformat
import numpy as np
import pandas as pd
import papermill
import pytest

from casadv_lib.experiments import notebooks

SMALL = {"epochs": 2, "adv_epochs": 1, "dim": 8, "batch_size": 16, "eval_every": 1}
CURVES = {**SMALL, "epochs": 4, "adv_epochs": 2}
# number: (backbone, parameters besides the data set, runs made, agreements, times)
CASES = {
    "00": ("gru4rec", {}, 2, 1, 1),
    "01": (None, {}, 0, 3, 2),
    "02": (None, {"epochs": 2}, 1, 6, 1),
    "03": (None, {"overrides": {"max_len": 3, "batch_size": 8}}, 0, 5, 1),
    "04": (None, {"overrides": CURVES}, 1, 3, 1),
    "05": ("gru4rec", {}, 8, 3, 1),
    "06": ("causalcnn", {"metric": "hr@10", "overrides": CURVES}, 3, 1, 2),
    "07": ("gru4rec", {"epsilons": [0.5, 2.0], "overrides": CURVES}, 4, 2, 2),
    "08": ("gru4rec", {"steps_back": 2}, 6, 4, 2),
    "09": ("causalcnn", {"K": 2}, 4, 2, 1),
    "10": ("gru4rec", {"timed_epochs": 1}, 1, 0, 1),
    "11": ("causalcnn", {"switches": ["sign", "minmax"]}, 10, 2, 1),
    "12": (None, {"epochs": 2}, 1, 3, 1),
}


@pytest.fixture
def own_file(tmp_path):
    """40 users, 30 items; names with commas, and text that a page must not take for its own."""
    rng = np.random.default_rng(0)
    rows = [(f"usér «{user}»", f"film {item}, $^$ <script>alert(1)</script>", step // 2)
            for user in range(40)
            for step, item in enumerate(rng.permutation(30)[: rng.integers(4, 9)])]
    path = tmp_path / "own.csv"
    pd.DataFrame(rows, columns=["user", "item", "timestamp"]).to_csv(path, index=False)
    return str(path)


@pytest.mark.parametrize("number", CASES)
def test_it_runs_on_another_data_set_and_backbone(number, tmp_path, own_file, runs_folder):
    backbone, special, runs, agreements, times = CASES[number]
    [source] = notebooks.committed([number])
    given = {"dataset": own_file, "backbone": backbone, "device": "cpu", "overrides": SMALL}
    known = papermill.inspect_notebook(str(source))
    given = {name: value for name, value in (given | special).items() if name in known}
    before, compared = source.read_bytes(), []
    for path in (source, Path(shutil.copy(source, tmp_path)))[:times]:
        *_, why = notebooks.run_notebook(path, tmp_path / "out.ipynb", given)
        assert not why
        cells = nbformat.read(tmp_path / "out.ipynb", as_version=4).cells
        outputs = [(cell, out) for cell in cells for out in cell.get("outputs", [])]
        compared.append("".join(out.get("text", "") for cell, out in outputs
                                if "nbval-check-output" in cell.metadata.get("tags", [])))
        shown = "\n".join(str(value) for _, out in outputs
                          for value in (out.get("text", ""), *out.get("data", {}).values()))
        assert "40 users" in shown
        for kind in ("text/html", "text/markdown", "image/svg+xml"):
            assert not any("<script>alert" in out.get("data", {}).get(kind, "")
                           for _, out in outputs)
    assert compared[0].count("True") >= agreements and "False" not in compared[0], compared[0]
    assert set(compared) == {compared[0]}  # the same from both folders
    assert len(list(runs_folder.glob("own-*/metrics.json"))) == runs
    assert source.read_bytes() == before
