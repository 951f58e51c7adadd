"""Panels without a browser: what they show is what `attack` and the training code say."""

import re

import numpy as np
import pandas as pd
import pytest

import casadv_lib as cas
from casadv_lib.data import training_sequences
from casadv_lib.experiments import runs
from casadv_lib.experiments.configuration import configure
from casadv_lib.figures.style import panels
from casadv_lib.widgets.cascade import cascade_panel
from casadv_lib.widgets.epsilon import epsilon_panel
from casadv_lib.widgets.panel import Panel, Slider, list_table, table
from casadv_lib.widgets.replacement import history_table, replacement_panel, top_lists
from casadv_lib.widgets.runs import stored_like

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

def test_what_fails_is_said_and_the_last_view_stays():
    def show(n):
        if n > 7:
            raise {8: ValueError("n is 8; allowed is another"), 9: KeyError(5)}[n]
        yield "part", f"<p>{n}</p>"
        yield "words", f"at {n} < 9"

    panel = Panel({"n": Slider("n", range(10))}, show)
    assert panel.parts["words"].value.endswith(">at 0 &lt; 9</div>")
    for n, said in ((8, "Not possible: n is 8; allowed is another"), (9, "KeyError: 5")):
        panel.controls["n"].value = 3
        panel.controls["n"].value = n
        assert words(panel) == f"{said}. The last good picture stays."
        assert shown(panel) == {"part": "<p>3</p>"}


def test_slider_takes_the_values_it_offers():
    slider = Slider("epsilon", np.array([0.5, 1.0, 2.0]), 1.0)
    assert slider.get_state(["options", "value"]) == {"options": [0.5, 1.0, 2.0], "value": 1.0}
    with pytest.raises(ValueError, match=r"epsilon is 3; allowed are 0.5, 1, 2"):
        slider.value = 3
    assert slider.value == 1.0 and Slider("n", range(3)).value == 0


def test_names_are_shown_as_plain_text():
    frame = list_table([1, 2], [2, 1], ["", "<b>x</b>", "y & z"], 2)
    text = table(frame, "a < b")
    assert "<b>x</b>" not in text and "&lt;b&gt;x" in text and "a &lt; b" in text


# Replaced items

@pytest.fixture
def panel(stored):
    made = stored["adv_cas"]
    user = int(np.argmax([len(s) for s in made.data.sequences]))
    return replacement_panel(made.config, made.data, user, sample=25), made, user


@pytest.mark.parametrize("positions, k, pick, step, exclude", [
    ("last", 1, "gradient", 0.1, "both"), ("last", 4, "nearest", 0.1, "attacked"),
    ("last", 4, "random", 0.1, "both"), ("first", 1, "random", 0.1, "original"),
    ("middle", 1, "gradient", 2.0, "attacked")])
def test_the_replacement_panel_shows_what_attack_returns(panel, stored, positions, k, pick, step,
                                                         exclude):
    sliders, made, user = panel
    for name, value in (("positions", positions), ("pick", pick), ("k", k), ("step", step),
                        ("exclude", exclude)):
        sliders.controls[name].value = value
    model = made.model(device="cpu").eval()
    whole = cas.attack(model, made.data, positions, k, pick, step, exclude=exclude)
    row = int(np.flatnonzero(whole["users"] == user)[0])
    after, before = whole["ranks"][row], whole["clean"]["ranks"][row]
    assert f"pick {pick}, exclude {exclude}: " in words(sliders)
    assert f"from rank {before:g} to {after:g};" in words(sliders)
    away = whole["distance"][row].mean() / whole["unit"]
    assert words(sliders).endswith(f" lie {away:.2f} neighbour distances off.")
    names = made.data.item_names
    old, new = made.data.sequences[user][:-1], whole["histories"][row]
    met = {"both": [*old, *new], "attacked": new, "original": old}[exclude]
    expected = history_table(old, new, names)
    lists = top_lists(model, [old, new], [old, np.asarray(met)])
    assert not {*lists[1]} & {*met}
    cells = table_cells(sliders.parts["user"].value)
    assert cells[: 4 * len(expected)] == [*map(str, expected.reset_index().to_numpy().ravel())]
    second = cells[4 * len(expected) + 2 :: 4]
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


def test_the_list_of_runs_holds_what_is_stored(panel, own, stored, monkeypatch):
    sliders, made, _ = panel
    assert sliders.controls["run"].options == (
        ("own, sasrec, base", (own, "sasrec", "base")),
        ("own, sasrec, adv_cas", (own, "sasrec", "adv_cas")))
    average = sliders.parts["average"].value
    sliders.controls["run"].value = (own, "sasrec", "base")
    assert "base, step 0.1, k 1," in words(sliders) and sliders.parts["average"].value != average
    assert sliders.controls["user"].value != ""  # the same data set, so the same user
    other = made.config.but(epsilon=7.0)
    new = replacement_panel(other, made.data, 0)  # makes the run, which is not stored
    for config in (made.config, other):  # each finds itself
        found = stored_like(config)[own, "sasrec", "adv_cas"]
        assert found.adversarial.epsilon == config.adversarial.epsilon
    monkeypatch.setattr(runs.Run, "is_complete", False)  # as after a change of the data
    new.controls["run"].value = (own, "sasrec", "base")
    assert "its base run is not stored for own as it is now" in words(new)


# Epsilon

def test_the_epsilon_panel_follows(stored, own):
    made = stored["base"]
    figures = []

    def marked(epsilon):
        figure, axes = panels(1, 1)
        axes[0, 0].axvline(epsilon)
        figures.append(epsilon)
        return figure

    sliders = epsilon_panel(made.config, made.data, 3, [0.0, 1.0, 30.0], 1.0, marked)
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
    assert figures == [1.0, 30.0, 0.0]  # each is drawn once


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
