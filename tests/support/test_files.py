"""A full disk, a read-only folder, a folder that vanishes: one clear line, and nothing is lost.

Each by a real process on a real obstacle. Afterwards the obstacle goes away, the same command runs
again, and ends with the numbers of a run that met none.
"""

import ctypes
import resource
import shutil
import time

import pytest
from faults import arguments, content, finish, run_once, start, whole_files, write_data

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


def no_exceptions():
    """Take from root the right to write where the permissions say no; others never had it."""
    libc, head = ctypes.CDLL(None), (ctypes.c_uint32 * 2)(0x20080522, 0)  # version, this process
    sets = (ctypes.c_uint32 * 6)()  # effective, permitted, inheritable; low words first
    assert libc.capget(head, sets) == 0
    sets[0] &= ~(1 << 1)  # CAP_DAC_OVERRIDE
    assert libc.capset(head, sets) == 0


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
    whole_files(runs)
    assert not list(runs.glob("*/metrics.json")) and not list(runs.rglob("*.partial"))
    assert command(data, runs)[0] == 0
    assert content(runs) == expected


def test_a_folder_that_nobody_may_write_to(uncut, tmp_path):
    data, expected = uncut
    runs = tmp_path / "runs"
    run_once(arguments(data, method="base"), runs)
    (base,) = runs.iterdir()
    runs.chmod(0o555)
    status, said = command(data, runs, no_exceptions)
    runs.chmod(0o755)
    assert status == 1 and "Permission denied" in one_line(said) and str(runs) in said
    assert [path.name for path in runs.iterdir()] == [base.name]
    assert content(runs).items() <= expected.items()
    assert command(data, runs)[0] == 0
    assert content(runs) == expected


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
