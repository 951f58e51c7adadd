"""Running notebooks in batch."""

import re

import nbformat
import papermill
import pytest
from papermill.exceptions import PapermillExecutionError

from casadv_lib.__main__ import main
from casadv_lib.experiments import notebooks
from casadv_lib.support.files import read_json, write_json
from casadv_lib.support.machine import root, source_hash

MADE = "figures/made/quick/notebooks"


@pytest.fixture
def write(tmp_path, monkeypatch):
    """Write a notebook, whose first cell is tagged as parameters, into a repository of its own."""
    (tmp_path / "notebooks").mkdir()
    monkeypatch.setattr(notebooks, "root", lambda: tmp_path)
    monkeypatch.setenv("CASADV_FIGURES", str(tmp_path / "figures/made"))

    def notebook(name, *cells):
        made = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(c) for c in cells],
                                        metadata={"kernelspec": notebooks.KERNEL})
        made.cells[0].metadata["tags"] = ["parameters"]
        nbformat.write(made, tmp_path / "notebooks" / name)
        return tmp_path / "notebooks" / name

    return notebook


def printed(path):
    cells = nbformat.read(path, as_version=4).cells
    return "".join(out.get("text", "") for cell in cells for out in cell.get("outputs", []))


def test_execute_hands_over_what_a_notebook_knows(write, tmp_path, monkeypatch, runs_folder):
    monkeypatch.setenv("MPLBACKEND", "Agg")
    sources = [
        write("01_all.ipynb", "profile = 'quick'\nbackbone = 'sasrec'\ndataset = None",
              "import os\nprint(profile, backbone, dataset, os.environ['CI'])\n"
              "print(os.environ.get('MPLBACKEND') == 'Agg', os.path.basename(os.getcwd()))"),
        write("02_other.ipynb", "epochs = 3", "print(epochs, 'device' in globals())\n"
              f"import pathlib\nfolder = pathlib.Path({str(runs_folder)!r}, 'own')\n"
              "folder.mkdir(parents=True)\n(folder / 'metrics.json').touch()")]
    before = [path.read_bytes() for path in sources]
    written = notebooks.execute("laptop", None, "gru4rec", "cpu")
    folder = tmp_path / "figures/made/laptop/notebooks"
    assert written == [folder / path.name for path in sources]
    assert printed(written[0]) == "laptop gru4rec None 1\nFalse notebooks\n"
    assert printed(written[1]) == "3 False\n"
    assert [path.read_bytes() for path in sources] == before
    record = read_json(folder / "measured.json")
    assert [*record] == ["01_all", "02_other"]
    assert record["02_other"]["new_runs"] == 1  # 01 may have run beside it
    assert record["01_all"]["parameters"] == {"profile": "laptop", "backbone": "gru4rec"}
    assert record["01_all"]["provenance"]["wall_seconds"] > 0
    # a mark that no run can write: entries of notebooks that do not run now stay
    write_json(folder / "measured.json", {name: {"new_runs": -1} for name in record})
    notebooks.execute("laptop", notebooks=["01"])
    again = read_json(folder / "measured.json")
    assert (again["01_all"]["new_runs"], again["02_other"]["new_runs"]) == (0, -1)


def test_notebooks_run_side_by_side_but_wait_for_those_whose_models_they_use(write):
    note = "import pathlib, time\nplace = pathlib.Path('../{}')\n"
    wait = "while not place.exists():\n    time.sleep(0.1)"
    write("00_early.ipynb", "n = 0", note.format("two") + wait)  # ends only beside 02
    write("02_backbones.ipynb", "n = 0",
          note.format("two") + "place.touch()\ntime.sleep(2)\nplace.with_name('model').touch()")
    write("04_adversarial_training.ipynb", "n = 0", note.format("model") + "assert place.exists()")
    assert [path.stem for path in notebooks.execute(workers=2)] == [
        "00_early", "02_backbones", "04_adversarial_training"]
    known = {path.stem for path in sorted((root() / "notebooks").glob("*.ipynb"))}
    assert {*notebooks.NEEDS} | {n for names in notebooks.NEEDS.values() for n in names} <= known
    with pytest.raises(ValueError, match="workers is 0; allowed is a whole number of at least 1"):
        notebooks.refresh(workers=0)


