"""Pictures of cascade effects: a heat map over a few users, and the two terms of Eq. 11 stacked.

They take the terms, not the histories, so that a picture shows any reading of the equation.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import seaborn
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullLocator, StrMethodFormatter

from ..support.checks import number
from .animated import with_changing_part
from .style import key_below, panels, styled

OWN, OTHERS = "#009E73", "#E69F00"  # the colours of Figure 2's boxes


@styled
def effect_map(effects: Sequence[np.ndarray], items: Sequence[np.ndarray],
               labels: Sequence[str] | None = None, steps: int = 10) -> Figure:
    """C as colours (log scale): a row a user, the newest item at the right.

    effects: list of float arrays above 0, oldest step first. items: int arrays of the same
        lengths; a cell shows the item and its C. labels: one a user.
    steps: only the newest `steps` interactions are drawn.
    Raises ValueError where lengths differ or an effect is not positive.
    """
    number("steps", steps, low=1, kind=int)
    _checked(effects, items)
    width = min(steps, max(len(row) for row in effects))
    grid = np.full((len(effects), width), np.nan)
    words = np.full(grid.shape, "", dtype=object)
    for line, (row, own) in enumerate(zip(effects, items, strict=True)):
        newest = slice(max(0, width - len(row)), None)
        grid[line, newest] = row[-width:]
        words[line, newest] = [f"item {item}\n{C:.1f}"
                               for item, C in zip(own[-width:], row[-width:], strict=True)]
    if not np.nanmin(grid) > 0:
        raise ValueError(f"effects holds {np.nanmin(grid):g}; allowed are values above 0")
    figure, ((axis,),) = panels(1, 1, width=max(5.5, 0.72 * width + 1.6),
                                height=0.42 * len(effects) + 0.3)
    scale = LogNorm(np.nanmin(grid), max(np.nanmax(grid), 1.01 * np.nanmin(grid)))
    ticks = [f"T-{back}" for back in range(width - 1, 0, -1)] + ["T"]
    seaborn.heatmap(grid, norm=scale, cmap="viridis", annot=words, fmt="", ax=axis,
                    annot_kws={"fontsize": 7, "linespacing": 1.1}, xticklabels=ticks,
                    yticklabels=labels or list(range(1, len(effects) + 1)),
                    cbar_kws={"label": "cascade effect C (log scale)", "pad": 0.02,
                              "ticks": LogLocator(subs=(1, 2, 5))})
    axis.grid(False)
    bar = axis.collections[0].colorbar.ax.yaxis
    bar.set_major_formatter(StrMethodFormatter("{x:g}"))
    bar.set_minor_locator(NullLocator())
    axis.set(xlabel="step t (newest item: t = T)", ylabel="user")
    axis.tick_params(axis="y", rotation=0)
    return figure


@styled
def stacked_terms(own: Sequence[np.ndarray], cross: Sequence[np.ndarray],
                  items: Sequence[np.ndarray], labels: Sequence[str]) -> Figure:
    """The two terms of C as stacked bars, a panel a user, one bar an interaction.

    own: list of arrays, 1 + T - t. cross: the sums over other users with the factor b/m, of the
        same lengths. items: int arrays, written below the bars. labels: one title a user.
    Raises ValueError where lengths differ.
    """
    _checked(own, cross)
    figure, axes = panels(1, len(own), width=3.2, height=2.4, sharey=True)
    for axis, label, *terms in zip(axes[0], labels, own, cross, items):
        _bars(axis, *terms)
        axis.set_title(label)
    axes[0, 0].set_ylabel("cascade effect C")
    key_below(figure, axes[0, 0].get_legend_handles_labels()[0])
    return figure


@styled
def user_terms(own: np.ndarray, cross: np.ndarray, items: np.ndarray, mark: int, most: float
               ) -> Figure:
    """One panel of `stacked_terms` with a marked interaction.

    mark: the interaction, from 0 for the oldest. most: the upper end of the axis. cross and mark
    are the part that changes (see `animated`), with the batch size.
    """
    _checked([own], [cross])
    figure, ((axis,),) = panels(1, 1, width=7.2, height=2.2)
    axis.set(ylabel="cascade effect C", xlim=(-0.6, len(own) - 0.4), ylim=(0, 1.15 * most))

    def draw(cross, mark):
        number("mark", mark, 0, len(own) - 1, kind=int)
        C = own[mark] + cross[mark]
        frame = axis.bar([mark], [C], width=0.95, fill=False, edgecolor="0.1", linewidth=1.8)
        title = axis.set_title(f"marked: item {items[mark]}, C = {own[mark]:g} + {cross[mark]:.4g} "
                               f"= {C:.4g}")
        return [*_bars(axis, own, cross, items), *frame, title]

    with_changing_part(figure, draw, cross, mark)
    key_below(figure, axis.get_legend_handles_labels()[0])
    return figure


def _checked(own: Sequence[np.ndarray], cross: Sequence[np.ndarray]) -> None:
    sizes = [[len(row) for row in term] for term in (own, cross)]
    if not sizes[0] or sizes[0] != sizes[1] or min(sizes[0]) == 0:
        raise ValueError(f"own and cross have the lengths {sizes[0]} and {sizes[1]}; allowed are "
                         "equal lengths of at least 1, of at least one user")


def _bars(axis, own: np.ndarray, cross: np.ndarray, items: np.ndarray) -> list:
    steps = np.arange(len(own))
    axis.set_xlabel("item at each step, oldest first")
    axis.set_xticks(steps, [str(item) for item in items], rotation=60, fontsize=7)
    return [*axis.bar(steps, own, color=OWN, label="own history, 1 + T - t"),
            *axis.bar(steps, cross, bottom=own, color=OTHERS, hatch="//", edgecolor="white",
                      linewidth=0.5, label="other histories, with b/m")]
