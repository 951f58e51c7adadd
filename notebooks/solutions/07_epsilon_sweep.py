"""Solutions to the exercises of 07_epsilon_sweep.ipynb."""

import numpy as np


def epsilon_for(share, lengths, n):
    return share * np.mean(lengths) * np.sqrt(n)


def literal_epsilon(epsilon, n, length):
    one_position = epsilon / np.sqrt(n)
    return one_position * np.sqrt(length)


def choose(validation, test):
    best = max(validation.values())
    epsilon = min(e for e, value in validation.items() if value == best)
    return epsilon, test[epsilon]
