"""Figures 1 and 2: the two ideas of the method, drawn from small arrays rather than results.

Figure 1 shows what cascade-guided perturbations look like, Figure 2 what a cascade effect counts.
"""

from __future__ import annotations

import numpy as np
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Circle, Patch

from ..cascade import cascade_effects
from ..support.checks import number
from .animated import with_changing_part
from .style import PAPER_GREY, STYLES, key_below, panels, styled

# Five users, b = m. Item 2 of the first user reaches the 3 items after it there, and with the
# other users 4 + 1 + 2 items: 10, and itself. The value is 11, as in the paper's Figure 2.
FIGURE2_TOY = {
    "histories": [np.array(history) for history in (
        [1, 2, 3, 4, 5], [6, 2, 7, 8, 4], [3, 1, 8, 2], [5, 6, 2, 1], [7, 3, 8])],
    "mark": (0, 1),
    "max_len": 5,
    "batch_size": 5,
}
MARK, REACHED_OWN, REACHED_OTHER = "#0072B2", "#009E73", "#E69F00"


@styled
def figure1(points, generic, guided, effects, radii=None) -> Figure:
    """Generic against cascade-guided perturbations of one user's history.

    points: (n, 2) floats, the embeddings of the history's items in a plane, oldest first (a
        dozen at most can be read).
    generic, guided: (n, 2) floats, their perturbations in that plane (guided: scaled by 1/C).
    effects: (n,) floats above 0, the cascade effects C.
    radii: None, or two (n,) arrays, generic and guided: the perturbations' full lengths, where the
        plane hides part of them. Circles and arrows have these lengths.
    Raises ValueError where the shapes differ or C is not positive.
    """
    points, *moves = (np.asarray(array, dtype=float) for array in (points, generic, guided))
    effects, n = np.asarray(effects, dtype=float), len(points)
    for name, array in zip(("points", "generic", "guided"), (points, *moves)):
        if array.shape != (n, 2) or n == 0:
            raise ValueError(f"{name} has shape {array.shape}; all three need the same (n, 2)")
    if effects.shape != (n,) or not (effects > 0).all():
        raise ValueError(f"effects has shape {effects.shape}; allowed are {n} values above 0")
    if radii is None:
        radii = [np.linalg.norm(move, axis=1) for move in moves]
    figure, axes = panels(1, 2, width=5.0, height=4.6)
    titles = ("generic: no regard to the cascade effect", "cascade-guided: scaled by 1/C")
    for axis, title, move, radius, method in zip(
            axes[0], titles, moves, radii, ("adv_global", "adv_cas"), strict=True):
        history_path(axis, points, np.max(radii, axis=0))
        axis.set(title=title, ylabel="second direction (embedding units)")
        perturbations(axis, points, move, radius, method, effects)
    key_below(figure, perturbation_keys())
    return figure


def history_path(axis, points, reach) -> None:
    """The items of a history in a plane, the path from one to the next, and room for circles.

    reach: the radius of the largest circle around each item, or around all.
    """
    reach = np.broadcast_to(reach, len(points))[:, None]
    low, high = (points - reach).min(axis=0), (points + reach).max(axis=0)
    margin = 0.16 * max(float((high - low).max()), 1e-9)
    axis.plot(*points.T, color="0.7", linewidth=1, zorder=1)
    axis.plot(*points.T, "o", color="0.1", markersize=2, zorder=5)
    axis.set(aspect="equal", xlabel="first direction (embedding units)",
             xlim=(low[0] - margin, high[0] + margin), ylim=(low[1] - margin, high[1] + margin))


def perturbation_keys() -> list[Line2D]:
    """Legend entries for `history_path` and `perturbations`."""
    moved = {"color": "0.2", "linestyle": ""}
    return [Line2D([], [], color="0.7", label="the history, 1 = oldest item"),
            Line2D([], [], marker=r"$\rightarrow$", markersize=12,
                   label="perturbation: its direction here,\nits full length", **moved),
            Line2D([], [], marker="o", markersize=11, markerfacecolor="0.9",
                   label="all moves of that length", **moved)]


def perturbations(axis, points, move, radius, method, effects) -> list:
    """Circles of the perturbations' sizes, arrows to their rims, and labels; returns what it drew.
    """
    color, radius = STYLES[method].color, np.asarray(radius, dtype=float)
    drawn = [axis.add_artist(Circle(point, size, facecolor=to_rgba(color, 0.25), edgecolor=color,
                                    zorder=2)) for point, size in zip(points, radius, strict=True)]
    length = np.linalg.norm(move, axis=1, keepdims=True)
    arrows = radius[:, None] * np.divide(move, length, out=np.zeros_like(move), where=length > 0)
    drawn.append(axis.quiver(*points.T, *arrows.T, angles="xy", scale_units="xy", scale=1,
                             color="0.1", width=0.004, headwidth=4, headlength=4.5, minlength=0,
                             zorder=4))
    spots = _free_spots(points, points + arrows, radius, np.column_stack(
        [axis.get_xlim(), axis.get_ylim()]))
    for step, (spot, effect) in enumerate(zip(spots, effects, strict=True), start=1):
        text = f"{step}\nC={effect:.1f}" if method == "adv_cas" else f"{step}"
        drawn.append(axis.text(*spot, text, ha="center", va="center", fontsize=8, zorder=6,
                               linespacing=0.95))
    return drawn


