"""The embedded world's process at any size: a million users, a hundred thousand items.

`make_world` follows the process with tables: what each user has seen of each item, and the chance
of every item for every user. Here the same process is drawn by *rejection*, so that a user of n
interactions takes O(n) memory: draw as if nothing had been seen, look the item up in the user's
own history, and draw again if it is there. An item that gets through has the distribution
without the seen items, scaled back to sum 1, which is what the process asks for.

Where little is left to draw, rejection would go on for long. So after `TRIES` rounds the few
users that are still open draw from the exact distribution over their candidates; that one also
tells when a group is used up, and then all unseen items are equally likely.

What is missing is the way back: the true distribution and the best possible score
(`World.optimum`) need the tables. The data has no `.world`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..data import SequenceDataset
from ..support.checks import flag, instance, number
from ..support.progress import long_work
from .synthetic_process import Rules, WorldSettings, draw, draw_groups, length_law, rules_of

TRIES = 16  # rounds of rejection before the exact draw
USERS_AT_ONCE = 1 << 15  # so that what is drawn together stays small
CELLS_AT_ONCE = 1 << 22  # (user, candidate, earlier item) compared at a time


def make_scaled(settings: WorldSettings, seed: int = 0, progress: bool = True) -> SequenceDataset:
    """Draw a world and its users' sequences by rejection; the same seed gives the same data.

    settings: a `WorldSettings`; seed: whole number of at least 0; progress: show a bar when it
    takes seconds (none where CI is set). Raises ValueError otherwise.

    Returns a `SequenceDataset` with text as ids and without `.world`; its sequences are views of
    one int64 array. Its planted effects are those of `make_world`, but its numbers are others:
    the two use their random numbers differently.
    Time is O(users x length^2), memory O(interactions + items + n_groups^2).
    """
    settings = instance("settings", settings, WorldSettings)
    rng = np.random.default_rng(number("seed", seed, 0, kind=int))
    progress = flag("progress", progress)
    rules = draw_rules_by_rejection(settings, rng)
    lengths = _lengths(settings, rng)
    items = draw_items(rules, lengths, rng, progress).astype(np.int64)
    pieces = np.split(items, np.cumsum(lengths)[:-1])
    places = zip((rules.group_of[1:] + 1).tolist(), rules.rank[1:].tolist(), strict=True)
    return SequenceDataset(
        name="synthetic-scaled",
        sequences=[pieces[user] for user in rng.permutation(settings.n_users).tolist()],
        n_items=settings.n_items,
        item_ids=["", *map(str, range(1, settings.n_items + 1))],
        item_names=["", *(f"group {group}, item {rank}" for group, rank in places)],
        user_ids=[str(user) for user in range(1, settings.n_users + 1)],
        notes=[f"made by casadv_lib.synthetic_scaled with seed {int(seed)}: the process of "
               "casadv_lib.synthetic drawn by rejection; its effects are planted"],
    )  # fmt: skip


class Wheels:
    """Discrete distributions side by side; each is drawn from by bisection, O(log entries).

    weights: (entries,) of at least 0, wheel after wheel; sizes: (wheels,) entries of each, and
    each has a weight above 0. `spin(rng, wheel)`: one entry for each element of `wheel`, as its
    place in `weights`. Wheel i lies on the numbers from i to i + 1 of one line.
    """

    def __init__(self, weights: np.ndarray, sizes: np.ndarray):
        wheel = np.repeat(np.arange(len(sizes)), sizes)
        ends = np.cumsum(sizes)
        totals = np.concatenate([[0.0], np.cumsum(weights)])
        before, after = totals[ends - sizes], totals[ends]
        self.edges = wheel + (totals[1:] - before[wheel]) / (after - before)[wheel]

    def spin(self, rng, wheel: np.ndarray) -> np.ndarray:
        point = np.minimum(wheel + rng.random(len(wheel)), np.nextafter(wheel + 1.0, 0))
        # edges end where an entry ends, so one of weight 0 is nowhere the first above the point
        return np.searchsorted(self.edges, point, side="right")


def _lengths(settings: WorldSettings, rng) -> np.ndarray:
    """(n_users,) int64, longest first."""
    values, weights = length_law(settings)
    wheel = Wheels(weights, np.array([len(values)]))
    return -np.sort(-values[wheel.spin(rng, np.zeros(settings.n_users, dtype=np.int64))])


def draw_rules_by_rejection(settings: WorldSettings, rng) -> Rules:
    """As `draw_rules`, without its table of n_items x n_items."""
    group_of, rank, popularity, moves, near = draw_groups(settings, rng)
    sequels = draw_sequels(group_of, near, settings.n_sequels, rng)
    return rules_of(settings, group_of, rank, popularity, moves, sequels)


def draw_sequels(group_of: np.ndarray, near: np.ndarray, n_sequels: int, rng) -> np.ndarray:
    """`Rules.sequels`: for each item others, one after the other, in proportion to `near`.

    group_of as in `Rules`, near as in `draw_groups`. A group is drawn in proportion to near x
    size, then one of its items; the item itself and those drawn before are rejected. A group has
    more items than n_sequels, so something is left in each that counts.
    """
    groups = _Groups(group_of, len(near))
    wheels = Wheels((near * groups.sizes).ravel(), np.full(len(near), len(near)))
    sequels = np.zeros((len(group_of), n_sequels), dtype=np.int64)
    for place in range(n_sequels):
        still = np.arange(1, len(group_of))
        while len(still):
            group = wheels.spin(rng, group_of[still]) % len(near)
            found = groups.members[group, rng.integers(0, groups.sizes[group])]
            taken = (found == still) | (sequels[still, :place] == found[:, None]).any(1)
            sequels[still[~taken], place] = found[~taken]
            still = still[taken]
    return sequels


class _Groups:
    """sizes (n_groups,) int64; members (n_groups, largest size) int32, padded with 0."""

    def __init__(self, group_of: np.ndarray, n_groups: int):
        self.sizes = np.bincount(group_of[1:], minlength=n_groups)
        self.members = np.zeros((n_groups, self.sizes.max()), dtype=np.int32)
        by_group = np.argsort(group_of[1:], kind="stable") + 1
        self.members[np.arange(self.members.shape[1]) < self.sizes[:, None]] = by_group


@dataclass
class _Process:
    """One step of the process for users who have met `met`, (users, steps) int32.

    Methods give an int32 item for each user, 0 where there is none to draw.
    """

    rules: Rules
    rng: np.random.Generator

    def __post_init__(self):
        rules, settings = self.rules, self.rules.settings
        self.groups = _Groups(rules.group_of, settings.n_groups)
        self.weights = rules.popularity[self.groups.members]  # padding has popularity 0
        width = self.weights.shape[1]
        self.popular = Wheels(self.weights.ravel(), np.full(settings.n_groups, width))
        self.first = Wheels(rules.first_taste, np.array([settings.n_groups]))
        self.moves = Wheels(rules.moves.ravel(), np.full(settings.n_groups, settings.n_groups))
        self.sequels = rules.sequels.astype(np.int32)
        shares = [1 - settings.look_back, settings.look_back]
        self.sequel_weights = np.outer(shares, rules.sequel_weights).ravel()
        self.catalogue = np.arange(1, settings.n_items + 1, dtype=np.int32)[None]

    def next_taste(self, taste: np.ndarray | None, users: int) -> np.ndarray:
        if taste is None:
            return self.first.spin(self.rng, np.zeros(users, dtype=np.int64))
        return self.moves.spin(self.rng, taste[:users]) % self.rules.settings.n_groups

    def step(self, met: np.ndarray, taste: np.ndarray) -> np.ndarray:
        settings, rng = self.rules.settings, self.rng
        intended = rng.random(len(met)) >= settings.misclick
        follows = np.flatnonzero(intended & (rng.random(len(met)) < settings.follow))
        now = np.zeros(len(met), dtype=np.int32)
        if met.shape[1]:  # nothing follows nothing
            now[follows] = self.sequel(met[follows])
        rest = np.flatnonzero(intended & (now == 0))  # no unseen sequel: the taste has its share
        now[rest] = self.of_taste(met[rest], taste[rest])
        rest = np.flatnonzero(now == 0)  # misclicks, and tastes that are used up
        now[rest] = self.any_unseen(met[rest])
        return now

    def sequel(self, met: np.ndarray) -> np.ndarray:
        before_last = met[:, -2] if met.shape[1] > 1 else np.zeros_like(met[:, -1])
        tables = [self.sequels[met[:, -1]], self.sequels[before_last]]
        candidates = np.concatenate(tables, axis=1)
        weights = np.where(candidates > 0, self.sequel_weights, 0)
        return self.exact(met, lambda rows: (candidates[rows], weights[rows]))

    def of_taste(self, met: np.ndarray, taste: np.ndarray) -> np.ndarray:
        members = self.groups.members.ravel()
        return self.unseen(
            met,
            lambda rows: members[self.popular.spin(self.rng, taste[rows])],
            lambda rows: (self.groups.members[taste[rows]], self.weights[taste[rows]]),
        )

    def any_unseen(self, met: np.ndarray) -> np.ndarray:
        top, even = self.rules.settings.n_items + 1, np.ones(self.catalogue.shape)
        return self.unseen(
            met,
            lambda rows: self.rng.integers(1, top, len(rows), dtype=np.int32),
            lambda rows: (self.catalogue, even),
        )

    def unseen(self, met: np.ndarray, propose, candidates) -> np.ndarray:
        """By rejection from `propose(rows)`, at last by `exact`."""
        found, still = np.zeros(len(met), dtype=np.int32), np.arange(len(met))
        for _ in range(TRIES):
            if not len(still):
                return found
            item = propose(still)
            fits = ~(met[still] == item[:, None]).any(1)
            found[still[fits]] = item[fits]
            still = still[~fits]
        found[still] = self.exact(met[still], lambda rows: candidates(still[rows]))
        return found

    def exact(self, met: np.ndarray, candidates) -> np.ndarray:
        """From `candidates(rows)`, items and weights, (rows or 1, n) each, without the seen."""
        found = np.zeros(len(met), dtype=np.int32)
        if not len(met):
            return found
        width = candidates(np.zeros(1, dtype=np.int64))[0].shape[1] * max(met.shape[1], 1)
        for rows in _slices(len(met), max(1, CELLS_AT_ONCE // width)):
            items, weights = candidates(rows)
            seen = (met[rows, None, :] == items[:, :, None]).any(2)
            weights = weights * ~seen
            some = np.flatnonzero(weights.any(1))
            items = np.broadcast_to(items, weights.shape)
            found[rows[some]] = items[some, draw(self.rng, weights[some])]
        return found


def draw_items(rules: Rules, lengths: np.ndarray, rng, progress: bool = False) -> np.ndarray:
    """Draw the items of users in this world, int32 (sum of lengths,), one user after another.

    rules: `Rules` from wherever; lengths: (users,) whole numbers, longest first, each below
    n_items. The distribution is that of `World.next_item_distribution` at every step.
    """
    process = _Process(rules, rng)
    ends = np.cumsum(lengths)
    drawn = np.zeros(int(ends[-1]), dtype=np.int32)
    bar = long_work(desc="drawing users", unit=" interactions", unit_scale=True,
                    total=len(drawn), progress=progress, leave=True)
    with bar:
        for users in _slices(len(lengths), USERS_AT_ONCE):
            own, taste = lengths[users], None
            items = np.zeros((len(own), own[0]), dtype=np.int32)
            for step in range(own[0]):
                active = int((own > step).sum())  # the longest are the first rows
                taste = process.next_taste(taste, active)
                items[:active, step] = process.step(items[:active, :step], taste)
            made = items[np.arange(own[0]) < own[:, None]]
            end = ends[users[-1]]
            drawn[end - len(made) : end] = made
            bar.update(len(made))
    return drawn


def _slices(total: int, size: int):
    return (np.arange(a, min(a + size, total)) for a in range(0, total, size))
