"""The synthetic world: sequences from a known process, so that the best possible score is known.
What a model finds here was planted, it is no discovery:
* interests: a user has one hidden interest, a group of items. At a step it stays with probability
  `stay`, else it moves along a fixed graph to one of `n_moves` other groups.
* popularity: an item drawn from an interest follows Zipf's law inside its group, rank ** -`zipf`.
* sequence effects: with probability `follow` the next item is one of the `n_sequels` fixed sequels,
  of unequal weight, of the last item, with share `look_back` of the item before the last.
* misclicks: with probability `misclick` the item is any unseen item, all equally likely. Interests
  go on as before, but a misclicked item's sequels follow it like any other's.
* lengths: a power law with a chosen mean, drawn independently of the items.

No user meets an item twice: each source leaves out the seen items and is scaled back to sum 1.
Where all sequels were seen, the interest takes their share; where a group is used up, all unseen
items are equally likely. The interest is a hidden Markov chain whose emissions depend on the
history, so forward filtering gives the exact p(next item | history).
"""

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from ..data import SequenceDataset, held_out
from ..support.checks import histories as checked_histories
from ..support.checks import number, shown


@dataclass(frozen=True)
class WorldSettings:
    """Sizes of the world and of what is planted in it; the values are not checked."""

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


@dataclass(eq=False)
class World:
    """What is fixed in a world, and its users' sequences.

    Arrays by item have n_items + 1 entries; entry 0 is padding. Items are 1..n_items in shuffled
    order, so a number tells neither group nor popularity.
    """

    settings: WorldSettings
    seed: int
    group_of: np.ndarray  # (n_items + 1,) int64, 0..n_groups - 1; padding has -1
    rank: np.ndarray  # (n_items + 1,) int64, 1 is the most popular of its group; padding has 0
    popularity: np.ndarray  # (n_items + 1,) float64, sums to 1 inside each group; padding has 0
    moves: np.ndarray  # (n_groups, n_groups) float64, row: interest now, column: interest next
    sequels: np.ndarray  # (n_items + 1, n_sequels) int64, heaviest first; padding has 0
    sequel_weights: np.ndarray  # (n_sequels,) float64, sums to 1
    sequences: list = field(default_factory=list)  # int64 arrays, a user each, oldest item first

    @cached_property
    def dataset(self):
        """The sequences as a `SequenceDataset` named "synthetic"; its `.world` is this world."""
        n_items, users = self.settings.n_items, range(1, len(self.sequences) + 1)
        places = zip(self.group_of[1:] + 1, self.rank[1:])
        return SequenceDataset(
            "synthetic", self.sequences, n_items, ["", *map(str, range(1, n_items + 1))],
            ["", *(f"group {group}, item {rank}" for group, rank in places)], [*map(str, users)],
            [f"a synthetic world with seed {self.seed}; its effects are planted"], self)

    def next_item_distribution(self, histories) -> np.ndarray:
        """The exact p(next item | observed history), float64 (len(histories), n_items + 1).

        histories: list of int arrays, oldest first, values 1..n_items, no item twice, possibly
        empty, shorter than n_items. Rows sum to 1; padding and seen items have probability 0.
        Raises ValueError for a history that cannot happen in this world.
        """
        histories = checked_histories("histories", histories)
        lengths = np.array([len(history) for history in histories], dtype=np.int64)
        largest = max((history.max(initial=0) for history in histories), default=0)
        number("an item of histories", int(largest), 0, self.settings.n_items, int)
        order = np.argsort(-lengths, kind="stable")  # the users still active are the first rows
        met = MetItems(self, len(lengths))
        # about the next interest, by forward filtering
        belief = np.full((len(lengths), len(self.moves)), 1 / len(self.moves))
        for step in range(lengths.max(initial=0)):
            active = int((lengths > step).sum())
            now = np.array([histories[user][step] for user in order[:active]])
            joint = belief[:active] * met.emissions(now)
            likelihood = joint.sum(1, keepdims=True)
            if not likelihood.all():
                user = order[likelihood.argmin()]
                raise ValueError(f"histories[{user}] is {shown(histories[user].tolist())}; allowed "
                                 "is what can happen in this world")
            belief[:active] = (joint / likelihood) @ self.moves
            met.add(now)
        misclick, follow, interest = met.shares(len(belief))
        chance = met.mixture(misclick, follow, interest[:, None] * belief)
        return chance[np.argsort(order)]

    def optimum(self, split: str = "test") -> dict:
        """The best "ndcg@10" and "hr@10" on "test" or "validation" that any model can expect.

        Both are linear in p(next item), and the discounts fall with the rank, so ranking by the
        true probability is best: the expectation over what could have been drawn, averaged over
        users. What was drawn gives other numbers, by sampling noise.
        """
        histories, _ = held_out(self.dataset, split)
        best = -np.sort(-self.next_item_distribution(histories), axis=1)[:, :10]
        discount = 1 / np.log2(np.arange(best.shape[1]) + 2)
        return {"ndcg@10": float((best @ discount).mean()), "hr@10": float(best.sum(1).mean())}


