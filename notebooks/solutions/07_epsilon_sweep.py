"""Solution to the exercise of 07_epsilon_sweep.ipynb."""


def choose(validation, test):
    best = max(validation.values())
    epsilon = min(e for e, value in validation.items() if value == best)
    return epsilon, test[epsilon]
