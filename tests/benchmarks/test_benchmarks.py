"""Every benchmark runs on a tiny world and says what it should; nothing here asserts a time."""

import copy
import json
import re
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from benchmarks import (
    adversarial,
    attack,
    cascade,
    curves,
    growth,
    memory,
    padded,
    padded_training,
    public,
    ranking,
    rows,
    shares,
    suite,
    tables,
    timing,
    worlds,
)
from conftest import build
from oracles import random_sequences

import casadv_lib as cas
from casadv_lib.settings import TrainingSettings
from casadv_lib.support.files import read_json, write_json
from casadv_lib.training import Trainer

FOLDER = Path(__file__).parent
TINY = {"repeats": 2, "dim": 8}
FAKE = '''
import json, sys
request = json.loads(sys.stdin.readline())
users = len(open(request["data"]).read().splitlines())
print(json.dumps({"versions": {"fake": "1.0"}, "steps": dict.fromkeys(request["variants"], users)}))
sys.stdout.flush()
for line in sys.stdin:
    print(0.5 if line.strip() in request["variants"] else "unknown", flush=True)
'''


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """A file of 60 users with 5 to 11 items out of 40."""
    path = tmp_path_factory.mktemp("bench") / "tiny.txt"
    lines = [f"{u} {' '.join(map(str, s))}"
             for u, s in enumerate(random_sequences(60, 40, 5, 11), 1)]
    path.write_text("\n".join(lines) + "\n")
    return str(path)


def run(name, tiny, tmp_path):
    """What each benchmark finds in the tiny world."""
    script = tmp_path / "worker.py"
    script.write_text(FAKE)
    small = {"users_of_length": 4, "users": 20, "items": 30}
    return {
        "padded": lambda: padded.main(tiny, batches=1, **TINY),
        "recbole": lambda: public.main("recbole", tiny, batches=1, script=script, **TINY),
        "rectools": lambda: public.main("rectools", tiny, batches=1, script=script, **TINY),
        "adversarial": lambda: adversarial.main(
            tiny, batches=1, methods=("adv_linear", "adv_cas"), backbones=("gru4rec",), **TINY),
        "ranking": lambda: ranking.main(tiny, **TINY),
        "attack": lambda: attack.main(tiny, ks=(1, 2), **TINY),
        "cascade": lambda: cascade.main(sizes=(500, 1000), repeats=2),
        "growth": lambda: growth.main((20, 40), (30, 60), (5, 10), small, **TINY),
        "memory": lambda: memory.main(tiny, backbones=("gru4rec",), dim=8),
        "shares": lambda: shares.main(tiny, batches=1, dim=TINY["dim"]),
    }[name]()


@pytest.mark.parametrize("name", ["padded", "recbole", "rectools", "adversarial", "ranking",
                                  "attack", "cascade", "growth", "memory", "shares"])
def test_a_benchmark_runs_and_says_what_it_should(name, tiny, tmp_path, monkeypatch):
    for other in ("RECBOLE", "RECTOOLS"):
        monkeypatch.setenv(f"CASADV_{other}_PYTHON", sys.executable)
    # one benchmark starts processes of its own here; that is enough
    monkeypatch.setattr(cascade, "call", lambda module, name, **given: cascade.measure(**given))
    found = run(name, tiny, tmp_path)
    assert json.loads(json.dumps(found)) == found, "JSON must hold all of it"
    assert found["title"] and all(found["notes"]) and found["rows"]
    for row in found["rows"]:
        here = row["here"]
        assert here["low"] <= here["median"] <= here["high"] and here["repeats"] >= 1
        assert (row["target"] is None) == (row["met"] is None)
        assert (row["ratio"] is None) == (row["other"] is None) == (row["against"] is None)
    expected = {"padded": 2, "recbole": 4, "rectools": 2, "attack": 2, "ranking": 3, "memory": 1,
                "adversarial": 2, "growth": 12, "cascade": 22, "shares": 48}
    assert len(found["rows"]) == expected[name]
    if name == "shares":  # six steps, each of them whole
        assert sum(row["here"]["median"] for row in found["rows"]) == pytest.approx(600)
    if name in ("recbole", "rectools"):  # 60 steps of half a second
        assert found["others"] == {"fake": "1.0"}
        assert all(row["other"]["median"] == 30.0 for row in found["rows"])


def test_every_listed_benchmark_has_a_module_with_a_main():
    modules = {module for module, _ in suite.BENCHMARKS.values()}
    for module in modules:
        text = (FOLDER / f"{module}.py").read_text()
        assert re.search(r"^def main\(", text, re.M), module


