"""All notebooks in every way that a reader may run them; minutes, so `make soak` only.

Everywhere: on a made data set with text ids and on another backbone, from nothing, called from the
repository's root and from the notebooks' folder. At home: with the committed parameters, where the
memory and the time of each are measured.
"""

import json

import nbformat
import pandas as pd
import pytest
from test_notebooks import printed

from casadv_lib.datasets.synthetic import WorldSettings, make_world
from casadv_lib.experiments import notebooks as batch

pytestmark = pytest.mark.soak
BINDER_MEGABYTES, PATIENCE_SECONDS = 2000, 90
WORLD = WorldSettings(n_users=300, n_items=120, max_length=60)  # not the embedded one
SMALL = {"epochs": 6, "adv_epochs": 3, "dim": 16, "batch_size": 64, "eval_every": 2}
FEW = {"04": {"masks_epochs": 2}, "07": {"epsilons": [0.5, 3.0, 20.0]}, "10": {"timed_epochs": 2},
       "11": {"switches": ["literal", "other_masks", "sign"]}}
PLACES = {".": "gru4rec", "notebooks": "causalcnn"}
NUMBERS = [path.stem[:2] for path in batch.committed()]


@pytest.fixture(scope="module")
def own_file(tmp_path_factory):
    """A CSV of another embedded world; item names hold commas, user names other alphabets."""
    data = make_world(WORLD, seed=7).dataset
    rows = [(f"usér «{user}»", data.item_names[item], step)
            for user, history in enumerate(data.sequences) for step, item in enumerate(history)]
    path = tmp_path_factory.mktemp("data") / "other world.csv"
    pd.DataFrame(rows, columns=["user", "item", "timestamp"]).to_csv(path, index=False)
    return path


@pytest.fixture(scope="module")
def shared_runs(tmp_path_factory):
    """One folder of runs for all notebooks of this file, empty at first."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("runs")
        patch.setenv("CASADV_RUNS", str(folder))
        yield folder


@pytest.mark.parametrize("number", NUMBERS)
@pytest.mark.parametrize("where", PLACES)
def test_everywhere(number, where, own_file, shared_runs, tmp_path):
    (source,) = batch.committed([number])
    given = {"dataset": str(own_file), "backbone": PLACES[where], "device": "cpu",
             "overrides": SMALL, **FEW.get(number, {})}
    known = batch.papermill.inspect_notebook(str(source))
    given = {name: value for name, value in given.items() if name in known}
    before = source.read_bytes()
    output = batch.run_notebook(source, tmp_path / "out.ipynb", given,
                                cwd=batch.root() / where)
    cells = [cell for cell in nbformat.read(output, as_version=4).cells
             if "nbval-check-output" in cell.metadata.get("tags", [])]
    agreements = "\n".join(out.get("text", "") for cell in cells for out in cell.outputs)
    assert "False" not in agreements, agreements
    assert f"SequenceDataset('other world', {WORLD.n_users} users" in printed(output)
    assert source.read_bytes() == before
    if "backbone" in known:
        assert list(shared_runs.glob(f"other world-{PLACES[where]}-*/metrics.json"))


def test_at_home_memory_and_time_of_every_kernel(tmp_path):
    batch.execute("quick", folder=tmp_path)
    record = json.loads((tmp_path / "measured.json").read_text())
    late = [name for name, entry in record.items() if entry["new_runs"]]
    if late:  # it had to train first; the time that counts is the one with stored runs
        batch.execute("quick", folder=tmp_path, notebooks=late)
        record = json.loads((tmp_path / "measured.json").read_text())
    assert len(record) == len(NUMBERS) == 12
    for name, entry in sorted(record.items()):
        seconds = entry["provenance"]["wall_seconds"]
        print(f"{name}: {seconds:.0f} s, {entry['peak_megabytes']:.0f} MB")
        assert entry["peak_megabytes"] < BINDER_MEGABYTES, name
        assert entry["new_runs"] == 0 and seconds <= PATIENCE_SECONDS, name
