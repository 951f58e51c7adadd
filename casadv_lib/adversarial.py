"""Cascade-guided adversarial training: perturbations (Eq. 7, 9), losses (Eq. 6, 8), total (10).

Level 1 moves the inputs of the encoder, each position by a share that its cascade effect sets;
level 2 moves the user vector and the item embeddings that the loss reads, in Eq. 5 those of two
items. A method is a row of `METHODS`; every reading of an ambiguous place of the paper is a field
of `AdversarialSettings`. L_B is the paper's Eq. 5, or another of `losses`.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor

from .backbones import Backbone, nearest_items
from .batching import PackedBatch
from .losses import loss_items, loss_of
from .settings import AdversarialSettings, TrainingSettings
from .support.layers import Dropout


class Method(NamedTuple):
    """What a training method perturbs, and by which weights."""

    level1: str | None  # None, "distance" (Eq. 6) or "bce" (Eq. 5 on the moved inputs)
    level2: bool  # Eq. 8
    terms: str | None  # the cascade terms behind the weights 1/C; None: all weights are 1
    direction: str = "gradient"  # "random" is a control of the same size
    replaces: bool = False  # inputs are replaced by near items (see `neighbour_inputs`)


BASE = Method(None, False, None)  # phase 1: L_B alone
METHODS = {
    "base+100": BASE,  # control: the same extra epochs, nothing perturbed
    "adv_random": Method("distance", True, None, direction="random"),  # control
    "adv_linear": Method(None, True, None),
    "adv_seq": Method("bce", False, None),
    "adv_global": Method("distance", True, None),
    "adv_cas_1": Method("distance", True, "temporal"),
    "adv_cas_2": Method("distance", True, "cross"),
    "adv_cas": Method("distance", True, "both"),
    # ours, not the paper's: real items near the inputs in place of a perturbation
    "neighbour": Method(None, False, None, replaces=True),
    "adv_neighbour": Method(None, True, None, replaces=True),
}
METHOD_ORDER = ("base", *METHODS)  # of a table's rows; controls stand beside what they control


def distance(w_moved: Tensor, w: Tensor) -> Tensor:
    """||w_moved - w||_2 per position (Eq. 6), (n,)."""
    return torch.linalg.vector_norm(w_moved - w, dim=-1)


def lifted(g: Tensor, largest: Tensor) -> Tensor:
    """g, times a power of two where its largest coordinate is tiny: float32 has no square of what
    is below 1e-19, and such a factor changes no other digit and no direction."""
    return torch.where(largest < 2**-40, 2.0**60 * g, g)


def scaled(g: Tensor, epsilon: float, owner: Tensor | None = None, per_row: bool = False) -> Tensor:
    """epsilon * g / ||g|| (Eq. 7 and 9), g a (n, d) tensor, however small; zero where g is zero.

    The norm is over all of g, over each row (per_row), or over the rows that share an
    `owner` (a (n,) index of sequences).
    """
    largest = g.abs().amax(-1, keepdim=True)  # of each row
    if per_row:
        g = lifted(g, largest)
        norm = torch.linalg.vector_norm(g, dim=-1, keepdim=True)
    elif owner is not None:
        rows = owner.unsqueeze(-1)
        g = lifted(g, torch.zeros_like(largest).scatter_reduce(0, rows, largest, "amax")[owner])
        squares = g.square().sum(-1)
        # at most n sequences: a size known without asking the device
        norm = torch.zeros_like(squares).index_add(0, owner, squares).sqrt()[owner].unsqueeze(-1)
    else:
        g = lifted(g, largest.max())
        norm = torch.linalg.vector_norm(g)
    return epsilon * g / norm.clamp_min(torch.finfo(g.dtype).tiny ** 0.5)


def moved_rows(model: Backbone, rows: Tensor, A: Tensor, weights, inject: str) -> Tensor:
    """S + (1/C) * A, the moved inputs of Eq. 6, (n, d). weights: 1/C, (n,); None: all are 1."""
    if weights is not None:
        A = weights.unsqueeze(-1) * A
    # adding A after the scaling is adding A / scale before it
    return rows + (A / model.input_scale if inject == "after" else A)


def counted(moved: Tensor, batch: PackedBatch, s: AdversarialSettings) -> Tensor:
    """The distances (n,) that count in Eq. 6: of all positions, or of each user's last."""
    return moved if s.level1_positions == "all" else moved[batch.last]


def sequence_perturbation(model: Backbone, batch: PackedBatch, rows: Tensor, w: Tensor,
                          loss: Callable[[Tensor], Tensor] | None, s: AdversarialSettings,
                          drop: Dropout, generator: torch.Generator | None = None) -> Tensor:
    """A of Eq. 7, (n, d): the direction in which the user vectors move most, of size epsilon.

    At A = 0 the norm ||w_moved - w|| has a kink and no gradient (autograd answers 0), so g is taken
    at a small random start. rows: S. w: f(S). loss: of user vectors; where it is to rise in place
    of the norm. 1/C is *not* in A; `moved_rows` applies it.
    """
    rows, w = rows.detach(), w.detach()
    owner = batch.sequence if s.scope == "literal" else None
    start = torch.rand(rows.shape, generator=generator, device=rows.device) * 2 - 1
    if s.direction == "random":
        return scaled(start, s.epsilon, owner)
    by_bce = s.level1_loss == "bce" or s.start == "bce"
    size = s.start_size if s.start == "random" and not by_bce else 0.0
    A = (start * size).requires_grad_()
    masks = drop.rewind(fresh=s.start == "masks" or s.dropout_masks == "independent")
    weights = batch.weights if s.weighted_gradient else None
    w_moved = model.encode(moved_rows(model, rows, A, weights, s.inject), batch, masks)
    attacked = loss(w_moved) if by_bce else counted(distance(w_moved, w), batch, s).sum()
    (g,) = torch.autograd.grad(attacked, A)
    return scaled(g.sign() if s.direction == "sign" else g, s.epsilon, owner)