@pytest.mark.parametrize("name", ["sasrec", "gru4rec"])
def test_the_padded_training_is_fair(name, toy):
    """Same loss and gradients as the library's step on the same users and negatives."""
    model = build(name, dropout=0.0)
    settings = TrainingSettings(epochs=1, device="cpu", batch_size=100)
    packed = Trainer(model, toy, settings)
    theirs = padded_training.PaddedTrainer(copy.deepcopy(model), toy, settings, name)
    negatives = packed.sampler.draw(torch.Generator().manual_seed(4))
    users = np.arange(len(packed.table.lengths))  # those with a target to learn from
    batch = next(packed.table.batches(users, 100, negatives))
    loss, _ = cas.training_loss(model, batch)
    block = torch.zeros_like(theirs.inputs)
    block[theirs.real] = negatives
    other = theirs.loss(torch.as_tensor(users), block)
    torch.testing.assert_close(other, loss, rtol=1e-5, atol=1e-6)
    loss.backward()
    other.backward()
    for (key, mine), (_, their) in zip(model.named_parameters(), theirs.model.named_parameters()):
        torch.testing.assert_close(their.grad, mine.grad, rtol=1e-3, atol=1e-6, msg=key)


def test_the_padded_epoch_learns(toy):
    model = build("sasrec", dropout=0.1)
    trainer = padded_training.PaddedTrainer(
        model, toy, TrainingSettings(device="cpu", batch_size=16), "sasrec"
    )
    losses = [trainer.train_epoch() for _ in range(15)]
    assert losses[-1] < 0.9 * losses[0]


def test_algorithm_1_by_loops_is_the_library_s():
    histories = random_sequences(30, 20, 1, 9)
    by_loops = cascade.algorithm_1([h.tolist() for h in histories], 16, 20)
    ours = cas.cascade_effects(histories, batch_size=16, count_self=True)
    np.testing.assert_allclose(np.concatenate(ours), np.concatenate(by_loops), rtol=1e-12)


@pytest.mark.parametrize("repeats", [False, True])
def test_made_up_interactions_are_what_they_claim(repeats):
    items, offsets = worlds.interactions_of(200_000, repeats=repeats)
    assert items.min() >= 1 and items.max() <= 200_000 // 16 and offsets[-1] == len(items)
    lengths = np.diff(offsets)
    assert lengths[:-1].min() >= 5 and lengths.max() <= 50 and 8.5 < lengths.mean() < 9.5
    user = np.repeat(np.arange(len(lengths)), lengths)
    pairs = np.unique(np.stack([user, items]), axis=1).shape[1]
    assert (pairs < len(items)) == repeats
    # Zipf: each decade of ranks holds about as many interactions
    popular = np.sort(np.bincount(items))[::-1]
    assert 0.5 < popular[100:1000].sum() / popular[1000:10000].sum() < 2


def test_a_sample_has_whole_users_and_the_whole_catalogue(toy):
    part = worlds.sample(toy, 20)
    assert part.n_users == 20 and part.n_items == toy.n_items
    own = {user: tuple(s) for user, s in zip(toy.user_ids, toy.sequences)}
    assert all(own[user] == tuple(s) for user, s in zip(part.user_ids, part.sequences))
    assert worlds.sample(toy, 1000) is toy


def test_turns_alternate_and_the_first_is_not_counted():
    said = []

    def clock(name):
        return lambda: said.append(name) or float(len(said))

    found = timing.take_turns({"a": clock("a"), "b": clock("b")}, 3)
    assert said == ["a", "b"] * 4 and found == {"a": [3.0, 5.0, 7.0], "b": [4.0, 6.0, 8.0]}


def test_ratios_are_taken_turn_by_turn_and_verdicts_are_computed():
    quick = rows.faster("x", [1.0, 2.0, 4.0], "y", [10.0, 30.0, 20.0], at_least=10.0)
    assert (quick["ratio"]["low"], quick["ratio"]["median"], quick["ratio"]["high"]) == (5, 10, 15)
    assert quick["met"] is True and tables.target(quick) == "at least 10: met"
    assert rows.faster("x", [1.0], "y", [9.9], at_least=10.0)["met"] is False
    assert rows.dearer("x", [2.0], "y", [1.0], at_most=2.0)["met"] is True
    slow = rows.dearer("x", [2.1], "y", [1.0], at_most=2.0)
    assert slow["met"] is False and "**not met**" in tables.target(slow)
    assert rows.measured("x", [1.6], "GB", 1.5)["met"] is False
    assert rows.measured("x", [1.6], "GB")["met"] is None


