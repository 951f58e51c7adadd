"""The checks behind the exercises of notebook 04: perturbations by the reader's own hand.

As in `exercises`: a check prints which case differs and how, and never raises.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

from ..adversarial import (
    METHODS,
    AdversarialSettings,
    moved_rows,
    score_perturbations,
    sequence_perturbation,
)
from ..backbones import BACKBONES
from ..batching import pack
from ..cascade import cascade_weights
from ..support.dropout import Dropout
from .common import compare


class SmallEncoder:
    """f of Eq. 3 for a few inputs: maps S, (n, d), to w, (n, d). `model` and `batch` are inside."""

    def __init__(self, name: str, histories: list[list[int]], seed: int):
        torch.manual_seed(seed)
        self.name, self.histories = name, histories
        self.model = BACKBONES[name](9, max_len=6, dim=4)
        with torch.no_grad():  # embeddings of a trained model's size
            self.model.items.weight.mul_(5)
        self.model.requires_grad_(False)
        self.batch = pack(histories, 6)

    def __call__(self, S):
        return self.model.encode(S, self.batch)

    def __deepcopy__(self, memo):
        return self  # nothing in it changes

    def __repr__(self):
        return f"encode (a {self.name} of d = 4 that reads {self.histories})"


def _tensor_differs(names: tuple[str, ...], tolerance: float = 1e-3):
    """Compare one tensor, or several with a name each: shape, then size, then direction."""
    def differs(found, wanted) -> str:
        single = isinstance(wanted, torch.Tensor)
        found, wanted = ([found], [wanted]) if single else (list(found), list(wanted))
        if len(found) != len(names):
            return f"it returns {len(found)} values; wanted are {len(names)}, {', '.join(names)}."
        for name, mine, right in zip(names, found, wanted, strict=True):
            said = _one_differs(name, mine, right, tolerance)
            if said:
                return said
        return ""

    return differs


def _one_differs(name: str, mine, right: torch.Tensor, tolerance: float) -> str:
    mine = torch.as_tensor(mine).detach().double()
    right = right.detach().double()
    if mine.shape != right.shape:
        return f"{name} has shape {tuple(mine.shape)}, in the library {tuple(right.shape)}."
    if not torch.isfinite(mine).all():
        return f"{name} holds values that are no numbers (nan or inf)."
    gap, size = torch.linalg.vector_norm(mine - right), torch.linalg.vector_norm(right)
    if gap <= tolerance * size:
        return ""
    own = torch.linalg.vector_norm(mine)
    if own == 0:
        return f"{name} is zero everywhere, in the library its size is {size:.4g}."
    cosine = float((mine * right).sum() / (own * size))
    return (f"{name} has size {own:.4g}, in the library {size:.4g}; the cosine between both "
            f"directions is {cosine:.3f}.")


def check_perturbation(function: Callable) -> None:
    """function(encode, S, start, epsilon) -> A of Eq. 7 over the whole batch."""
    s = AdversarialSettings()
    cases, seeds = [], {}
    plans = (("sasrec", [[1, 2, 3]], 1.0), ("gru4rec", [[4, 5], [6, 7, 8, 9]], 1.0),
             ("causalcnn", [[3, 1, 2, 7]], 10.0))
    for seed, (name, histories, epsilon) in enumerate(plans):
        encode = SmallEncoder(name, histories, seed)
        S = encode.model.embed(encode.batch.inputs)
        generator = torch.Generator().manual_seed(seed)
        start = (torch.rand(S.shape, generator=generator) * 2 - 1) * s.start_size
        cases.append((encode, S, start, epsilon))
        seeds[encode] = seed

    def reference(encode, S, start, epsilon):
        settings = AdversarialSettings(epsilon=epsilon).of(METHODS["adv_global"])
        generator = torch.Generator().manual_seed(seeds[encode])  # it draws `start` again
        return sequence_perturbation(encode.model, encode.batch, S, encode(S), None, settings,
                                     Dropout(0.0), generator)

    print(compare(function, reference, cases, _tensor_differs(("A",), 0.01)))


def check_score_moves(function: Callable) -> None:
    """function(w, positive, negative, epsilon) -> delta_i, delta_j, delta_n, one size a row."""
    cases = []
    for seed, (n, d, epsilon) in enumerate(((1, 3, 1.0), (4, 3, 2.0), (5, 8, 10.0))):
        generator = torch.Generator().manual_seed(seed)
        w, e_j, e_n = (torch.randn(n, d, generator=generator) for _ in range(3))
        cases.append((w, e_j, e_n, epsilon))

    def reference(w, positive, negative, epsilon):
        settings = AdversarialSettings(epsilon=epsilon, scope="literal").of(METHODS["adv_global"])
        model = BACKBONES["sasrec"](2, max_len=2, dim=w.shape[1])  # its scores are inner products
        return score_perturbations(model, w, positive, negative, settings)

    names = ("delta_i", "delta_j", "delta_n")
    print(compare(function, reference, cases, _tensor_differs(names)))


def check_guided(function: Callable) -> None:
    """function(A, effects) -> A with the share of each row set by 1/C, mean weight 1."""
    cases = []
    for seed, effects in enumerate(([1.0, 1.0], [4.0, 3.0, 2.0, 1.0], [9.5, 1.0, 20.0, 3.2, 1.1])):
        generator = torch.Generator().manual_seed(seed)
        A = torch.randn(len(effects), 3, generator=generator)
        cases.append((A, torch.tensor(effects)))

    def reference(A, effects):
        (weights,) = cascade_weights([np.asarray(effects, dtype=float)])
        zero = torch.zeros_like(A)
        return moved_rows(None, zero, A, torch.as_tensor(weights).to(A), "before")

    print(compare(function, reference, cases, _tensor_differs(("the guided perturbation",))))
