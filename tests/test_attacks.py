"""Item replacement: what is replaced, what never is a substitute, and that the gradient attacks."""

import numpy as np
import pytest
import torch
from conftest import build
from oracles import dataset, random_sequences

import casadv_lib as cas
from casadv_lib import attacks
from casadv_lib.attacks import attack, first_choices, input_gradients, neighbour_distance
from casadv_lib.data import held_out
from casadv_lib.evaluation import rank_items
from casadv_lib.settings import EXCLUDES, PICKS


@pytest.fixture(scope="module")
def trained():
    """A small model that has learnt something: items follow each other in a ring."""
    rng = np.random.default_rng(0)
    sequences = []
    for _ in range(200):
        start, size = rng.integers(0, 60), rng.integers(3, 14)
        sequences.append((start + np.cumsum(rng.integers(1, 3, size))) % 60 + 1)
    data = dataset([s for s in sequences if len(set(s)) == len(s)], 60)
    model = build("sasrec", n_items=60, max_len=8, dim=16)
    cas.fit(model, data, epochs=30, batch_size=32, progress=False)
    return model, data


@pytest.mark.parametrize("joint", [True, False])
@pytest.mark.parametrize("pick", PICKS)
@pytest.mark.parametrize("positions, k", [("first", 1), ("middle", 1), ("last", 1), ("last", 2),
                                          ("last", 5)])