def make_world(settings: WorldSettings = WorldSettings(), seed: int = 0) -> World:  # noqa: B008
    """Draw the rules of a world and its users' sequences; the same seed gives the same world."""
    rng = np.random.default_rng(seed)
    world, lengths = draw_rules(settings, seed, rng), draw_lengths(settings, rng)
    met, n_users, n_groups = MetItems(world, settings.n_users), settings.n_users, settings.n_groups
    items = np.zeros((n_users, lengths[0]), dtype=np.int64)
    interest = draw(rng, np.full((n_users, n_groups), 1 / n_groups))
    for step in range(lengths[0]):
        active = int((lengths > step).sum())  # the longest sequences are the first rows
        if step > 0:
            interest = draw(rng, world.moves[interest[:active]])
        source = draw(rng, np.stack(met.shares(active), axis=1))
        one_interest = (source == 2)[:, None] * np.eye(n_groups)[interest]
        now = draw(rng, met.mixture(1.0 * (source == 0), 1.0 * (source == 1), one_interest))
        met.add(now)
        items[:active, step] = now
    world.sequences = [items[row, : lengths[row]].copy() for row in rng.permutation(n_users)]
    return world


class MetItems:
    """What each user has met so far; the first `active` rows are the users who still go on."""

    def __init__(self, world: World, n_users: int):
        self.world, self.settings = world, world.settings
        self.member = world.group_of[:, None] == np.arange(self.settings.n_groups)
        self.seen = np.zeros((n_users, self.settings.n_items + 1), dtype=bool)
        self.seen[:, 0] = True
        self.newest = np.zeros((n_users, 2), dtype=np.int64)  # the last item, the one before it

    def add(self, items):
        active = len(items)
        self.newest[:active] = np.stack([items, self.newest[:active, 0]], axis=1)
        self.seen[np.arange(active), items] = True

    def sequels(self, active: int):
        """Unseen sequels, int64 and float64 (active, 2 n_sequels); a row sums to 1, or to 0."""
        look_back = self.settings.look_back
        weights = np.outer([1 - look_back, look_back], self.world.sequel_weights).ravel()
        items = self.world.sequels[self.newest[:active]].reshape(active, -1)
        weights = weights * ~self.seen[np.arange(active)[:, None], items]
        total = weights.sum(1, keepdims=True)
        return items, weights / np.where(total > 0, total, 1)

    def shares(self, active: int):
        """Probability of the three sources, float64 (active,) each: misclick, sequel, interest."""
        follow = self.settings.follow * self.sequels(active)[1].any(axis=1)
        misclick = np.full(active, float(self.settings.misclick))
        return misclick, (1 - misclick) * follow, (1 - misclick) * (1 - follow)

    def mixture(self, misclick, follow, interest) -> np.ndarray:
        """Item probabilities, float64 (active, n_items + 1), from the sources' shares: misclick and
        follow, (active,), and interest, (active, n_groups), whose rows sum to 1."""
        rows = np.arange(len(misclick))[:, None]
        unseen = ~self.seen[: len(misclick)]
        popularity = self.world.popularity * unseen
        left = popularity @ self.member
        used_up = left == 0
        scale = interest * ~used_up / np.where(used_up, 1, left)
        chance = popularity * scale[:, self.world.group_of]
        uniform = misclick + (interest * used_up).sum(1)
        chance += (uniform / unseen.sum(1))[:, None] * unseen
        items, weights = self.sequels(len(misclick))
        np.add.at(chance, (rows, items), follow[:, None] * weights)
        return chance

    def emissions(self, items) -> np.ndarray:
        """p(item | interest, history), float64 (active, n_groups), for each possible interest."""
        unseen, popularity = ~self.seen[: len(items)], self.world.popularity
        misclick, follow, interest = self.shares(len(items))
        candidates, weights = self.sequels(len(items))
        left = (popularity * unseen) @ self.member
        uniform = (1 / unseen.sum(1))[:, None]
        share = (popularity[items, None] * self.member[items]) / np.where(left == 0, 1, left)
        share = np.where(left == 0, uniform, share)
        sequel = (weights * (candidates == items[:, None])).sum(1)
        chance = misclick[:, None] * uniform + (follow * sequel)[:, None]
        is_unseen = unseen[np.arange(len(items)), items]
        return (chance + interest[:, None] * share) * is_unseen[:, None]


