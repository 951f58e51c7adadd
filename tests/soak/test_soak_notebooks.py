"""How long the committed notebooks take with their runs stored; minutes, so `make soak` only."""

import pytest

from casadv_lib.experiments import notebooks
from casadv_lib.support.files import read_json

pytestmark = pytest.mark.soak
PATIENCE_SECONDS = 90


def test_the_time_of_every_notebook(tmp_path):
    notebooks.execute("quick", folder=tmp_path)
    record = read_json(tmp_path / "measured.json")
    late = [name for name, entry in record.items() if entry["new_runs"]]
    if late:  # it had to train first; the time that counts is the one with stored runs
        notebooks.execute("quick", folder=tmp_path, notebooks=late)
        record = read_json(tmp_path / "measured.json")
    assert len(record) == len(notebooks.committed()) == 13
    for name, entry in sorted(record.items()):
        seconds = entry["provenance"]["wall_seconds"]
        print(f"{name}: {seconds:.0f} s")
        assert entry["new_runs"] == 0 and seconds <= PATIENCE_SECONDS, name
