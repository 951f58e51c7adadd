"""Tables on disk and in memory: nothing is lost, what is broken is named."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from fabricated import perfect
from old_form import converted

from casadv_lib.results import frames
from casadv_lib.results.frames import MissingRecords, read_results, write_results
from casadv_lib.results.ranks import UserRanks, decode, encode, read_ranks, write_ranks
from casadv_lib.support.files import DamagedFile

OLD = json.loads(Path(__file__).with_name("old_form.json").read_text(encoding="utf-8"))


def equal(one, other):
    for name in frames.COLUMNS:
        pd.testing.assert_frame_equal(getattr(one, name), getattr(other, name), check_dtype=False,
                                      check_exact=True)
    assert (one.configs, one.provenance, one.profile) == (other.configs, other.provenance,
                                                          other.profile)


def test_what_is_written_is_read_to_the_last_digit(tmp_path):
    old = converted(OLD)
    old = old.but(runs=old.runs.assign(dataset="NA"))  # a name, and no missing number
    write_results(old, tmp_path)
    equal(read_results(tmp_path), old)


def test_the_old_form_becomes_the_same_numbers():
    found = converted(OLD)
    base, guided = OLD["records"]
    for record in (base, guided):
        for which in ("last", "best"):
            for split in ("validation", "test"):
                wanted = record["metrics"][which][split]
                for metric in ("ndcg@10", "hr@10"):
                    assert frames.score(found, record["run"], metric, which, split) == \
                        wanted[metric]
        [(_, entry)] = frames.select(found.curves, run=record["run"], split="test").iterrows()
        assert entry["loss"] == record["curve"][0]["loss"]
        assert found.provenance[record["run"]] == record["provenance"]
        for attack in record["attacks"]:
            [(_, row)] = frames.select(
                found.attacks, run=record["run"], k=attack["k"], pick=attack["pick"],
                positions=attack["positions"], step=attack["step"], exclude=attack["exclude"],
                surrogate=attack.get("surrogate") or "").iterrows()
            assert (row["ndcg@10"], row["users"], row["distance"]) == (
                attack["attacked"]["ndcg@10"], attack["users"], attack["distance"])
    runs = frames.main_runs(found, "synthetic", "sasrec")
    assert runs == {"base": base["run"], "adv_cas": guided["run"]}
    row = frames.select(found.runs, run=guided["run"]).iloc[0]
    assert (row["epsilon"], row["lambda1"], row["preset"]) == (10.0, 1.0, "batch")
    assert np.isnan(row["replace_probability"])
    assert found.trials["chosen"].tolist() == [True, False]
    assert found.datasets.set_index("dataset")["optimum_ndcg@10"].isna().to_dict() == {
        "synthetic": False, "beauty": True}


@pytest.mark.parametrize("spoil", [
    lambda folder: (folder / "runs.csv").write_text("run,dataset\n"),
    lambda folder: (folder / "attacks.csv").unlink(),
    lambda folder: (folder / "runs.json").write_text("{}"),
    lambda folder: (folder / "curves.csv").write_text(""),
])
def test_a_broken_folder_is_named(tmp_path, spoil):
    write_results(converted(OLD), tmp_path)
    spoil(tmp_path)
    with pytest.raises(DamagedFile, match="no whole results"):
        read_results(tmp_path)


def test_what_is_made_here_stands_before_what_is_committed(tmp_path, monkeypatch):
    monkeypatch.setattr(frames, "root", lambda: tmp_path)
    with pytest.raises(MissingRecords, match="make figures.*grid --profile laptop"):
        read_results("laptop")
    with pytest.raises(MissingRecords, match="nowhere"):
        read_results(tmp_path / "nowhere")
    committed = tmp_path / "figures" / "laptop"
    write_results(converted(OLD), committed)
    assert frames.stored_folder("laptop") == committed
    write_results(converted(OLD), tmp_path / "figures" / "made" / "laptop")
    assert frames.stored_folder("laptop") == tmp_path / "figures" / "made" / "laptop"


def test_selectors_name_what_is_missing():
    results = perfect()
    for call, words in (
            (lambda: frames.main_run(results, "beauty", "sasrec", "adv_dog"), "'adv_dog'"),
            (lambda: frames.choose_dataset(results, "mars"), "'mars'.*beauty"),
            (lambda: frames.sweep(results, "beauty", "sasrec"), "0 value"),
            (lambda: frames.interval(results, "pair", "difference", run="x"), "'x'"),
            (lambda: frames.choose_dataset(frames.Results(), None), "no runs")):
        with pytest.raises(MissingRecords, match=words):
            call()
    assert frames.backbones(results, "video") == ["sasrec", "gru4rec"]
    assert frames.sweep(results, "video", "sasrec")["epsilon"].is_monotonic_increasing


def test_ranks_keep_what_the_metrics_see(tmp_path):
    ranks = np.array([1, 1.5, 10, 10.5, 11, 400])
    assert decode(encode(ranks)).tolist() == [1, 1.5, 10, 11, 11, 11]
    one = UserRanks({"last": encode(ranks), "best": encode(ranks[::-1])})
    path = write_ranks(tmp_path, "run", one)
    again = read_ranks(tmp_path, "run")
    assert {name: codes.tolist() for name, codes in again.codes.items()} == {
        name: codes.tolist() for name, codes in one.codes.items()}
    for content in (path.read_bytes()[:-20], b""):
        path.write_bytes(content)
        with pytest.raises(DamagedFile, match="delete it"):
            read_ranks(tmp_path, "run")
