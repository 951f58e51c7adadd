"""The process drawn by rejection, against the exact distribution, and what it costs in memory."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from _load import check_load, run_load
from test_synthetic import TINY, chi_square, surprise

from casadv_lib import SASRec
from casadv_lib import datasets as data_module
from casadv_lib.datasets import from_interactions, load_dataset
from casadv_lib.datasets.synthetic import WorldSettings, make_world
from casadv_lib.datasets.synthetic_process import draw_groups, length_law
from casadv_lib.datasets.synthetic_scaled import (
    Wheels,
    draw_items,
    draw_rules_by_rejection,
    draw_sequels,
    make_scaled,
)
from casadv_lib.evaluation import rank_items
from casadv_lib.support import progress

SMALL = WorldSettings(n_users=3000, n_items=800, n_groups=8)
DRAWN = 40_000  # users; each short history of the tiny world occurs often enough to be counted


@pytest.fixture(scope="module")
def small():
    return make_scaled(SMALL, seed=1)


def drawn_by_rejection(rules, users=DRAWN, length=6, seed=0):
    lengths = np.full(users, length)
    items = draw_items(rules, lengths, np.random.default_rng(seed))
    return list(items.reshape(users, length).astype(np.int64))


def standard_scores(world, sequences, step):
    """Both are about standard normal if the items come from the world's exact distribution."""
    return [surprise(world, sequences, step), chi_square(world, sequences, step)]


@pytest.mark.parametrize(
    "change",
    [{}, {"misclick": 0.0}, {"follow": 1.0}, {"look_back": 1.0}, {"n_groups": 1}, {"zipf": 5.0},
     {"stay": 1.0, "follow": 0.0, "misclick": 0.05}],
)  # fmt: skip
def test_items_come_from_the_exact_distribution(change):
    """Rules drawn by tables, items by rejection; the truth is `World.next_item_distribution`.

    A group has three items of nine and a user gets six, so groups are used up, sequels run out
    and the exact draw after the rejections is needed. |score| < 4 fails a true draw once in
    16,000 scores, if they are normal; there are 84 here, so about once in 190 choices of seeds.
    """
    world = make_world(replace(TINY, n_users=1, **change), seed=3)
    sequences = drawn_by_rejection(world.rules)
    scores = [standard_scores(world, sequences, step) for step in range(6)]
    assert np.abs(scores).max() < 4, scores


@pytest.mark.parametrize(
    "change", [{"misclick": 0.2}, {"follow": 0.55}, {"look_back": 0.5}, {"zipf": 0.8}]
)
def test_a_wrong_distribution_would_be_noticed(change):
    world = make_world(replace(TINY, n_users=1), seed=3)
    wrong = make_world(replace(TINY, n_users=1, **change), seed=3)
    rules = replace(wrong.rules, sequels=world.rules.sequels)
    sequences = drawn_by_rejection(rules)
    assert np.abs([standard_scores(world, sequences, step) for step in range(1, 4)]).max() > 4


def test_long_histories_in_a_larger_world():
    """Here most draws get through by rejection; 500 items are too many cells for counting."""
    world = make_world(WorldSettings(n_users=1), seed=2)
    sequences = drawn_by_rejection(world.rules, users=4000, length=30)
    for step in (0, 5, 29):
        assert abs(surprise(world, sequences, step)) < 4


def excess(counts, expected):
    """Pearson's chi-square over one row of cells, as (statistic - df) / sqrt(2 df)."""
    assert expected.min() >= 5
    freedom = len(expected) - 1
    return (((counts - expected) ** 2 / expected).sum() - freedom) / np.sqrt(2 * freedom)


