"""Two lists of recommendations side by side: what stays, and what makes room for others."""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import shorten

from matplotlib.figure import Figure

from .style import panels, styled

STAYS, GOES = "#0072B2", "0.4"
WIDEST = 46  # characters of a name


@styled
def two_lists(before: Sequence[int], after: Sequence[int], names: Sequence[str],
              heads: tuple[str, str] = ("before", "after"), guess: int | None = None) -> Figure:
    """A list before and after a change; lines join the items that stand in both.

    before, after: items, best first, as many in both. names: of all items. heads: what stands
    above. guess: how many of them a reader thought would stay.
    """
    stay = set(map(int, before)) & set(map(int, after))
    figure, ((axis,),) = panels(1, 1, width=8.5, height=0.24 * len(before))
    axis.set(xlim=(0, 1), ylim=(len(before) + 0.6, -0.5))
    axis.axis("off")
    edges, sides = (0.46, 0.54), ("right", "left")
    for edge, side, head, items in zip(edges, sides, heads, (before, after), strict=True):
        axis.text(edge, -0.2, head, ha=side, va="center", weight="bold")
        for rank, item in enumerate(map(int, items), start=1):
            name = shorten(names[item], WIDEST, placeholder=" …").replace("$", r"\$")
            color, weight = (STAYS, "bold") if item in stay else (GOES, "normal")
            text = f"{name}  {rank}" if side == "right" else f"{rank}  {name}"
            axis.text(edge, rank, text, ha=side, va="center", color=color, weight=weight)
    ranks = [{int(item): rank for rank, item in enumerate(items, 1)} for items in (before, after)]
    for item in stay:
        axis.plot((0.47, 0.53), [of[item] for of in ranks], color=STAYS, linewidth=1.6)
    said = "" if guess is None else f" (your guess: {guess})"
    axis.set_title(f"{len(stay)} of {len(before)} stay{said}")
    return figure
