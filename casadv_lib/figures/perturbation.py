"""One user's perturbations for an epsilon that can change: sizes, arrows, and how far w goes."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ..support.checks import number
from .animated import with_changing_part
from .sketches import history_path, perturbation_keys, perturbations
from .style import key_below, method_line, panels, styled

LOOK = {"generic": "adv_global", "guided": "adv_cas"}
TITLES = {"generic": "generic", "guided": "cascade-guided: scaled by 1/C"}


@styled
def epsilon_figure(points, arrows: Mapping, sizes: Mapping, effects, epsilons, distances: Mapping,
                   epsilon: float, reached: Mapping) -> Figure:
    """Figure 1 for one epsilon, and ||w_moved - w|| against epsilon with this one marked.

    points: (n, 2), the newest embeddings in a plane, oldest first. arrows, sizes: {"generic",
    "guided"}: (n, 2) and (n,), the perturbations in that plane and their full lengths for
    epsilon = 1. effects: (n,), C. epsilons, distances: the curve, (m,) and {kind: (m,)}, from 0 on.
    epsilon, reached: the part that changes (see `animated`): from 0 to the largest of epsilons,
    and {kind: distance} there.
    """
    points, most = np.asarray(points), float(np.max(epsilons))
    figure, axes = panels(1, 3, width=3.6, height=3.2)
    # large epsilons may leave the panel, so that small ones can still be seen
    reach = min(most * max(float(np.max(size)) for size in sizes.values()),
                0.5 * max(float(np.ptp(points, axis=0).max()), 1e-9))
    for axis, kind in zip(axes[0], LOOK):
        history_path(axis, points, reach)
        axis.set_title(TITLES[kind])
    axes[0, 0].set_ylabel("second direction")
    curve = axes[0, 2]
    for kind, method in LOOK.items():
        curve.plot(epsilons, distances[kind], label=kind, **method_line(method, marker=""))
    tallest = max(float(np.max(values)) for values in distances.values()) or 1.0
    curve.set(xlabel="epsilon over the batch", ylabel="‖ŵ - w‖ at the newest item",
              xlim=(0, most), ylim=(0, 1.1 * tallest), title="how far the user vector moves")

    def draw(epsilon, reached):
        number("epsilon", epsilon, 0, most)
        drawn = [curve.axvline(epsilon, color="0.4", linewidth=0.8)]
        for axis, (kind, method) in zip(axes[0], LOOK.items()):
            drawn += perturbations(axis, points, epsilon * np.asarray(arrows[kind]),
                                   epsilon * np.asarray(sizes[kind]), method, effects)
            drawn += curve.plot([epsilon], [reached[kind]], **method_line(method, linestyle=""))
        return drawn

    key_below(figure, [*(Line2D([], [], label=kind, **method_line(method, marker=""))
                         for kind, method in LOOK.items()), *perturbation_keys()], columns=5)
    return with_changing_part(figure, draw, epsilon, reached)
