"""Solutions to the exercises of 10_what_it_costs.ipynb."""


def added_time(ratio, adv_epochs, epochs):
    return 100 * ratio * adv_epochs / epochs
