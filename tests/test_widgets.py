"""Panels without a browser: what they show is what `attack` and the training code say."""

import asyncio
import re

import numpy as np
import pytest
from _fake_results import EPSILONS, fake_results
from _stored_runs import own_file, stored_runs  # noqa: F401 - fixtures

import casadv_lib as cas
from casadv_lib.data import training_sequences
from casadv_lib.widgets import epsilon as widgets_epsilon
from casadv_lib.widgets import panel as widgets
from casadv_lib.widgets.cascade import cascade_panel
from casadv_lib.widgets.epsilon import epsilon_panel
from casadv_lib.widgets.replacement import replacement_panel
from casadv_lib.widgets.replacements import history_table, list_table, top_lists
from casadv_lib.widgets.slider import Slider


def words(panel):
    return re.sub("<[^>]+>", "", panel.words.value)


def table_cells(html):
    return re.findall(r"<td>(.*?)</td>", html)

def counting_panel(fails=()):
    drawn = []

    def view(n):
        drawn.append(n)
        if n in fails:
            raise ValueError(f"n is {n}; allowed is another")
        return f"<p>{n}</p>"

    panel = widgets.Panel({"n": Slider("n", range(50))}, {"view": view}, lambda n: f"at {n}")
    return panel, drawn


def test_moves_in_a_running_kernel_do_not_queue_up():
    async def move():
        panel, drawn = counting_panel()
        for value in range(1, 40):
            panel.controls["n"].value = value
        assert drawn == [0] and not words(panel) == "at 39"
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
        return drawn, panel.shown["view"].value

    drawn, shown = asyncio.run(asyncio.wait_for(move(), 10))
    assert drawn[-1] == 2 and shown == "<p>2</p>"


def test_what_is_refused_is_said_and_the_last_view_stays():
    panel, _ = counting_panel(fails=(7,))
    panel.controls["n"].value = 3
    panel.controls["n"].value = 7
    assert words(panel) == (
        "Not possible: n is 7; allowed is another. The last good picture stays.")
    assert panel.shown["view"].value == "<p>3</p>"
    panel.controls["n"].value = 8
    assert words(panel) == "at 8"


def test_an_error_in_a_view_is_not_lost():
    def view(n):
        return {}[n]

    panel = widgets.Panel({"n": Slider("n", [5])}, {"view": view}, lambda n: "")
    assert words(panel).startswith("KeyError: 5")


def test_names_are_shown_as_plain_text():
    table = list_table(np.array([1, 2]), np.array([2, 1]), ["", "<b>x</b>", "y & z"], 2)
    text = widgets.table(table, "a < b")
    assert "<b>x</b>" not in text and "&lt;b&gt;x" in text and "a &lt; b" in text


def test_slider_keeps_place_and_value_together():
    slider = Slider("epsilon", [0.5, 1.0, 2.0], 1.0)
    assert (slider.place, slider.texts) == (1, ["0.5", "1", "2"])
    slider.place = 2
    assert slider.value == 2.0
    slider.value = 0.5
    assert slider.place == 0
    with pytest.raises(ValueError, match=r"epsilon is 3; allowed are 0.5, 1, 2"):
        slider.value = 3
    slider.offer([1.0, 7.0], 7.0)
    assert (slider.value, slider.place, slider.texts) == (7.0, 1, ["1", "7"])


@pytest.fixture
def panel(stored):
    made = stored["adv_cas"]
    user = int(np.argmax([len(s) for s in made.data.sequences]))
    return replacement_panel(made.config, made.data, user, sample=25), made, user


@pytest.mark.parametrize("pick, exclude", [("gradient", "both"), ("nearest", "attacked"),
                                           ("random", "original")])
@pytest.mark.parametrize("positions, k", [("last", 1), ("last", 4), ("first", 1), ("middle", 1)])
def test_the_replacement_panel_shows_what_attack_returns(panel, stored, pick, exclude, positions,
                                                         k):
    shown, made, user = panel
    for name, value in (("positions", positions), ("pick", pick), ("k", k), ("exclude", exclude)):
        shown.controls[name].value = value
    whole = {m: cas.attack(run.model(device="cpu").eval(), made.data, positions, k, pick,
                           exclude=exclude) for m, run in stored.items()}
    row = int(np.flatnonzero(whole["adv_cas"]["users"] == user)[0])
    after, before = whole["adv_cas"]["ranks"][row], whole["adv_cas"]["clean"]["ranks"][row]
    assert f"; left out: {exclude})" in words(shown)
    assert f"from rank {before:g} to {after:g}." in words(shown)
    names = made.data.item_names
    old, new = made.data.sequences[user][:-1], whole["adv_cas"]["histories"][row]
    met = {"both": [*old, *new], "attacked": new, "original": old}[exclude]
    expected = history_table(old, new, names)
    lists = top_lists(stored["adv_cas"].model(device="cpu").eval(), [old, new],
                      [old, np.asarray(met)])
    assert not {*lists[1]} & {*met}
    cells = table_cells(shown.shown["user"].value)
    assert cells[: 3 * len(expected)] == expected.to_numpy().ravel().tolist()
    second = cells[3 * len(expected) + 1 :: 3]
    assert [cell.removesuffix(" ← held out") for cell in second] == [names[i] for i in lists[1]]


