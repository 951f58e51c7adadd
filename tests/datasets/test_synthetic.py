"""The synthetic world: its exact next-item distribution, checked by enumeration and by counting."""

import itertools
from dataclasses import replace

import numpy as np
import pytest

from casadv_lib.data import held_out
from casadv_lib.datasets.synthetic import WorldSettings, make_world

TINY = WorldSettings(
    n_users=20, n_items=9, n_groups=3, min_length=4, mean_length=4.0, max_length=4, stay=0.7,
    n_moves=2, follow=0.5, n_sequels=2, look_back=0.3, misclick=0.15,
)  # fmt: skip


@pytest.fixture(scope="module")
def world():
    return make_world()


@pytest.fixture(scope="module")
def crowd():
    """Many users in a tiny world: each short history occurs often enough to be counted."""
    return make_world(replace(TINY, n_users=40_000), seed=3)


def item_chance(world, item, interest, history):
    """p(item | hidden interest, history), in plain Python, from the module's docstring."""
    settings = world.settings
    unseen = [i for i in range(1, settings.n_items + 1) if i not in history]
    if item not in unseen:
        return 0.0
    sequels = dict.fromkeys(unseen, 0.0)
    shares = (1 - settings.look_back, settings.look_back)
    for before, share in zip(reversed(history), shares, strict=False):
        for sequel, weight in zip(world.sequels[before], (2 / 3, 1 / 3), strict=True):
            if sequel in sequels:
                sequels[sequel] += share * weight
    follow = settings.follow if sum(sequels.values()) > 0 else 0.0
    group = [i for i in unseen if world.group_of[i] == interest]
    if not group:
        from_interest = 1 / len(unseen)
    elif item in group:
        from_interest = (1 / world.rank[item]) / sum(1 / world.rank[i] for i in group)
    else:
        from_interest = 0.0
    intended = (1 - follow) * from_interest
    if follow:
        intended += follow * sequels[item] / sum(sequels.values())
    return settings.misclick / len(unseen) + (1 - settings.misclick) * intended


def enumerated(world, history):
    """p(next item | history), summed over every path of hidden interests."""
    total = np.zeros(world.settings.n_items + 1)
    for path in itertools.product(range(3), repeat=len(history) + 1):
        chance = 1 / 3
        for now, then in itertools.pairwise(path):
            chance *= world.moves[now, then]
        for step, item in enumerate(history):
            chance *= item_chance(world, item, path[step], history[:step])
        for item in range(1, len(total)):
            total[item] += chance * item_chance(world, item, path[-1], history)
    return total / total.sum()


def tiny_histories(world):
    """Random ones of lengths 0 to 4, a used-up group, and items whose sequels were all seen."""
    rng = np.random.default_rng(0)
    histories = [rng.permutation(np.arange(1, 10))[: n % 5] for n in range(20)]
    histories.append(np.flatnonzero(world.group_of == 1))
    histories.append(np.append(world.sequels[4], 4))
    histories.append(np.append(np.unique(world.sequels[[4, 7]]), [4, 7])[-4:])
    return [history for history in histories if len(set(history)) == len(history)]


@pytest.mark.parametrize("change", [{}, {"misclick": 0.0}, {"follow": 1.0}, {"look_back": 1.0}])
@pytest.mark.parametrize("seed", [0, 1])
def test_filter_equals_enumeration(change, seed):
    world = make_world(replace(TINY, **change), seed)
    histories = world.sequences if change.get("misclick") == 0 else tiny_histories(world)
    exact = np.array([enumerated(world, list(map(int, h))) for h in histories])
    np.testing.assert_allclose(world.next_item_distribution(histories), exact, rtol=1e-9)


def chi_square(world, sequences, step):
    """Pearson's statistic over the cells (history, next item), as (statistic - df) / sqrt(2 df).

    Cells that are expected fewer than 5 times are left out, which changes the mean little: their
    share of the degrees of freedom goes with them. The excess is about standard normal.
    """
    histories, of_user = np.unique([s[:step] for s in sequences], axis=0, return_inverse=True)
    counts = np.zeros((len(histories), world.settings.n_items + 1))
    np.add.at(counts, (of_user.ravel(), [s[step] for s in sequences]), 1)
    total = counts.sum(1, keepdims=True)
    chance = world.next_item_distribution(list(histories))
    enough = total * chance >= 5
    expected = (total * chance)[enough]
    freedom = (1 - chance[enough]).sum()
    return (((counts[enough] - expected) ** 2 / expected).sum() - freedom) / np.sqrt(2 * freedom)


@pytest.mark.parametrize("step", [0, 1, 2, 3])
def test_items_are_drawn_from_the_distribution(crowd, step):
    assert abs(chi_square(crowd, crowd.sequences, step)) < 4


def test_sequences_look_like_five_core_data(world):
    settings, lengths = world.settings, np.array([len(s) for s in world.sequences])
    assert len(lengths) == settings.n_users and lengths.min() == settings.min_length == 5
    assert 50 < lengths.max() <= settings.max_length
    error = lengths.std() / np.sqrt(len(lengths))
    assert abs(lengths.mean() - settings.mean_length) < 4 * error
    np.testing.assert_allclose(np.diag(world.moves), settings.stay)
    np.testing.assert_allclose(world.moves.sum(1), 1)
    for sequence in world.sequences:
        assert sequence.dtype == np.int64 and len(sequence) == len(set(sequence.tolist()))
    assert world.dataset is world.dataset and world.dataset.world is world
    popular = int(np.flatnonzero((world.group_of == 2) & (world.rank == 1))[0])
    assert world.dataset.item_names[popular] == "group 3, item 1"


@pytest.mark.parametrize("split", ["test", "validation"])
def test_the_optimum_is_what_the_true_probabilities_expect(world, split):
    gains, hits, drawn = [], [], []
    for history, target in zip(*held_out(world.dataset, split), strict=True):
        chance = world.next_item_distribution([history])[0]
        top = sorted(chance, reverse=True)[:10]
        hits.append(sum(top))
        gains.append(sum(p / np.log2(place + 2) for place, p in enumerate(top)))
        drawn.append((chance > chance[target]).sum() < 10)
    found = world.optimum(split)
    assert found == pytest.approx({"ndcg@10": np.mean(gains), "hr@10": np.mean(hits)})
    # of the items that were drawn; of a user 0 or 1: a standard deviation of 1/2 or less
    assert 0 < abs(np.mean(drawn) - found["hr@10"]) < 4 * 0.5 / np.sqrt(len(drawn))


@pytest.mark.parametrize("call, words", [
    (lambda world: world.next_item_distribution([[1, 2], [501]]), "histories is 501; allowed"),
    (lambda world: world.next_item_distribution([[1, 2, 3], [7, 8, 7, 9]]),
     r"histories\[1\].*can happen in this world")])
def test_bad_calls_are_named(world, call, words):
    with pytest.raises(ValueError, match=words):
        call(world)


def test_extreme_settings_still_make_worlds():
    assert make_world(replace(TINY, n_groups=1, n_sequels=1), seed=0).moves.tolist() == [[1.0]]
    noise = make_world(replace(TINY, misclick=1.0), seed=0)
    np.testing.assert_allclose(noise.next_item_distribution([[5, 3]])[0, [1, 9]], 1 / 7)
