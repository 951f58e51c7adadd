"""Notebook 04: perturbations by the reader's own hand (Eq. 7 and 9)."""

import torch

from ..adversarial import METHODS, generic_perturbation, score_perturbations
from ..backbones import BACKBONES
from ..batching import pack
from ..cascade import cascade_weights
from ..settings import AdversarialSettings
from .backbones import drawn
from .common import exercise


def _case(backbone, histories, epsilon):
    """(encode, S, start, epsilon); encode is f of Eq. 3, from S, (n, d), to w, (n, d)."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = BACKBONES[backbone](9, max_len=6, dim=4).requires_grad_(False)
    model.items.weight.mul_(5)  # embeddings of a trained model's size
    batch = pack(histories, 6)

    def encode(S):
        return model.encode(S, batch)

    encode.__name__ = f"encode (a {backbone} of d = 4 that reads {histories})"
    encode.model, encode.batch = model, batch
    S = model.embed(batch.inputs)
    start = 2 * torch.rand(S.shape, generator=torch.Generator().manual_seed(0)) - 1
    return encode, S, AdversarialSettings.start_size * start, epsilon


@exercise([_case("sasrec", [[1, 2, 3]], 1.0), _case("gru4rec", [[4, 5], [6, 7, 8, 9]], 1.0),
           _case("causalcnn", [[3, 1, 2, 7]], 10.0)], "A", 0.01)
def check_perturbation(encode, S, start, epsilon):
    """function(encode, S, start, epsilon) -> A of Eq. 7 over the whole batch."""
    return generic_perturbation(encode.model, encode.batch, epsilon)[2]  # it draws `start` again


@exercise([(*drawn((1, 3), (1, 3), (1, 3)), 1.0), (*drawn((4, 3), (4, 3), (4, 3)), 2.0),
           (*drawn((5, 8), (5, 8), (5, 8)), 10.0)], ("delta_i", "delta_j", "delta_n"), 1e-3)
def check_score_moves(w, positive, negative, epsilon):
    """function(w, positive, negative, epsilon) -> delta_i, delta_j, delta_n, one size a row."""
    settings = AdversarialSettings(epsilon=epsilon, scope="literal").of(METHODS["adv_global"])
    model = BACKBONES["sasrec"](2, max_len=2, dim=w.shape[1])  # its scores are inner products
    return tuple(score_perturbations(model, w, positive, negative, settings))


@exercise([(*drawn((2, 3)), torch.ones(2)), (*drawn((4, 3)), torch.arange(4.0, 0.0, -1.0)),
           (*drawn((3, 3)), torch.tensor([9.5, 1.0, 20.0]))], "the guided perturbation", 1e-3)
def check_guided(A, effects):
    """function(A, effects) -> A with the share of each row set by 1/C, mean weight 1."""
    return cascade_weights([effects.double().numpy()])[0][:, None] * A.numpy()
