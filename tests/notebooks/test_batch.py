"""Running notebooks in batch: what is handed over, what comes back, what a failure says."""

import nbformat
import papermill
import pytest

from casadv_lib.experiments import configuration as profiles
from casadv_lib.experiments import notebooks as batch
from casadv_lib.experiments import plan, runs
from casadv_lib.experiments.configuration import NOTEBOOK_PARAMETERS, configure, identity
from casadv_lib.experiments.stamps import code_hash
from casadv_lib.results.readings import SWITCHES
from casadv_lib.support.files import read_json, write_json
from casadv_lib.support.repository import source_hash


def write(folder, name, *cells):
    """A notebook whose first cell is tagged as parameters."""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(c) for c in cells])
    notebook.cells[0].metadata["tags"] = ["parameters"]
    notebook.metadata["kernelspec"] = {"name": "python3", "language": "python",
                                       "display_name": "Python 3"}
    nbformat.write(notebook, folder / name)
    return folder / name


@pytest.fixture
def repository(tmp_path, monkeypatch):
    """A folder with room for notebooks that stands for the repository."""
    (tmp_path / "notebooks").mkdir()
    monkeypatch.setattr(batch, "root", lambda: tmp_path)
    monkeypatch.setattr(profiles, "root", lambda: tmp_path)
    return tmp_path


def texts(path):
    cells = nbformat.read(path, as_version=4).cells
    return "".join(out.get("text", "") for cell in cells for out in cell.get("outputs", []))


def test_execute_hands_over_what_a_notebook_knows(repository, monkeypatch):
    monkeypatch.setenv("MPLBACKEND", "Agg")
    folder = repository / "notebooks"
    write(folder, "01_all.ipynb", "profile = 'quick'\nbackbone = 'sasrec'\ndataset = None",
          "import os\nprint(profile, backbone, dataset, os.environ['CI'])\n"
          "print(os.environ.get('MPLBACKEND') == 'Agg', os.path.basename(os.getcwd()))")
    write(folder, "02_other.ipynb", "epochs = 3", "print(epochs, 'device' in globals())")
    before = [path.read_bytes() for path in batch.committed()]
    written = batch.execute("laptop", None, "gru4rec", "cpu")
    assert written == [repository / "figures/made/laptop/notebooks" / name
                       for name in ("01_all.ipynb", "02_other.ipynb")]
    assert texts(written[0]).split("\n")[:2] == ["laptop gru4rec None 1", "False notebooks"]
    assert texts(written[1]).strip() == "3 False"
    assert [path.read_bytes() for path in batch.committed()] == before


def test_a_profile_has_parameters_of_its_own_for_a_notebook(repository):
    code = "dataset = None\nswitches = []", "print(dataset, switches)"
    for name in ("07_epsilon_sweep.ipynb", "11_ambiguities.ipynb"):
        write(repository / "notebooks", name, *code)
    seven, eleven = batch.execute("paper", None, None, "cpu")
    assert texts(seven).strip() == "video []"
    assert texts(eleven).strip() == "None ['literal', 'paper_values']"
    seven, _ = batch.execute("paper", "own.csv", None, "cpu")
    assert texts(seven).strip() == "own.csv []"


def test_what_the_paper_s_notebooks_are_handed_is_what_its_grid_makes():
    """Else a notebook would train for hours on what nobody has asked for."""
    made = plan.plan("paper", plan.stages_of("paper"))
    stored = [identity(job.config(), "") for job in made.of_role("values")]
    for name, parameters in NOTEBOOK_PARAMETERS["paper"].items():
        [path] = [path for path in batch.committed() if path.stem == name]
        assert parameters.keys() <= papermill.inspect_notebook(str(path)).keys()
        for switch in parameters.get("switches", ()):
            config = configure("paper", method="adv_cas", **SWITCHES[switch][1])
            assert identity(runs.canonical(config), "") in stored, switch
    [swept] = {job.asked["dataset"] for job in made.of_role("sweep")}
    assert NOTEBOOK_PARAMETERS["paper"]["07_epsilon_sweep"] == {"dataset": swept}


