"""Notebook 11: two readings of the cascade weights, and many intervals at once."""

import numpy as np

from ..cascade import cascade_weights
from .common import exercise


@exercise([(np.array([1.0, 2.0, 4.0]), "inverse"), (np.array([1.0, 2.0, 4.0]), "cascade"),
           (np.array([3.0, 3.0]), "cascade"), (np.arange(1.0, 9.0), "inverse")])
def check_weights(effects, mean):
    """function(effects, mean) -> weights 1/C with mean "inverse" or "cascade", flat arrays."""
    return cascade_weights([effects], mean=mean)[0]


@exercise([(0.95, 1), (0.95, 10), (0.9, 4), (0.99, 22)], "the level")
def check_level(level, comparisons):
    """function(level, comparisons) -> level of each interval, so that all hold with `level`."""
    return 1 - (1 - level) / comparisons