def score_perturbations(loss: Tensor, vectors: Sequence[Tensor], s: AdversarialSettings,
                        generator: torch.Generator | None = None) -> list[Tensor]:
    """The perturbations of Eq. 9, one a tensor and each of size epsilon.

    loss: of these vectors, where nothing is moved. vectors: w and the item embeddings that the loss
    reads; delta_i, delta_j, delta_n of Eq. 9, each (n, d); with other losses (n, m, d), (m, d) or
    (n_items, d) for items.
    """
    if s.direction == "random":
        h = [torch.rand(x.shape, generator=generator, device=x.device) * 2 - 1 for x in vectors]
    else:
        h = torch.autograd.grad(loss, vectors, retain_graph=True)
    if s.direction == "sign":
        h = [part.sign() for part in h]
    return [scaled(part, s.epsilon, per_row=s.scope == "literal") for part in h]


def generic_perturbation(model: Backbone, batch: PackedBatch, epsilon: float = 1.0, seed: int = 0
                         ) -> tuple[Tensor, Tensor, Tensor]:
    """(S, w, A) of a batch as adv_global perturbs it, without dropout; each (n, d), detached."""
    rows = model.embed(batch.inputs).detach()
    w = model.encode(rows, batch).detach()
    s = AdversarialSettings(epsilon=epsilon).of(METHODS["adv_global"])
    generator = torch.Generator(rows.device).manual_seed(seed)
    A = sequence_perturbation(model, batch, rows, w, None, s, Dropout(0.0), generator)
    return rows, w, A


@torch.no_grad()
def neighbour_inputs(model: Backbone, inputs: Tensor, positives: Tensor, s: AdversarialSettings,
                     generator: torch.Generator | None = None) -> Tensor:
    """The inputs (n,), each replaced with probability p by one of its nearest items.

    Uniform over the `s.neighbours` nearest items in the present item table, never the item
    itself, padding or the position's own target (a catalogue too small for that many has fewer).
    """
    many = min(s.neighbours, model.n_items - 2)
    if many < 1:
        raise ValueError(f"the model has {model.n_items} items; to replace one takes 3 or more")
    near = nearest_items(model, many + 1)[inputs - 1]  # (n, many + 1): one more than are drawn
    drawn = torch.randint(many, inputs.shape, generator=generator, device=inputs.device)
    # step over the target where it stands at or before the column that was drawn
    behind = (near == positives.unsqueeze(1)).cumsum(1)
    drawn += behind.gather(1, drawn.unsqueeze(1)).squeeze(1)
    chosen = near.gather(1, drawn.unsqueeze(1)).squeeze(1)
    uniform = torch.rand(inputs.shape, generator=generator, device=inputs.device)
    return torch.where(uniform < s.replace_probability, chosen, inputs)


def training_loss(model: Backbone, batch: PackedBatch, method: Method = BASE,
                  settings: AdversarialSettings | None = None, drop: Dropout | None = None,
                  generator: torch.Generator | None = None,
                  training: TrainingSettings = TrainingSettings()  # noqa: B008
                  ) -> tuple[Tensor, dict[str, Tensor]]:
    """L of Eq. 10 on one batch, (), and its parts.

    The parts ("L_B", "L_adv1", "L_adv2", and "perturbation", the size of A) are detached scalars
    and stay on the device. batch: with positives, and negatives where the loss draws them.
    """
    s, drop = (settings or AdversarialSettings()).of(method), drop or Dropout(0.0)
    items = loss_items(training, model, batch)
    # one look-up for all roles: one dense gradient of the item table instead of three
    roles = torch.cat([batch.inputs, *(each.flatten() for each in items)])
    rows, *read = model.embed(roles).split([len(batch), *(each.numel() for each in items)])
    read = [e.view(*each.shape, -1) for e, each in zip(read, items, strict=True)]  # e_j, e_n
    for e in read if method.level2 else ():
        e.requires_grad_()  # Eq. 9 moves the items of a frozen table, too
    loss = partial(loss_of, training, model, batch)
    w = model.encode(rows, batch, drop)  # (n, d)
    if w.shape != rows.shape:
        raise ValueError(f"encode of {type(model).__name__} returns the shape {tuple(w.shape)}; "
                         f"allowed is that of its rows, {tuple(rows.shape)}")
    clean = total = loss(w, *read)  # Eq. 5
    parts = {"L_B": clean.detach()}

    if method.level1 is not None:
        at_rest = [e.detach() for e in read]
        A = sequence_perturbation(model, batch, rows, w, lambda w: loss(w, *at_rest), s, drop,
                                  generator)
        masks = drop.rewind(fresh=s.dropout_masks == "independent")
        w_moved = model.encode(moved_rows(model, rows, A, batch.weights, s.inject), batch, masks)
        if s.level1_loss == "bce":
            level1 = loss(w_moved, *read)
        else:
            apart = distance(w_moved, w.detach() if s.detach_clean else w)
            level1 = counted(apart, batch, s).mean()  # Eq. 6
        total = total + s.lambda1 * level1
        parts |= {"L_adv1": level1.detach(), "perturbation": torch.linalg.vector_norm(A)}

    if method.level2:
        vectors = [w, *read]  # delta_i moves w, delta_j and delta_n the items'
        deltas = score_perturbations(clean, vectors, s, generator)
        level2 = loss(*(x + delta for x, delta in zip(vectors, deltas, strict=True)))
        total = total + s.lambda2 * level2  # Eq. 8 and 10
        parts["L_adv2"] = level2.detach()
    return total, parts
