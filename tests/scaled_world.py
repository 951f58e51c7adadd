"""The embedded world's process at any size: a million users, a hundred thousand items.

`make_world` follows the process with tables: what each user has seen of each item, and the chance
of every item for every user. Here the same process is drawn by *rejection*: draw as if nothing had
been seen, look the item up in the user's own history, and draw again if it is there. An item that
gets through has the distribution without the seen items, scaled back to sum 1, which is what the
process asks for. It comes to an end where no user can use up a group of items.

Time is O(users x length^2), memory O(interactions + items + n_groups^2). There is no way back to
the true distribution: the data has no `.world`.
"""

import numpy as np

from casadv_lib import SequenceDataset
from casadv_lib.datasets.process import WorldSettings, draw, draw_rules, length_law

USERS_AT_ONCE = 1 << 15  # so that what is drawn together stays small


def make_scaled(settings: WorldSettings, seed: int = 0) -> SequenceDataset:
    """Draw a world and its users' sequences by rejection; the same seed gives the same data."""
    smallest = settings.n_items // settings.n_groups
    if smallest <= settings.max_length:
        raise ValueError(f"the smallest group has {smallest} items; allowed are more than "
                         f"max_length, {settings.max_length}")
    rng = np.random.default_rng(seed)
    rules = draw_rules(settings, rng, sequels_by_rejection)
    values, weights = length_law(settings)
    lengths = -np.sort(-rng.choice(values, settings.n_users, p=weights / weights.sum()))
    items = draw_items(rules, lengths, rng).astype(np.int64)
    pieces = np.split(items, np.cumsum(lengths)[:-1])
    ids = ["", *map(str, range(1, settings.n_items + 1))]
    return SequenceDataset(
        "synthetic-scaled", [pieces[user] for user in rng.permutation(settings.n_users)],
        settings.n_items, ids, ids, [str(user) for user in range(1, settings.n_users + 1)])


class Wheels:
    """Discrete distributions side by side; each is drawn from by bisection, O(log entries).

    weights: (entries,) of at least 0, wheel after wheel, `size` entries each, one of them above
    0. `spin(rng, wheel)`: one entry for each element of `wheel`, as its index in `weights`. Wheel
    i lies on the numbers from i to i + 1 of one line.
    """

    def __init__(self, weights: np.ndarray, size: int):
        ends = np.cumsum(weights.reshape(-1, size), axis=1)
        self.edges = (np.arange(len(ends))[:, None] + ends / ends[:, -1:]).ravel()

    def spin(self, rng, wheel: np.ndarray) -> np.ndarray:
        point = np.minimum(wheel + rng.random(len(wheel)), np.nextafter(wheel + 1.0, 0))
        # edges end where an entry ends, so one of weight 0 is nowhere the first above the point
        return np.searchsorted(self.edges, point, side="right")


def members_of(group_of: np.ndarray, n_groups: int) -> tuple[np.ndarray, np.ndarray]:
    """(n_groups, largest size) int32 items of each group, padded with 0, and the sizes."""
    sizes = np.bincount(group_of[1:], minlength=n_groups)
    members = np.zeros((n_groups, sizes.max()), dtype=np.int32)
    by_group = np.argsort(group_of[1:], kind="stable") + 1
    members[np.arange(sizes.max()) < sizes[:, None]] = by_group
    return members, sizes


def sequels_by_rejection(group_of: np.ndarray, near: np.ndarray, n_sequels: int, rng):
    """As `process.near_sequels`, without its table of items x items.

    A group is drawn in proportion to near x size, then one of its items; the item itself and
    those drawn before are rejected.
    """
    members, sizes = members_of(group_of, len(near))
    wheels = Wheels((near * sizes).ravel(), len(near))
    sequels = np.zeros((len(group_of), n_sequels), dtype=np.int64)
    for column in range(n_sequels):
        still = np.arange(1, len(group_of))
        while len(still):
            group = wheels.spin(rng, group_of[still]) % len(near)
            item = members[group, rng.integers(0, sizes[group])]
            taken = (item == still) | (sequels[still, :column] == item[:, None]).any(1)
            sequels[still[~taken], column] = item[~taken]
            still = still[taken]
    return sequels


def draw_items(rules, lengths: np.ndarray, rng) -> np.ndarray:
    """Draw the items of users in this world, int32 (sum of lengths,), one user after another.

    lengths: (users,), longest first, each below the smallest group's size. The distribution is
    that of `World.next_item_distribution` at every step.
    """
    settings, n_groups = rules.settings, rules.settings.n_groups
    members, _ = members_of(rules.group_of, n_groups)
    popular = Wheels(rules.popularity[members].ravel(), members.shape[1])  # padding has 0
    moves = Wheels(rules.moves.ravel(), n_groups)
    drawn = []
    for start in range(0, len(lengths), USERS_AT_ONCE):
        own = lengths[start : start + USERS_AT_ONCE]
        items = np.zeros((len(own), own[0]), dtype=np.int32)
        interest = rng.integers(0, n_groups, len(own))
        for step in range(own[0]):
            active = int((own > step).sum())  # the longest are the first rows
            met, now = items[:active, :step], np.zeros(active, dtype=np.int32)
            if step > 0:
                interest = moves.spin(rng, interest[:active]) % n_groups
            misclick = rng.random(active) < settings.misclick
            if step > 0:  # nothing follows nothing
                rows = np.flatnonzero(~misclick & (rng.random(active) < settings.follow))
                now[rows] = unseen_sequel(rules, met[rows], rng)
            still = np.flatnonzero(now == 0)
            while len(still):
                anything = rng.integers(1, settings.n_items + 1, len(still))
                item = members.ravel()[popular.spin(rng, interest[still])]
                item = np.where(misclick[still], anything, item)
                fits = ~(met[still] == item[:, None]).any(1)
                now[still[fits]] = item[fits]
                still = still[~fits]
            items[:active, step] = now
        drawn.append(items[np.arange(own[0]) < own[:, None]])
    return np.concatenate(drawn)


def unseen_sequel(rules, met: np.ndarray, rng) -> np.ndarray:
    """One unseen sequel of each user's last two items, int32 (users,); 0 where there is none."""
    before_last = met[:, -2] if met.shape[1] > 1 else np.zeros_like(met[:, -1])
    candidates = np.concatenate([rules.sequels[met[:, -1]], rules.sequels[before_last]], axis=1)
    look_back = rules.settings.look_back
    weights = np.outer([1 - look_back, look_back], rules.sequel_weights).ravel()
    seen = (met[:, None, :] == candidates[:, :, None]).any(2)
    weights = weights * ~(seen | (candidates == 0))
    sequel, some = np.zeros(len(met), dtype=np.int32), np.flatnonzero(weights.any(1))
    sequel[some] = candidates[some, draw(rng, weights[some])]
    return sequel
