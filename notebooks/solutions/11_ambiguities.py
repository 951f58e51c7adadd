"""Solutions to the exercises of 11_ambiguities.ipynb."""


def weights_of(effects, mean):
    if mean == "inverse":
        inverse = 1 / effects
        return inverse / inverse.mean()
    return 1 / (effects / effects.mean())


def level_of_each(level, comparisons):
    return 1 - (1 - level) / comparisons
