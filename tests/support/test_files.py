"""A full disk, a read-only folder, a folder that vanishes: one clear line, and nothing is lost.

Afterwards the obstacle goes away, the same command runs again, and ends with the numbers of a run
that met none.
"""

import errno
import os
import resource
import shutil
import time

import pytest
from faults import arguments, content, finish, run_once, start, write_data

from casadv_lib.support.files import StorageError, read_json, write_json

CHECKPOINT = 20_000  # bytes; a whole one has 70 kB


@pytest.fixture(scope="module")
def uncut(tmp_path_factory):
    """(data, everything that a run without an obstacle leaves)."""
    folder = tmp_path_factory.mktemp("uncut")
    data = write_data(folder / "own.txt")
    run_once(arguments(data), folder / "runs")
    return data, content(folder / "runs")


def command(data, runs, prepare=None):
    """The run in a process of its own, after `prepare` in it; (exit status, what it said)."""
    process = start(arguments(data), runs, prepare=prepare)
    process.log.write_text("")
    return finish(process), process.log.read_text()


def small_files():
    """No file may grow to the size of a checkpoint, as on a disk that is almost full."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (CHECKPOINT, CHECKPOINT))


def one_line(said):
    """The one line of an error that names the file and what to do."""
    (line,) = [row for row in said.splitlines() if row]
    assert line.startswith("error: ")
    assert "could not write" in line and "unchanged" in line and "CASADV_RUNS" in line
    return line


def test_a_disk_without_room_for_a_checkpoint(uncut, tmp_path):
    data, expected = uncut
    runs = tmp_path / "runs"
    status, said = command(data, runs, small_files)
    assert status == 1 and "checkpoint.pt" in one_line(said)
    content(runs)
    assert not list(runs.glob("*/metrics.json")) and not list(runs.rglob("*.partial"))
    assert command(data, runs)[0] == 0
    assert content(runs) == expected


@pytest.mark.parametrize("number", [errno.EACCES, errno.EROFS, errno.ENOSPC])
@pytest.mark.parametrize("step", ["open", "fsync", "replace"])
def test_what_the_system_refuses_leaves_the_old_file_and_no_other(number, step, tmp_path):
    def refuse(*_):
        raise OSError(number, "not now")

    path = write_json(tmp_path / "a" / "x.json", 1)
    with pytest.MonkeyPatch.context() as patch, pytest.raises(StorageError, match="x.json: not"):
        patch.setattr(os, step, refuse)
        write_json(path, 2)
    assert read_json(path) == 1 and [*path.parent.iterdir()] == [path]


def test_a_folder_that_vanishes_during_training(uncut, tmp_path):
    data, expected = uncut
    runs = tmp_path / "runs"
    process = start(arguments(data, epochs=4000), runs)
    while not list(runs.glob("*/checkpoint.pt")):
        assert process.is_alive()
        time.sleep(0.01)
    shutil.rmtree(runs)
    assert finish(process) == 1
    said = one_line(process.log.read_text())
    assert "No such file" in said and str(runs) in said
    assert not runs.exists()  # what vanished is not made again behind its owner's back
    assert command(data, runs)[0] == 0
    assert content(runs) == expected
