"""Panels without a browser: what they show is what `attack` and the training code say."""

import asyncio
import re

import numpy as np
import pandas as pd
import pytest

import casadv_lib as cas
from casadv_lib.data import training_sequences
from casadv_lib.experiments import runs
from casadv_lib.experiments.configuration import configure
from casadv_lib.results.frames import COLUMNS, MissingRecords, Results
from casadv_lib.widgets import epsilon as epsilon_sliders
from casadv_lib.widgets.cascade import cascade_panel
from casadv_lib.widgets.epsilon import epsilon_panel, stored_sweep
from casadv_lib.widgets.panel import Panel, list_table, table
from casadv_lib.widgets.replacement import history_table, replacement_panel, top_lists
from casadv_lib.widgets.runs import stored_like
from casadv_lib.widgets.slider import Slider

SMALL = {"device": "cpu", "epochs": 2, "adv_epochs": 1, "dim": 8, "batch_size": 16}


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    """A data set in a file: 40 users, 30 items; runs are stored beside it."""
    folder, rng = tmp_path_factory.mktemp("own"), np.random.default_rng(0)
    rows = [(f"u{user}", f"film {item}", step) for user in range(40)
            for step, item in enumerate(rng.permutation(30)[: rng.integers(5, 12)])]
    frame = pd.DataFrame(rows, columns=["user", "item", "timestamp"])
    frame.to_csv(folder / "own.csv", index=False)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CASADV_RUNS", str(folder / "runs"))
        yield str(folder / "own.csv")


@pytest.fixture(scope="module")
def stored(own):
    """Stored runs of the base and of adv_cas: {method: Run}."""
    data = cas.load_dataset(own)
    return {method: runs.run(configure("quick", own, method=method, **SMALL), data, progress=False)
            for method in ("base", "adv_cas")}


def words(panel):
    return re.sub("<[^>]+>", "", panel.parts["words"].value)


def shown(panel):
    return {name: part.value for name, part in panel.parts.items() if name != "words"}


def table_cells(html):
    return re.findall(r"<td>(.*?)</td>", html)


# The panel itself

def counting_panel(fails=()):
    drawn = []

    def show(n):
        drawn.append(n)
        if n in fails:
            raise fails[n]
        yield "part", f"<p>{n}</p>"
        yield "words", f"at {n}"

    return Panel({"n": Slider("n", range(50))}, show), drawn


def test_moves_in_a_running_kernel_do_not_queue_up():
    async def move():
        panel, drawn = counting_panel()
        for value in range(1, 40):
            panel.controls["n"].value = value
        assert drawn == [0] and words(panel) == "at 0"
        while words(panel) != "at 39":
            await asyncio.sleep(0.005)
        return drawn

    assert asyncio.run(asyncio.wait_for(move(), 10)) == [0, 39]


def test_a_move_during_the_work_is_seen():
    async def move():
        panel, drawn = counting_panel()
        panel.controls["n"].value = 1
        while words(panel) != "working...":
            await asyncio.sleep(0)
        panel.controls["n"].value = 2
        while words(panel) != "at 2":
            await asyncio.sleep(0.005)
        return drawn, panel.parts["part"].value

    drawn, part = asyncio.run(asyncio.wait_for(move(), 10))
    assert drawn[-1] == 2 and part == "<p>2</p>"


@pytest.mark.parametrize("error, said", [
    (ValueError("n is 7; allowed is another"), "Not possible: n is 7; allowed is another"),
    (KeyError(5), "KeyError: 5")])
def test_what_fails_is_said_and_the_last_view_stays(error, said):
    panel, _ = counting_panel(fails={7: error})
    panel.controls["n"].value = 3
    panel.controls["n"].value = 7
    assert words(panel) == f"{said}. The last good picture stays."
    assert shown(panel) == {"part": "<p>3</p>"}
    panel.controls["n"].value = 8
    assert words(panel) == "at 8"


def test_slider_keeps_position_and_value_together():
    slider = Slider("epsilon", [0.5, 1.0, 2.0], 1.0)
    assert (slider.position, slider.texts) == (1, ["0.5", "1", "2"])
    slider.position = 2
    assert slider.value == 2.0
    slider.value = 0.5
    assert slider.position == 0
    with pytest.raises(ValueError, match=r"epsilon is 3; allowed"):
        slider.value = 3
    assert (slider.value, slider.position) == (0.5, 0)


def test_names_are_shown_as_plain_text():
    frame = list_table(np.array([1, 2]), np.array([2, 1]), ["", "<b>x</b>", "y & z"], 2)
    text = table(frame, "a < b")
    assert "<b>x</b>" not in text and "&lt;b&gt;x" in text and "a &lt; b" in text


# Replaced items

@pytest.fixture
def panel(stored):
    made = stored["adv_cas"]
    user = int(np.argmax([len(s) for s in made.data.sequences]))
    return replacement_panel(made.config, made.data, user, sample=25), made, user


@pytest.mark.parametrize("positions, k, pick, exclude", [
    ("last", 1, "gradient", "both"), ("last", 4, "nearest", "attacked"),
    ("last", 4, "random", "both"), ("first", 1, "random", "original"),
    ("middle", 1, "gradient", "attacked")])
