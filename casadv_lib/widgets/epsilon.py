"""What an epsilon does to one user, and the sliders of notebooks 04 and 07 (Eq. 6 and 7)."""

from collections.abc import Callable, Sequence
from functools import cache

import numpy as np
import pandas as pd
import torch
from matplotlib.figure import Figure
from torch import Tensor

from ..adversarial import distance, generic_perturbation
from ..backbones import Backbone
from ..batching import pack
from ..cascade import cascade_effects
from ..data import SequenceDataset, training_inputs, training_sequences
from ..evaluation import CUTOFF
from ..experiments.configuration import Configuration
from ..figures.sketches import figure1
from ..settings import AdversarialSettings
from ..training import training_table
from .panel import Panel, Slider, find_user, list_table, picture, table, user_entry
from .runs import RunChoice

SHOWN = 10  # newest positions that pictures and tables show
CURVE = 25  # points of the curve of distances, besides the epsilons asked for


class PerturbedUser:
    """One user's training inputs in a batch of `batch_size`, perturbed by any of `epsilons`.

    Epsilon is the length of A over the whole batch, as in training; A: the user's rows, "generic",
    or "guided", times 1/C. user: an index into data.sequences, of a user with two training items or
    more; the last is the next item that the list is about.
    moved: {"generic", "guided": a frame, a row an epsilon: those asked for, and others from 0 on},
    with "distance", how far the newest user vector moves, the next item's "rank", the ten "best".
    """

    def __init__(self, model: Backbone, data: SequenceDataset, user: int,
                 epsilons: Sequence[float], batch_size: int = 128, seed: int = 0):
        self.data, self.user = data, user
        users, inputs = training_inputs(data, model.max_len)
        own = users.tolist().index(user)
        self.inputs, self.target = inputs[own], int(training_sequences(data)[user][-1])
        self.effects = cascade_effects(inputs, model.max_len, batch_size)[own]
        device = model.items.weight.device
        tokens, _ = training_table(model, data, device, "both", batch_size, AdversarialSettings())
        order = np.random.default_rng(seed).permutation(len(users))[:batch_size]
        order = np.append(own, order[order != own])[:batch_size]
        batch = next(tokens.batches(order, len(order)))
        rows, _, A = generic_perturbation(model, batch, seed=seed)
        mine = batch.sequence == int(np.flatnonzero(batch.users == own)[0])
        self.rows = rows[mine]
        self.A = {"generic": A[mine], "guided": batch.weights[mine].unsqueeze(1) * A[mine]}
        epsilons = np.union1d(np.linspace(0, max(epsilons), CURVE), epsilons)
        self.moved = {kind: self._moved(model, A, epsilons) for kind, A in self.A.items()}

    @torch.no_grad()
    def _moved(self, model: Backbone, A: Tensor, epsilons: np.ndarray) -> pd.DataFrame:
        batch = pack([self.inputs] * len(epsilons), model.max_len, A.device)
        rows = self.rows + torch.as_tensor(epsilons).to(A)[:, None, None] * A
        w = model.encode(rows.flatten(0, 1), batch)[batch.last]  # (epsilons, d)
        scores = w @ model.item_table().T
        met = np.setdiff1d(self.inputs, [self.target])
        scores[:, torch.as_tensor(met - 1).to(A.device)] = -torch.inf
        own = scores[:, [self.target - 1]]
        ranks = 1 + (scores > own).sum(1) + ((scores == own).sum(1) - 1) / 2
        best = scores.topk(min(CUTOFF, model.n_items - len(met)), dim=1).indices + 1
        return pd.DataFrame({"distance": distance(w, w[0]).cpu(), "rank": ranks.cpu(),
                             "best": best.tolist()}, index=epsilons)

    def picture(self, epsilon: float) -> dict:
        """Arguments of `figure1`, in the plane of the first two principal directions."""
        centred = self.rows[-SHOWN:] - self.rows[-SHOWN:].mean(0)
        plane = torch.linalg.svd(centred, full_matrices=False).Vh[:2].T
        if plane.shape[1] < 2:  # one item spans no plane: the first coordinates then
            plane = torch.eye(len(plane), 2, device=plane.device)
        moves = {kind: epsilon * A[-SHOWN:] for kind, A in self.A.items()}
        return {"points": (centred @ plane).cpu().numpy(),
                **{kind: (move @ plane).cpu().numpy() for kind, move in moves.items()},
                "radii": [move.norm(dim=1).cpu().numpy() for move in moves.values()],
                "effects": self.effects[-SHOWN:], "epsilon": epsilon, "curve": pd.DataFrame(
                    {kind: moved["distance"] for kind, moved in self.moved.items()})}

    def words(self, epsilon: float) -> str:
        parts = [f"{kind}: ‖ŵ - w‖ {moved['distance'][epsilon]:.3f}, rank of the next item "
                 f"{moved['rank'][0]:g} → {moved['rank'][epsilon]:g}"
                 for kind, moved in self.moved.items()]
        return f"User {self.data.user_ids[self.user]}, epsilon {epsilon:g}. {'; '.join(parts)}."

    def lists(self, epsilon: float) -> pd.DataFrame:
        generic, guided = (list_table(moved["best"][0], moved["best"][epsilon],
                                      self.data.item_names, self.target, "next")
                           for moved in self.moved.values())
        return pd.concat([generic, guided.iloc[:, 1:]], axis=1).set_axis(
            ["before", "generic", "change", "guided", "change"], axis=1)

    def sizes(self, epsilon: float) -> pd.DataFrame:
        """How far each of the newest positions moves, in shares of its embedding's length."""
        frame = pd.DataFrame({"item": [self.data.item_names[item] for item in self.inputs],
                              "C": self.effects.round(1)})
        for kind, A in self.A.items():
            shares = epsilon * A.norm(dim=1) / self.rows.norm(dim=1)
            frame[f"{kind} move"] = [f"{100 * share:.1f}%" for share in shares.tolist()]
        frame.index = pd.RangeIndex(len(frame) - 1, -1, -1, name="steps from the end")
        return frame.tail(SHOWN)


def epsilon_panel(config: Configuration, data: SequenceDataset, user: int,
                  epsilons: Sequence[float], epsilon: float,
                  marked: Callable[[float], Figure] | None = None, seed: int = 0) -> Panel:
    """Epsilon for one user, an index into data.sequences.

    config: of the run that is shown first, of `data`. epsilons: what the slider offers; epsilon:
    where it begins. marked: draws stored runs with an epsilon marked, to stand below.
    """
    runs = RunChoice(config, data)

    @cache
    def perturbed(run, user):
        own, of, models = runs.models(run)
        return PerturbedUser(models[run[-1]], of, find_user(user, of), epsilons,
                             own.training.batch_size, seed)

    @cache
    def stored(epsilon):
        return picture(marked(epsilon), f"The stored sweep, epsilon {epsilon:g} marked")

    def show(epsilon, run, user):
        one = perturbed(run, user)
        yield "user", picture(figure1(**one.picture(epsilon)), one.words(epsilon))
        yield "tables", (table(one.lists(epsilon), "The ten best items, before and after")
                         + table(one.sizes(epsilon), "How far each item moves"))
        if marked is not None:
            yield "stored", stored(epsilon)
        yield "words", one.words(epsilon)

    return Panel({"epsilon": Slider("epsilon", epsilons, epsilon),
                  "user": user_entry(data, user, runs.control), "run": runs.control}, show)
