"""Notebook 07: what an epsilon is, and how one is chosen."""

import numpy as np

from .common import exercise


@exercise([(1.0, np.ones(4), 1), (0.5, np.array([1.0, 3.0]), 100), (0.1, np.arange(1.0, 3), 726)],
          "epsilon")
def check_epsilon_for(share, lengths, n):
    """function(share, lengths, n) -> the epsilon over a batch of n positions."""
    return share * np.mean(lengths) * n**0.5


@exercise([(10.0, 100, 100), (10.0, 900, 9), (3.0, 726, 6), (20.0, 1000, 50)], "epsilon")
def check_literal_epsilon(epsilon, n, length):
    """function(epsilon, n, length) -> the epsilon per sequence that moves a position as far."""
    return epsilon * (length / n) ** 0.5


@exercise([
    ({1.0: 0.05, 3.0: 0.06, 10.0: 0.04}, {1.0: 0.05, 3.0: 0.055, 10.0: 0.07}),
    ({30.0: 0.02, 0.1: 0.03, 5.0: 0.03}, {30.0: 0.01, 0.1: 0.02, 5.0: 0.04}),  # the smaller one
], ("epsilon", "the test score"))
def check_choose(validation, test):
    """function(validation, test) -> (epsilon, its test score), chosen on validation alone."""
    epsilon = max(sorted(validation), key=validation.get)
    return epsilon, test[epsilon]
