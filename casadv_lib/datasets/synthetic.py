"""The embedded world: sequences from a known process, so that the best possible score is known.

Everything in this world was built in. What a model finds here was planted, it is no discovery:

* tastes: a user has one hidden current taste, a group of items. From step to step the taste stays
  with probability `stay`, else it moves along a fixed graph to one of `n_moves` other groups.
* popularity: an item drawn from a taste follows Zipf's law inside its group, rank ** -`zipf`.
* sequence effects: with probability `follow` the next item is a sequel. Each item has `n_sequels`
  fixed sequels of unequal weight. Most often it is a sequel of the last item, with share
  `look_back` of the item before the last.
* misclicks: with probability `misclick` the item is any unseen item, all equally likely. Tastes go
  on as if nothing had happened, but the sequels of a misclicked item follow it like any other's.
* lengths: a power law with a chosen mean, drawn independently of the items. So it tells nothing
  about the items that a held-out item is the last.

The sizes are the defaults of `WorldSettings`: after the first item, a step is a misclick with
probability 0.2, a sequel with 0.12 and from the taste with 0.68; a taste stays with 0.7; 10 groups
of 50 items, 4 sequels an item. They were chosen by looking at base models alone.

No user meets an item twice: each of the three sources leaves out the seen items and is scaled
back to sum 1. Where all sequels were seen, the taste takes the sequels' share; where a group is
used up, all unseen items are equally likely.

A model sees the items but neither tastes nor misclicks. Given the items, the hidden taste is a
hidden Markov chain whose emissions depend on the history, so forward filtering gives the exact
p(next item | observed history), and with it the best NDCG@10 and HR@10 that any model can expect.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from ..support.checks import number, one_of
from .synthetic_process import Rules, Watch, WorldSettings, draw, draw_lengths, draw_rules

__all__ = ["World", "WorldSettings", "make_world"]


@dataclass(eq=False)
class World:
    """A drawn world: its rules, its users' sequences, and what is hidden in them."""

    settings: WorldSettings
    seed: int
    rules: Rules = field(repr=False)
    # One array per user, aligned: the items (int64, oldest first), the hidden taste at each
    # interaction (int64), and whether it was a misclick (bool).
    sequences: list = field(default_factory=list, repr=False)
    tastes: list = field(default_factory=list, repr=False)
    misclicks: list = field(default_factory=list, repr=False)
    _optimum: dict = field(default_factory=dict, repr=False)

    @cached_property
    def dataset(self):
        """The sequences as a `SequenceDataset` named "synthetic"; its `.world` is this world."""
        from ..data import SequenceDataset

        places = zip(self.rules.group_of[1:] + 1, self.rules.rank[1:], strict=True)
        return SequenceDataset(
            name="synthetic",
            sequences=self.sequences,
            n_items=self.settings.n_items,
            item_ids=[""] + [str(item) for item in range(1, self.settings.n_items + 1)],
            item_names=[""] + [f"group {group}, item {rank}" for group, rank in places],
            user_ids=[str(user) for user in range(1, len(self.sequences) + 1)],
            notes=[f"made by casadv_lib.synthetic with seed {self.seed}; its effects are planted"],
            world=self,
        )

    def taste_beliefs(self, histories) -> np.ndarray:
        """p(taste at the next step | observed history), float64 (len(histories), n_groups)."""
        return self._filter(histories)[1]

    def next_item_distribution(self, histories) -> np.ndarray:
        """The exact p(next item | observed history), float64 (len(histories), n_items + 1).

        histories: list of int arrays, oldest first, values 1..n_items, no item twice, possibly
        empty, shorter than n_items. Rows sum to 1; padding and seen items have probability 0.
        Raises ValueError for a history that cannot happen in this world.
        """
        watch, belief = self._filter(histories)
        misclick, follow, taste = watch.shares(len(belief))
        return watch.mixture(misclick, follow, taste[:, None] * belief)

    def optimum(self, split: str = "test") -> dict:
        """The best score on a split ("test" or "validation") that any model can expect.

        NDCG@10 and HR@10 are linear in p(next item), and the discounts fall with the rank, so
        ranking by the true probability is best. "ndcg@10" and "hr@10" are its expectation over
        what could have been drawn, averaged over users; "realised ndcg@10" and "realised hr@10"
        are its score on the held-out items that were drawn. They differ by sampling noise.
        """
        from ..data import held_out

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
        """Forward filtering: (what was seen, belief about the next taste), in the given order."""
        items, lengths = _padded(histories, self.settings.n_items)
        order = np.argsort(-lengths, kind="stable")  # the users still active are the first rows
        watch = Watch(self.rules, len(lengths))
        belief = np.tile(self.rules.first_taste, (len(lengths), 1))
        for step in range(items.shape[1]):
            active = int((lengths > step).sum())
            now = items[order[:active], step]
            joint = belief[:active] * watch.emissions(now)
            evidence = joint.sum(1, keepdims=True)
            if not (evidence > 0).all():
                user = order[int(np.argmin(evidence > 0))]
                raise ValueError(
                    f"histories[{user}] is {list(items[user, : lengths[user]])}; allowed is what "
                    f"can happen in this world, and item {items[user, step]} cannot come then"
                )
            belief[:active] = (joint / evidence) @ self.rules.moves
            watch.add(now)
        back = np.argsort(order)
        return watch.reordered(back), belief[back]