def test_the_replacement_panel_shows_what_attack_returns(panel, stored, positions, k, pick,
                                                         exclude):
    sliders, made, user = panel
    for name, value in (("positions", positions), ("pick", pick), ("k", k), ("exclude", exclude)):
        sliders.controls[name].value = value
    model = made.model(device="cpu").eval()
    whole = cas.attack(model, made.data, positions, k, pick, exclude=exclude)
    row = int(np.flatnonzero(whole["users"] == user)[0])
    after, before = whole["ranks"][row], whole["clean"]["ranks"][row]
    assert f"; left out: {exclude})" in words(sliders)
    assert f"from rank {before:g} to {after:g}." in words(sliders)
    names = made.data.item_names
    old, new = made.data.sequences[user][:-1], whole["histories"][row]
    met = {"both": [*old, *new], "attacked": new, "original": old}[exclude]
    expected = history_table(old, new, names)
    lists = top_lists(model, [old, new], [old, np.asarray(met)])
    assert not {*lists[1]} & {*met}
    cells = table_cells(sliders.parts["user"].value)
    assert cells[: 3 * len(expected)] == expected.to_numpy().ravel().tolist()
    second = cells[3 * len(expected) + 1 :: 3]
    assert [cell.removesuffix(" ← held out") for cell in second] == [names[i] for i in lists[1]]


def test_wrong_entries_of_the_replacement_panel(panel):
    sliders, _, _ = panel
    good = shown(sliders)
    sliders.controls["user"].value = "nobody"
    assert "user is 'nobody'; allowed are the 40 users of own" in words(sliders)
    assert shown(sliders) == good
    sliders.controls["user"].value = ""
    assert words(sliders).startswith("User ")
    sliders.controls["k"].value = 3
    good = shown(sliders)
    sliders.controls["positions"].value = "middle"
    assert "k is 3 with positions='middle'; allowed is 1, or positions='last'" in words(sliders)
    assert shown(sliders) == good


def test_the_list_of_runs_holds_what_is_stored(panel, own, stored):
    sliders, made, _ = panel
    assert sliders.controls["run"].options == (
        ("own, sasrec, base", (own, "sasrec", "base")),
        ("own, sasrec, adv_cas", (own, "sasrec", "adv_cas")))
    picture = sliders.parts["average"].value
    sliders.controls["run"].value = (own, "sasrec", "base")
    assert "base, K = 1" in words(sliders) and sliders.parts["average"].value != picture
    assert sliders.controls["user"].value != ""  # the same data set, so the same user
    other = runs.run(made.config.but(epsilon=7.0), made.data, progress=False)
    for config in (made.config, other.config):  # each finds itself
        found = stored_like(config)[own, "sasrec", "adv_cas"]
        assert found.adversarial.epsilon == config.adversarial.epsilon
    assert list(stored_like(configure("quick")))[0] == (own, "sasrec", "base")


# Epsilon

def test_the_epsilon_panel_follows(stored, own):
    made = stored["base"]
    sliders = epsilon_panel(made.config, made.data, 3, [0.0, 1.0, 30.0], 1.0)
    before = shown(sliders)
    sliders.controls["epsilon"].value = 30.0
    assert "epsilon 30." in words(sliders)
    assert all(value != before[name] for name, value in shown(sliders).items())
    sliders.controls["epsilon"].value = 0.0
    ranks = re.findall(r"(\d+) → (\d+)", words(sliders))
    assert ranks[0][0] == ranks[0][1] and "‖ŵ - w‖ 0.000" in words(sliders)
    assert set(table_cells(sliders.parts["tables"].value)) >= {"same place", "0.0%"}
    sliders.controls["run"].value = (own, "sasrec", "adv_cas")
    assert "Not possible" not in words(sliders)


def test_a_stored_sweep_marks_the_nearest_value_that_was_run(stored, monkeypatch):
    rows = [{"run": f"r{e}", "dataset": "synthetic", "backbone": "sasrec", "method": method,
             "epsilon": e, "which": "last", "split": "test", "roles": roles, "ndcg@10": 0.1,
             "hr@10": 0.2, "seed": 0, "profile": "quick"}
            for e, method, roles in ((1.0, "adv_cas", "sweep"), (20.0, "adv_cas", "main sweep"),
                                     (3.0, "base", "main"))]
    results = Results(runs=pd.DataFrame(rows).reindex(columns=COLUMNS["runs"]))
    monkeypatch.setattr(epsilon_sliders, "read_results", lambda profile: results)
    sweep = stored_sweep("quick", "synthetic")
    assert sweep["swept"] == [1.0, 20.0] and stored_sweep("quick", "beauty") == {}
    made = stored["base"]
    sliders = epsilon_panel(made.config, made.data, 3, [0.0, 1.0, 19.0], 1.0, **sweep)
    picture = sliders.parts["stored"].value
    assert "epsilon 1 marked" in picture and "nearest" not in picture
    sliders.controls["epsilon"].value = 19.0
    other = sliders.parts["stored"].value
    assert "epsilon 20 marked, the nearest to 19 that was run" in other
    assert re.search('src="[^"]+"', other)[0] != re.search('src="[^"]+"', picture)[0]

    def missing(profile):
        raise MissingRecords

    monkeypatch.setattr(epsilon_sliders, "read_results", missing)
    assert stored_sweep("quick", "synthetic") == {}


# Cascade effects

def test_the_cascade_panel_follows(stored):
    made = stored["base"]
    sliders = cascade_panel(made.config, made.data, 2, [1, 16, 40])
    before = shown(sliders)
    sliders.controls["batch_size"].value = 40
    assert "b = 40" in words(sliders)
    assert sliders.parts["user"].value != before["user"]
    length = min(8, len(training_sequences(made.data)[2]) - 1)
    sliders.controls["back"].value = 7  # a shorter history shows its oldest
    assert f"step T-{length - 1}" in words(sliders)
    assert sliders.parts["boxes"].value != before["boxes"]
    sliders.controls["user"].value = "nobody"
    assert "user is 'nobody'; allowed are" in words(sliders)
