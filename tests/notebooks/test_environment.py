"""Folders of the environment, the package's requirements, and what importing the library sets."""

import os
import re
import subprocess
import sys
import tomllib

import pytest

from casadv_lib.experiments import runs
from casadv_lib.results.frames import folder_of
from casadv_lib.support.machine import root

ROOT = root()


def test_folders_are_seen_from_where_they_are_first_asked_for(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for given, whole in (("runs", "runs"), ("./a/../b", "b"), ("~/runs", "home/runs")):
        monkeypatch.setenv("CASADV_RUNS", given)
        assert runs.runs_folder() == tmp_path / whole
        monkeypatch.chdir("/")
        assert runs.runs_folder() == tmp_path / whole
        monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CASADV_FIGURES", "made")
    for dataset, folder in ((None, "quick"), ("synthetic", "quick"), ("beauty", "quick-beauty")):
        assert folder_of("quick", dataset=dataset) == tmp_path / "made" / folder


IMPORTED = """
import pathlib
read, exists = pathlib.Path.read_text, pathlib.Path.exists
own = "/proc/cpuinfo"
pathlib.Path.exists = lambda path: str(path) == own or exists(path)
pathlib.Path.read_text = lambda path, *rest, **more: (
    {flags!r} if str(path) == own else read(path, *rest, **more))
import os, casadv_lib
print(os.environ.get("ATEN_CPU_CAPABILITY"))
"""


@pytest.mark.parametrize("flags, asked, expected", [
    ("avx2 avx512f", None, "avx2"), ("avx2 avx512f", "default", "default"), ("avx2", None, None)])
def test_large_registers_are_left_alone_unless_they_are_asked_for(flags, asked, expected):
    environ = {name: value for name, value in os.environ.items() if name != "ATEN_CPU_CAPABILITY"}
    done = subprocess.run([sys.executable, "-c", IMPORTED.format(flags=flags)], text=True,
                          env=environ | ({"ATEN_CPU_CAPABILITY": asked} if asked else {}),
                          cwd=ROOT, capture_output=True)
    assert done.stdout.strip() == str(expected), done.stderr


def test_the_package_and_the_requirements_name_the_same():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    needed = {re.match(r"[\w-]+", line)[0] for line in project["dependencies"]}
    tested, for_tests = (ROOT / "requirements.txt").read_text().split("# for the tests")
    assert set(re.findall(r"^([\w-]+)==", tested, re.M)) == needed
    assert not needed & set(re.findall(r"^([\w-]+)==", for_tests, re.M))
    assert "- -r requirements.txt" in (ROOT / "environment.yml").read_text()  # Binder's
