"""One user's perturbations for an epsilon that can move: sizes, arrows, and how far w goes."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ..support.checks import number
from .moving import moves
from .sketches import history_path, perturbations
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
    epsilon, reached: the part that can move (see `moving`): from 0 to the largest of epsilons, and
    {kind: distance} there.
    """
    points, most = np.asarray(points), float(np.max(epsilons))
    figure, axes = panels(1, 3, width=3.6, height=3.2)
    low, high = points.min(axis=0), points.max(axis=0)
    extent = max(float((high - low).max()), 1e-9)
    # large epsilons may leave the panel, so that small ones can still be seen
    margin = min(most * max(float(np.max(size)) for size in sizes.values()), 0.5 * extent)
    margin += 0.16 * extent
    middle, half = (low + high) / 2, extent / 2 + margin
    for axis, kind in zip(axes[0], LOOK):
        axis.set(title=TITLES[kind], aspect="equal", xlabel="first direction (embedding units)",
                 xlim=(middle[0] - half, middle[0] + half),
                 ylim=(middle[1] - half, middle[1] + half))
        history_path(axis, points)
    axes[0, 0].set_ylabel("second direction")
    curve = axes[0, 2]
    for kind, method in LOOK.items():
        curve.plot(epsilons, distances[kind], label=kind, **method_line(method, marker=""))
    tallest = max(float(np.max(values)) for values in distances.values()) or 1.0
    curve.set(xlabel="epsilon over the batch", ylabel="‖ŵ - w‖ at the newest item",
              xlim=(0, most), ylim=(0, 1.1 * tallest), title="how far the user vector moves")

    def draw(epsilon, reached):
        number("epsilon", epsilon, 0, most)
        found = []
        for axis, (kind, method) in zip(axes[0], LOOK.items()):
            found += perturbations(axis, points, epsilon * np.asarray(arrows[kind]),
                                   epsilon * np.asarray(sizes[kind]), method, effects)
            found += curve.plot([epsilon], [reached[kind]], **method_line(method, linestyle=""))
        found.append(curve.axvline(epsilon, color="0.4", linewidth=0.8))
        return found

    moved = {"color": "0.2", "linestyle": ""}
    key_below(figure, [
        *(Line2D([], [], label=kind, **method_line(method, marker=""))
          for kind, method in LOOK.items()),
        Line2D([], [], color="0.7", label="the history, 1 = oldest shown"),
        Line2D([], [], marker="o", markersize=11, markerfacecolor="0.9", label="size of the move",
               **moved),
    ])
    return moves(figure, draw, epsilon, reached)