def test_a_profile_has_parameters_of_its_own_which_the_notebooks_know(
        write, tmp_path, monkeypatch):
    for name in ("07_epsilon_sweep.ipynb", "11_ambiguities.ipynb"):
        write(name, "dataset = None\nswitches = []", "print(dataset, switches)")
    seven, eleven = notebooks.execute("paper", None, None, "cpu")
    assert printed(seven) == "video []\n"
    assert printed(eleven) == "None ['literal', 'paper_values']\n"
    assert seven.parent == tmp_path / "figures/made/paper/notebooks"
    (tmp_path / "own.csv").write_text("user,item,timestamp\n1,1,1\n1,2,2\n1,3,3\n")
    monkeypatch.chdir(tmp_path)
    seven, _ = notebooks.execute("paper", "./own.csv", None, "cpu")  # from the caller's folder
    assert printed(seven) == f"{tmp_path / 'own.csv'} []\n"
    assert re.fullmatch("paper-own-[0-9a-f]{8}", seven.parents[1].name)  # beside the profile's
    write("00_films.ipynb", "profile = 'films'", "print(profile)")
    assert [printed(*notebooks.execute(profile, notebooks=["00"]))
            for profile in ("quick", "laptop")] == ["films\n", "laptop\n"]
    for stem, parameters in notebooks.OF_PROFILE["paper"].items():
        names = papermill.inspect_notebook(str(root() / "notebooks" / f"{stem}.ipynb"))
        assert parameters.keys() <= names.keys()


def test_a_parameter_that_does_not_exist_stops_a_notebook_however_it_is_started(tmp_path):
    [path] = notebooks.committed(["04"])
    with pytest.raises(PapermillExecutionError, match="is 'epsilom'.*; allowed are 'pro"):
        papermill.execute_notebook(str(path), str(tmp_path / "out.ipynb"), {"epsilom": 5},
                                   progress_bar=False)


def test_a_failure_names_notebook_and_cell_and_the_others_still_run(write, tmp_path, capsys):
    write("01_bad.ipynb", "profile = 'quick'", "", "x = 1\nraise KeyError('no such film')")
    write("02_dead.ipynb", "profile = 'quick'", "import os\nos._exit(3)")
    write("03_good.ipynb", "profile = 'quick'", "print('reached')")
    assert main(["notebooks"]) == 1
    message = capsys.readouterr().err
    assert "01_bad.ipynb: cell " in message and "KeyError: 'no such film'" in message
    assert "starts with 'x = 1'" in message and "02_dead.ipynb: the kernel stopped" in message
    assert printed(tmp_path / MADE / "03_good.ipynb") == "reached\n"


def test_refresh_keeps_outputs_and_leaves_nothing_that_changes(write):
    path = write("01_small.ipynb", "n = 2  # a number", "print('one'); print(n)", "{'a': 1}")
    assert notebooks.refresh() == [path]
    made = nbformat.read(path, as_version=4)
    assert set(made.metadata) == {"kernelspec", "language_info", "casadv"}
    assert made.metadata.casadv == {"code": notebooks.code_hash(made), "library": source_hash()}
    assert [set(cell.metadata) for cell in made.cells] == [{"tags"}, set(), set()]
    assert [out.get("text") for out in made.cells[1].outputs] == ["one\n2\n"]
    assert made.cells[2].outputs[0].data["text/plain"] == "{'a': 1}"
    before = path.read_bytes()
    notebooks.refresh()
    assert path.read_bytes() == before
    bad = write("02_bad.ipynb", "n = 0", "1 / n")
    before = bad.read_bytes()
    with pytest.raises(ChildProcessError, match="02_bad.ipynb: cell .* ZeroDivisionError"):
        notebooks.refresh(["02"])
    assert bad.read_bytes() == before


def test_a_notebook_has_several_names_and_bad_arguments_are_refused(write, capsys):
    paths = [write(one, "dataset = None") for one in ("01_one.ipynb", "02_two.ipynb")]
    assert notebooks.committed() == paths
    for name in ("02", "02_two", "02_two.ipynb", "notebooks/02_two.ipynb"):
        assert notebooks.committed([name]) == paths[1:]
    for arguments, message in ((["--profile", "quik"], "'quik' (did you mean quick?); allowed"),
                               (["--backbone", "bert"], "backbone is 'bert'; allowed"),
                               (["--refresh", "--device", "cuda"], "--refresh"),
                               (["--refresh", "--backbone", "auto"], "--refresh"),
                               (["01", "--backbone", "gru4rec"], "parameter is 'backbone'"),
                               (["--dataset", "none.csv"], "'none.csv'"),
                               (["77"], "notebooks is '77'; allowed")):
        assert main(["notebooks", *arguments]) == 2
        assert message in capsys.readouterr().err
