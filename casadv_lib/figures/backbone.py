"""Looking into a backbone: its attention, what a changed item changes, and where padding lies."""

from collections.abc import Mapping, Sequence

import numpy as np
import seaborn
import torch
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from ..backbones import Backbone, SASRec
from ..batching import PackedBatch, pack
from ..support.checks import instance
from .style import key_below, panels, styled


@torch.no_grad()
def attention_maps(model: SASRec, history: Sequence[int]) -> list[np.ndarray]:
    """What each step of one history reads from each earlier one: a (heads, n, n) array a block.
    Rows sum to 1; entry [h, t, s] is 0 for s > t. Only the last max_len items are read."""
    instance("model", model, SASRec)
    batch = pack([history], model.max_len, next(model.parameters()).device)
    maps = []

    def keep(x):  # where training drops: what has a heads axis is attention, all else (n, d)
        if x.dim() == 3:
            maps.append(x.cpu().numpy())
        return x

    model.encode(model.embed(batch.inputs), batch, keep)
    return maps


@torch.no_grad()
def change_map(model: Backbone, history: Sequence[int], substitute: int) -> np.ndarray:
    """How far each user vector moves when one of the n items read is replaced, (n, n): entry [s, t]
    is ||w_t' - w_t|| after the item at step s became `substitute`, in causal models 0 for t < s."""
    history = np.asarray(history)[-model.max_len :]
    device, n = next(model.parameters()).device, len(history)
    versions = np.tile(history, (n + 1, 1))
    versions[np.arange(n), np.arange(n)] = substitute  # the last row stays as it was
    w = model(pack(list(versions), model.max_len, device)).view(n + 1, n, -1)
    return torch.linalg.vector_norm(w[:n] - w[n], dim=-1).cpu().numpy()


@styled
def heat_maps(maps: Mapping[str, np.ndarray], steps: Sequence, label: str, xlabel: str,
              ylabel: str) -> Figure:
    """Maps of one kind side by side, on one scale from 0 on, with one colour bar.

    maps: {title: (n, n) array}. steps: n labels of the rows and columns. label: that of the bar.
    """
    figure, axes = panels(1, len(maps), width=3.4, height=3.0, sharey=True)
    top = max(float(np.max(one)) for one in maps.values()) or 1.0
    for axis, (title, one) in zip(axes[0], maps.items(), strict=True):
        seaborn.heatmap(one, vmin=0, vmax=top, cmap="Blues", cbar=False, square=True, ax=axis,
                        xticklabels=list(steps), yticklabels=list(steps))
        axis.set(title=title, xlabel=xlabel, ylabel=ylabel)
        axis.tick_params(axis="x", labelsize=7, rotation=60)
        axis.tick_params(axis="y", labelsize=7, rotation=0)
        axis.label_outer()
    figure.colorbar(axes[0, -1].collections[0], ax=axes, label=label, shrink=0.8)
    return figure


@styled
def padding_picture(batch: PackedBatch, max_len: int) -> Figure:
    """A batch as three blocks: padded to T, packed in length groups, and the flat list."""
    lengths = np.bincount(batch.sequence.cpu().numpy(), minlength=len(batch.last))
    users, column = len(lengths), np.arange(max_len)
    sizes = [group.users for group in batch.groups]
    limits = np.repeat([group.length for group in batch.groups], sizes)
    is_real, is_packed = column < lengths[:, None], column < limits[:, None]
    grids = {"padded to T": np.where(is_real, 1, 2),
             "packed: groups, for attention": np.where(is_real, 1, 2 * is_packed),
             "packed: all else, one list": (np.arange(users * max_len) < len(batch)).reshape(
                 users, max_len).astype(int)}
    colors = np.array([[1, 1, 1], [0.34, 0.71, 0.91], [0.9, 0.62, 0]])
    figure, axes = panels(1, 3, width=3.1, height=3.4)
    for axis, (title, grid) in zip(axes[0], grids.items()):
        axis.imshow(colors[grid], aspect="auto", interpolation="nearest",
                    extent=(0, max_len, users, 0))
        axis.set(title=title, xlabel="position", ylabel="user, shortest history first")
        axis.grid(False)
    axes[0, 2].set(ylabel="the list, row after row")
    for edge in np.cumsum(sizes)[:-1]:
        axes[0, 1].axhline(edge, color="0.3", linewidth=0.7)
    return key_below(figure, [Patch(color=colors[1], label="a real item"),
                              Patch(color=colors[2], label="computed for nothing")])
