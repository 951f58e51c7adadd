"""Solutions to the exercises of 03_cascade_effects.ipynb."""

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


def inverse_weights(effects):
    inverse = [[1 / value for value in row] for row in effects]
    count = sum(len(row) for row in inverse)
    mean = sum(sum(row) for row in inverse) / count
    return [[value / mean for value in row] for row in inverse]
