"""What an epsilon does to one user: the move of each position, of the user vector, of the list.

The user is one of a training batch, as in training: epsilon is the length of A over the whole batch
(Eq. 7), and the user gets the rows of A that are its own, or those times 1/C (Eq. 6).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from ..adversarial import METHODS, distance, sequence_perturbation
from ..backbones import Backbone
from ..batching import pack
from ..cascade import cascade_effects
from ..data import SequenceDataset, training_inputs, training_sequences
from ..evaluation import CUTOFF
from ..settings import AdversarialSettings
from ..support.checks import number
from ..support.dropout import Dropout
from ..training import training_table
from .replacements import list_table

KINDS = ("generic", "guided")
SHOWN = 10  # newest positions that pictures and tables show


class PerturbedUser:
    """One user's training inputs in a batch of `batch_size`, perturbed by any epsilon.

    user: an index into data.sequences. The next item, which the list is about, is the user's last
    training item. Raises ValueError for a user with one training item.
    """

    def __init__(self, model: Backbone, data: SequenceDataset, user: int, batch_size: int = 128,
                 seed: int = 0):
        self.model, self.data, self.user = model, data, user
        users, inputs = training_inputs(data, model.max_len)
        if user not in users:
            raise ValueError(f"user is {data.user_ids[user]!r} with one training item; allowed are "
                             "users with at least two")
        own = int(np.searchsorted(users, user))
        self.inputs, self.target = inputs[own], int(training_sequences(data)[user][-1])
        device = next(model.parameters()).device
        s = AdversarialSettings(epsilon=1.0).of(METHODS["adv_global"])
        table, _ = training_table(model, data, device, "both", batch_size, s)
        order = np.random.default_rng(seed).permutation(len(users))[:batch_size]
        order = np.append(own, order[order != own])[:batch_size]
        batch = next(table.batches(order, len(order)))
        rows = model.embed(batch.inputs).detach()
        w = model.encode(rows, batch).detach()
        generator = torch.Generator(device).manual_seed(seed)
        A = sequence_perturbation(model, batch, rows, w, None, s, Dropout(0.0), generator)
        mine = batch.sequence == int(np.flatnonzero(batch.users == own)[0])
        self.A = {"generic": A[mine], "guided": batch.weights[mine].unsqueeze(1) * A[mine]}
        self.batch = pack([self.inputs], model.max_len, device)
        self.positions = len(batch)
        self.rows = rows[mine]
        self.kept: dict[tuple[float, str], Tensor] = {}
        self.w = self.user_vector(0.0, "generic")
        self.effects = cascade_effects(inputs, model.max_len, batch_size)[own]

    @torch.no_grad()
    def user_vector(self, epsilon: float, kind: str) -> Tensor:
        """The user vector of the newest position after a move by epsilon, (d,); kept."""
        if (epsilon, kind) not in self.kept:
            moved = self.model.encode(self.rows + epsilon * self.A[kind], self.batch)
            self.kept[epsilon, kind] = moved[-1]
        return self.kept[epsilon, kind]

    def moved_by(self, epsilon: float, kind: str) -> float:
        """||w_moved - w|| of the newest position (Eq. 6)."""
        number("epsilon", epsilon, low=0)
        return float(distance(self.user_vector(epsilon, kind), self.w))

    def at(self, epsilon: float) -> dict:
        """The moving part of `perturbation_pictures.epsilon_figure`."""
        reached = {kind: self.moved_by(epsilon, kind) for kind in KINDS}
        return {"epsilon": epsilon, "reached": reached}

    def picture(self, epsilons: Sequence[float]) -> dict:
        """The lasting part of `perturbation_pictures.epsilon_figure`; its arrows for epsilon = 1.

        The plane is spanned by the first two principal directions of the newest embeddings.
        """
        newest = slice(-SHOWN, None)
        centred = self.rows[newest] - self.rows[newest].mean(0)
        plane = torch.linalg.svd(centred, full_matrices=False).Vh[:2].T
        if plane.shape[1] < 2:  # one item spans no plane: the first coordinates then
            plane = torch.eye(len(plane), 2, device=plane.device)

        def flat(x):
            return x.detach().cpu().double().numpy()

        return {
            "points": flat(centred @ plane),
            "arrows": {kind: flat(A[newest] @ plane) for kind, A in self.A.items()},
            "sizes": {kind: flat(A[newest].norm(dim=1)) for kind, A in self.A.items()},
            "effects": self.effects[newest],
            "epsilons": np.asarray(epsilons, dtype=float),
            "distances": {kind: np.array([self.moved_by(float(e), kind) for e in epsilons])
                          for kind in KINDS},
        }

    def words(self, epsilon: float) -> str:
        """Where epsilon brings the user vector and the next item, as a sentence."""
        start = self.rank(0.0, "generic")
        parts = [f"{kind}: ‖ŵ - w‖ {self.moved_by(epsilon, kind):.3f}, rank of the next item "
                 f"{start:g} → {self.rank(epsilon, kind):g}" for kind in KINDS]
        return f"User {self.data.user_ids[self.user]}, epsilon {epsilon:g}. {'; '.join(parts)}."

    @torch.no_grad()
    def scores(self, epsilon: float, kind: str) -> Tensor:
        """Scores of all items for the newest position, (items,), -inf for what the user has met."""
        table = self.model.embed(torch.arange(1, self.model.n_items + 1, device=self.w.device))
        scores = table @ self.user_vector(epsilon, kind)
        met = np.setdiff1d(self.inputs, [self.target])
        scores[torch.as_tensor(met - 1).to(scores.device)] = -torch.inf
        return scores

    def rank(self, epsilon: float, kind: str) -> float:
        """The rank of the next item, counted as in `evaluation`."""
        scores = self.scores(epsilon, kind)
        own = scores[self.target - 1]
        return float(1 + (scores > own).sum() + ((scores == own).sum() - 1) / 2)

    def lists(self, epsilon: float) -> pd.DataFrame:
        """The ten best items before, and after the generic and the guided move; names as text."""
        most = min(CUTOFF, self.model.n_items - len(np.unique(self.inputs)))
        before, *after = (self.scores(e, kind).topk(most).indices.cpu().numpy() + 1
                          for e, kind in ((0.0, "generic"), *((epsilon, k) for k in KINDS)))
        sides = [list_table(before, best, self.data.item_names, self.target, "next")
                 for best in after]
        return pd.concat([sides[0].rename(columns={"after": "generic"}),
                          sides[1].drop(columns="before").rename(columns={"after": "guided"})],
                         axis=1)

    def sizes(self, epsilon: float) -> pd.DataFrame:
        """How far each of the newest positions moves, in shares of its embedding's length."""
        length = self.rows.norm(dim=1)
        shares = {kind: (epsilon * A.norm(dim=1) / length).cpu().numpy()[-SHOWN:]
                  for kind, A in self.A.items()}
        names = [self.data.item_names[item] for item in self.inputs[-SHOWN:]]
        frame = pd.DataFrame({"item": names, "C": self.effects[-SHOWN:].round(1)})
        for kind in KINDS:
            frame[f"{kind} move"] = [f"{100 * share:.1f}%" for share in shares[kind]]
        frame.index = pd.RangeIndex(len(names) - 1, -1, -1, name="steps from the end")
        return frame