def make_world(settings: WorldSettings = WorldSettings(), seed: int = 0) -> World:  # noqa: B008
    """Draw the rules of a world and its users' sequences; the same seed gives the same world.

    settings: a `WorldSettings`; seed: whole number of at least 0. Raises ValueError otherwise.
    """
    if not isinstance(settings, WorldSettings):
        raise ValueError(f"settings is {settings!r}; allowed is a WorldSettings")
    rng = np.random.default_rng(number("seed", seed, 0, kind=int))
    world = World(settings, int(seed), draw_rules(settings, rng))
    lengths = draw_lengths(settings, rng)
    watch = Watch(world.rules, settings.n_users)
    shape = (settings.n_users, lengths[0])
    items, tastes = np.zeros(shape, dtype=np.int64), np.zeros(shape, dtype=np.int64)
    misclicks = np.zeros(shape, dtype=bool)
    taste = draw(rng, np.tile(world.rules.first_taste, (settings.n_users, 1)))
    for step in range(lengths[0]):
        active = int((lengths > step).sum())  # the longest sequences are the first rows
        taste = taste[:active] if step == 0 else draw(rng, world.rules.moves[taste[:active]])
        source = draw(rng, np.stack(watch.shares(active), axis=1))
        one_taste = (source == 2)[:, None] * np.eye(settings.n_groups)[taste]
        now = draw(rng, watch.mixture(1.0 * (source == 0), 1.0 * (source == 1), one_taste))
        watch.add(now)
        items[:active, step], tastes[:active, step] = now, taste
        misclicks[:active, step] = source == 0
    for row in rng.permutation(settings.n_users):
        world.sequences.append(items[row, : lengths[row]].copy())
        world.tastes.append(tastes[row, : lengths[row]].copy())
        world.misclicks.append(misclicks[row, : lengths[row]].copy())
    return world


def _padded(histories, n_items: int):
    """Check histories; return them as int64 (users, longest), padded with 0, and their lengths."""
    lengths = np.array([len(history) for history in histories], dtype=np.int64)
    if len(lengths) and lengths.max() >= n_items:
        raise ValueError(f"histories has a length of {lengths.max()}; allowed is below {n_items}")
    items = np.zeros((len(lengths), lengths.max(initial=0)), dtype=np.int64)
    for row, history in enumerate(histories):
        items[row, : lengths[row]] = history
    real = np.arange(items.shape[1]) < lengths[:, None]
    bad = items[real & ((items < 1) | (items > n_items))]
    if len(bad):
        raise ValueError(f"histories contains item {bad[0]}; allowed are 1 to {n_items}")
    return items, lengths