def test_a_missing_environment_is_named(monkeypatch, tmp_path):
    monkeypatch.setenv("CASADV_RECBOLE_PYTHON", str(tmp_path / "python"))
    with pytest.raises(public.MissingEnvironment, match="make bench-env.*CASADV_RECBOLE_PYTHON"):
        public.interpreter("recbole")


def test_a_worker_that_fails_stops_the_benchmark(monkeypatch, tmp_path):
    monkeypatch.setenv("CASADV_RECBOLE_PYTHON", sys.executable)
    script = tmp_path / "broken.py"
    script.write_text("raise SystemExit(7)")
    with pytest.raises(RuntimeError, match="ended with 7"):
        public.Worker("recbole", {"variants": {}}, script)


def test_names_are_found_by_their_beginning():
    assert suite.chosen("padded") == ["padded-beauty", "padded-video", "padded-ml-1m"]
    assert suite.chosen("ranking") == ["ranking"] and set(suite.chosen(None)) == set(
        suite.BENCHMARKS)
    with pytest.raises(ValueError, match="'speed'; allowed are padded-beauty"):
        suite.chosen("speed")


def test_what_is_stored_has_its_provenance_and_fills_the_table(tiny, tmp_path, monkeypatch):
    small = {"ks": (1,), "dataset": tiny, "repeats": 1, "dim": 8}
    monkeypatch.setitem(suite.BENCHMARKS, "attack", ("attack", small))
    suite.run_one("attack", "cpu", tmp_path)
    stored = read_json(tmp_path / "attack.json")
    write_json(tmp_path / "growth.json", {**stored, "name": "growth", "curves": {"users": {
        "x": [10, 100], "label": "users", "fixed": "9 items", "lines": {
            "an epoch": {"median": [1.0, 10.0], "low": [1.0, 9.0], "high": [2.0, 11.0]}}}}})
    origin = stored["provenance"]
    assert stored["name"] == "attack" and origin["data_hash"] == cas.load_dataset(tiny).fingerprint
    assert origin["wall_seconds"] > 0 and "thread(s)" in origin["hardware"]
    assert 0 <= origin["processor_use_before_percent"] <= 100
    suite.write_summary(tmp_path)
    text = (tmp_path / "table.md").read_text()
    assert "attack on the last 1" in text and origin["hardware"] in text
    assert "## Replacing the last K items" in text
    pictures = [(tmp_path / f"growth.{kind}").read_bytes() for kind in ("png", "svg")]
    suite.write_summary(tmp_path)  # writing again changes nothing
    assert (tmp_path / "table.md").read_text() == text
    assert [(tmp_path / f"growth.{kind}").read_bytes() for kind in ("png", "svg")] == pictures


def test_the_committed_table_shows_what_is_stored():
    stored = tables.load()
    assert {record["name"] for record in stored} == set(suite.BENCHMARKS)
    assert (tables.FOLDER / "table.md").read_text() == tables.markdown(stored), \
        "run `make bench-table`"


def test_amounts_read_well():
    found = rows.spread([0.0123, 0.0133, 0.0143], "s")
    assert tables.amount(found) == "13.3 ms (12.3 to 14.3)"
    assert tables.amount(rows.spread([475.2], "s")) == "475 s"
    assert tables.amount(rows.spread([1.2345, 2.0, 1.0], "x")) == "1.23 (1.00 to 2.00)"


def test_the_exponent_of_a_curve():
    sizes = np.array([10, 100, 1000])
    assert curves.exponent(sizes, 3e-5 * sizes**1.5) == pytest.approx(1.5)
    with pytest.raises(ValueError, match="equally long"):
        curves.exponent([1, 2], [1.0])
    with pytest.raises(ValueError, match="above 0"):
        curves.exponent([1, 2], [1.0, 0.0])


def test_the_growth_figure_draws_the_stored_numbers():
    line = {"median": [1.0, 4.0, None], "low": [0.9, 3.5, None], "high": [1.1, 4.5, None]}
    figure = curves.growth_figure({"items": {"x": [10, 40, 160], "label": "items", "fixed": "5",
                                             "lines": {"ranking": line}}})
    [axis] = figure.axes
    drawn = {tuple(curve.get_ydata().astype(float)) for curve in axis.lines}
    assert (1.0, 4.0) in drawn and "items" in axis.get_xlabel()
    assert "ranking (1.00)" in axis.get_legend_handles_labels()[1]
    with pytest.raises(ValueError, match="allowed are users"):
        curves.growth_figure({})
