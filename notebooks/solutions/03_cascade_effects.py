"""Solution to the exercise of 03_cascade_effects.ipynb."""

from collections import Counter


def cross_term(histories, batch_size):
    everyone, own = Counter(), []
    for history in histories:
        mine = Counter()
        for back, item in enumerate(reversed(history), start=1):
            mine[item] += back
        everyone.update(mine)
        own.append(mine)
    share = batch_size / len(histories)
    return [
        [share * (everyone[item] - mine[item]) for item in history]
        for history, mine in zip(histories, own)
    ]
