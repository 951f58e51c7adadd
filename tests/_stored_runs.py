"""Two small stored runs on a data set in a file, for tests of what reads stored runs."""

import numpy as np
import pytest

import casadv_lib as cas
from casadv_lib.experiments import configuration as profiles
from casadv_lib.experiments import runs

SMALL = {"epochs": 2, "adv_epochs": 1, "dim": 8, "batch_size": 16}


@pytest.fixture(name="own")
def own_file(tmp_path):
    """A data set in a file: 40 users, 30 items."""
    rng = np.random.default_rng(0)
    lines = ["user,item,timestamp\n"] + [
        f"u{user},film {item},{step}\n" for user in range(40)
        for step, item in enumerate(rng.permutation(30)[: rng.integers(5, 12)])]
    path = tmp_path / "own.csv"
    path.write_text("".join(lines))
    return str(path)


@pytest.fixture(name="stored")
def stored_runs(own, runs_folder):
    """Stored runs of the base and of adv_cas: {method: Run}."""
    asked = {"profile": "quick", "dataset": own, "device": "cpu", **SMALL}
    data = cas.load_dataset(own)
    return {m: runs.run(profiles.configure(method=m, **asked), data, progress=False)
            for m in ("base", "adv_cas")}
