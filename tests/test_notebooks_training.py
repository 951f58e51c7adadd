"""Notebooks 04, 06 and 07 on a reader's own file, with another backbone and from nothing."""

import numpy as np
import pandas as pd
import pytest
from test_notebooks import printed

from casadv_lib import batch

SMALL = {"epochs": 4, "adv_epochs": 2, "dim": 8, "batch_size": 16, "eval_every": 1}
CASES = {
    "04": ({"backbone": "gru4rec", "masks_epochs": 1}, 1, "agrees with the library: True"),
    "06": ({"backbone": "causalcnn", "metric": "hr@10"}, 3, "by hand agrees with the curve"),
    "07": ({"backbone": "gru4rec", "epsilons": [0.5, 2.0]}, 4, "not in the sweep"),
}


@pytest.fixture
def own_file(tmp_path):
    """40 users, 30 items, named by text."""
    rng = np.random.default_rng(0)
    rows = [(f"u{user}", f"film {item}", step) for user in range(40)
            for step, item in enumerate(rng.permutation(30)[: rng.integers(4, 9)])]
    path = tmp_path / "own.csv"
    pd.DataFrame(rows, columns=["user", "item", "timestamp"]).to_csv(path, index=False)
    return str(path)


@pytest.mark.parametrize("number", CASES)
def test_it_runs_on_another_data_set_and_backbone(number, tmp_path, own_file, runs_folder):
    special, runs, says = CASES[number]
    (source,) = batch.committed([number])
    given = {"dataset": own_file, "device": "cpu", "overrides": SMALL, **special}
    batch.run_notebook(source, tmp_path / "out.ipynb", given)
    text = printed(tmp_path / "out.ipynb")
    assert "40 users" in text and says in text
    assert "agrees with the library: False" not in text and "library: False" not in text
    assert len(list(runs_folder.glob("own-*"))) == runs
