"""All notebooks in every way that a reader may run them; minutes, so `make soak` only.

Everywhere: on a made data set with text ids and on another backbone, from nothing, called from the
repository's root and from the notebooks' folder. At home: with the committed parameters, where the
time of each is measured.
"""

import nbformat
import pandas as pd
import papermill
import pytest

from casadv_lib.datasets.synthetic import WorldSettings, make_world
from casadv_lib.experiments import notebooks
from casadv_lib.support.files import read_json

pytestmark = pytest.mark.soak
PATIENCE_SECONDS = 90
WORLD = WorldSettings(n_users=300, n_items=120, max_length=60)  # not the embedded one
SMALL = {"epochs": 6, "adv_epochs": 3, "dim": 16, "batch_size": 64, "eval_every": 2}
FEW = {"04": {"masks_epochs": 2}, "07": {"epsilons": [0.5, 3.0, 20.0]}, "10": {"timed_epochs": 2},
       "11": {"switches": ["literal", "other_masks", "sign"]}}
FOLDERS = {".": "gru4rec", "notebooks": "causalcnn"}


@pytest.fixture(scope="module")
def own_file(tmp_path_factory):
    """A CSV of another embedded world; item names hold commas, user names other alphabets.

    One folder of runs for all notebooks of this file, empty at first, comes with it.
    """
    data, folder = make_world(WORLD, seed=7).dataset, tmp_path_factory.mktemp("data")
    rows = [(f"usér «{user}»", data.item_names[item], step)
            for user, history in enumerate(data.sequences) for step, item in enumerate(history)]
    path = folder / "other world.csv"
    pd.DataFrame(rows, columns=["user", "item", "timestamp"]).to_csv(path, index=False)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CASADV_RUNS", str(folder / "runs"))
        yield path


@pytest.mark.parametrize("source", notebooks.committed(), ids=lambda path: path.stem)
@pytest.mark.parametrize("folder", FOLDERS)
def test_everywhere(source, folder, own_file, tmp_path):
    given = {"dataset": str(own_file), "backbone": FOLDERS[folder], "device": "cpu",
             "overrides": SMALL, **FEW.get(source.stem[:2], {})}
    known = papermill.inspect_notebook(str(source))
    given = {name: value for name, value in given.items() if name in known}
    before = source.read_bytes()
    output = notebooks.run_notebook(source, tmp_path / "out.ipynb", given,
                                    cwd=notebooks.root() / folder)
    text = {True: "", False: ""}
    for cell in nbformat.read(output, as_version=4).cells:
        is_checked = "nbval-check-output" in cell.metadata.get("tags", [])
        for out in cell.get("outputs", []):
            text[is_checked] += out.get("text", "") + out.get("data", {}).get("text/plain", "")
    assert "False" not in text[True], text[True]
    assert f"SequenceDataset('other world', {WORLD.n_users} users" in text[True] + text[False]
    assert source.read_bytes() == before


def test_at_home_the_time_of_every_notebook(tmp_path):
    notebooks.execute("quick", folder=tmp_path)
    record = read_json(tmp_path / "measured.json")
    late = [name for name, entry in record.items() if entry["new_runs"]]
    if late:  # it had to train first; the time that counts is the one with stored runs
        notebooks.execute("quick", folder=tmp_path, notebooks=late)
        record = read_json(tmp_path / "measured.json")
    assert len(record) == len(notebooks.committed()) == 12
    for name, entry in sorted(record.items()):
        seconds = entry["provenance"]["wall_seconds"]
        print(f"{name}: {seconds:.0f} s")
        assert entry["new_runs"] == 0 and seconds <= PATIENCE_SECONDS, name
