"""Figures 1 and 2, perturbations and cascade effects, drawn from small arrays, not from results;
and for Figure 1 a user's history, perturbed as in training.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import torch
from matplotlib.collections import EllipseCollection
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from torch import Tensor

from ..adversarial import distance, generic_perturbation
from ..backbones import Backbone
from ..batching import pack
from ..cascade import cascade_effects, cascade_weights
from ..data import SequenceDataset, training_inputs, training_sequences
from ..evaluation import scores_without, ten_best
from ..support.checks import number
from .style import PAPER_GREY, STYLES, key_below, method_line, panels, styled

# Five users, b = m. Item 2 of the first user reaches the 3 items after it there, and with the
# other users 4 + 1 + 2 items: 10, and itself. The value is 11, as in the paper's Figure 2.
FIGURE2_TOY = {
    "histories": [np.array(history) for history in (
        [1, 2, 3, 4, 5], [6, 2, 7, 8, 4], [3, 1, 8, 2], [5, 6, 2, 1], [7, 3, 8])],
    "mark": (0, 1), "batch_size": 5}
LOOKS = {  # of Figure 2's boxes: their names in the legend, and how they are drawn
    "plain": ("", {"facecolor": "white", "edgecolor": PAPER_GREY, "linewidth": 0.8}),
    "mark": ("the marked interaction",
             {"facecolor": "#CFE4F2", "edgecolor": "#0072B2", "linewidth": 3.0}),
    "own": ("later in the same history",
            {"facecolor": "white", "edgecolor": "#009E73", "linewidth": 2.2}),
    "other": ("same item and later, other histories",
              {"facecolor": "white", "edgecolor": "#E69F00", "linewidth": 2.2,
               "linestyle": (0, (3, 1))}),
}
MOVED = 10  # items of a long history that Figure 1 shows
FIGURE1_METHODS = {"generic": "adv_global", "guided": "adv_cas"}  # whose colours they have


@styled
def figure1(points, generic, guided, effects, radii, curve: pd.DataFrame | None = None,
            epsilon: float | None = None) -> Figure:
    """Generic against cascade-guided perturbations of one user's history.

    points: (n, 2) floats, the history's items in a plane, oldest first. generic, guided: (n, 2)
    floats, their perturbations there; radii: two (n,) arrays, their full lengths. effects: (n,)
    floats above 0, C, to stand beside the items, or None. curve: for a third panel, the distances
    ||w_moved - w||, columns "generic" and "guided", index epsilon; epsilon: the one of them whose
    perturbations these are.
    """
    points, *moves = (np.asarray(array, dtype=float) for array in (points, generic, guided))
    room = np.max(radii, axis=0)[:, None]
    size = {"width": 5.0, "height": 4.6}
    if curve is not None:  # the same room for all epsilons: the circles of large ones may leave it
        room, size = 0.5 * np.ptp(points, axis=0).max(), {"width": 3.6, "height": 3.2}
    figure, axes = panels(1, 2 if curve is None else 3, **size)
    low, high = (points - room).min(axis=0), (points + room).max(axis=0)
    steps = [str(step) for step in range(1, len(points) + 1)]
    titles, with_C = ["generic: by the gradient alone", "cascade-guided: scaled by 1/C"], steps
    if effects is not None:
        titles[1] += " (item: C)"
        with_C = [f"{step}: {C:.1f}" for step, C in zip(steps, effects, strict=True)]
    for axis, title, move, radius, method, texts in zip(
            axes[0], titles, moves, radii, FIGURE1_METHODS.values(), (steps, with_C)):
        radius, color = np.asarray(radius), STYLES[method].color
        angle = np.arctan2(move[:, 1], move[:, 0])
        arrows = radius * [np.cos(angle), np.sin(angle)]
        axis.plot(*points.T, color="0.7", linewidth=1, zorder=1,
                  label="the history, 1 = oldest item")
        axis.plot(*points.T, "o", color="0.1", markersize=2, zorder=5)
        axis.add_collection(EllipseCollection(
            2 * radius, 2 * radius, np.zeros(len(points)), units="xy", offsets=points, zorder=2,
            offset_transform=axis.transData, facecolor=to_rgba(color, 0.25), edgecolor=color))
        axis.quiver(*points.T, *arrows, angles="xy", scale_units="xy", scale=1, color="0.1",
                    width=0.004, headwidth=4, headlength=4.5, minlength=0, zorder=4)
        for text, point, turn in zip(texts, points, angle):
            away = np.array([-24, -11] if ":" in text else [-10, -10])  # from the arrow, in points
            axis.annotate(text, point, away * [np.cos(turn), np.sin(turn)], fontsize=8, zorder=6,
                          textcoords="offset points", ha="center", va="center", linespacing=0.95,
                          in_layout=False)
        for marker, words, face in (
                (r"$\rightarrow$", "move: direction in the plane,\nlength in d dimensions", "0.2"),
                ("o", "all moves of that length", "0.9")):
            axis.plot([], [], color="0.2", linestyle="", marker=marker, markersize=11,
                      markerfacecolor=face, label=words)
        axis.set(title=title, xlabel="first direction (embedding units)",
                 ylabel="second direction (embedding units)", xmargin=0, ymargin=0)
        axis.update_datalim([low, high])
        axis.set_aspect("equal", "datalim")  # limits give way, and titles keep their place
        axis.label_outer()
    if curve is not None:
        for kind, method in FIGURE1_METHODS.items():
            axes[0, 2].plot(curve[kind], label=kind, **method_line(method, marker=""))
            axes[0, 2].plot([epsilon], [curve.loc[epsilon, kind]],
                            **method_line(method, linestyle=""))
        axes[0, 2].axvline(epsilon, color="0.4", linewidth=0.8)
        axes[0, 2].set(xlabel="epsilon over the batch", ylabel="‖ŵ - w‖ at the newest item",
                       xlim=(0, curve.index.max()), ylim=(0, None),
                       title="how far the user vector moves")
        for axis in axes[0]:
            axis.locator_params(nbins=4)  # ticks take half the time, and a slider waits
    return key_below(figure)


class PerturbedUser:
    """One user's training inputs in a batch of `batch_size`, perturbed by any of `epsilons`.

    Epsilon is the length of A over the whole batch, as in training; A: the user's rows, "generic",
    or "guided", times 1/C. user: an index into data.sequences; the last training item is the next.
    moved: {"generic", "guided": a frame, a row an epsilon, 0 among them}, with "distance", how far
    the newest user vector moves, the next item's "rank", the ten "best".
    """

    def __init__(self, model: Backbone, data: SequenceDataset, user: int,
                 epsilons: Sequence[float], batch_size: int = 128, seed: int = 0):
        users, inputs = training_inputs(data, model.max_len)
        own = users.tolist().index(user)
        self.inputs, self.target = inputs[own], int(training_sequences(data)[user][-1])
        effects = cascade_effects(inputs, model.max_len, batch_size)
        self.effects, weights = effects[own], cascade_weights(effects)[own]
        order = np.random.default_rng(seed).permutation(len(users))[:batch_size]
        order = np.append(own, order[order != own])[:batch_size]
        batch = pack([inputs[row] for row in order], model.max_len, model.items.weight.device)
        rows, _, A = generic_perturbation(model, batch, seed=seed)
        mine = batch.sequence == int(np.flatnonzero(batch.users == 0)[0])
        self.rows, A = rows[mine], A[mine]
        self.A = {"generic": A, "guided": torch.as_tensor(weights).to(A).unsqueeze(1) * A}
        epsilons = np.union1d(0, epsilons)
        self.moved = {kind: self._moved(model, A, epsilons) for kind, A in self.A.items()}

    @torch.no_grad()
    def _moved(self, model: Backbone, A: Tensor, epsilons: np.ndarray) -> pd.DataFrame:
        batch = pack([self.inputs] * len(epsilons), model.max_len, A.device)
        rows = self.rows + torch.as_tensor(epsilons).to(A)[:, None, None] * A
        w = model.encode(rows.flatten(0, 1), batch)[batch.last]  # (epsilons, d)
        met = np.setdiff1d(self.inputs, [self.target])
        scores = scores_without(model, w, [met] * len(epsilons))
        own = scores[:, [self.target - 1]]
        ranks = 1 + (scores > own).sum(1) + ((scores == own).sum(1) - 1) / 2
        return pd.DataFrame({"distance": distance(w, w[0]).cpu(), "rank": ranks.cpu(),
                             "best": ten_best(scores)}, index=epsilons)

    def arrays(self, epsilon: float) -> dict:
        """Arguments of `figure1`, in the plane of the first two principal directions."""
        centred = self.rows[-MOVED:] - self.rows[-MOVED:].mean(0)
        plane = torch.linalg.svd(centred, full_matrices=False).Vh[:2].T
        if plane.shape[1] < 2:  # one item spans no plane: the first coordinates then
            plane = torch.eye(len(plane), 2, device=plane.device)
        moves = [epsilon * A[-MOVED:] for A in self.A.values()]
        points, generic, guided = ((one @ plane).tolist() for one in (centred, *moves))
        return {"points": points, "generic": generic, "guided": guided,
                "effects": self.effects[-MOVED:].tolist(),
                "radii": [move.norm(dim=1).tolist() for move in moves]}

    def picture(self, epsilon: float) -> Figure:
        """Figure 1 without C, for which small panels have no room, and how far the user vector
        moves."""
        return figure1(**self.arrays(epsilon) | {"effects": None}, epsilon=epsilon,
                       curve=pd.DataFrame({kind: one["distance"]
                                           for kind, one in self.moved.items()}))


@styled
def figure2(histories, mark, batch_size: int = 128, users=None,
            others: tuple[int, float] | None = None) -> Figure:
    """The cascade effect of one interaction, as boxes: what it reaches, and its value C (Eq. 11).

    histories: list of int arrays of items, oldest first. mark: (user, t), both from 0. batch_size:
    b of Eq. 11. users: names. others: where the histories are a few of many, m and the sum over all
    other users.
    """
    user = number("mark[0]", mark[0], 0, len(histories) - 1, kind=int)
    recent = [np.asarray(history) for history in histories]
    column = number("mark[1]", mark[1], 0, len(recent[user]) - 1, kind=int)
    item, later = recent[user][column], len(recent[user]) - column - 1
    starts = [column if row == user else np.argmax([*(history == item), True])
              for row, history in enumerate(recent)]  # from where on a history is reached
    rows, steps = len(recent), max(map(len, recent))
    m, across = others or (rows, cascade_effects(  # b = m: the sum itself
        recent, steps, rows, "cross")[user][column] - 1)
    figure, ((axis,),) = panels(1, 1, width=max(7.2, 0.75 * steps + 1.5), height=0.5 * rows + 0.9)
    for row, history in enumerate(recent):
        for step, name in enumerate(history):
            look = ("plain" if step < starts[row] else "other" if row != user
                    else "mark" if step == column else "own")
            axis.text(steps - len(history) + step, row, f"{name!s:^5}", gid=look,
                      family="monospace", ha="center", va="center",
                      bbox={"boxstyle": "square,pad=0.9"} | LOOKS[look][1])
    axis.set(xlim=(-0.6, steps - 0.4), ylim=(rows - 0.4, -0.6),
             xlabel="step t (newest item: t = T)", ylabel="user", xticks=range(steps),
             xticklabels=[f"T-{back}" if back else "T" for back in range(steps - 1, -1, -1)],
             yticks=range(rows), yticklabels=users or range(1, rows + 1))
    axis.set_title(
        f"C = 1 (itself) + {later} (own history) + b/m · {across:.4g} (other histories) = "
        f"{1 + later + batch_size / m * across:.4g},  b/m = {batch_size}/{m}", fontsize=9)
    axis.grid(False)
    axis.tick_params(length=0)
    axis.spines[:].set_visible(False)
    handles = [Patch(label=words, **look) for words, look in LOOKS.values() if words]
    return key_below(figure, handles, columns=3)


@styled
def stacked_terms(inputs: pd.DataFrame, share: float, mark: int, top: float) -> Figure:
    """The two terms of C (Eq. 11) as stacked bars, one an interaction of a user.

    inputs: columns "item", "reaches" (1 + T - t) and "across", the sum over all other users, which
    share = b/m multiplies. mark: the row to frame, from 0. top: the upper end of the axis.
    """
    own, cross = inputs["reaches"].to_numpy(), share * inputs["across"].to_numpy()
    figure, ((axis,),) = panels(1, 1, width=7.2, height=2.4)
    axis.bar(range(len(own)), own, color=LOOKS["own"][1]["edgecolor"],
             label="own history, 1 + T - t")
    axis.bar(range(len(own)), cross, bottom=own, color=LOOKS["other"][1]["edgecolor"], hatch="//",
             edgecolor="white", linewidth=0.5, label="other histories, with b/m")
    C = own[mark] + cross[mark]
    axis.bar([mark], [C], width=0.95, fill=False, edgecolor="0.1", linewidth=1.8)
    axis.set(title=f"marked: item {inputs['item'][mark]}, C = {own[mark]:g} + {cross[mark]:.4g} = "
             f"{C:.4g}", xlabel="item at each step, oldest first", ylabel="cascade effect C",
             ylim=(0, top))
    axis.set_xticks(range(len(own)), inputs["item"].astype(str), rotation=60, fontsize=7)
    return key_below(figure)
