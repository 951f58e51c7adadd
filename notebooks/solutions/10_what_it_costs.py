"""Solutions to the exercises of 10_what_it_costs.ipynb."""


def epochs_within(budget, ratio, epochs):
    return int(budget / 100 * epochs / ratio)
