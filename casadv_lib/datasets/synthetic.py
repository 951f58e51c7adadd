"""The embedded world: sequences from a known process, so that the best possible score is known.

Everything in this world was built in. What a model finds here was planted, it is no discovery:

* interests: a user has one hidden current interest, a group of items. From step to step it stays
  with probability `stay`, else it moves along a fixed graph to one of `n_moves` other groups.
* popularity: an item drawn from an interest follows Zipf's law inside its group, rank ** -`zipf`.
* sequence effects: with probability `follow` the next item is a sequel. Each item has `n_sequels`
  fixed sequels of unequal weight. Most often it is a sequel of the last item, with share
  `look_back` of the item before the last.
* misclicks: with probability `misclick` the item is any unseen item, all equally likely. Interests
  go on as if nothing had happened, but a misclicked item's sequels follow it like any other's.
* lengths: a power law with a chosen mean, drawn independently of the items. So it tells nothing
  about the items that a held-out item is the last.

After the first item, a step is by default a misclick with probability 0.2, a sequel with 0.12 and
from the interest with 0.68. The defaults were chosen by looking at base models alone.

No user meets an item twice: each of the three sources leaves out the seen items and is scaled
back to sum 1. Where all sequels were seen, the interest takes their share; where a group is used
up, all unseen items are equally likely.

A model sees the items but neither interests nor misclicks. Given the items, the hidden interest is
a hidden Markov chain whose emissions depend on the history, so forward filtering gives the exact
p(next item | observed history), and with it the best NDCG@10 and HR@10 that any model can expect.
"""

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from ..data import SequenceDataset, held_out
from ..support.checks import histories as checked_histories
from ..support.checks import instance, number, one_of
from .process import Rules, Watch, WorldSettings, draw, draw_lengths, draw_rules

__all__ = ["World", "WorldSettings", "make_world"]


@dataclass(eq=False)
class World:
    """A drawn world: its rules, its users' sequences, and what is hidden in them."""

    settings: WorldSettings
    seed: int
    rules: Rules = field(repr=False)
    # One array per user, aligned: the items (int64, oldest first), the hidden interest at each
    # interaction (int64), and whether it was a misclick (bool).
    sequences: list = field(default_factory=list, repr=False)
    interests: list = field(default_factory=list, repr=False)
    misclicks: list = field(default_factory=list, repr=False)
    _optimum: dict = field(default_factory=dict, repr=False)

    @cached_property
    def dataset(self):
        """The sequences as a `SequenceDataset` named "synthetic"; its `.world` is this world."""
        groups_and_ranks = zip(self.rules.group_of[1:] + 1, self.rules.rank[1:])
        return SequenceDataset(
            name="synthetic",
            sequences=self.sequences,
            n_items=self.settings.n_items,
            item_ids=[""] + [str(item) for item in range(1, self.settings.n_items + 1)],
            item_names=[""] + [f"group {group}, item {rank}" for group, rank in groups_and_ranks],
            user_ids=[str(user) for user in range(1, len(self.sequences) + 1)],
            notes=[f"made by casadv_lib.synthetic with seed {self.seed}; its effects are planted"],
            world=self,
        )

    def next_item_distribution(self, histories) -> np.ndarray:
        """The exact p(next item | observed history), float64 (len(histories), n_items + 1).

        histories: list of int arrays, oldest first, values 1..n_items, no item twice, possibly
        empty, shorter than n_items. Rows sum to 1; padding and seen items have probability 0.
        Raises ValueError for a history that cannot happen in this world.
        """
        watch, belief = self._filter(histories)
        misclick, follow, interest = watch.shares(len(belief))
        return watch.mixture(misclick, follow, interest[:, None] * belief)

    def optimum(self, split: str = "test") -> dict:
        """The best score on a split ("test" or "validation") that any model can expect.

        NDCG@10 and HR@10 are linear in p(next item), and the discounts fall with the rank, so
        ranking by the true probability is best. "ndcg@10" and "hr@10" are its expectation over
        what could have been drawn, averaged over users; "realised ndcg@10" and "realised hr@10"
        are its score on the held-out items that were drawn. They differ by sampling noise.
        """
        one_of("split", split, ("test", "validation"))
        if split not in self._optimum:
            histories, targets = held_out(self.dataset, split)
            chance = self.next_item_distribution(histories)
            best = -np.sort(-chance, axis=1)[:, :10]
            discount = 1 / np.log2(np.arange(best.shape[1]) + 2)
            own = chance[np.arange(len(targets)), targets][:, None]
            ranks = 0.5 + (chance > own).sum(1) + (chance == own).sum(1) / 2
            hit = ranks <= 10
            self._optimum[split] = {
                "ndcg@10": float((best @ discount).mean()),
                "hr@10": float(best.sum(1).mean()),
                "realised ndcg@10": float((hit / np.log2(ranks + 1)).mean()),
                "realised hr@10": float(hit.mean()),
            }
        return dict(self._optimum[split])

    def _filter(self, histories):
        """Forward filtering: (what was seen, belief about the next interest), in given order."""
        items, lengths = _padded(histories, self.settings.n_items)
        order = np.argsort(-lengths, kind="stable")  # the users still active are the first rows
        watch = Watch(self.rules, len(lengths))
        belief = np.tile(self.rules.first_interest, (len(lengths), 1))
        for step in range(items.shape[1]):
            active = int((lengths > step).sum())
            now = items[order[:active], step]
            joint = belief[:active] * watch.emissions(now)
            likelihood = joint.sum(1, keepdims=True)
            if not (likelihood > 0).all():
                user = order[int(np.argmin(likelihood > 0))]
                raise ValueError(
                    f"histories[{user}] is {list(items[user, : lengths[user]])}; allowed is what "
                    f"can happen in this world, and item {items[user, step]} cannot come then"
                )
            belief[:active] = (joint / likelihood) @ self.rules.moves
            watch.add(now)
        back = np.argsort(order)
        return watch.reordered(back), belief[back]


