"""What nbval compares in this repository, shown on copies: it finds a changed number."""

import os
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from casadv_lib.experiments import notebooks as batch

ROOT = batch.root()
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
CHECKED = "nbval-check-output"


def outcomes(option, *paths):
    """{(file, number of the code cell): "PASSED" or another word} of nbval."""
    command = [sys.executable, "-m", "pytest", option, "-p", "no:cacheprovider", "-v", *paths]
    done = subprocess.run(command, capture_output=True, text=True, cwd=paths[0].parent, timeout=300,
                          env={**os.environ, "PYTEST_ADDOPTS": "", "COLUMNS": "200"})
    found = re.findall(r"^(\w+)\W+ipynb::Cell (\d+) ([A-Z]+)", done.stdout, re.M)
    assert found, done.stdout + done.stderr
    return {(name, int(number)): word for name, number, word in found}


def tags(cell):
    return cell.metadata.get("tags", [])


def test_a_changed_number_in_a_strict_notebook_is_found(tmp_path):
    (tmp_path / "casadv_lib").symlink_to(ROOT / "casadv_lib")  # notebooks look for it above them
    notebook = nbformat.read(batch.committed(["01"])[0], as_version=4)
    counts = next(place for place, cell in enumerate(notebook.cells) if "density {" in cell.source)
    notebook.cells = notebook.cells[: counts + 1]
    nbformat.write(notebook, tmp_path / "untouched.ipynb")
    output = notebook.cells[counts].outputs[0]
    assert "interactions 14,293" in output.text
    output.text = output.text.replace("14,293", "14,294")
    nbformat.write(notebook, tmp_path / "planted.ipynb")
    found = outcomes("--nbval", tmp_path / "untouched.ipynb", tmp_path / "planted.ipynb")
    last = max(number for _, number in found)
    assert last >= 3 and len(found) == 2 * (last + 1)
    assert [key for key, word in found.items() if word != "PASSED"] == [("planted", last)]


@pytest.fixture
def small(tmp_path):
    """A notebook with an output that no run repeats, a checked one, and a cell for readers."""
    def cell(source, printed, *tags):
        output = [nbformat.v4.new_output("stream", text=printed)] if printed else []
        count = None if "nbval-skip" in tags else 1
        return nbformat.v4.new_code_cell(source, outputs=output, execution_count=count,
                                         metadata={"tags": list(tags)})

    notebook = nbformat.v4.new_notebook(cells=[
        cell("n = 3", "", "parameters"),
        cell("import time\nprint(time.time())", "1.5\n"),
        cell("raise RuntimeError('only for a reader')", "", "skip-execution", "nbval-skip"),
        cell("print(n)", "3\n", CHECKED)])
    notebook.metadata["kernelspec"] = {"name": "python3", "language": "python",
                                       "display_name": "Python 3"}
    nbformat.write(notebook, tmp_path / "small.ipynb")
    notebook.cells[3].outputs[0].text = "4\n"
    nbformat.write(notebook, tmp_path / "planted.ipynb")
    return tmp_path / "small.ipynb", tmp_path / "planted.ipynb"


def test_lax_compares_the_tagged_cells_and_skips_those_for_a_reader(small, tmp_path):
    found = outcomes("--nbval-lax", *small)
    assert [found["small", number] for number in range(4)] == ["PASSED", "PASSED", "SKIPPED",
                                                               "PASSED"]
    assert [key for key, word in found.items() if word == "FAILED"] == [("planted", 3)]
    strict = outcomes("--nbval", small[0])
    assert (strict["small", 1], strict["small", 2]) == ("FAILED", "SKIPPED")
    made = nbformat.read(batch.run_notebook(small[0], tmp_path / "out.ipynb", {}), as_version=4)
    assert made.cells[3].outputs[0].text == "3\n" and not made.cells[2].execution_count


@pytest.mark.parametrize("path", batch.committed(), ids=lambda path: path.stem)
def test_tags_of_the_committed_notebooks(path):
    cells = [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]
    checked = [cell for cell in cells if CHECKED in tags(cell)]
    strict = path.name in re.search(r"^STRICT *=(.*)$", MAKEFILE, re.M)[1]
    assert strict or len(checked) >= 4
    for cell in checked:
        assert cell.outputs, f"nothing to compare: {cell.source!r}"
        assert not re.search(r"perf_counter|seconds_of|time_epochs", cell.source)
    for cell in cells:  # Papermill and nbval must leave out the same cells
        assert ("skip-execution" in tags(cell)) == ("nbval-skip" in tags(cell))
        assert "skip-execution" not in tags(cell) or not cell.outputs


def test_every_notebook_is_checked_by_a_make_target():
    numbers = re.search(r"^LAX *=.*foreach number,([\d ]+),", MAKEFILE, re.M)[1].split()
    assert [path.stem[:2] for path in batch.committed(numbers)] == numbers
    assert len(batch.committed()) == 12 and "$(wildcard notebooks/[0-9]*.ipynb)" in MAKEFILE
    assert Path(ROOT, ".ci/run").read_text().count("make test") >= 1
