"""The process behind the embedded world: its settings, its fixed rules, and one step of it.

`synthetic.py` says what is planted and why, draws users' sequences from this process, and inverts
it. Both directions use the same `Watch.shares` and `Watch.mixture`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..support.checks import number


@dataclass(frozen=True)
class WorldSettings:
    """Sizes of the world and of what is planted in it. A bad value raises ValueError.

    n_users      users, at least 1
    n_items      items, at least 2
    n_groups     groups of items (the tastes), 1 to n_items; sizes differ by at most one item
    min_length   shortest sequence, at least 3 (one item to learn from, two held out)
    mean_length  expected length, min_length to halfway between min_length and max_length
    max_length   longest sequence, min_length to n_items - 1
    length_tail  exponent of the power law of lengths, above 0; smaller is a heavier tail
    zipf         exponent of popularity inside a group, 0 (all alike) to 5
    stay         probability that a taste stays at a step, 0 to 1
    n_moves      groups a taste may move to, at least 1 (no more than there are others are used)
    follow       probability of a sequel, given no misclick, 0 to 1
    n_sequels    fixed sequels of an item, at least 1, below the smallest group's size
    look_back    share of sequels that belong to the item before the last, 0 to 1
    sequel_home  probability that a sequel lies in its item's group, 0 to 1; else it lies in a
                 group that the taste may move to
    misclick     probability of a misclick, 0 to 1
    """

    n_users: int = 1500
    n_items: int = 500
    n_groups: int = 10
    min_length: int = 5
    mean_length: float = 9.0
    max_length: int = 120
    length_tail: float = 2.2
    zipf: float = 1.0
    stay: float = 0.7
    n_moves: int = 2
    follow: float = 0.15
    n_sequels: int = 4
    look_back: float = 0.25
    sequel_home: float = 0.5
    misclick: float = 0.2

    def __post_init__(self):
        number("n_users", self.n_users, 1, kind=int)
        number("n_items", self.n_items, 2, kind=int)
        number("n_groups", self.n_groups, 1, self.n_items, kind=int)
        number("min_length", self.min_length, 3, self.n_items - 1, kind=int)
        number("max_length", self.max_length, self.min_length, self.n_items - 1, kind=int)
        middle = (self.min_length + self.max_length) / 2
        number("mean_length", self.mean_length, self.min_length, middle)
        number("length_tail", self.length_tail, 1e-3, 20)
        number("zipf", self.zipf, 0, 5)
        number("n_moves", self.n_moves, 1, kind=int)
        number("n_sequels", self.n_sequels, 1, self.n_items // self.n_groups - 1, kind=int)
        for name in ("stay", "follow", "look_back", "sequel_home", "misclick"):
            number(name, getattr(self, name), 0, 1)


@dataclass(frozen=True, eq=False)
class Rules:
    """What is fixed in a world. Arrays by item have n_items + 1 entries; entry 0 is padding.

    Items are 1..n_items in shuffled order, so a number tells neither group nor popularity.
    """

    settings: WorldSettings
    group_of: np.ndarray  # (n_items + 1,) int64, 0..n_groups - 1; padding has -1
    rank: np.ndarray  # (n_items + 1,) int64, 1 is the most popular of its group; padding has 0
    popularity: np.ndarray  # (n_items + 1,) float64, sums to 1 inside each group; padding has 0
    first_taste: np.ndarray  # (n_groups,) float64, the taste at the first item
    moves: np.ndarray  # (n_groups, n_groups) float64, row: taste now, column: taste next
    sequels: np.ndarray  # (n_items + 1, n_sequels) int64, heaviest first; padding has 0
    sequel_weights: np.ndarray  # (n_sequels,) float64, sums to 1


def draw_rules(settings: WorldSettings, rng) -> Rules:
    """Draw groups, popularity, the graph of tastes and the sequels."""
    n_items = settings.n_items
    group_of, rank, popularity, moves, near = draw_groups(settings, rng)
    # Adding Gumbel noise to log weights and keeping the largest draws without replacement.
    tickets = np.log(near[group_of[1:, None], group_of[None, 1:]])
    tickets += rng.gumbel(size=(n_items, n_items))
    np.fill_diagonal(tickets, -np.inf)
    sequels = np.zeros((n_items + 1, settings.n_sequels), dtype=np.int64)
    sequels[1:] = np.argsort(-tickets, axis=1)[:, : settings.n_sequels] + 1
    return rules_of(settings, group_of, rank, popularity, moves, sequels)


def draw_groups(settings: WorldSettings, rng) -> tuple[np.ndarray, ...]:
    """Draw `group_of`, `rank`, `popularity`, `moves` of `Rules`, and `near`.

    near: (n_groups, n_groups) float64 above 0; an item of the row's group takes as a sequel each
    item of the column's group with a chance in proportion to it.
    """
    n_items, n_groups = settings.n_items, settings.n_groups
    shuffled = rng.permutation(n_items)
    group_of = np.concatenate([[-1], shuffled % n_groups])
    rank = np.concatenate([[0], shuffled // n_groups + 1])
    popularity = np.concatenate([[0.0], rank[1:] ** -float(settings.zipf)])
    popularity[1:] /= np.bincount(group_of[1:], popularity[1:])[group_of[1:]]
    away = _taste_graph(n_groups, min(settings.n_moves, n_groups - 1), rng)
    own = np.eye(n_groups)
    moves = settings.stay * own + (1 - settings.stay) * away if n_groups > 1 else own
    near = settings.sequel_home * own + (1 - settings.sequel_home) * away + 1e-12
    return group_of, rank, popularity, moves, near


def rules_of(settings: WorldSettings, group_of, rank, popularity, moves, sequels) -> Rules:
    """The rules with what follows from the settings alone: weights and the first taste."""
    sequel_weights = 1 / np.arange(1, settings.n_sequels + 1)
    sequel_weights /= sequel_weights.sum()
    first_taste = np.full(settings.n_groups, 1 / settings.n_groups)
    return Rules(settings, group_of, rank, popularity, first_taste, moves, sequels, sequel_weights)


def _taste_graph(n_groups: int, n_moves: int, rng) -> np.ndarray:
    """Where a taste goes when it moves, float64 (n_groups, n_groups), the diagonal is 0."""
    ring = rng.permutation(n_groups)  # the likeliest moves form a ring, so every group is reached
    affinity = rng.random((n_groups, n_groups))
    affinity[ring, np.roll(ring, -1)] = 2
    np.fill_diagonal(affinity, -1)
    likely = np.argsort(-affinity, axis=1)[:, :n_moves]
    weights = 1 / np.arange(1, n_moves + 1)
    graph = np.zeros((n_groups, n_groups))
    graph[np.arange(n_groups)[:, None], likely] = weights / weights.sum()
    return graph


class Watch:
    """What each user has met so far. Methods that take or give rows mean the first `active` users.

    Rows are sorted by length, longest first, so the users who still go on are the first rows.
    """

    def __init__(self, rules: Rules, n_users: int):
        self.rules, self.settings = rules, rules.settings
        self.member = rules.group_of[:, None] == np.arange(self.settings.n_groups)
        self.seen = np.zeros((n_users, self.settings.n_items + 1), dtype=bool)
        self.seen[:, 0] = True
        self.last = np.zeros(n_users, dtype=np.int64)
        self.before_last = np.zeros(n_users, dtype=np.int64)

    def add(self, items):
        active = len(items)
        self.before_last[:active] = self.last[:active]
        self.last[:active] = items
        self.seen[np.arange(active), items] = True

    def reordered(self, order):
        self.seen, self.last = self.seen[order], self.last[order]
        self.before_last = self.before_last[order]
        return self

    def sequels(self, active: int):
        """Unseen sequels, int64 and float64 (active, 2 n_sequels); a row sums to 1, or to 0."""
        tables = [self.rules.sequels[now[:active]] for now in (self.last, self.before_last)]
        look_back = self.settings.look_back
        weights = np.outer([1 - look_back, look_back], self.rules.sequel_weights).ravel()
        items = np.concatenate(tables, axis=1)
        weights = weights * ~self.seen[np.arange(active)[:, None], items]
        total = weights.sum(1, keepdims=True)
        return items, weights / np.where(total > 0, total, 1)

    def shares(self, active: int):
        """Probability of the three sources, float64 (active,) each: misclick, sequel, taste."""
        follow = self.settings.follow * self.sequels(active)[1].any(axis=1)
        misclick = np.full(active, float(self.settings.misclick))
        return misclick, (1 - misclick) * follow, (1 - misclick) * (1 - follow)

    def mixture(self, misclick, follow, taste) -> np.ndarray:
        """Item probabilities, float64 (active, n_items + 1), from the sources' shares.

        misclick, follow: (active,); taste: (active, n_groups). Their rows sum to 1.
        """
        rows = np.arange(len(misclick))[:, None]
        unseen = ~self.seen[: len(misclick)]
        popularity = self.rules.popularity * unseen
        left = popularity @ self.member
        used_up = left == 0
        scale = taste * ~used_up / np.where(used_up, 1, left)
        chance = popularity * scale[:, self.rules.group_of]
        uniform = misclick + (taste * used_up).sum(1)
        chance += (uniform / unseen.sum(1))[:, None] * unseen
        items, weights = self.sequels(len(misclick))
        np.add.at(chance, (rows, items), follow[:, None] * weights)
        return chance

    def emissions(self, items) -> np.ndarray:
        """p(item | taste, history), float64 (active, n_groups), for each possible taste."""
        rows, rules = np.arange(len(items)), self.rules
        unseen = ~self.seen[: len(items)]
        misclick, follow, taste = self.shares(len(items))
        candidates, weights = self.sequels(len(items))
        left = (rules.popularity * unseen) @ self.member
        uniform = (1 / unseen.sum(1))[:, None]
        share = (rules.popularity[items, None] * self.member[items]) / np.where(left == 0, 1, left)
        share = np.where(left == 0, uniform, share)
        sequel = (weights * (candidates == items[:, None])).sum(1)
        chance = misclick[:, None] * uniform + (follow * sequel)[:, None] + taste[:, None] * share
        return chance * unseen[rows, items][:, None]


def length_law(settings: WorldSettings) -> tuple[np.ndarray, np.ndarray]:
    """Lengths and their weights, p(n) ~ (n - min_length + shift) ** -(tail + 1).

    The shift that gives the wanted mean is found by bisection; the mean rises with the shift.
    """
    values = np.arange(settings.min_length, settings.max_length + 1)

    def weights(shift):
        steps = (values - settings.min_length) / shift + 1
        return steps ** -(settings.length_tail + 1)

    low, high = 1e-9, 1e9
    for _ in range(200):
        middle = np.sqrt(low * high)
        mean = (weights(middle) @ values) / weights(middle).sum()
        low, high = (middle, high) if mean < settings.mean_length else (low, middle)
    return values, weights(high)


def draw_lengths(settings: WorldSettings, rng) -> np.ndarray:
    """Sequence lengths from `length_law`, longest first."""
    values, weights = length_law(settings)
    drawn = draw(rng, np.tile(weights, (settings.n_users, 1)))
    return -np.sort(-values[drawn])


def draw(rng, weights) -> np.ndarray:
    """One column per row, drawn by inverse distribution function; weights need not sum to 1."""
    totals = weights.cumsum(1)
    point = rng.random(len(weights)) * totals[:, -1]
    point = np.minimum(point, np.nextafter(totals[:, -1], 0))  # the product may round up
    return (totals <= point[:, None]).sum(1)
