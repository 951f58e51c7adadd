"""One replacement as a picture and in motion: the step, the nearest item, the new list (5.6).

An item stands at how far it lies along the gradient and how far off that line, in median neighbour
distances from the replaced item. So distances to points of the line are true, and the substitute
is the item that a circle around the goal touches first.
"""

import textwrap
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.animation import FuncAnimation
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from . import style
from .style import styled

ITEM, GOAL, TARGET, GOES = "#0072B2", "#D55E00", "#009E73", "0.4"
WIDEST = 46  # characters of a name in a list
NEIGHBOURS = 40  # of the replaced item, that the window shows
SLIDE, SNAP, SHUFFLE = 6, 4, 8  # frames of the three acts
BELOW = 12  # the rank at which an item enters or leaves the picture of the list
ANGLES = np.linspace(0, np.pi, 90)
STEPS = (0.0, 0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0)  # neighbour distances


@styled
def attack_plane(plane: np.ndarray, step: float, refused: Sequence[int],
                 names: Mapping[int, str]) -> Figure:
    """The items around the replaced one, the step along the gradient, the circle around the goal.

    plane: (items + 1, 2), along the gradient and off it, row 0 padding; the replaced item at 0, 0.
    step: where the goal is, on the first axis. refused: not put in. names: {item: words beside it}.
    """
    figure, ((axis,),) = style.panels(1, 1, width=6.4, height=2.2)
    _draw_items(axis, plane, refused)
    axis.annotate("", (step, 0), (0, 0), arrowprops={"arrowstyle": "->", "color": GOAL, "lw": 2})
    radius, substitute = _nearest_allowed(plane, step, refused)
    axis.plot(step + radius * np.cos(ANGLES), radius * np.sin(ANGLES), color=GOAL)
    axis.set_xlim(right=max(axis.get_xlim()[1], 1.02 * (step + radius)))
    white = {"facecolor": "white", "edgecolor": "none", "pad": 1}  # the circle passes behind
    for row, item in enumerate(sorted(names, key=lambda i: (plane[i][1] > 0, -plane[i][0]))):
        x, y = plane[item]
        color = GOAL if item == substitute else ITEM
        axis.plot([x], [y], "o", color=color)
        axis.annotate(names[item], (x, y), (x + 0.08, y - 0.14 * row if y else 0.12),
                      va="center", fontsize=8, parse_math=False, bbox=white,
                      arrowprops={"arrowstyle": "-", "color": color, "lw": 0.6,
                                  "relpos": (0, 0.5)})
    return figure


@styled
def attack_player(plane: np.ndarray, step: float, refused: Sequence[int], names: Sequence[str],
                  lists: Sequence[Sequence[int]], target: int, ranks: Sequence[float]) -> str:
    """The replacement as an HTML page with a player: slide, snap, new list.

    plane, step, refused: as in `attack_plane`. names: of all items. lists: the best items before
    and after, best first. target: the item that is to fall; ranks: its rank before and after.
    """
    figure = Figure(figsize=(8, 3.1), dpi=80)
    left, right = figure.subplots(1, 2, width_ratios=[1.5, 1])
    figure.subplots_adjust(0.07, 0.14, 0.99, 0.9, wspace=0.12)
    _draw_items(left, plane, refused)
    (circle,), (touched,), (moving,) = (
        left.plot([], [], look, color=color)
        for look, color in (("-", GOAL), ("o", GOAL), ("o", ITEM)))
    right.set(xlim=(0, 1), ylim=(BELOW - 0.5, 0.3), xticks=[], yticks=range(1, len(lists[0]) + 1))
    right.grid(False)
    before, after = map(_ranks, lists)
    texts = {item: right.text(
        0.02, 0, textwrap.shorten(names[item], 34, placeholder=" …"), va="center", fontsize=8,
        parse_math=False, **{"color": TARGET, "weight": "bold"} if item == target else {})
        for item in before | after}

    def draw(frame):
        slide, snap, shuffle = np.clip(
            [frame / SLIDE, (frame - SLIDE) / SNAP, (frame - SLIDE - SNAP) / SHUFFLE], 0, 1)
        goal = np.array([step * slide, 0.0])
        radius, item = _nearest_allowed(plane, goal[0], refused)
        circle.set_data(goal[0] + radius * np.cos(ANGLES), radius * np.sin(ANGLES))
        touched.set_data(*plane[[item]].T)
        moving.set_data(*(goal + snap * (plane[item] - goal))[:, None])
        left.set_title(f"nearest allowed: {names[item]}", parse_math=False)
        right.set_title(f"held out: rank {ranks[int(shuffle == 1)]:g}")
        for item, text in texts.items():
            old, new = (of.get(item, BELOW) for of in (before, after))
            at = old + shuffle * (new - old)
            text.set(y=at, alpha=min(1.0, BELOW - at))

    frames = [0, *range(SLIDE + SNAP + SHUFFLE + 1)]
    return FuncAnimation(figure, draw, frames).to_jshtml(fps=5, default_mode="once")