def make_world(settings: WorldSettings = WorldSettings(), seed: int = 0) -> World:  # noqa: B008
    """Draw the rules of a world and its users' sequences; the same seed gives the same world.

    settings: a `WorldSettings`; seed: whole number of at least 0. Raises ValueError otherwise.
    """
    instance("settings", settings, WorldSettings)
    rng = np.random.default_rng(number("seed", seed, 0, kind=int))
    rules, lengths = draw_rules(settings, rng), draw_lengths(settings, rng)
    watch = Watch(rules, settings.n_users)
    shape = (settings.n_users, lengths[0])
    items, interests = np.zeros(shape, dtype=np.int64), np.zeros(shape, dtype=np.int64)
    misclicks = np.zeros(shape, dtype=bool)
    interest = draw(rng, np.tile(rules.first_interest, (settings.n_users, 1)))
    for step in range(lengths[0]):
        active = int((lengths > step).sum())  # the longest sequences are the first rows
        if step > 0:
            interest = draw(rng, rules.moves[interest[:active]])
        source = draw(rng, np.stack(watch.shares(active), axis=1))
        one_interest = (source == 2)[:, None] * np.eye(settings.n_groups)[interest]
        now = draw(rng, watch.mixture(1.0 * (source == 0), 1.0 * (source == 1), one_interest))
        watch.add(now)
        items[:active, step], interests[:active, step] = now, interest
        misclicks[:active, step] = source == 0
    order = rng.permutation(settings.n_users)
    return World(settings, int(seed), rules, *(
        [table[row, : lengths[row]].copy() for row in order]
        for table in (items, interests, misclicks)))


def _padded(histories, n_items: int) -> tuple[np.ndarray, np.ndarray]:
    """Check histories; return them as int64 (users, longest), padded with 0, and their lengths."""
    histories = checked_histories("histories", histories)
    lengths = np.array([len(history) for history in histories], dtype=np.int64)
    if lengths.max(initial=0) >= n_items:
        raise ValueError(f"histories has a length of {lengths.max()}; allowed is below {n_items}")
    items = np.zeros((len(lengths), lengths.max(initial=0)), dtype=np.int64)
    for row, history in enumerate(histories):
        items[row, : lengths[row]] = history
    if items.max(initial=0) > n_items:
        raise ValueError(f"histories has item {items.max()}; allowed are 1 to {n_items}")
    return items, lengths
