"""Every benchmark runs on a tiny world and says what it should; nothing here asserts a time."""

import copy
import json
import sys

import numpy as np
import pytest
import torch
from benchmarks import cascade, epochs, growth, measuring, memory, public, ranking, report, suite
from benchmarks.reading import main as read_large_file
from conftest import build
from faults import write_data
from oracles import random_sequences

import casadv_lib as cas
from casadv_lib.settings import TrainingSettings
from casadv_lib.support.files import read_json, write_json
from casadv_lib.training import Trainer

TINY = {"repeats": 2, "dim": 8}
FAKE = f'''
import sys
sys.path.insert(0, {str(public.WORKERS)!r})
from serve import serve

def prepare(request, folder):
    users = len(open(request["data"]).read().splitlines())
    return {{"fake": "1.0"}}, {{key: (lambda: 0.5, users) for key in request["variants"]}}

serve(prepare)
'''
SMALL = {"users_of_length": 4, "users": 20, "items": 30}
# name: (how many rows, what runs it, given a data set and a worker's script)
RUNS = {
    "padded": (2, lambda data, _: epochs.padded(data, batches=1, **TINY)),
    "adversarial": (2, lambda data, _: epochs.adversarial(
        data, batches=1, methods=("adv_linear", "adv_cas"), backbones=("gru4rec",), **TINY)),
    "losses": (4, lambda data, _: epochs.losses(data, batches=1, **TINY)),
    "recbole": (4, lambda data, script: public.main("recbole", data, 1, script=script, **TINY)),
    "rectools": (2, lambda data, script: public.main("rectools", data, 1, script=script, **TINY)),
    "reading": (4, lambda *_: read_large_file(2000, 1)),
    "ranking": (3, lambda data, _: ranking.main(data, **TINY)),
    "cascade": (16, lambda *_: cascade.main(sizes=(500, 1000), repeats=2)),
    "growth": (12, lambda *_: growth.main((20, 40), (30, 60), (5, 10), SMALL, **TINY)),
    "memory": (1, lambda data, _: memory.main(data, backbones=("gru4rec",), dim=8)),
}


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    return str(write_data(tmp_path_factory.mktemp("bench") / "tiny.txt"))


@pytest.mark.parametrize("name", RUNS)
def test_a_benchmark_runs_and_says_what_it_should(name, tiny, tmp_path, monkeypatch):
    for other in ("RECBOLE", "RECTOOLS"):
        monkeypatch.setenv(f"CASADV_{other}_PYTHON", sys.executable)
    monkeypatch.setattr(cascade, "call", lambda function, **given: function(**given))
    script = tmp_path / "worker.py"
    script.write_text(FAKE)
    expected, run = RUNS[name]
    record = run(tiny, script)
    assert json.loads(json.dumps(record)) == record, "JSON must hold all of it"
    assert len(record["rows"]) == expected
    if name in ("recbole", "rectools"):  # 40 steps of half a second
        assert record["others"] == {"fake": "1.0"}
        assert all(row["other"]["median"] == 20.0 for row in record["rows"])


@pytest.mark.parametrize("name", epochs.BACKBONES)
def test_the_padded_training_is_fair(name, toy):
    """Same loss and gradients as the library's step on the same users and negatives."""
    model = build(name, dropout=0.0)
    settings = TrainingSettings(epochs=1, device="cpu", batch_size=100)
    packed = Trainer(model, toy, settings)
    theirs = epochs.PaddedTrainer(copy.deepcopy(model), toy, settings, name)
    negatives = packed.sampler.draw(torch.Generator().manual_seed(4))
    users = np.arange(len(packed.table.lengths))  # those with a target to learn from
    loss, _ = cas.training_loss(model, next(packed.table.batches(users, 100, negatives)))
    block = torch.zeros_like(theirs.inputs)
    block[theirs.real] = negatives
    other = theirs.loss(torch.as_tensor(users), block)
    torch.testing.assert_close(other, loss, rtol=1e-5, atol=1e-6)
    loss.backward()
    other.backward()
    for (key, mine), (_, their) in zip(model.named_parameters(), theirs.model.named_parameters()):
        torch.testing.assert_close(their.grad, mine.grad, rtol=1e-3, atol=1e-6, msg=key)


