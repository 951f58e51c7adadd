"""The notebooks on a reader's own file and on other backbones, from nothing.

One of each kind (01 data, 06 training, 07 sweep, 08 robustness) runs from the repository's root
and from the notebooks' folder; the second time its runs are stored.
"""

import nbformat
import numpy as np
import pandas as pd
import pytest
from test_notebooks import printed

from casadv_lib.experiments import notebooks as batch

SMALL = {"epochs": 2, "adv_epochs": 1, "dim": 8, "batch_size": 16, "eval_every": 1}
CURVES = {**SMALL, "epochs": 4, "adv_epochs": 2}
FOLDER, BOTH = ("notebooks",), (".", "notebooks")
# number: (parameters besides the data set, runs made, agreements, what it says, called from)
CASES = {
    "00": ({"backbone": "gru4rec"}, 1, 1, "NDCG@10", FOLDER),
    "02": ({"backbone": "causalcnn"}, 3, 7, "causalcnn: trained", FOLDER),
    "03": ({"largest": 10000, "overrides": {"max_len": 3, "batch_size": 8}}, 0, 5,
           "T = 3, b = 8", FOLDER),
    "04": ({"backbone": "gru4rec", "masks_epochs": 1, "overrides": CURVES}, 1, 6,
           "after 1 epochs", FOLDER),
    "06": ({"backbone": "causalcnn", "metric": "hr@10", "overrides": CURVES}, 3, 2,
           "causalcnn; seed 0", BOTH),
    "07": ({"backbone": "gru4rec", "epsilons": [0.5, 2.0], "overrides": CURVES}, 4, 3,
           "not in the sweep", BOTH),
    "08": ({"backbone": "gru4rec", "steps_back": 2, "shown_users": 5}, 6, 3,
           "records: gru4rec base", BOTH),
    "09": ({"backbone": "causalcnn", "most": 2}, 4, 3, "causalcnn; seed 0", FOLDER),
    "10": ({"backbone": "gru4rec", "timed_epochs": 1, "largest": 10000}, 5, 3,
           "gru4rec; 1 epochs each", FOLDER),
    "11": ({"backbone": "causalcnn", "switches": ["sign", "minmax"]}, 10, 2,
           "not settled here", FOLDER),
}


@pytest.fixture
def own_file(tmp_path):
    """40 users, 30 items, named by text that a page must not take for its own."""
    rng = np.random.default_rng(0)
    rows = [(f"u{user}", f"film {item} <script>alert(1)</script>", step) for user in range(40)
            for step, item in enumerate(rng.permutation(30)[: rng.integers(4, 9)])]
    path = tmp_path / "own.csv"
    pd.DataFrame(rows, columns=["user", "item", "timestamp"]).to_csv(path, index=False)
    return str(path)


def pages(cells):
    """All outputs that a page shows as they are."""
    return "\n".join(str(out.get("data", {}).get(kind, "")) for cell in cells
                     for out in cell.get("outputs", [])
                     for kind in ("text/html", "text/markdown", "image/svg+xml", "text/latex"))


@pytest.mark.parametrize("number", CASES)
def test_it_runs_on_another_data_set_and_backbone(number, tmp_path, own_file, runs_folder):
    special, runs, agreements, says, places = CASES[number]
    (source,) = batch.committed([number])
    given = {"dataset": own_file, "overrides": SMALL, **special}
    given |= {} if number == "03" else {"device": "cpu"}
    before, texts = source.read_bytes(), []
    for where in places:
        output = batch.run_notebook(source, tmp_path / "out.ipynb", given,
                                    cwd=batch.root() / where)
        cells = nbformat.read(output, as_version=4).cells
        # joined by nothing: the same words may come in one piece or in two
        texts.append("".join(out.get("text", "") for cell in cells for out in
                             cell.get("outputs", [])
                             if "nbval-check-output" in cell.metadata.get("tags", [])))
        assert "<script>alert" not in pages(cells)
        assert "40 users" in printed(output) and says in printed(output)
    assert texts[0].count("True") >= agreements and "False" not in texts[0], texts[0]
    assert set(texts) == {texts[0]}  # the same from both places
    assert len(list(runs_folder.glob("own-*/metrics.json"))) == runs
    assert source.read_bytes() == before
