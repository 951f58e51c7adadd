"""What nbval compares in this repository, shown on copies: it notices a changed number."""

import os
import re
import subprocess
import sys

import nbformat
import pytest

from casadv_lib.experiments import notebooks

MAKEFILE = (notebooks.root() / "Makefile").read_text(encoding="utf-8")
CHECKED = "nbval-check-output"


def outcomes(option, *paths):
    """{(file, number of the code cell): "PASSED" or another word} of nbval."""
    command = [sys.executable, "-m", "pytest", option, "-p", "no:cacheprovider", "-v", *paths]
    done = subprocess.run(command, capture_output=True, text=True, cwd=paths[0].parent, timeout=300,
                          env={**os.environ, "PYTEST_ADDOPTS": "", "COLUMNS": "200"})
    words = re.findall(r"^(\w+)\W+ipynb::Cell (\d+) ([A-Z]+)", done.stdout, re.M)
    assert words, done.stdout + done.stderr
    return {(name, int(number)): word for name, number, word in words}


def test_what_is_compared_and_what_is_left_out(tmp_path):
    def cell(source, printed, *tags):
        output = [nbformat.v4.new_output("stream", text=printed)] if printed else []
        count = None if "nbval-skip" in tags else 1
        return nbformat.v4.new_code_cell(source, outputs=output, execution_count=count,
                                         metadata={"tags": list(tags)})

    notebook = nbformat.v4.new_notebook(metadata={"kernelspec": notebooks.KERNEL}, cells=[
        cell("n = 3", "", "parameters"),
        cell("import time\nprint(time.time())", "1.5\n"),  # no run repeats it
        cell("raise RuntimeError('only for a reader')", "", "skip-execution", "nbval-skip"),
        cell("print(n)", "3\n", CHECKED)])
    small, planted = tmp_path / "small.ipynb", tmp_path / "planted.ipynb"
    nbformat.write(notebook, small)
    notebook.cells[3].outputs[0].text = "4\n"
    nbformat.write(notebook, planted)
    lax, strict = outcomes("--nbval-lax", small, planted), outcomes("--nbval", small)
    words = ["PASSED", "PASSED", "SKIPPED", "PASSED"]
    assert [lax["small", number] for number in range(4)] == words
    assert [key for key, word in lax.items() if word == "FAILED"] == [("planted", 3)]
    assert (strict["small", 1], strict["small", 2]) == ("FAILED", "SKIPPED")
    made = nbformat.read(notebooks.run_notebook(small, tmp_path / "out.ipynb", {}), as_version=4)
    assert made.cells[3].outputs[0].text == "3\n" and not made.cells[2].execution_count


@pytest.mark.parametrize("path", notebooks.committed(), ids=lambda path: path.stem)
def test_tags_of_the_committed_notebooks(path):
    cells = [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]
    tags = [cell.metadata.get("tags", []) for cell in cells]
    checked = [cell for cell, own in zip(cells, tags) if CHECKED in own]
    assert len(checked) >= 3 or path.name in re.search(r"^STRICT *=(.*)$", MAKEFILE, re.M)[1]
    assert all(cell.outputs and "perf_counter" not in cell.source for cell in checked)
    for own in tags:  # Papermill and nbval must leave out the same cells
        assert ("skip-execution" in own) == ("nbval-skip" in own)


def test_every_notebook_is_checked_by_a_make_target():
    numbers = re.search(r"^LAX *=.*foreach number,([\d ]+),", MAKEFILE, re.M)[1].split()
    assert [path.stem[:2] for path in notebooks.committed(numbers)] == numbers
    assert len(notebooks.committed()) == 12 and "$(wildcard notebooks/[0-9]*.ipynb)" in MAKEFILE
