"""Attack by item replacement: a small, real change of a history (Section 5.6).

The gradient g of a loss with respect to an item's embedding e says where the attack wants to go: up
the loss of the held-out target, which it knows. The substitute is the item nearest to e moved a
little along g. Afterwards the target is ranked again.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import softplus

from .adversarial import lifted, scaled
from .backbones import Backbone
from .batching import packed
from .data import SequenceDataset, held_out
from .evaluation import BATCH, chunks, rank_items, scores_without, summary, user_vectors
from .settings import EXCLUDES, AttackOptions, checked_options
from .support.checks import instance, number, one_of, row, shown

NEIGHBOURS = 20  # candidates of pick="projection"
CHUNK = 512  # users whose distances to all items are held at once
Histories = Sequence[np.ndarray]  # int arrays of items, one a user, oldest item first


def attack(model: Backbone, data: SequenceDataset, positions: str = "last", k: int = 1,
           pick: str = "gradient", step: float = 0.1, split: str = "test", seed: int = 0,
           exclude: str = "both", *, loss: str = "target", joint: bool = True,
           users: np.ndarray | None = None, unit: float | None = None,
           surrogate: Backbone | None = None) -> dict:
    """Replace items of every user's history and rank the held-out item again.

    positions: "first" real item within the last T, "middle" (index (n - 1) // 2) or "last".
    k: how many items, counted from the end; more than 1 with positions="last" only. Users with
        fewer than 3 (k = 1) or k items are left out, and those who have met so many that fewer
        than k are left to put in.
    pick: "gradient" (nearest item to e + step * unit * g / ||g||), "nearest" (to e, no gradient),
        "random" (any allowed item); also "halfspace" (nearest with (e' - e) . g > 0),
        "projection" (largest (e' - e) . g among the 20 nearest) and "cosine" (as "gradient", among
        those whose e' - e has a cosine above 0.5 with g; among all where there is none).
    step: in units of the median distance between an item and its nearest neighbour.
    exclude: what an attacked user is not offered again, see `excluded`; the paper ranks "over all
        items except the ones already in the user histories" (Section 5.4).
    loss: what the attack maximises, the BCE of the held-out "target" or of the model's own
        "first_choice" (a surrogate's, if there is one). joint: one gradient for all k items; else
        one after the other, newest first, each with a new gradient.
    users: indices into data.sequences, to attack these alone; each gets what it gets when all
        are attacked, also by pick="random". None: everybody.
    unit: what an earlier call returned as "unit", since it costs a pass over all pairs of items.
    surrogate: another model of the same items, whose gradient and item table pick the substitutes
        in place of the attacked model's own; None: the model attacks itself.
    A substitute is never the item itself, padding, the target or an item of the history.

    Returns "ndcg@10", "hr@10", "ranks" after the attack; "clean", the same keys before it, for
    the same users; "users" (indices into data.sequences); "histories" (the replaced inputs);
    "replaced" and "substitutes" (users, k), newest first; "distance" (users, k) between both,
    and "unit", the median neighbour distance, both in the table that picked. The clean ranking
    leaves out the original history, the other one what `exclude` says. ValueError for an option
    that is not allowed, where nobody can be attacked, and for a model that has diverged.
    """
    instance("model", model, Backbone).check_items(data)
    o = checked_options(positions=positions, k=k, pick=pick, step=step, split=split, seed=seed,
                        exclude=exclude, loss=loss, joint=joint)
    source = model if surrogate is None else instance("surrogate", surrogate, Backbone)
    if (source.n_items, source.max_len) != (model.n_items, model.max_len):
        raise ValueError(f"surrogate has {source.n_items} items and max_len {source.max_len}, the "
                         f"model {model.n_items} and {model.max_len}; allowed is a model of the "
                         "same items and max_len")
    histories, targets = held_out(data, o.split)
    least = 3 if o.k == 1 else o.k
    most = most_replaced(data, model.max_len, o.split)
    able = np.flatnonzero([fits >= o.k and min(len(h), model.max_len) >= least
                           for fits, h in zip(most, histories, strict=True)])
    if len(able) == 0:
        raise ValueError(f"no user has {least} items in the history and {o.k} not met; k is "
                         f"{o.k}, allowed is at most {most.max()}")
    users = able if users is None else np.unique(row("users", users))
    if len(users) == 0 or not np.isin(users, able).all():
        raise ValueError(f"users is {shown(users.tolist())}; allowed are some of 0 to "
                         f"{data.n_users - 1} who lack {o.k} and whose history has {least} items "
                         f"or more, which {np.setdiff1d(users, able)[:9].tolist()} are not")
    table = source.item_table()
    unit = neighbour_distance(table) if unit is None else number("unit", unit, low=0)

    # random items are drawn for everybody: a user's do not depend on who else is attacked
    drawn = able if o.pick == "random" else users
    original = [histories[user] for user in drawn]
    indices = replaced_indices(original, model.max_len, o.positions, o.k)
    substitutes = choose(source, original, targets[drawn], indices, o, o.step * unit)
    asked = np.flatnonzero(np.isin(drawn, users))
    original, targets = [original[row] for row in asked], targets[users]
    indices, substitutes = indices[asked], substitutes[asked]
    replaced = np.array([h[i] for h, i in zip(original, indices, strict=True)])
    attacked = put_in(original, indices, substitutes)

    clean_ranks, _ = rank_items(model, original, targets, original)
    ranks, _ = rank_items(model, attacked, targets, excluded(original, attacked, o.exclude))
    moved = table[substitutes - 1] - table[replaced - 1]  # (users, k, d)
    return {
        **summary(ranks),
        "ranks": ranks,
        "clean": {**summary(clean_ranks), "ranks": clean_ranks},
        "users": users,
        "histories": attacked,
        "replaced": replaced,
        "substitutes": substitutes,
        "distance": torch.linalg.vector_norm(moved, dim=-1).cpu().numpy(),
        "unit": unit,
    }


def most_replaced(data: SequenceDataset, max_len: int, split: str = "test") -> np.ndarray:
    """For each user the largest k of `attack`, int64 (users,): as many as the model reads of the
    history, and as many items as there are besides it and the target."""
    histories, targets = held_out(data, split)
    lengths = np.array([len(history) for history in histories])
    others = lengths.copy()
    for user in np.flatnonzero(2 * lengths >= data.n_items - 1):  # of others it is surely more
        others[user] = data.n_items - len({targets[user], *histories[user]})
    return np.minimum(lengths, others).clip(max=max_len)


def excluded(original: Histories, attacked: Histories, exclude: str = "both") -> list[np.ndarray]:
    """The items that are left out of each attacked user's ranking, one int array a user.

    original, attacked: the histories before and after. exclude: "both" (everything the user has
    met and everything that was put in: a substitute lies next to the newest item, the model likes
    it, and no list may hold what the history holds), "attacked" (what a system does that sees the
    attacked history alone; the replaced items may be recommended), or "original" (the substitutes
    compete, and push the target down by a rank that no user could see).
    """
    one_of("exclude", exclude, EXCLUDES)
    if exclude == "both":
        return [np.union1d(before, after) for before, after in zip(original, attacked, strict=True)]
    return list(attacked if exclude == "attacked" else original)


def replaced_indices(histories: Histories, max_len: int, positions: str, k: int) -> np.ndarray:
    """(users, k) int64 indices into the full histories, newest first."""
    ends = np.array([len(h) for h in histories])
    seen = np.minimum(ends, max_len)
    if positions == "last":
        return ends[:, None] - 1 - np.arange(k)
    inside = np.zeros_like(seen) if positions == "first" else (seen - 1) // 2
    return (ends - seen + inside)[:, None]


def put_in(histories: Histories, indices: np.ndarray, items: np.ndarray) -> list[np.ndarray]:
    """Copies of the histories with `items` at `indices`, both (users, any number)."""
    copies = [np.array(history) for history in histories]
    for history, i, own in zip(copies, indices, items, strict=True):
        history[i] = own
    return copies


def first_choices(model: Backbone, histories: Histories) -> np.ndarray:
    """The model's own first recommendation, (users,) items, leaving out what a history holds."""
    w, starts = user_vectors(model, histories), range(0, len(histories), CHUNK)
    best = [scores_without(model, w[a : a + CHUNK], histories[a : a + CHUNK]).argmax(1) + 1
            for a in starts]
    return torch.cat(best).cpu().numpy()


def input_gradients(model: Backbone, histories: Histories, aim: np.ndarray, indices: np.ndarray
                   ) -> Tensor:
    """Gradient of -log s(w . e_aim) with respect to the embeddings at `indices`, (users, k, d)."""
    device = model.items.weight.device
    from_end = np.array([len(h) for h in histories])[:, None] - 1 - indices
    gradients = model.items.weight.new_empty((*indices.shape, model.dim))
    with model.evaluating():
        for batch in packed(histories, model.max_len, device, BATCH):
            rows = model.embed(batch.inputs).detach().requires_grad_()
            w = model.encode(rows, batch)[batch.last]
            goal = model.embed(torch.as_tensor(aim[batch.users]).to(device)).detach()
            (g,) = torch.autograd.grad(softplus(-model.score(w, goal)).sum(), rows)
            back = torch.as_tensor(from_end[batch.users]).to(device)
            gradients[torch.as_tensor(batch.users).to(device)] = g[batch.last.unsqueeze(1) - back]
    return gradients


@torch.no_grad()
def neighbour_distance(table: Tensor) -> float:
    """Median over items of the distance to the nearest other item."""
    nearest = []
    for a in range(0, len(table), CHUNK):
        apart = torch.cdist(table[a : a + CHUNK], table)
        apart.diagonal(a).fill_(torch.inf)
        nearest.append(apart.min(1).values)
    return float(torch.cat(nearest).median())


def choose(model: Backbone, histories: Histories, targets: np.ndarray, indices: np.ndarray,
           o: AttackOptions, step: float) -> np.ndarray:
    """Items to put in at `indices`, both (users, k), the newest first, int64.

    targets: (users,) items. step: a length in the item table, not in neighbour distances.
    """
    aim = targets if o.loss == "target" else first_choices(model, histories)
    generator = torch.Generator(model.items.weight.device).manual_seed(o.seed)
    substitutes, gradient = np.zeros_like(indices), None
    for j in range(o.k):
        so_far = substitutes[:, :j]
        if o.pick not in ("nearest", "random") and (j == 0 or not o.joint):
            attacked = put_in(histories, indices[:, :j], so_far)
            gradient = input_gradients(model, attacked, aim, indices)  # (users, k, d)
        replaced = np.array([h[i] for h, i in zip(histories, indices[:, j], strict=True)])
        refused = [np.concatenate([h, [t], used]) for h, t, used in zip(histories, targets, so_far)]
        g = None if gradient is None else gradient[:, j]
        substitutes[:, j] = pick_items(model.item_table(), replaced, g, refused, o.pick, step,
                                       generator)
    return substitutes


@torch.no_grad()
def pick_items(table: Tensor, replaced: np.ndarray, gradient: Tensor | None, refused: Histories,
               pick: str, step: float, generator: torch.Generator) -> np.ndarray:
    """(users,) items in place of `replaced`, none of `refused`. table: (n_items, d); gradient:
    (users, d), or None; step: as in `choose`."""
    squares, best = table.square().sum(1), []
    for own, not_allowed in chunks(refused, table.device, CHUNK):
        e = table[replaced[own] - 1]  # (chunk, d)
        g = None if gradient is None else gradient[own]
        goal = e
        if g is not None:
            g = lifted(g, g.abs().amax(-1, keepdim=True))  # a model that is sure has tiny ones
        if pick in ("gradient", "cosine"):
            goal = e + step * scaled(g, 1.0, per_row=True)
        if pick == "random":
            cost = torch.rand((len(e), len(table)), generator=generator, device=table.device)
        else:  # squared distance to the goal, up to what is the same for all items
            cost = torch.addmm(squares, goal, table.T, alpha=-2)
        cost[not_allowed] = torch.inf
        if pick in ("halfspace", "projection", "cosine"):
            cost = along(cost, e, g, table, pick)
        least = cost.min(1)
        # a surrogate's fault shows nowhere else
        if not (least.values.isfinite().all() and (g is None or g.isfinite().all())):
            raise ValueError("embeddings of the model that picks substitutes, or its gradient, are "
                             "not finite: it has diverged; allowed is a model that has not")
        best.append(least.indices + 1)
    return torch.cat(best).cpu().numpy()


def along(cost: Tensor, e: Tensor, g: Tensor, table: Tensor, pick: str) -> Tensor:
    """Keep only the items that lie along the gradient; all of them where none does."""
    ahead = g @ table.T - (g * e).sum(1, keepdim=True)  # (e' - e) . g, (chunk, n_items)
    if pick == "projection":
        near = min(NEIGHBOURS, cost.shape[1])
        bound = cost.topk(near, dim=1, largest=False).values[:, -1:]
        return torch.where((cost <= bound) & cost.isfinite(), -ahead, torch.inf)
    apart = 0.0  # of "halfspace": any item ahead fits
    if pick == "cosine":
        apart = torch.cdist(e, table) * torch.linalg.vector_norm(g, dim=1, keepdim=True)
    fitting = torch.where(ahead > 0.5 * apart, cost, torch.inf)
    return torch.where(fitting.isfinite().any(1, keepdim=True), fitting, cost)