def _free_spots(points, tips, radius, corners) -> np.ndarray:
    """A spot for each label: of 24 around its circle, inside the panel, the one with most space."""
    distance = 0.055 * np.ptp(corners, axis=0).max()
    angles = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    around = np.column_stack([np.cos(angles), np.sin(angles)])
    spots = np.empty((0, 2))
    for point, size in zip(points, radius, strict=True):
        spot = point + around * (size + distance)
        gaps = np.linalg.norm(spot[:, None] - np.concatenate([tips, spots]), axis=2).min(axis=1)
        rims = (np.linalg.norm(spot[:, None] - points, axis=2) - radius).min(axis=1)
        inside = ((spot > corners[0] + distance) & (spot < corners[1] - distance)).all(axis=1)
        best = np.argmax(np.minimum(gaps, rims) - 10 * distance * ~inside)
        spots = np.concatenate([spots, spot[[best]]])
    return spots


@styled
def figure2(histories, mark, max_len: int = 50, batch_size: int = 128, names=None, users=None,
            others: tuple[int, float] | None = None, size: tuple[int, int] | None = None) -> Figure:
    """The cascade effect of one interaction, as boxes: what it reaches, and its value C (Eq. 11).

    histories: list of int arrays of items, oldest first (a handful of short ones).
    mark: (user, t), both from 0: the interaction `histories[user][t]`, one of the last max_len.
    max_len, batch_size: T and b of Eq. 11; m is the number of histories.
    names: what to write for an item (a mapping); the item's number where it has no entry.
    users: what to write for the histories' users, by default 1, 2, ...
    others: where the histories are a few of many, m and the sum over all other users.
    size: (rows, steps) that there is room for, the newest; by default all.
    All boxes are the part that changes (see `animated`): all arguments but size and names.
    FIGURE2_TOY holds the arguments of the paper's example.
    """
    rows, steps = size or (len(histories), max(min(len(h), max_len) for h in histories))
    figure, ((axis,),) = panels(1, 1, width=max(7.2, 0.75 * steps + 1.5), height=0.5 * rows + 0.9)
    ticks = [f"T-{steps - 1 - step}" for step in range(steps - 1)] + ["T"]
    axis.set(xlim=(-0.6, steps - 0.4), ylim=(rows - 0.4, -0.6),
             xlabel="step t (newest item: t = T)", ylabel="user", xticks=range(steps),
             xticklabels=ticks, yticks=range(rows),
             yticklabels=[" " * 8] * rows if users else range(1, rows + 1))
    axis.grid(False)
    axis.tick_params(length=0)
    axis.spines[:].set_visible(False)
    key_below(figure, [
        Patch(**_LOOKS["mark"], label="the marked interaction"),
        Patch(**_LOOKS["own"], label="later in the same history"),
        Patch(**_LOOKS["other"], label="same item and later, other histories"),
    ], columns=3)

    def draw(histories, mark, batch_size, users, others):
        user = number("mark[0]", mark[0], 0, len(histories) - 1, kind=int)
        length = len(histories[user])
        t = number("mark[1]", mark[1], max(0, length - max_len), length - 1, kind=int)
        recent = [np.asarray(history)[-max_len:] for history in histories]
        column = t - (length - len(recent[user]))
        later, item = len(recent[user]) - column - 1, recent[user][column]
        if others is None:
            C = float(cascade_effects(histories, max_len, batch_size)[user][column])
            others = len(histories), (C - 1 - later) * len(histories) / batch_size
        m, across = others
        drawn = []
        for row, history in enumerate(recent):
            first = column if row == user else next(
                (step for step, other in enumerate(history) if other == item), len(history))
            for step, other in list(enumerate(history))[-steps:]:
                look = "own" if row == user else "other"
                look = look if step >= first else "plain"
                look = "mark" if (row, step) == (user, column) else look
                name = (names or {}).get(int(other), int(other))
                drawn.append(axis.text(steps - len(history) + step, row, f"{name!s:^5}", gid=look,
                                       family="monospace", ha="center", va="center",
                                       bbox={"boxstyle": "square,pad=0.9"} | _LOOKS[look]))
        for row, name in enumerate(users or ()):
            drawn.append(axis.text(-0.7, row, name, ha="right", va="center"))
        drawn.append(axis.set_title(
            f"C = 1 (itself) + {later} (own history) + b/m · {across:.4g} (other histories) = "
            f"{1 + later + batch_size / m * across:.4g},  b/m = {batch_size}/{m}", fontsize=9))
        return drawn

    return with_changing_part(figure, draw, histories, mark, batch_size, users, others)


_LOOKS = {
    "plain": {"facecolor": "white", "edgecolor": PAPER_GREY, "linewidth": 0.8},
    "mark": {"facecolor": "#CFE4F2", "edgecolor": MARK, "linewidth": 3.0},
    "own": {"facecolor": "white", "edgecolor": REACHED_OWN, "linewidth": 2.2},
    "other": {"facecolor": "white", "edgecolor": REACHED_OTHER, "linewidth": 2.2,
              "linestyle": (0, (3, 1))},
}
