"""The check of the machine, and the map of the series."""

import os
import subprocess
import sys

import nbformat
import pytest
from oracles import dataset, random_sequences

from casadv_lib.experiments import configuration as profiles
from casadv_lib.experiments import environment, runs
from casadv_lib.results.series import as_markdown, header, series
from casadv_lib.support.repository import root as repository_root


def test_versions_are_read_from_the_requirements(tmp_path):
    path = tmp_path / "requirements.txt"
    path.write_text("# a comment==1\ntorch==2.13.0\nscikit-learn==1.9.1\nother>=3\n")
    assert environment.tested_versions(path) == {"torch": "2.13.0", "scikit-learn": "1.9.1"}
    assert "torch" in environment.tested_versions()


def test_packages_are_judged(monkeypatch):
    installed = {"torch": "2.13.0+cpu", "numpy": "9.9"}

    def version(name):
        if name not in installed:
            raise environment.PackageNotFoundError(name)
        return installed[name]

    monkeypatch.setattr(environment, "version", version)
    rows = environment.check_packages({"torch": "2.13.0", "numpy": "2.4.6", "nothing": "1.0"})
    assert [row["verdict"] for row in rows] == ["ok", "differs", "missing"]


@pytest.mark.parametrize("found, verdict", [((3, 10), "too old"), ((3, 11), "ok"), ((4, 0), "ok")])
def test_python_is_judged(found, verdict):
    assert environment.check_python(found)["verdict"] == verdict


def test_too_little_memory_is_said(monkeypatch):
    monkeypatch.setattr(environment, "MEMORY_GB", 1e9)
    rows = {row["what"]: row["verdict"] for row in environment.check_machine("cpu")}
    assert rows["free memory"] == "less than wanted" and rows["device"] == "ok"


def test_a_device_that_is_not_there_is_refused():
    with pytest.raises(ValueError, match="abacus"):
        environment.check_machine("abacus")


def test_report_shows_no_path(tmp_path, monkeypatch):
    monkeypatch.setenv("CASADV_RUNS", str(tmp_path / "not" / "there"))
    table = environment.report("cpu")
    assert list(table.columns) == ["what", "found", "wanted", "verdict"]
    assert str(tmp_path) not in table.to_string() and len(table) > 10


def test_stored_runs_are_found(runs_folder):
    data = dataset(random_sequences(12, 20), 20)
    config = profiles.configure(method="base", epochs=1, dim=4, max_len=5, eval_every=1)
    other = profiles.configure(method="base+100", epochs=1, dim=4, max_len=5, adv_epochs=1)
    again = config | {"epsilon": 5.0}  # a base does not read epsilon
    before = environment.stored_runs([config, other, again], data)
    assert before.method.tolist() == ["base", "base+100"] and not before.stored.any()
    runs.run(config, data, progress=False)
    after = environment.stored_runs([config, other], data)
    assert after.stored.tolist() == [True, False]


IMPORTED = """
import os, pathlib
read, exists = pathlib.Path.read_text, pathlib.Path.exists
own = "/proc/cpuinfo"
pathlib.Path.exists = lambda path: str(path) == own or exists(path)
pathlib.Path.read_text = lambda path, *rest, **more: (
    {flags!r} if str(path) == own else read(path, *rest, **more))
import casadv_lib, torch
print(os.environ.get("ATEN_CPU_CAPABILITY"), torch.backends.cpu.get_cpu_capability())
"""


@pytest.mark.parametrize("flags, asked, there", [
    ("fma avx2 avx512f", None, "avx2"), ("fma avx2 avx512f", "default", "default"),
    ("fma avx2", None, None)])
def test_large_registers_are_left_alone_unless_they_are_asked_for(flags, asked, there):
    environ = {name: value for name, value in os.environ.items() if name != "ATEN_CPU_CAPABILITY"}
    done = subprocess.run([sys.executable, "-c", IMPORTED.format(flags=flags)], text=True,
                          env=environ | ({"ATEN_CPU_CAPABILITY": asked} if asked else {}),
                          cwd=repository_root(), capture_output=True)
    assert done.returncode == 0, done.stderr
    found, used = done.stdout.split()
    assert found == str(there)
    assert asked is None or used.lower() == asked


HEADER = ("# 03 A title: more\n\n**Purpose.** To see | hear.\n\n**Section of the paper.** 4.2.\n\n"
          "**Run time.** About 3.5 seconds. From nothing: longer.\n")


def notebook(folder, name, text):
    cells = [nbformat.v4.new_markdown_cell(text)] if text else []
    nbformat.write(nbformat.v4.new_notebook(cells=cells), folder / name)


def test_a_header_is_read(tmp_path):
    notebook(tmp_path, "03_x.ipynb", HEADER)
    assert header(tmp_path / "03_x.ipynb") == {
        "title": "03 A title: more", "purpose": "To see | hear.", "section": "4.2",
        "run time": "About 3.5 seconds"}


@pytest.mark.parametrize("text, missing", [
    ("", "title"), ("# 03 A title", "Purpose"), (HEADER.replace("Run time", "Time"), "Run time")])
def test_a_header_with_a_gap_is_named(tmp_path, text, missing):
    notebook(tmp_path, "03_x.ipynb", text)
    with pytest.raises(ValueError, match=f"03_x.ipynb has no '{missing}'"):
        series(tmp_path)


def test_the_map_is_in_order_with_links(tmp_path):
    for name in ("10_z.ipynb", "03_x.ipynb", "note.ipynb"):
        notebook(tmp_path, name, HEADER)
    table = series(tmp_path)
    assert table.file.tolist() == ["03_x.ipynb", "10_z.ipynb"]
    lines = as_markdown(table).splitlines()
    assert lines[2] == "| [03 A title: more](03_x.ipynb) | 4.2 | About 3.5 seconds |"
    assert len(lines) == 4