def test_execute_keeps_what_each_notebook_took(repository, runs_folder):
    write(repository / "notebooks", "01_large.ipynb", "profile = 'quick'",
          "block = bytearray(400_000_000)\nimport time\ntime.sleep(0.6)")
    write(repository / "notebooks", "02_makes_a_run.ipynb", "profile = 'quick'",
          "import os, pathlib\nfolder = pathlib.Path(os.environ['CASADV_RUNS'], 'own')\n"
          "folder.mkdir(parents=True)\n(folder / 'metrics.json').touch()\n"
          "import time\ntime.sleep(0.6)")  # long enough to be looked at
    batch.execute("quick", device="cpu")
    stored = repository / "figures/made/quick/notebooks/measured.json"
    found = read_json(stored)
    assert list(found) == ["01_large", "02_makes_a_run"]
    large, small = found.values()
    assert 350 < large["peak_megabytes"] - small["peak_megabytes"] < 500
    assert [one["new_runs"] for one in found.values()] == [0, 1]
    assert large["parameters"] == {"profile": "quick"}
    assert 0.6 < large["provenance"]["wall_seconds"] < 60
    assert large["provenance"]["device"] and large["provenance"]["code_version"]
    # A mark no run can write, since two runs may well take the same hundredth of a second.
    write_json(stored, {name: one | {"new_runs": -1} for name, one in found.items()})
    batch.execute("quick", device="cpu", notebooks=["01"])
    again = read_json(stored)
    assert again["02_makes_a_run"] == small | {"new_runs": -1}
    assert again["01_large"]["new_runs"] == 0


def test_a_failure_names_notebook_and_cell_and_the_others_still_run(repository, capsys):
    folder = repository / "notebooks"
    write(folder, "01_bad.ipynb", "profile = 'quick'", "", "x = 1\nraise KeyError('no such film')")
    write(folder, "02_dead.ipynb", "profile = 'quick'", "import os\nos._exit(3)")
    write(folder, "03_good.ipynb", "profile = 'quick'", "print('reached')")
    assert batch.main([]) == 1
    message = capsys.readouterr().err
    assert "01_bad.ipynb: cell " in message and "KeyError: 'no such film'" in message
    assert "starts with: x = 1" in message
    assert "02_dead.ipynb: the kernel stopped" in message
    assert "reached" in texts(repository / "figures/made/quick/notebooks/03_good.ipynb")


def test_refresh_keeps_outputs_and_leaves_nothing_that_changes(repository):
    path = write(repository / "notebooks", "01_small.ipynb", "n = 2  # a number",
                 "print('one'); print(n)", "{'a': 1}")
    assert batch.refresh() == [path]
    found = nbformat.read(path, as_version=4)
    assert set(found.metadata) == {"kernelspec", "language_info", "casadv"}
    assert found.metadata.casadv == {"code": code_hash(found), "library": source_hash()}
    assert [set(cell.metadata) for cell in found.cells] == [{"tags"}, set(), set()]
    assert found.cells[1].outputs[0].text == "one\n2\n" and len(found.cells[1].outputs) == 1
    assert found.cells[2].outputs[0].data["text/plain"] == "{'a': 1}"
    before = path.read_bytes()
    batch.refresh()
    assert path.read_bytes() == before


def test_refresh_leaves_a_notebook_that_fails(repository):
    path = write(repository / "notebooks", "01_bad.ipynb", "n = 0", "1 / n")
    before = path.read_bytes()
    with pytest.raises(batch.NotebookError, match="01_bad.ipynb: cell .* ZeroDivisionError"):
        batch.refresh()
    assert path.read_bytes() == before


def test_names(repository):
    paths = [write(repository / "notebooks", name, "a = 1")
             for name in ("01_one.ipynb", "02_two.ipynb")]
    assert batch.committed() == paths
    for name in ("02", "02_two", "02_two.ipynb", "notebooks/02_two.ipynb"):
        assert batch.committed([name]) == paths[1:]
    with pytest.raises(ValueError, match="'03'; allowed are 01_one, 02_two"):
        batch.committed(["03"])


@pytest.mark.parametrize("arguments, message", [
    (["--profile", "quik"], "profile is 'quik'; allowed"),
    (["--backbone", "bert"], "backbone is 'bert'; allowed"),
    (["--refresh", "--device", "cuda"], "--refresh"),
    (["77"], "notebooks is '77'"),
])
def test_bad_arguments_are_refused(arguments, message, capsys):
    assert batch.main(arguments) == 2
    assert message in capsys.readouterr().err


def test_the_stamp_tells_code_from_words():
    def notebook(code, words):
        return nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code),
                                               nbformat.v4.new_markdown_cell(words)])

    assert code_hash(notebook("a = 1", "x")) == code_hash(notebook("a = 1", "y"))
    assert code_hash(notebook("a = 1", "x")) != code_hash(notebook("a = 2", "x"))
