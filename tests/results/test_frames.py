"""Tables on disk and in memory: nothing is lost, what is broken is named."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from fabricated import perfect

from casadv_lib.results import frames
from casadv_lib.results.frames import MissingRecords, read_ranks, read_results, write_results
from casadv_lib.support.files import DamagedFile
from casadv_lib.support.machine import root

COMMITTED = root() / "figures" / "quick"


def test_what_is_written_is_read_to_the_last_digit(tmp_path):
    old = read_results(COMMITTED)
    old = replace(old, runs=old.runs.assign(dataset="NA"))  # a name, and no missing number
    write_results(old, tmp_path)
    again = read_results(tmp_path)
    for name in frames.COLUMNS:
        pd.testing.assert_frame_equal(getattr(again, name), getattr(old, name), check_exact=True)
    assert (again.configs, again.provenance, again.profile, again.figure1) == (
        old.configs, old.provenance, old.profile, old.figure1)


@pytest.mark.parametrize("spoil", [
    lambda folder: (folder / "runs.csv").write_text("run,dataset\n"),
    lambda folder: (folder / "attacks.csv").unlink(),
    lambda folder: (folder / "curves.csv").write_text(""),
    lambda folder: (folder / "runs.csv").write_text("".join(
        (folder / "runs.csv").read_text().splitlines(keepends=True)[:20])),
])
def test_a_broken_folder_is_named(tmp_path, spoil):
    write_results(perfect(), tmp_path)
    spoil(tmp_path)
    with pytest.raises(DamagedFile, match="no whole results"):
        read_results(tmp_path)


def test_what_is_made_here_stands_before_what_is_committed_and_leaves_it_alone(
        tmp_path, monkeypatch):
    monkeypatch.setattr(frames, "root", lambda: tmp_path)
    with pytest.raises(MissingRecords, match="make figures.*grid --profile laptop"):
        read_results("laptop")
    with pytest.raises(MissingRecords, match="nowhere"):
        read_results(tmp_path / "nowhere")
    committed, made = tmp_path / "figures" / "laptop", tmp_path / "figures" / "made" / "laptop"
    for folder, seconds in ((committed, 1.0), (made, 2.0)):
        results = perfect()
        write_results(replace(results, runs=results.runs.assign(seconds_per_epoch=seconds)), folder)
        assert frames.stored_folder("laptop") == folder
        assert set(read_results("laptop").runs["seconds_per_epoch"]) == {seconds}
    assert set(read_results(committed).runs["seconds_per_epoch"]) == {1.0}
    assert frames.folder_of("laptop") == made
    assert frames.folder_of("paper") == tmp_path / "figures" / "paper"  # it goes on in place
    assert "figures/made/" in (root() / ".gitignore").read_text().split()


def test_selectors_name_what_is_missing():
    results = perfect()
    for call, words in (
            (lambda: frames.main_run(results, "beauty", "sasrec", "adv_dog"), "'adv_dog'"),
            (lambda: frames.interval(results, "pair", "difference", run="x"), "'x'")):
        with pytest.raises(MissingRecords, match=words):
            call()


def test_ranks_keep_what_the_metrics_see(tmp_path):
    ranks = np.array([1, 1.5, 10, 10.5, 11, 400])
    assert frames.decode(frames.encode(ranks)).tolist() == [1, 1.5, 10, 11, 11, 11]
    one = {"last": frames.encode(ranks), "best": frames.encode(ranks[::-1])}
    path = frames.write_ranks(tmp_path, "run", one)
    again = read_ranks(tmp_path, "run")
    assert {name: (codes.tolist(), codes.dtype) for name, codes in again.items()} == {
        name: (codes.tolist(), codes.dtype) for name, codes in one.items()}
    for content in (path.read_bytes()[:-20], b""):
        path.write_bytes(content)
        with pytest.raises(DamagedFile, match="delete it"):
            read_ranks(tmp_path, "run")
