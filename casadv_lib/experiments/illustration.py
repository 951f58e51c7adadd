"""Figure 1 made from a real model: one user's perturbations, generic and cascade-guided."""

from __future__ import annotations

import numpy as np
import torch

from ..adversarial import generic_perturbation, moved_rows
from ..backbones import Backbone
from ..batching import pack
from ..cascade import cascade_effects, cascade_weights
from ..data import SequenceDataset, training_sequences


def shown_user(data: SequenceDataset, max_len: int = 50) -> int:
    """The first user with 6 to 9 training inputs; the one with most where there is none."""
    lengths = np.array([min(len(s) - 1, max_len) for s in training_sequences(data)])
    fitting = np.flatnonzero((lengths >= 6) & (lengths <= 9))
    return int(fitting[0]) if len(fitting) else int(lengths.argmax())


def perturbed_history(
    model: Backbone,
    data: SequenceDataset,
    user: int | None = None,
    epsilon: float = 1.0,
    batch_size: int = 128,
    seed: int = 0,
) -> dict:
    """A (Eq. 7) for one user's training inputs, and (1/C) * A, in a plane: figure1's arguments.

    user: an index into data.sequences; None takes `shown_user`.
    epsilon: the size of A over this one history.
    The plane is spanned by the first two principal directions of the history's embeddings;
    "radii" are the full lengths, which the plane foreshortens.
    """
    inputs = [s[:-1][-model.max_len :] for s in training_sequences(data)]
    lengths = np.array([len(s) for s in inputs])
    user = shown_user(data, model.max_len) if user is None else user
    effects = cascade_effects([s for s in inputs if len(s)], model.max_len, batch_size)
    weights = cascade_weights(effects)
    own = int(np.flatnonzero(lengths > 0).searchsorted(user))
    batch = pack([inputs[user]], model.max_len, model.items.weight.device)
    rows, _, A = generic_perturbation(model, batch, epsilon, seed)
    share = torch.as_tensor(weights[own]).to(rows)
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