def test_sequels_are_drawn_without_replacement_in_proportion_to_near():
    """All ordered pairs of two sequels, for each of ten items in groups of four, three and three.

    A pair's chance is w_a / w * w_b / (w - w_a), where w sums over all items but the item itself.
    """
    settings, draws = replace(TINY, n_items=10, sequel_home=0.4), 8000
    group_of, *_, near = draw_groups(settings, np.random.default_rng(1))
    rng, items = np.random.default_rng(2), np.arange(1, 11)
    counts = np.zeros((11, 11, 11))
    for _ in range(draws):
        found = draw_sequels(group_of, near, 2, rng)
        counts[items, found[1:, 0], found[1:, 1]] += 1
    for item in items:
        weights = np.where(items == item, 0, near[group_of[item], group_of[1:]])
        others = weights.sum() - weights
        pairs = np.outer(weights / weights.sum() / others, weights)
        allowed = (weights[:, None] > 0) & (weights > 0) & ~np.eye(10, dtype=bool)
        assert counts[item][1:, 1:][allowed].sum() == draws
        assert abs(excess(counts[item][1:, 1:][allowed], draws * pairs[allowed])) < 4
        even = np.where(allowed, draws / allowed.sum(), 0)  # near does matter
        assert excess(counts[item][1:, 1:][allowed], even[allowed]) > 4


def test_wheels():
    wheels = Wheels(np.array([0.0, 3.0, 1.0, 0.0, 0.0, 2.0, 0.0]), np.array([4, 3]))
    found = wheels.spin(np.random.default_rng(0), np.repeat([0, 1], [8000, 100]))
    counts = np.bincount(found, minlength=7)
    assert counts[5] == 100 and counts[[0, 3, 4, 6]].sum() == 0
    assert abs(counts[1] - 6000) < 4 * np.sqrt(8000 * 0.75 * 0.25)


class Edge:
    """Draws only the ends of [0, 1): what rounding could push beside a wheel."""

    def __init__(self, value):
        self.value = value

    def random(self, size):
        return np.full(size, self.value)


@pytest.mark.parametrize("value", [0.0, np.nextafter(1, 0)])
def test_wheels_do_not_leave_their_range(value):
    weights = np.tile([0.0, 1.0, 2.0, 0.0], 100_000)
    found = Wheels(weights, np.full(100_000, 4)).spin(Edge(value), np.arange(100_000))
    assert (found // 4 == np.arange(100_000)).all()
    assert (found % 4 == (1 if value == 0 else 2)).all()


def test_rules_keep_what_is_planted():
    rules = draw_rules_by_rejection(SMALL, np.random.default_rng(0))
    sequels, own = rules.sequels[1:], np.arange(1, SMALL.n_items + 1)[:, None]
    assert sequels.min() >= 1 and (sequels != own).all()
    assert (np.diff(np.sort(sequels, axis=1), axis=1) > 0).all()
    at_home = rules.group_of[sequels] == rules.group_of[1:, None]
    spread = np.sqrt(0.25 / at_home.size)
    assert abs(at_home.mean() - SMALL.sequel_home) < 4 * spread
    away = rules.moves[rules.group_of[1:, None], rules.group_of[sequels]]
    assert (away > 0).all()  # sequels lie at home or where the taste may go
    assert np.bincount(rules.group_of[1:], rules.popularity[1:]) == pytest.approx(1)


def test_same_seed_same_data(small):
    again, other = make_scaled(SMALL, seed=1), make_scaled(SMALL, seed=2)
    assert again.fingerprint == small.fingerprint != other.fingerprint
    assert (again.item_names, again.user_ids) == (small.item_names, small.user_ids)


def test_data(small):
    assert small.name == "synthetic-scaled" and small.world is None
    assert (small.n_users, small.n_items) == (SMALL.n_users, SMALL.n_items)
    assert small.item_ids[1:3] == ["1", "2"] and small.user_ids[0] == "1"
    assert small.item_names[1].startswith("group ")
    assert any("seed 1" in note and "rejection" in note for note in small.notes)
    for sequence in small.sequences:
        assert sequence.dtype == np.int64
        assert len(set(sequence.tolist())) == len(sequence)


def test_lengths(small):
    """Their law is the embedded world's: the mean is the wanted one, and the longest are long."""
    lengths = np.array([len(sequence) for sequence in small.sequences])
    values, weights = length_law(SMALL)
    variance = weights @ (values - SMALL.mean_length) ** 2 / weights.sum()
    assert abs(lengths.mean() - SMALL.mean_length) < 4 * np.sqrt(variance / len(lengths))
    assert lengths.min() == SMALL.min_length and 50 < lengths.max() <= SMALL.max_length
    short = lengths < 9
    share = weights[values < 9].sum() / weights.sum()
    assert abs(short.mean() - share) < 4 * np.sqrt(share * (1 - share) / len(lengths))
    assert (np.diff(lengths) != 0).mean() > 0.5  # users are not sorted by length


def test_extreme_settings_come_to_an_end():
    full = replace(TINY, max_length=8, mean_length=6.0)  # eight of nine items
    alone = replace(TINY, n_groups=1, n_sequels=8, sequel_home=0.0)
    frozen = replace(TINY, stay=1.0, follow=0.0, misclick=0.0)
    for settings in (full, alone, frozen, replace(TINY, misclick=1.0)):
        data = make_scaled(settings)
        assert all(len(set(s.tolist())) == len(s) for s in data.sequences)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [({"settings": 3}, "settings is 3; allowed is a WorldSettings"),
     ({"settings": TINY, "seed": -1}, "seed is -1; allowed"),
     ({"settings": TINY, "seed": "0"}, "seed is '0'; allowed"),
     ({"settings": TINY, "progress": 1}, "progress is 1; allowed are True, False")],
)  # fmt: skip
def test_bad_calls_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        make_scaled(**arguments)


