"""Relative changes, the sensitivity of places, and the claims of Section 5.6."""

import numpy as np
import pytest
import torch
from conftest import N_ITEMS, build
from test_comparison import SMALL, own  # noqa: F401 - a fixture

import casadv_lib as cas
from casadv_lib.attacks import neighbour_distance
from casadv_lib.data import held_out
from casadv_lib.evaluation import gains
from casadv_lib.figures import write as figures
from casadv_lib.results import robustness


def ranks(users=400, seed=0):
    rng = np.random.default_rng(seed)
    clean = rng.geometric(0.08, users).astype(float)
    return clean + rng.integers(0, 6, users), clean


def test_relative_change_is_the_ratio_of_metrics():
    attacked, clean = ranks()
    for metric in ("ndcg@10", "hr@10"):
        found = robustness.relative_change(attacked, clean, metric=metric)
        wanted = 100 * (gains(attacked, metric).mean() / gains(clean, metric).mean() - 1)
        assert found["change"] == pytest.approx(wanted, rel=1e-12)
        assert found["low"] < found["change"] < found["high"] < 0


def test_interval_of_a_ratio_agrees_with_the_delta_method():
    attacked, clean = ranks(3000)
    found = robustness.relative_change(attacked, clean)
    a, b = gains(attacked, "ndcg@10"), gains(clean, "ndcg@10")
    ratio = a.mean() / b.mean()
    half = 196 * (a - ratio * b).std() / b.mean() / len(a) ** 0.5
    assert found["high"] - found["low"] == pytest.approx(2 * half, rel=0.1)


def test_a_change_against_itself_is_nothing_and_pairs_matter():
    attacked, clean = ranks()
    same = robustness.relative_change(attacked, clean, versus=(attacked, clean))
    assert same == {"change": 0.0, "low": 0.0, "high": 0.0}
    other = ranks(seed=1)
    found = robustness.relative_change(attacked, clean, versus=other)
    swapped = robustness.relative_change(*other, versus=(attacked, clean))
    assert found["change"] == pytest.approx(-swapped["change"])
    assert found["low"] == pytest.approx(-swapped["high"])


def test_no_clean_score_gives_no_number_and_unequal_users_are_refused():
    far = np.full(20, 50.0)
    found = robustness.relative_change(far, far)
    assert all(np.isnan(value) for value in found.values())
    with pytest.raises(ValueError, match="shapes"):
        robustness.relative_change(far, far[:-1])


def test_ranks_of_takes_those_users_and_no_others(toy):
    found = cas.attack(build("sasrec"), toy, k=3)
    users = found["users"][::2]
    attacked, clean = robustness.ranks_of(found, users)
    assert (attacked == found["ranks"][::2]).all()
    assert (clean == found["clean"]["ranks"][::2]).all()
    short = np.setdiff1d(np.arange(toy.n_users), found["users"])
    assert len(short)
    with pytest.raises(ValueError, match="not attacked"):
        robustness.ranks_of(found, short)


def test_nearest_allowed_passes_over_what_is_taken():
    table = torch.arange(1.0, 7).unsqueeze(1)  # item i stands at i
    goals = torch.tensor([[3.2], [3.2], [9.0]])
    taken = [np.array([1]), np.array([3, 4]), np.array([6])]
    assert robustness.nearest_allowed(table, goals, taken).tolist() == [3, 2, 5]


@pytest.mark.parametrize("pick", ["gradient", "nearest"])
@pytest.mark.parametrize("backbone", ["sasrec", "gru4rec"])
def test_sensitivity_of_the_newest_item_is_that_of_the_attack(toy, backbone, pick):
    model = build(backbone).eval()
    found = robustness.position_sensitivity(model, toy, steps=3, pick=pick, step=0.5)
    attacked = cas.attack(model, toy, pick=pick, step=0.5)
    histories, targets = held_out(toy, "test")
    falls = []
    with torch.no_grad():
        for user, history in enumerate(histories):
            if len(history) < 3:  # the attack leaves these out
                continue
            moved = attacked["histories"][np.flatnonzero(attacked["users"] == user)[0]]
            scores, new = (model(cas.pack([h], model.max_len))[-1] @ model.items.weight[1:].T
                           for h in (history, moved))
            falls.append(float((scores - new)[targets[user] - 1] / scores.std()))
    if len(falls) == toy.n_users:
        assert found.fall[0] == pytest.approx(np.mean(falls), rel=1e-4)
    assert found.users[0] == toy.n_users and found.users.is_monotonic_decreasing
    longer = cas.SequenceDataset(
        "longer", [s for s in toy.sequences if len(s) > 3], N_ITEMS, toy.item_ids,
        toy.item_names, [u for u, s in zip(toy.user_ids, toy.sequences) if len(s) > 3])
    found = robustness.position_sensitivity(model, longer, steps=2, pick=pick, step=0.5)
    assert found.fall[0] == pytest.approx(np.mean(falls), rel=1e-4)