@styled
def step_curve(curve: pd.DataFrame, step: float | None = None) -> Figure:
    """What the last item costs, and how far its substitute is, against the length of the step.

    curve: columns method, pick ("random": a level line), step, change (of NDCG@10, in percent) and
    distance (in neighbour distances). step: one to mark.
    """
    figure, axes = style.panels(1, 2, width=3.9, height=2.7)
    steps = sorted(curve["step"][curve["pick"] == "gradient"].unique())
    words_of = {"change": "change of NDCG@10 (%)",
                "distance": "distance of the substitute\n(neighbour distances)"}
    for axis, (column, words) in zip(axes[0], words_of.items()):
        for (method, pick), own in curve.groupby(["method", "pick"], sort=False):
            look = style.method_line(method, linestyle="-")
            if pick == "random":
                axis.axhline(own[column].item(), color=look["color"], linestyle=":",
                             label=f"{method}, a random item")
            else:
                axis.plot([steps.index(s) for s in own["step"]], own[column], label=method, **look)
        axis.set_xticks(range(len(steps)), [f"{s:g}" for s in steps], fontsize=7)
        axis.set(xlabel="step (neighbour distances, not to scale);\n0: the nearest item",
                 ylabel=words)
        if step in steps:
            axis.axvline(steps.index(step), color="0.6", linewidth=1, label=f"step {step:g}")
    axes[0, 0].set_ylim(-105, 5)
    axes[0, 1].set_ylim(0)
    return style.key_below(figure, axes[0, 0].get_legend_handles_labels()[0])


@styled
def two_lists(before: Sequence[int], after: Sequence[int], names: Sequence[str],
              heads: tuple[str, str] = ("before", "after"), guess: int | None = None) -> Figure:
    """A list before and after a change, best first; lines join the items that stand in both.

    names: of all items. heads: what stands above. guess: how many a reader thought would stay.
    """
    ranks = [_ranks(before), _ranks(after)]
    stay = ranks[0].keys() & ranks[1].keys()
    figure, ((axis,),) = style.panels(1, 1, width=8.5, height=0.24 * len(before))
    axis.set(xlim=(0, 1), ylim=(len(before) + 0.6, -0.5))
    axis.axis("off")
    edges, sides = (0.46, 0.54), ("right", "left")
    for edge, side, head, items in zip(edges, sides, heads, ranks, strict=True):
        axis.text(edge, -0.2, head, ha=side, va="center", weight="bold", parse_math=False)
        for item, rank in items.items():
            name = textwrap.shorten(names[item], WIDEST, placeholder=" …")
            color, weight = (ITEM, "bold") if item in stay else (GOES, "normal")
            text = f"{name}  {rank}" if side == "right" else f"{rank}  {name}"
            axis.text(edge, rank, text, ha=side, va="center", color=color, weight=weight,
                      parse_math=False)
    for item in stay:
        axis.plot((0.47, 0.53), [of[item] for of in ranks], color=ITEM, linewidth=1.6)
    said = "" if guess is None else f" (your guess: {guess})"
    axis.set_title(f"{len(stay)} of {len(before)} stay{said}")
    return figure


def _draw_items(axis: Axes, plane: np.ndarray, refused: Sequence[int]) -> None:
    away = np.hypot(*plane[1:].T)
    reach = np.sort(away)[:NEIGHBOURS + 1][-1]
    shown = 1 + np.flatnonzero(away < 2 * reach)
    allowed = np.setdiff1d(shown, refused)
    axis.plot(*plane[allowed].T, ".", color="0.65", markersize=4)
    axis.plot(*plane[np.intersect1d(shown, refused)].T, "x", color="0.4", markersize=4)
    axis.axhline(0, color="0.3", linewidth=0.8)
    axis.set(xlim=(-1.3 * reach, 1.3 * reach), ylim=(-0.06, 1.15 * reach), aspect="equal",
             xlabel="along the gradient (neighbour distances)",
             ylabel="off its line\n(neighbour distances)")
    axis.grid(False)


def _nearest_allowed(plane: np.ndarray, at: float, refused: Sequence[int]) -> tuple[float, int]:
    """The distance from a point of the line to the nearest allowed item, and that item."""
    apart = np.hypot(plane[:, 0] - at, plane[:, 1])
    apart[[0, *refused]] = np.inf
    return apart.min(), int(apart.argmin())


def _ranks(items: Sequence[int]) -> dict[int, int]:
    return {int(item): rank for rank, item in enumerate(items, start=1)}