def test_the_right_items_are_replaced_by_new_ones(positions, k, pick, joint, trained):
    model, data = trained
    found = attack(model, data, positions, k, pick=pick, step=0.5, joint=joint)
    histories, targets = held_out(data, "test")
    longest = [min(len(history), 8) for history in histories]
    able = np.flatnonzero(np.array(longest) >= (3 if k == 1 else k))
    assert found["users"].tolist() == able.tolist()
    for user, new in zip(found["users"], found["histories"]):
        old, first = histories[user], len(histories[user]) - longest[user]
        places = {"first": [first], "middle": [first + (longest[user] - 1) // 2],
                  "last": [*range(len(old) - k, len(old))]}[positions]
        assert np.flatnonzero(new != old).tolist() == places
        fresh = new[places].tolist()
        assert len(set(fresh)) == k and not set(fresh) & {0, *old.tolist(), targets[user]}


def by_loops(pick, e, g, table, size, allowed):
    """The substitute as `attack` says it, item by item, in float64; table: (n_items + 1, d)."""
    goal = e + size * g / np.linalg.norm(g)
    apart = {i: np.linalg.norm(table[i] - e) for i in allowed}
    to_goal = {i: np.linalg.norm(table[i] - goal) for i in allowed}
    ahead = {i: (table[i] - e) @ g for i in allowed}
    nearest = min(allowed, key=apart.get)
    if pick == "nearest":
        return nearest
    if pick == "gradient":
        return min(allowed, key=to_goal.get)
    if pick == "halfspace":
        return min((i for i in allowed if ahead[i] > 0), key=apart.get, default=nearest)
    if pick == "projection":
        return max(sorted(allowed, key=apart.get)[:20], key=ahead.get)
    along = (i for i in allowed if ahead[i] > 0.5 * apart[i] * np.linalg.norm(g))
    return min(along, key=to_goal.get, default=min(allowed, key=to_goal.get))


@pytest.mark.parametrize("options", [{}, {"loss": "first_choice"}, {"split": "validation"},
                                     {"k": 3}, {"k": 3, "joint": False}])
@pytest.mark.parametrize("pick", [pick for pick in PICKS if pick != "random"])
def test_picks_are_those_of_plain_loops(pick, options, trained):
    model, data = trained
    found = attack(model, data, pick=pick, step=0.7, **options)
    histories, targets = held_out(data, options.get("split", "test"))
    chosen, aim = [histories[u] for u in found["users"]], targets[found["users"]]
    allowed = [set(range(1, 61)) - {*h, target} for h, target in zip(chosen, aim)]
    if "loss" in options:
        aim = first_choices(model, chosen)
    attacked = [history.copy() for history in chosen]
    table = model.items.weight.detach().double().numpy()
    for j, (replaced, substitutes) in enumerate(zip(found["replaced"].T, found["substitutes"].T)):
        at = np.array([[len(h) - 1 - j] for h in chosen])  # the newest item first
        seen = chosen if options.get("joint", True) else attacked
        gradients = input_gradients(model, seen, aim, at)[:, 0].double().numpy()
        assert replaced.tolist() == [h[-1 - j] for h in chosen]
        assert substitutes.tolist() == [
            by_loops(pick, table[item], g, table, 0.7 * found["unit"], free)
            for item, g, free in zip(replaced, gradients, allowed)]
        for history, item, free in zip(attacked, substitutes, allowed):
            history[-1 - j] = item
            free.remove(item)
        moved = np.linalg.norm(table[substitutes] - table[replaced], axis=1)
        np.testing.assert_allclose(found["distance"][:, j], moved, rtol=1e-4)


def test_step_is_in_units_of_the_neighbour_distance(trained):
    model, data = trained
    table = model.items.weight[1:].detach().double()
    apart = torch.cdist(table, table)
    apart.fill_diagonal_(torch.inf)
    expected = float(apart.min(1).values.sort().values[(len(table) - 1) // 2])
    assert neighbour_distance(table.float()) == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("exclude", EXCLUDES)
def test_ranks_come_from_the_replaced_inputs_and_the_clean_ones_do_not(exclude, trained):
    model, data = trained
    found = attack(model, data, k=2, exclude=exclude)
    clean = cas.evaluate(model, data)["ranks"]
    np.testing.assert_array_equal(found["clean"]["ranks"], clean[found["users"]])
    table = model.items.weight.detach()
    histories, targets = held_out(data, "test")
    for user, new, rank in list(zip(found["users"], found["histories"], found["ranks"]))[:20]:
        scores = (table @ model(cas.pack([new], 8))[-1]).detach()
        old = histories[user]
        met = {"both": [*old, *new], "attacked": [*new], "original": [*old]}[exclude]
        scores[[0, *met]] = -torch.inf
        assert rank == 1 + (scores > scores[targets[user]]).sum()


@pytest.mark.parametrize("options", [{"k": 2}, {"k": 2, "joint": False, "loss": "first_choice"},
                                     {"pick": "halfspace", "positions": "middle"}])
def test_a_surrogate_picks_and_the_model_ranks(options, trained):
    model, data = trained
    surrogate = build("gru4rec", n_items=60, dim=12)
    found = attack(model, data, surrogate=surrogate, **options)
    own, picked = attack(model, data, **options), attack(surrogate, data, **options)
    for name in ("substitutes", "distance", "unit", "users"):
        np.testing.assert_array_equal(found[name], picked[name])
    assert (found["substitutes"] != own["substitutes"]).any()
    np.testing.assert_array_equal(found["clean"]["ranks"], own["clean"]["ranks"])
    histories, targets = held_out(data, "test")
    met = [[*histories[u], *new] for u, new in zip(found["users"], found["histories"])]
    ranks, _ = rank_items(model, found["histories"], targets[found["users"]], met)
    np.testing.assert_array_equal(found["ranks"], ranks)


@pytest.mark.parametrize("pick", ["gradient", "cosine"])
def test_without_a_gradient_the_nearest_item_is_taken(pick):
    table = build("gru4rec").item_table()
    replaced, refused = torch.tensor([3, 7]), [np.array([3, 1]), np.array([7])]
    found, nearest = (
        attacks.pick_items(table, replaced, torch.zeros(2, 16), refused, one, 0.5, None)
        for one in (pick, "nearest"))
    assert found.tolist() == nearest.tolist()


def test_gradients_are_those_of_the_loss(trained):
    # against finite differences of -log s(r) at one coordinate
    model, data = trained
    model = model.double()
    histories, targets = held_out(data, "test")
    history, target = histories[0], int(targets[0])
    place = len(history) - 2
    g = input_gradients(model, [history], np.array([target]), np.array([[place]]))[0, 0]
    batch = cas.pack([history], 8)
    rows = model.embed(batch.inputs).detach()
    row = place - max(0, len(history) - 8)
    losses = []
    for sign in (1, -1):
        moved = rows.clone()
        moved[row, 3] += sign * 1e-5
        r = model.encode(moved, batch)[-1] @ model.items.weight[target]
        losses.append(torch.nn.functional.softplus(-r))
    model.float()
    assert float(g[3]) == pytest.approx((losses[0] - losses[1]).item() / 2e-5, rel=1e-3)


def test_first_choice_is_the_top_of_the_list(trained):
    model, data = trained
    histories, _ = held_out(data, "test")
    table = model.items.weight.detach()
    for history, choice in list(zip(histories, first_choices(model, histories)))[:20]:
        scores = (table @ model(cas.pack([history], 8))[-1]).detach()
        scores[torch.as_tensor([0, *history])] = -torch.inf
        assert choice == scores.argmax()


def test_another_seed_draws_other_items(trained):
    model, data = trained
    first, other = (attack(model, data, pick="random", seed=seed) for seed in (4, 5))
    assert (first["substitutes"] != other["substitutes"]).mean() > 0.5


def test_where_nobody_can_be_attacked_or_no_substitute_is_left():
    with pytest.raises(ValueError, match="no user has 9 items.*k is 9"):
        attack(build("sasrec", n_items=20), dataset(random_sequences(3, 20, 8, 8), 20), k=9)
    model = build("sasrec", n_items=5)
    data = dataset([[1, 2, 3, 4, 5], [1, 2, 3, 4], [1, 2, 4, 1, 2]], 5)
    assert attack(model, data)["users"].tolist() == [1, 2]
    assert attack(model, data, k=2, pick="random")["users"].tolist() == [2]
    with pytest.raises(ValueError, match="no user has 3 items in the history and 1 not met"):
        attack(build("sasrec", n_items=4), dataset([[1, 2, 3, 4]], 4))


DIVERGED = build("sasrec", 60)
DIVERGED.items.weight.data[5] = torch.nan
LOST = build("sasrec", 60)  # its items are numbers, its gradients are not
LOST.norm.weight.data.fill_(torch.nan)


@pytest.mark.parametrize(("options", "said"), [
    ({"k": 2, "positions": "first"}, "k is 2 with positions='first'"),
    *(({name: DIVERGED, "pick": "nearest"}, "not finite: it has diverged")
      for name in ("surrogate", "model")),
    *(({"surrogate": LOST, "pick": pick}, "not finite: it has diverged")
      for pick in ("gradient", "halfspace", "projection", "cosine")),
    ({"surrogate": build("sasrec", 59)}, "surrogate has 59 items and max_len 8, the model 60"),
    ({"surrogate": build("sasrec", 60, max_len=9)}, "surrogate has 60 items and max_len 9"),
    ({"model": build("sasrec", 59)}, "the model has 59 items, the data set 'toy' 60"),
    ({"k": 5, "users": [9, 10]}, r"some of 0 to 199 .* has 5 items or more, which \[10\] are not"),
])
def test_bad_input_is_named(options, said, trained):
    model, data = trained
    with pytest.raises(ValueError, match=said):
        attack(**{"model": model, "data": data} | options)


@pytest.mark.parametrize("pick", ["gradient", "nearest", "random", "projection"])
@pytest.mark.parametrize("k", [1, 3])
def test_attack_on_some_users_is_their_part_of_the_whole(toy, pick, k, monkeypatch):
    monkeypatch.setattr("casadv_lib.attacks.CHUNK", 16)
    model = build("sasrec").eval()
    whole = attack(model, toy, k=k, pick=pick)
    users = whole["users"][[40, 3, 17]]
    part = attack(model, toy, k=k, pick=pick, users=users, unit=whole["unit"])
    rows = np.searchsorted(whole["users"], part["users"])
    assert part["users"].tolist() == sorted(users)
    assert (part["substitutes"] == whole["substitutes"][rows]).all()
    assert (part["ranks"] == whole["ranks"][rows]).all()
    assert (part["clean"]["ranks"] == whole["clean"]["ranks"][rows]).all()
