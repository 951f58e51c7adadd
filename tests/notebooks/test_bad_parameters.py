"""Bad values in a notebook's parameters cell: refused in one sentence, before any work."""

import warnings

import nbformat
import pytest

import casadv_lib as cas
from casadv_lib.experiments import notebooks as batch
from casadv_lib.experiments import study

BAD = {  # by the type of the committed value
    str: [3, None, "", "nonsense", [], True],
    int: [-1, 1.5, "3", None, [], True, float("nan"), 10**400],
    float: [-1.0, "0.1", None, [], float("nan"), float("inf")],
    list: [3, None, "x", [None], [object()], []],
    dict: [3, [], {"nothing": 1}, {"epochs": 0}, {"epochs": "5"}, {3: 1}],
    type(None): [3, "", "nonsense", [], 1.5],
}


def cells_of(path):
    """(parameters cell, the other code cells) without cells that only a browser can use."""
    cells = [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]
    first = next(k for k, cell in enumerate(cells) if "parameters" in cell.metadata.get("tags", []))
    rest = [cell.source for cell in cells[first + 1 :]
            if "skip-execution" not in cell.metadata.get("tags", [])]
    return cells[first].source, rest


@pytest.mark.parametrize("path", batch.committed(), ids=lambda path: path.stem)
def test_a_notebook_refuses_bad_parameters_before_any_work(
        path, no_work, runs_folder, monkeypatch):
    import matplotlib

    monkeypatch.chdir(path.parent)
    parameters, rest = cells_of(path)
    good: dict = {}
    exec(parameters, good)
    del good["__builtins__"]
    # the notebook makes its data set before it trains; a world a case would take minutes
    world, real = cas.load_dataset("synthetic"), cas.load_dataset
    for module in (cas, study):
        monkeypatch.setattr(module, "load_dataset",
                            lambda name, *more: world if name == "synthetic" else real(name, *more))
    for name, value in good.items():
        for bad in BAD[type(value)]:
            space = {"__name__": "__main__", **good, name: bad}
            with warnings.catch_warnings(), matplotlib.rc_context():
                warnings.simplefilter("ignore")
                with pytest.raises(ValueError) as error:
                    for source in rest[:4]:
                        exec(source, space)
            said = str(error.value)
            if name == "overrides" and isinstance(bad, dict):
                assert str(next(iter(bad))) in said, (name, bad, said)
            else:
                words = {"dataset": ("dataset", "data set")}.get(name, (name,))
                assert any(word in said for word in words), (name, bad, said)
            assert "allowed" in said or "known data sets" in said, (name, bad, said)
    assert not runs_folder.exists()