def test_wrong_entries_of_the_replacement_panel(panel):
    shown, _, _ = panel
    good = shown.shown["user"].value
    shown.controls["user"].value = "nobody"
    assert "user is 'nobody'; allowed are the 40 users of own" in words(shown)
    assert shown.shown["user"].value == good
    shown.controls["user"].value = ""
    assert words(shown).startswith("User ")
    shown.controls["k"].value = 3
    good = shown.shown["user"].value
    shown.controls["positions"].value = "middle"
    assert "k is 3 with positions='middle'; allowed is 1, or positions='last'" in words(shown)
    assert shown.shown["user"].value == good


def test_the_lists_of_runs_hold_what_is_stored(panel):
    shown, made, _ = panel
    assert shown.controls["method"].options == ("base", "adv_cas")
    assert shown.controls["backbone"].options == ("sasrec",)
    assert shown.controls["dataset"].options == (("own", made.config["dataset"]),)
    picture = shown.shown["average"].value
    shown.controls["method"].value = "base"
    assert "base, K = 1" in words(shown) and shown.shown["average"].value != picture


def test_the_epsilon_panel_follows(stored):
    made = stored["base"]
    shown = epsilon_panel(made.config, made.data, 3, [0.0, 1.0, 30.0], 1.0)
    first = dict(shown.shown)
    pictures = {name: view.value for name, view in first.items()}
    shown.controls["epsilon"].value = 30.0
    assert "epsilon 30." in words(shown)
    assert all(view.value != pictures[name] for name, view in shown.shown.items())
    shown.controls["epsilon"].value = 0.0
    rank = re.findall(r"(\d+) → (\d+)", words(shown))
    assert rank[0][0] == rank[0][1] and "‖ŵ - w‖ 0.000" in words(shown)
    assert set(table_cells(shown.shown["tables"].value)) >= {"same place", "0.0%"}
    shown.controls["method"].value = "adv_cas"
    assert "u" in words(shown) and "Not possible" not in words(shown)


def test_a_stored_sweep_marks_the_nearest_value_that_was_run(stored, monkeypatch):
    monkeypatch.setattr(widgets_epsilon, "load_results", lambda profile: fake_results())
    sweep = widgets_epsilon.stored_sweep("quick", "synthetic")
    assert sweep["swept"] == list(EPSILONS)
    made = stored["base"]
    shown = epsilon_panel(made.config, made.data, 3, [0.0, 1.0, 19.0], 1.0, **sweep)
    picture = shown.shown["stored"].value
    assert "epsilon 1 marked" in picture and "nearest" not in picture
    shown.controls["epsilon"].value = 19.0
    other = shown.shown["stored"].value
    assert "epsilon 20 marked, the nearest to 19 that was run" in other
    assert re.search('src="[^"]+"', other)[0] != re.search('src="[^"]+"', picture)[0]
    assert widgets_epsilon.stored_sweep("quick", "beauty") == {}
    monkeypatch.undo()
    assert widgets_epsilon.stored_sweep("nothing-is-stored", "synthetic") == {}


def test_the_cascade_panel_follows(stored):
    made = stored["base"]
    shown = cascade_panel(made.config, made.data, 2, [1, 16, 40])
    before = {name: view.value for name, view in shown.shown.items()}
    shown.controls["batch_size"].value = 40
    assert "b = 40" in words(shown)
    assert shown.shown["user"].value != before["user"]
    length = len(shown.controls["back"].options)
    assert length == min(8, len(training_sequences(made.data)[2]) - 1)
    shown.controls["back"].value = length - 1
    assert f"step T-{length - 1}" in words(shown)
    assert shown.shown["boxes"].value != before["boxes"]
    shown.controls["user"].value = "nobody"
    assert "user is 'nobody'; allowed are" in words(shown)
