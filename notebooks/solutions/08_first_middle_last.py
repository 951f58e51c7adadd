"""Solutions to the exercises of 08_first_middle_last.ipynb."""

import numpy as np


def put_in_place(E, item, g, eta, refused):
    apart = np.linalg.norm(E - (E[item] + eta * g / np.linalg.norm(g)), axis=1)
    apart[[0, item, *refused]] = np.inf
    return apart.argmin()


def nearest_ahead(E, item, g, refused):
    apart = np.linalg.norm(E - E[item], axis=1)
    apart[[0, item, *refused]] = np.inf
    ahead = np.where((E - E[item]) @ g > 0, apart, np.inf)
    return ahead.argmin() if np.isfinite(ahead).any() else apart.argmin()


def rank_by_rule(scores, target, before, after, rule):
    left_out = {"original": set(before), "attacked": set(after), "both": {*before, *after}}[rule]
    return 1 + sum(scores[i] > scores[target] for i in range(1, len(scores)) if i not in left_out)
