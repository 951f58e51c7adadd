"""Files from outside cannot run code or leave their folder, and JupyterLab wants a token.

Data files are in tests/datasets, stored results in tests/results, names in pages in tests/widgets.
"""

import contextlib
import os
import pickle
import re
import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import N_ITEMS, build
from faults import SMALL, write_data
from oracles import dataset, random_sequences

import casadv_lib as cas
from casadv_lib.experiments import runs
from casadv_lib.experiments.configuration import configure
from casadv_lib.results import frames
from casadv_lib.support import files

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def made(tmp_path, runs_folder):
    """A small run."""
    data = write_data(tmp_path / "own.txt")
    return runs.run(configure("quick", str(data), **SMALL), progress=False)


class Evil:
    """Unpickled, it writes a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (Path.write_text, (self.path, "written"))


def evil_files(folder, victim):
    """Files that would write `victim` when unpickled without care, by every road."""
    evil = Evil(victim)
    content = {"model": {}, "history": {"best": [evil]}}
    for modern in (True, False):
        torch.save(content, folder / f"{modern}.pt", _use_new_zipfile_serialization=modern)
    for protocol in (0, pickle.HIGHEST_PROTOCOL):
        (folder / f"raw-{protocol}.pt").write_bytes(pickle.dumps(content, protocol))
    # a pickle made by hand: posix system, a command, call it
    (folder / "reduce.pt").write_bytes(b"cposix\nsystem\n(S'touch " + str(victim).encode()
                                       + b"'\ntR.")
    return list(folder.glob("*.pt"))


def test_nothing_stored_can_run_code(toy, made, tmp_path):
    for path in evil_files(tmp_path, tmp_path / "victim"):
        with pytest.raises(files.DamagedFile, match=path.name):
            cas.fit(build("sasrec"), toy, epochs=1, checkpoint=path, progress=False)
        os.replace(path, made.folder / "checkpoint.pt")
        with pytest.raises(files.DamagedFile, match="checkpoint.pt"):
            made.model(device="cpu")
    evil = np.array([Evil(tmp_path / "victim")], dtype=object)
    np.savez(made.folder / "ranks.npz", **{"test last": evil})
    with pytest.raises(files.DamagedFile, match="ranks.npz .*allow_pickle.*delete it"):
        made.ranks("test")
    assert not (tmp_path / "victim").exists()
    for path in evil_files(tmp_path, tmp_path / "victim"):  # which without care do run
        with contextlib.suppress(RuntimeError):  # what is left is no checkpoint
            torch.load(path, weights_only=False)
        (tmp_path / "victim").unlink()


@pytest.mark.parametrize("content", [
    b"hello", None, "in the middle", [1, 2], {"history": {}}, {"model": {}},
    {"model": {}, "history": {"x": 1}}, {"model": "x", "history": {}}, {"origin": 3}])
def test_a_broken_checkpoint_is_named_with_what_to_do(content, toy, tmp_path):
    path = tmp_path / "checkpoint.pt"
    cas.fit(build("sasrec"), toy, epochs=1, checkpoint=path, progress=False)
    if content in (None, "in the middle"):  # cut
        content = path.read_bytes()[: -100 if content is None else 5000]
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        torch.save(content, path)
    with pytest.raises(files.DamagedFile, match=r"checkpoint.pt.*[Dd]elete it"):
        cas.fit(build("sasrec"), toy, epochs=2, checkpoint=path, progress=False)


def test_a_part_of_a_run_that_is_deleted_is_made_anew(made):
    def numbers():
        return made.metrics["losses"], *(ranks.tolist() for ranks in (
            made.ranks(), runs.run_attack(made)["ranks"]))

    before = numbers()
    for part in ("metrics.json", "ranks.npz", *(path.relative_to(made.folder)
                                                for path in made.folder.glob("attacks/*"))):
        (made.folder / part).unlink()
        runs.run(made.config, progress=False)
        assert numbers() == before and (made.folder / part).exists()
    np.savez(made.folder / "ranks.npz", other=np.ones(3))
    with pytest.raises(files.DamagedFile, match="ranks.npz does not hold .*delete it"):
        made.ranks()


def test_a_checkpoint_of_another_training_is_refused(toy, tmp_path):
    path = tmp_path / "checkpoint.pt"
    options = {"checkpoint": path, "progress": False, "batch_size": 20}
    model, other = build("sasrec"), dataset(random_sequences(60, N_ITEMS, seed=1), N_ITEMS)
    cas.fit(model, toy, epochs=2, **options)
    kept = path.read_bytes()
    for change, words in [
        (lambda: cas.fit(build("sasrec"), toy, epochs=3, seed=1, **options), "seed 0 instead of 1"),
        (lambda: cas.fit(build("gru4rec"), toy, epochs=3, **options), "backbone 'SASRec'"),
        (lambda: cas.fit_adversarial(model, toy, epochs=3, **options), "phase 1 instead of 2"),
        (lambda: cas.fit(build("sasrec", dim=8), toy, epochs=3, **options), "dim 16 instead of 8"),
        (lambda: cas.fit(build("sasrec", n_heads=2, dropout=0.3), toy, epochs=3, **options),
         "dropout 0.2 instead of 0.3, n_heads 1 instead of 2"),
        (lambda: cas.fit(build("sasrec"), toy, epochs=1, **options), "holds 2"),
        (lambda: cas.fit(build("sasrec"), other, epochs=3, **options), f"data '{toy.fingerprint}'"),
    ]:
        with pytest.raises(ValueError, match=f"checkpoint.*{words}"):
            change()
    assert path.read_bytes() == kept
    options["checkpoint"] = tmp_path / "second.pt"
    cas.fit_adversarial(model, toy, epochs=1, **options)
    for changed, words in (({"epsilon": 3.0}, "epsilon 10.0 instead of 3.0"),
                           ({"method": "adv_seq"}, "method 'adv_cas' instead of 'adv_seq'")):
        with pytest.raises(ValueError, match=f"checkpoint.*{words}"):
            cas.fit_adversarial(build("sasrec"), toy, epochs=2, **options, **changed)


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"[" * 100_000])
def test_a_broken_json_file_is_named(content, tmp_path):
    (tmp_path / "metrics.json").write_bytes(content)
    with pytest.raises(files.DamagedFile, match="metrics.json is not whole JSON.*delete it"):
        files.read_json(tmp_path / "metrics.json")


@pytest.mark.parametrize("name", [
    "../../escaped", "/tmp/casadv-escaped", "..", ".", "a/../../b", "x\\..\\y", "~", "a\nb",
    "$(touch x)", "%2e%2e%2f", "ünïcode", "a" * 200])
def test_no_data_set_name_leads_out_of_the_runs_folder(name, toy, runs_folder):
    made = runs.Run(configure("quick", name), toy)
    tables, folder = frames.folder_of("quick", dataset=made.dataset), made.folder
    assert tables.resolve().parent == frames.folder_made().resolve()
    assert folder.resolve().parent == runs_folder.resolve() and folder.name not in ("", ".", "..")


def test_make_lab_listens_on_the_loopback_address_and_keeps_jupyters_token():
    said = subprocess.run(["make", "-n", "lab"], cwd=ROOT, capture_output=True, text=True).stdout
    (command,) = [line for line in said.splitlines() if "jupyter lab" in line]
    assert "--ip 127.0.0.1 " in command
    assert not re.search("token|password|allow_|config", command, re.IGNORECASE)