def test_sensitivity_grows_with_the_step_and_stops_where_histories_end(toy):
    model = build("gru4rec").eval()
    small, large = (robustness.position_sensitivity(model, toy, 2, step=s) for s in (0.0, 2.0))
    assert large.fall[0] > small.fall[0]
    nearest = robustness.position_sensitivity(model, toy, 2, pick="nearest")
    assert small.fall.tolist() == nearest.fall.tolist()
    assert len(robustness.position_sensitivity(model, toy, steps=99)) <= model.max_len
    assert neighbour_distance(model.items.weight[1:].detach()) > 0
    for wrong in ({"steps": 0}, {"pick": "halfspace"}, {"step": -1.0}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            robustness.position_sensitivity(model, toy, **wrong)


def attacked(clean_rank, rank, users=300):
    """A result of `attack` in which a share of the users falls from one rank to another."""
    rng = np.random.default_rng(0)
    clean = np.where(rng.random(users) < 0.9, clean_rank, 30.0)
    return {"ranks": np.where(rng.random(users) < 0.5, clean, np.maximum(clean, rank)),
            "clean": {"ranks": clean}, "users": np.arange(users)}


def place_results(method_rank):
    found = {("base", place): attacked(3.0, rank)
             for place, rank in (("first", 3.0), ("middle", 3.0), ("last", 9.0),
                                 ("nearest", 5.0), ("random", 40.0))}
    return found | {("adv_cas", "last"): attacked(3.0, method_rank),
                    ("adv_cas", "nearest"): attacked(3.0, method_rank)}


def test_place_claims_follow_the_numbers():
    holds = robustness.place_claims(place_results(4.0)).set_index("claim")
    assert set(holds.verdict) == {"holds here"}
    fails = robustness.place_claims(place_results(40.0)).set_index("claim")
    turned = fails[fails.verdict == "the opposite holds here"].index
    assert sorted(turned) == [
        "adv_cas loses a smaller share than base (last item)",
        "adv_cas loses a smaller share than base (plain nearest item)",
        "after the attack adv_cas is still above base"]
    assert (fails.low <= fails.difference).all() and (fails.difference <= fails.high).all()


def test_last_k_claims_are_about_the_same_users():
    found = {("base", k): attacked(5.0, 14.0 + k) for k in (1, 2)}
    found |= {("adv_cas", k): attacked(2.0, 3.0) for k in (1, 2)}
    table = robustness.last_k_claims(found, metric="ndcg@10")
    assert set(table.verdict) == {"holds here"} and len(table) == 5
    few = {key: {**one, "users": np.arange(5, 305)} if key[1] == 1 else one
           for key, one in found.items()}
    with pytest.raises(ValueError, match="not attacked"):
        robustness.last_k_claims(few)
    shown = robustness.readable_claims(table)
    assert shown.difference.str.match(r"^[+-]\d+\.\d{1,4}$").all()


def test_attacked_runs_draw_figure_5(own, runs_folder):  # noqa: F811
    name, data = own
    asked = {"profile": "quick", "dataset": name, "backbone": "gru4rec", "seed": 0,
             "device": "cpu", **SMALL}
    attacks = [{"positions": place, "step": 0.1} for place in ("first", "middle", "last")]
    results, made = robustness.attacked_runs(data, asked, ("base", "adv_cas"), attacks)
    assert list(made) == ["base", "adv_cas"]
    assert [len(record["attacks"]) for record in results["records"]] == [9, 9]  # by three rules
    assert figures.figure5(results, name).axes
    again, _ = robustness.attacked_runs(data, asked, ("base", "adv_cas"), attacks)
    assert again == results
