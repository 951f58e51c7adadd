"""Notebook 08: another reading of the attack, and what a list may hold after it."""

import numpy as np

from ..attacks import excluded
from .common import exercise

RNG = np.random.default_rng(0)
LINE = np.array([[2.1], [0.0], [1.0], [2.0], [3.0], [4.5]])  # item i stands at i - 1; row 0 pads
SCORES = np.array([9.0, 7.0, 8.0, 5.0, 4.0, 6.0, 7.0])


@exercise([
    (LINE, 3, np.array([5.0]), []),  # the nearest but padding lies at 3, ahead; 1 lies behind
    (LINE, 3, np.array([-0.5]), [2]),
    (LINE, 5, np.array([1.0]), [4]),  # nothing lies ahead
    *((RNG.normal(size=(30, 4)), item, RNG.normal(size=4), [4, 9]) for item in range(5, 8)),
], "the substitute")
def check_nearest_ahead(E, item, g, refused):
    """function(E, item, g, refused) -> the allowed item nearest to e with (e' - e) . g > 0."""
    apart = np.linalg.norm(E - E[item], axis=1)
    apart[[0, item, *refused]] = np.inf
    ahead = np.where((E - E[item]) @ g > 0, apart, np.inf)
    return (ahead if np.isfinite(ahead).any() else apart).argmin()


@exercise([(SCORES, 3, [1, 4], [2, 6], rule) for rule in ("original", "attacked", "both")],
          "the rank")
def check_rank_by_rule(scores, target, before, after, rule):
    """function(scores, target, before, after, rule) -> rank among all that the rule leaves in."""
    [left_out] = excluded([before], [after], rule)
    rivals = np.delete(scores, [0, *left_out])
    return 1 + (rivals > scores[target]).sum()
