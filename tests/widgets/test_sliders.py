"""Sliders without a browser: what they show is what `attack` and the training code say."""

import re
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import casadv_lib as cas
from casadv_lib.data import training_inputs
from casadv_lib.evaluation import scores_without, ten_best, user_vectors
from casadv_lib.experiments import runs
from casadv_lib.experiments.configuration import configure
from casadv_lib.figures.style import panels
from casadv_lib.widgets import (
    cascade_panel,
    epsilon_panel,
    history_table,
    reaches,
    replacement_panel,
    stored_like,
)

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


# The cascade effect of an interaction

def test_what_an_interaction_reaches_adds_up(toy):
    reach, (users, inputs) = reaches(toy, max_len=8), training_inputs(toy, 8)
    C = reach["reaches"] + 12 / len(users) * reach["across"]
    assert C.tolist() == pytest.approx(np.concatenate(cas.cascade_effects(inputs, 8, 12)))
    assert reach["item"].tolist() == np.concatenate(inputs).tolist()


def test_the_cascade_panel_follows(stored):
    made, user, b = stored["base"], 2, 40
    sliders = cascade_panel(made.config, made.data, user, [1, 16, b])
    before = shown(sliders)
    sliders.controls["batch_size"].value = b
    assert sliders.parts["user"].value != before["user"]
    users, inputs = training_inputs(made.data, 50)
    effects, row = cas.cascade_effects(inputs, 50, b), users.tolist().index(user)
    length = min(8, len(inputs[row]))
    for back in (0, 1, 7):  # a shorter history shows its oldest
        sliders.controls["back"].value = back
        steps = min(back, length - 1)
        item = inputs[row][-1 - steps]
        others = [len(one) - step for other, one in enumerate(inputs) if other != row
                  for step in np.flatnonzero(one == item)]
        assert f"at step T-{steps}, b = {b}: C = {steps + 1} + " in words(sliders)
        assert f" = {effects[row][-1 - steps]:.4g}. {len(others)} other users" in words(sliders)
        assert words(sliders).endswith(f"it reaches {sum(others)} interactions.")
    assert sliders.parts["boxes"].value != before["boxes"]
    good = shown(sliders)
    sliders.controls["user"].value = "nobody"
    assert "user is 'nobody'; allowed are" in words(sliders) and shown(sliders) == good


# An epsilon

def test_the_epsilon_panel_follows(stored, own):
    made, figures = stored["base"], []

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
    rank, old, new, stood = np.reshape(table_cells(sliders.parts["tables"].value), (20, 4)).T
    assert (old == new).all() and (rank == stood).all()
    sliders.controls["run"].value = (own, "sasrec", "adv_cas")
    assert "Not possible" not in words(sliders)
    assert figures == [1.0, 30.0, 0.0, 0.0]


# Replaced items

def test_a_history_shows_the_newest_items_and_all_that_were_replaced():
    before = np.arange(1, 13)
    after = before.copy()
    after[[1, 11]] = 20, 21
    table = history_table(before, after, [str(item) for item in range(30)])
    assert table.index.tolist() == [10, 7, 6, 5, 4, 3, 2, 1, 0]
    assert table.loc[10].tolist() == ["2", "20", "replaced"]
    assert table.loc[0].tolist() == ["12", "21", "replaced"] and table.loc[5, "change"] == ""


@pytest.fixture
def panel(stored):
    made = stored["adv_cas"]
    user = int(np.argmax([len(sequence) for sequence in made.data.sequences]))
    return replacement_panel(made.config, made.data, user), made, user


@pytest.mark.parametrize("positions, k, pick, step, exclude", [
    ("last", 4, "nearest", 0.1, "attacked"), ("first", 1, "random", 0.1, "original"),
    ("middle", 1, "gradient", 2.0, "both")])
def test_the_replacement_panel_shows_what_attack_returns(panel, positions, k, pick, step, exclude):
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
    best = ten_best(scores_without(model, user_vectors(model, [new]), [np.asarray(met)]))[0]
    assert not {*best} & {*met}
    cells = table_cells(sliders.parts["user"].value)
    assert cells[: 4 * len(expected)] == [*map(str, expected.reset_index().to_numpy().ravel())]
    second = cells[4 * len(expected) + 2 :: 4]
    assert [cell.removesuffix(" ← next") for cell in second] == [names[i] for i in best]
    able = np.flatnonzero([len(sequence) > 5 for sequence in made.data.sequences])
    assert len(able) < made.data.n_users
    rows = np.flatnonzero(np.isin(whole["users"], able))
    cells = np.reshape(table_cells(sliders.parts["average"].value), (4, 5))
    for row, of in ((1, cas.ndcg), (3, cas.hit_ratio)):  # of adv_cas
        clean, after = (of(ranks[rows]) for ranks in (whole["clean"]["ranks"], whole["ranks"]))
        assert cells[row, 2:].astype(float).tolist() == [
            round(clean, 4), round(after, 4), round(100 * (after / clean - 1), 1)]


def test_a_wrong_entry_leaves_the_last_view(panel):
    sliders, _, _ = panel
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
        ("own, sasrec, adv_cas", (own, "sasrec", "adv_cas")),
        ("own, sasrec, base", (own, "sasrec", "base")))
    average = sliders.parts["average"].value
    sliders.controls["run"].value = (own, "sasrec", "base")
    assert "base, step 0.1, k 1," in words(sliders) and sliders.parts["average"].value != average
    other = made.config.of(made.config.everything() | {"epsilon": 7.0})
    replacement_panel(other, made.data, 0)  # makes the run, which is not stored
    damaged, cut = (made.folder.with_name(f"{name}-seed0") for name in ("damaged", "cut"))
    for folder in (damaged, cut):  # are left out
        shutil.copytree(made.folder, folder)
    config = (damaged / "config.json").read_text()
    (damaged / "config.json").write_text('{"epochs": 3')
    (cut / "config.json").write_text(config.replace("adv_cas", "adv_seq"))
    (cut / "ranks.npz").unlink()
    for config in (made.config, other):  # each finds itself
        found = stored_like(config)
        assert {method for *_, method in found} == {"base", "adv_cas"}
        closest = found[own, "sasrec", "adv_cas"]
        assert closest.adversarial.epsilon == config.adversarial.epsilon
    second = Path(own).with_name("second.csv")  # a run of other data shows them
    second.write_text(Path(own).read_text().rpartition("u39")[0].replace("film", "book"))
    runs.run(configure("quick", str(second), method="base", **SMALL), progress=False)
    new = replacement_panel(made.config, made.data, 0)
    new.controls["run"].value = (str(second), "sasrec", "base")
    assert "book" in new.parts["user"].value and "film" not in new.parts["user"].value