@pytest.fixture
def bars(monkeypatch, capsys):
    """What the progress bars of an action show; a bar shows from its first moment on."""
    monkeypatch.delenv("CI")
    monkeypatch.setattr(progress, "SECONDS", 0.0)

    def shown(action):
        action()
        return capsys.readouterr().err

    return shown


def rank_a_few(data):
    histories = [sequence[:-1] for sequence in data.sequences[:30]]
    targets = np.array([sequence[-1] for sequence in data.sequences[:30]])
    return rank_items(SASRec(data.n_items, dim=4), histories, targets, histories)[0]


def test_long_work_shows_bars(bars, small):
    assert "drawing users: 100%" in bars(lambda: make_scaled(TINY))
    assert bars(lambda: make_scaled(TINY, progress=False)) == ""
    text = bars(lambda: rank_a_few(small))
    assert "reading histories" in text and "ranking" in text


def test_preparation_of_large_data_shows_a_bar_at_once(bars, monkeypatch, tmp_path):
    monkeypatch.setattr(progress, "SECONDS", 60.0)
    frame = pd.DataFrame({"user": [1, 1, 1], "item": [1, 2, 3], "timestamp": [1, 2, 3]})
    frame.to_csv(tmp_path / "mine.csv", index=False)
    ways = [lambda: from_interactions(frame, "mine"), lambda: load_dataset(tmp_path / "mine.csv")]
    assert [bars(way) for way in ways] == ["", ""]
    monkeypatch.setattr(data_module, "LARGE", 1)
    assert all("preparing mine:" in bars(way) for way in ways)


def test_short_work_and_continuous_integration_show_no_bar(bars, small, monkeypatch):
    monkeypatch.setattr(progress, "SECONDS", 60.0)
    assert bars(lambda: (make_scaled(TINY), rank_a_few(small))) == ""
    monkeypatch.setattr(progress, "SECONDS", 0.0)
    monkeypatch.setenv("CI", "1")
    assert bars(lambda: (make_scaled(TINY), rank_a_few(small))) == ""


# Measured: 67 to 84 MB above what Python and the packages hold. The tables that must not be would
# alone add as much as the bound or more: users x items 100 MB at one byte a cell, 800 MB as
# chances; items x items 200 MB.
SHORT_MEGABYTES = 100


def test_load_short():
    """The soak test's load at a fiftieth of its users; tests/soak has the whole."""
    found = run_load(20_000, 5_000, 20, timeout=120)
    check_load(found, 20_000, 5_000)
    assert found["megabytes_above_imports"] < SHORT_MEGABYTES, found["parts"]
