"""Losses over items: the paper's binary cross-entropy (Eq. 5), and stronger ones of others.

Each is a mean over the n positions of a batch, and reads user vectors w and item embeddings:

    "bce"      a positive and m negatives, each a question of its own: yes or no?
    "gbce"     the same, with the overconfidence taken out that drawing few negatives brings
    "sampled"  which item of m drawn for the whole batch and the positive?
    "ce"       which item of all?
"""

import math

import torch
from torch import Tensor
from torch.nn.functional import softplus

from .backbones import Backbone
from .batching import PackedBatch
from .settings import TrainingSettings

BLOCK = 1 << 21  # scores that `CrossEntropy` holds at once: 8 MB, near the processor


def bce(positive: Tensor, negative: Tensor, beta: float = 1.0) -> Tensor:
    """L_B of Eq. 5, the mean over positions: -log s(r_pos)^beta - log(1 - s(r_neg)).

    positive: (n,) scores. negative: (n,), or (n, m): then the mean of a position's m + 1 terms,
    twice, as one negative gives Eq. 5.
    """
    pull, push = beta * softplus(-positive), softplus(negative).view(len(positive), -1)
    return 2 / (1 + push.shape[1]) * (pull + push.sum(1)).mean()


def calibrated_power(n_items: int, negatives: int, t: float) -> float:
    """beta of gBCE (gSASRec, Petrov & Macdonald 2023): alpha (t (1 - 1/alpha) + 1/alpha).

    alpha is the share of the other items that are drawn. t = 0 gives 1, plain BCE; with t = 1 the
    trained probabilities are those of all items.
    """
    alpha = min(1.0, negatives / (n_items - 1))
    return alpha * (t * (1 - 1 / alpha) + 1 / alpha)


def sampled_softmax(positive: Tensor, negative: Tensor, is_target: Tensor, share: float) -> Tensor:
    """-log of the positive's softmax against items drawn for the whole batch.

    positive: (n,) scores; negative, is_target: (n, m), where the drawn item is the positive itself
    and does not count. share: of all items that are drawn; each drawn one stands for 1 / share.
    """
    others = (negative - math.log(share)).masked_fill(is_target, -math.inf)
    return (torch.cat([positive.unsqueeze(1), others], 1).logsumexp(1) - positive).mean()


class CrossEntropy(torch.autograd.Function):
    """-log of the target's softmax over all items, (); some positions at a time.

    All n * items scores at once would take gigabytes. The gradients are softmax minus one-hot,
    known as soon as the scores are, so each block adds its own at once and forgets its scores.
    """

    @staticmethod
    def forward(ctx, w: Tensor, table: Tensor, targets: Tensor) -> Tensor:
        """w: (n, d). table: (items, d), row 0 is item 1. targets: (n,) rows of it."""
        own = table[targets]
        of_w, of_table = -own, torch.zeros_like(table).index_add_(0, targets, -w)
        total = -(w * own).sum()
        rows = max(1, BLOCK // len(table))
        for a in range(0, len(w), rows):
            block = slice(a, a + rows)
            scores = (w[block] @ table.T).to(table.dtype)  # (rows, items), float32 also with amp
            largest = scores.amax(1, keepdim=True)
            exp_scores = scores.sub_(largest).exp_()
            sums = exp_scores.sum(1, keepdim=True)
            total += (largest + sums.log()).sum()
            of_w[block] += exp_scores @ table / sums
            if ctx.needs_input_grad[1]:  # level 1 asks for that of w alone
                of_table.addmm_(exp_scores.T, w[block] / sums)
        ctx.save_for_backward(of_w / len(w), of_table / len(w))
        return total / len(w)

    @staticmethod
    def backward(ctx, g: Tensor) -> tuple:
        of_w, of_table = ctx.saved_tensors
        return g * of_w, g * of_table, None


def loss_items(s: TrainingSettings, model: Backbone, batch: PackedBatch) -> list[Tensor]:
    """The items whose embeddings the loss reads besides w: positives (n,) and negatives (n,),
    (n, m) or, of a whole batch, (m,); for "ce" all items, (n_items,)."""
    if s.loss == "ce":
        return [torch.arange(1, model.n_items + 1, device=batch.inputs.device)]
    return [batch.positives, batch.negatives]


def loss_of(s: TrainingSettings, model: Backbone, batch: PackedBatch, w: Tensor,
            *embeddings: Tensor) -> Tensor:
    """The loss of user vectors w, (n, d), and the embeddings of `loss_items`, in their shapes."""
    if s.loss == "ce":
        return CrossEntropy.apply(w, *embeddings, batch.positives - 1)
    positive, negative = embeddings
    score = model.score(w, positive)
    if s.loss == "sampled":
        is_target = batch.negatives == batch.positives.unsqueeze(1)
        share = len(batch.negatives) / model.n_items
        return sampled_softmax(score, w @ negative.T, is_target, share)
    power = 1.0
    if s.loss == "gbce":
        power = calibrated_power(model.n_items, s.negatives, s.calibration)
    one_each = batch.negatives.dim() == 1
    return bce(score, model.score(w if one_each else w.unsqueeze(1), negative), power)