def draw_rules(settings: WorldSettings, seed: int, rng) -> World:
    """Draw groups, popularity, the graph of interests and the sequels; nobody lives there yet."""
    n_groups = settings.n_groups
    shuffled = rng.permutation(settings.n_items)
    group_of = np.concatenate([[-1], shuffled % n_groups])
    rank = np.concatenate([[0], shuffled // n_groups + 1])
    popularity = np.concatenate([[0.0], rank[1:] ** -float(settings.zipf)])
    popularity[1:] /= np.bincount(group_of[1:], popularity[1:])[group_of[1:]]
    ring = rng.permutation(n_groups)  # the likeliest moves form a ring, so every group is reached
    affinity = rng.random((n_groups, n_groups))
    affinity[ring, np.roll(ring, -1)] = 2
    np.fill_diagonal(affinity, -1)
    likely = np.argsort(-affinity, axis=1)[:, :min(settings.n_moves, n_groups - 1)]
    weights = 1 / np.arange(1, likely.shape[1] + 1)
    own, away = np.eye(n_groups), np.zeros((n_groups, n_groups))
    away[np.arange(n_groups)[:, None], likely] = weights / weights.sum()
    moves = settings.stay * own + (1 - settings.stay) * away if n_groups > 1 else own
    # sequels: other items without replacement, in proportion to `near` of the two groups; adding
    # Gumbel noise to log weights and taking the largest draws so
    near = settings.sequel_home * own + (1 - settings.sequel_home) * away + 1e-12
    tickets = np.log(near[group_of[1:, None], group_of[None, 1:]])
    tickets += rng.gumbel(size=tickets.shape)
    np.fill_diagonal(tickets, -np.inf)
    sequels = np.zeros((settings.n_items + 1, settings.n_sequels), dtype=np.int64)
    sequels[1:] = np.argsort(-tickets, axis=1)[:, : settings.n_sequels] + 1
    weights = 1 / np.arange(1, settings.n_sequels + 1)
    return World(settings, seed, group_of, rank, popularity, moves, sequels,
                 weights / weights.sum())


def draw_lengths(settings: WorldSettings, rng) -> np.ndarray:
    """Sequence lengths, longest first: p(n) ~ (n - min_length + shift) ** -(tail + 1). Their mean
    rises with the shift, and the wanted one is found by bisection."""
    values = np.arange(settings.min_length, settings.max_length + 1)

    def weights(shift):
        steps = (values - settings.min_length) / shift + 1
        return steps ** -(settings.length_tail + 1)

    low, high = 1e-9, 1e9
    for _ in range(200):
        middle = np.sqrt(low * high)
        mean = (weights(middle) @ values) / weights(middle).sum()
        low, high = (middle, high) if mean < settings.mean_length else (low, middle)
    drawn = draw(rng, np.tile(weights(high), (settings.n_users, 1)))
    return -np.sort(-values[drawn])


def draw(rng, weights) -> np.ndarray:
    """One column per row, drawn by inverse distribution function; weights need not sum to 1."""
    totals = weights.cumsum(1)
    point = rng.random(len(weights)) * totals[:, -1]
    point = np.minimum(point, np.nextafter(totals[:, -1], 0))  # the product may round up
    return (totals <= point[:, None]).sum(1)
