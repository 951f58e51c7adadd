"""The process behind the embedded world: its settings, its fixed rules, and one step of it.

`synthetic.py` says what is planted and why, draws users' sequences from this process, and inverts
it. Both directions use the same `Watch.shares` and `Watch.mixture`.
"""

from dataclasses import dataclass

import numpy as np

from ..support.checks import number


@dataclass(frozen=True)
class WorldSettings:
    """Sizes of the world and of what is planted in it. A bad value raises ValueError."""

    n_users: int = 1500  # at least 1
    n_items: int = 500  # at least 2
    n_groups: int = 10  # groups of items, 1 to n_items; sizes differ by at most one item
    min_length: int = 5  # shortest sequence, at least 3: one item to learn from, two held out
    mean_length: float = 9.0  # expected; min_length to halfway between min_length and max_length
    max_length: int = 120  # longest sequence, min_length to n_items - 1
    length_tail: float = 2.2  # exponent of the power law of lengths; smaller is a heavier tail
    zipf: float = 1.0  # exponent of popularity inside a group, 0 (all alike) to 5
    stay: float = 0.7  # probability that an interest stays at a step
    n_moves: int = 2  # groups an interest may move to, at least 1; no more than there are others
    follow: float = 0.15  # probability of a sequel, given no misclick
    n_sequels: int = 4  # fixed sequels of an item, at least 1, below the smallest group's size
    look_back: float = 0.25  # share of sequels that belong to the item before the last
    sequel_home: float = 0.5  # that a sequel lies in its item's group, not where interests move
    misclick: float = 0.2  # probability of a misclick

    def __post_init__(self):
        def check(low, high, *names, kind=float):
            for name in names:
                number(name, getattr(self, name), low, high, kind)

        check(1, None, "n_users", "n_moves", kind=int)
        check(2, None, "n_items", kind=int)
        check(1, self.n_items, "n_groups", kind=int)
        check(1, self.n_items // self.n_groups - 1, "n_sequels", kind=int)
        check(3, self.n_items - 1, "min_length", kind=int)
        check(self.min_length, self.n_items - 1, "max_length", kind=int)
        check(self.min_length, (self.min_length + self.max_length) / 2, "mean_length")
        check(1e-3, 20, "length_tail")
        check(0, 5, "zipf")
        check(0, 1, "stay", "follow", "look_back", "sequel_home", "misclick")


@dataclass(frozen=True, eq=False)
class Rules:
    """What is fixed in a world. Arrays by item have n_items + 1 entries; entry 0 is padding.

    Items are 1..n_items in shuffled order, so a number tells neither group nor popularity.
    """

    settings: WorldSettings
    group_of: np.ndarray  # (n_items + 1,) int64, 0..n_groups - 1; padding has -1
    rank: np.ndarray  # (n_items + 1,) int64, 1 is the most popular of its group; padding has 0
    popularity: np.ndarray  # (n_items + 1,) float64, sums to 1 inside each group; padding has 0
    first_interest: np.ndarray  # (n_groups,) float64, the interest at the first item
    moves: np.ndarray  # (n_groups, n_groups) float64, row: interest now, column: interest next
    sequels: np.ndarray  # (n_items + 1, n_sequels) int64, heaviest first; padding has 0
    sequel_weights: np.ndarray  # (n_sequels,) float64, sums to 1


def near_sequels(group_of: np.ndarray, near: np.ndarray, n_sequels: int, rng) -> np.ndarray:
    """`Rules.sequels`: for each item others without replacement, in proportion to `near`.

    near: (n_groups, n_groups) float64 above 0, row: the item's group, column: its sequel's.
    """
    # adding Gumbel noise to log weights and taking the largest draws without replacement
    tickets = np.log(near[group_of[1:, None], group_of[None, 1:]])
    tickets += rng.gumbel(size=tickets.shape)
    np.fill_diagonal(tickets, -np.inf)
    sequels = np.zeros((len(group_of), n_sequels), dtype=np.int64)
    sequels[1:] = np.argsort(-tickets, axis=1)[:, :n_sequels] + 1
    return sequels


def draw_rules(settings: WorldSettings, rng, draw_sequels=near_sequels) -> Rules:
    """Draw groups, popularity, the graph of interests and the sequels."""
    n_groups = settings.n_groups
    shuffled = rng.permutation(settings.n_items)
    group_of = np.concatenate([[-1], shuffled % n_groups])
    rank = np.concatenate([[0], shuffled // n_groups + 1])
    popularity = np.concatenate([[0.0], rank[1:] ** -float(settings.zipf)])
    popularity[1:] /= np.bincount(group_of[1:], popularity[1:])[group_of[1:]]
    away = _interest_graph(n_groups, min(settings.n_moves, n_groups - 1), rng)
    own = np.eye(n_groups)
    moves = settings.stay * own + (1 - settings.stay) * away if n_groups > 1 else own
    near = settings.sequel_home * own + (1 - settings.sequel_home) * away + 1e-12
    weights = 1 / np.arange(1, settings.n_sequels + 1)
    return Rules(settings, group_of, rank, popularity, np.full(n_groups, 1 / n_groups), moves,
                 draw_sequels(group_of, near, settings.n_sequels, rng), weights / weights.sum())


def _interest_graph(n_groups: int, n_moves: int, rng) -> np.ndarray:
    """Where an interest goes when it moves, float64 (n_groups, n_groups), the diagonal is 0."""
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
        """Probability of the three sources, float64 (active,) each: misclick, sequel, interest."""
        follow = self.settings.follow * self.sequels(active)[1].any(axis=1)
        misclick = np.full(active, float(self.settings.misclick))
        return misclick, (1 - misclick) * follow, (1 - misclick) * (1 - follow)

    def mixture(self, misclick, follow, interest) -> np.ndarray:
        """Item probabilities, float64 (active, n_items + 1), from the sources' shares.

        misclick, follow: (active,); interest: (active, n_groups). Their rows sum to 1.
        """
        rows = np.arange(len(misclick))[:, None]
        unseen = ~self.seen[: len(misclick)]
        popularity = self.rules.popularity * unseen
        left = popularity @ self.member
        used_up = left == 0
        scale = interest * ~used_up / np.where(used_up, 1, left)
        chance = popularity * scale[:, self.rules.group_of]
        uniform = misclick + (interest * used_up).sum(1)
        chance += (uniform / unseen.sum(1))[:, None] * unseen
        items, weights = self.sequels(len(misclick))
        np.add.at(chance, (rows, items), follow[:, None] * weights)
        return chance

    def emissions(self, items) -> np.ndarray:
        """p(item | interest, history), float64 (active, n_groups), for each possible interest."""
        rows, rules = np.arange(len(items)), self.rules
        unseen = ~self.seen[: len(items)]
        misclick, follow, interest = self.shares(len(items))
        candidates, weights = self.sequels(len(items))
        left = (rules.popularity * unseen) @ self.member
        uniform = (1 / unseen.sum(1))[:, None]
        share = (rules.popularity[items, None] * self.member[items]) / np.where(left == 0, 1, left)
        share = np.where(left == 0, uniform, share)
        sequel = (weights * (candidates == items[:, None])).sum(1)
        chance = misclick[:, None] * uniform + (follow * sequel)[:, None]
        return (chance + interest[:, None] * share) * unseen[rows, items][:, None]


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
