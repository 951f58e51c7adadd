"""Figure 1 made from a real model: one user's perturbations, generic and cascade-guided."""

from __future__ import annotations

import numpy as np
import torch

from ..adversarial import generic_perturbation, moved_rows
from ..backbones import Backbone
from ..batching import pack
from ..cascade import cascade_effects, cascade_weights
from ..data import SequenceDataset, training_inputs


def shown_user(data: SequenceDataset, max_len: int = 50) -> int:
    """The first user with 6 to 9 training inputs; the one with most where there is none."""
    users, inputs = training_inputs(data, max_len)
    lengths = np.array([len(one) for one in inputs])
    fitting = np.flatnonzero((lengths >= 6) & (lengths <= 9))
    return int(users[fitting[0] if len(fitting) else lengths.argmax()])


def perturbed_history(model: Backbone, data: SequenceDataset, batch_size: int = 128, seed: int = 0
                      ) -> dict:
    """A (Eq. 7, of size 1) for the inputs of `shown_user`, and (1/C) * A: figure1's arguments.

    They lie in the plane of the first two principal directions of the history's embeddings;
    "radii" are the full lengths, which the plane foreshortens.
    """
    users, inputs = training_inputs(data, model.max_len)
    own = int(users.searchsorted(shown_user(data, model.max_len)))
    effects = cascade_effects(inputs, model.max_len, batch_size)
    batch = pack([inputs[own]], model.max_len, model.items.weight.device)
    rows, _, A = generic_perturbation(model, batch, epsilon=1.0, seed=seed)
    share = torch.as_tensor(cascade_weights(effects)[own]).to(rows)
    guided = moved_rows(model, rows, A, share, "before") - rows
    centred = rows - rows.mean(0)
    plane = torch.linalg.svd(centred, full_matrices=False).Vh[:2].T

    def flat(x):
        return x.detach().cpu().double().numpy().round(6).tolist()

    return {
        "points": flat(centred @ plane),
        "generic": flat(A @ plane),
        "guided": flat(guided @ plane),
        "effects": effects[own].round(6).tolist(),
        "radii": [flat(torch.linalg.vector_norm(x, dim=1)) for x in (A, guided)],
    }