def test_algorithm_1_by_loops_is_the_library_s():
    histories = random_sequences(30, 20, 1, 9)
    by_loops = cascade.algorithm_1([h.tolist() for h in histories], 16, 20)
    ours = cas.cascade_effects(histories, batch_size=16, count_self=True)
    np.testing.assert_allclose(np.concatenate(ours), np.concatenate(by_loops), rtol=1e-12)


def test_clocks_take_turns_and_ratios_and_verdicts_are_computed_turn_by_turn():
    said = []
    clocks = {name: lambda name=name: said.append(name) or float(len(said)) for name in "ab"}
    turns = measuring.take_turns(clocks, 3)  # the first turn is not counted
    assert turns.to_dict("list") == {"a": [3.0, 5.0, 7.0], "b": [4.0, 6.0, 8.0]}
    quick = measuring.row("x", [1.0, 2.0, 4.0], than="y", other=[10.0, 30.0, 20.0], faster=True,
                          target=10.0)
    assert [quick["ratio"][key] for key in ("low", "median", "high")] == [5, 10, 15]
    assert report.target(quick) == "at least 10: met"
    slow = measuring.row("x", [2.1], than="y", other=[1.0], target=2.0)
    assert report.target(slow) == "at most 2: **not met**"
    assert not measuring.row("x", [1.0], than="y", other=[9.9], faster=True, target=10.0)["met"]
    assert [measuring.row("x", [1.6], "GB", target=most)["met"] for most in (1.5, None)] == [
        False, None]


@pytest.mark.parametrize("python, error, said", [
    (sys.executable, RuntimeError, "ended with 7"),
    ("nowhere", FileNotFoundError, "make bench-env.*CASADV_RECBOLE_PYTHON")])
def test_a_missing_environment_or_a_worker_that_fails_is_named(
        python, error, said, monkeypatch, tmp_path):
    script = tmp_path / "broken.py"
    script.write_text("raise SystemExit(7)")
    monkeypatch.setenv("CASADV_RECBOLE_PYTHON", python)
    with pytest.raises(error, match=said), public.worker("recbole", script) as ask:
        ask("{}")


def test_what_is_stored_has_its_provenance_and_fills_the_table(tiny, tmp_path, monkeypatch):
    small = {"dataset": tiny, "repeats": 1, "dim": 8}
    monkeypatch.setitem(suite.BENCHMARKS["ranking"], "arguments", small)
    stored = suite.run_one("ranking", "cpu", tmp_path)
    assert read_json(tmp_path / "ranking.json") == stored
    write_json(tmp_path / "growth.json", {**stored, "name": "growth", "curves": {"users": {
        "x": [10, 100], "label": "users", "fixed": "9 items", "lines": {
            "an epoch": {"median": [1.0, 10.0], "low": [1.0, 9.0], "high": [2.0, 11.0]}}}}})
    origin = stored["provenance"]
    assert origin["data_hash"] == cas.load_dataset(tiny).fingerprint
    assert origin["wall_seconds"] > 0 and 0 <= origin["processor_use_before_percent"] <= 100
    assert suite.main(["--table", "--folder", str(tmp_path)]) == 0
    for words in ("ranking 40 users", origin["hardware"], "## Ranking all items"):
        assert words in (tmp_path / "table.md").read_text()
    axis, _ = report.growth_figure(read_json(tmp_path / "growth.json")["curves"]).axes
    assert "an epoch (1.00)" in axis.get_legend_handles_labels()[1]
    assert any(list(line.get_ydata()) == pytest.approx([1, 10]) for line in axis.lines)
    assert (tmp_path / "growth.svg").exists() and (tmp_path / "growth.png").exists()


def test_the_committed_table_shows_what_is_stored():
    stored = report.load()
    assert {record["name"] for record in stored} == set(suite.BENCHMARKS)
    assert (report.FOLDER / "table.md").read_text() == report.markdown(stored), \
        "run `make bench-table`"
