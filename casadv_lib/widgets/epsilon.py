"""What an epsilon does to one user, and the sliders of notebooks 04 and 07 (Eq. 6 and 7).

The user is one of a training batch, as in training: epsilon is the length of A over the whole
batch, and the user gets the rows of A that are its own, or those times 1/C.
"""

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
from ..figures.accuracy import figure4
from ..figures.animated import Animated
from ..figures.perturbation import epsilon_figure
from ..results.frames import MissingRecords, read_results, with_role
from ..settings import AdversarialSettings
from ..support.checks import number
from ..training import training_table
from .panel import Panel, find_user, list_table, picture, table, user_entry
from .runs import RunChoice
from .slider import Slider

KINDS = ("generic", "guided")
SHOWN = 10  # newest positions that pictures and tables show
CURVE = 25  # points of the curve of distances


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
        self.effects = cascade_effects(inputs, model.max_len, batch_size)[own]
        device = model.items.weight.device
        tokens, _ = training_table(model, data, device, "both", batch_size, AdversarialSettings())
        order = np.random.default_rng(seed).permutation(len(users))[:batch_size]
        order = np.append(own, order[order != own])[:batch_size]
        batch = next(tokens.batches(order, len(order)))
        rows, _, A = generic_perturbation(model, batch, seed=seed)
        mine = batch.sequence == int(np.flatnonzero(batch.users == own)[0])
        self.A = {"generic": A[mine], "guided": batch.weights[mine].unsqueeze(1) * A[mine]}
        self.rows, self.batch = rows[mine], pack([self.inputs], model.max_len, device)
        self.w = self.user_vector(0.0, "generic")

    @torch.no_grad()
    def user_vector(self, epsilon: float, kind: str) -> Tensor:
        """The user vector of the newest position after a move by epsilon, (d,)."""
        return self.model.encode(self.rows + epsilon * self.A[kind], self.batch)[-1]

    def moved_by(self, epsilon: float, kind: str) -> float:
        """||w_moved - w|| of the newest position (Eq. 6)."""
        number("epsilon", epsilon, low=0)
        return float(distance(self.user_vector(epsilon, kind), self.w))

    def at(self, epsilon: float) -> dict:
        """The changing part of `epsilon_figure`."""
        return {"epsilon": epsilon, "reached": {k: self.moved_by(epsilon, k) for k in KINDS}}

    def picture(self, epsilons: Sequence[float]) -> dict:
        """The lasting part of `epsilon_figure`, its arrows for epsilon = 1.

        The plane is spanned by the first two principal directions of the newest embeddings.
        """
        centred = self.rows[-SHOWN:] - self.rows[-SHOWN:].mean(0)
        plane = torch.linalg.svd(centred, full_matrices=False).Vh[:2].T
        if plane.shape[1] < 2:  # one item spans no plane: the first coordinates then
            plane = torch.eye(len(plane), 2, device=plane.device)

        def flat(x):
            return x[-SHOWN:].cpu().double().numpy()

        return {
            "points": flat(centred @ plane),
            "arrows": {kind: flat(A @ plane) for kind, A in self.A.items()},
            "sizes": {kind: flat(A.norm(dim=1)) for kind, A in self.A.items()},
            "effects": self.effects[-SHOWN:],
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
        scores = self.model.item_table() @ self.user_vector(epsilon, kind)
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
        before, *after = (self.scores(e, kind).topk(most).indices.cpu().numpy() + 1 for e, kind in
                          ((0.0, "generic"), (epsilon, "generic"), (epsilon, "guided")))
        generic, guided = (list_table(before, best, self.data.item_names, self.target, "next")
                           for best in after)
        return pd.concat([generic.rename(columns={"after": "generic"}), guided.drop(
            columns="before").rename(columns={"after": "guided"})], axis=1)

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
                  marked: Callable[[], Figure] | None = None,
                  swept: Sequence[float] | None = None, seed: int = 0) -> Panel:
    """Epsilon for one user; over a stored sweep besides, where `marked` draws one.

    config: of a stored run, of `data`. user: an index into data.sequences. epsilons: what the
    slider offers; epsilon: where it begins. marked: draws a figure of stored runs whose changing
    part takes one of the epsilons `swept` (by default `epsilons`); the nearest is marked.
    """
    runs = RunChoice(config, data)
    values = np.array(epsilons if swept is None else swept, dtype=float)
    stored = Animated(marked()) if marked is not None else None

    @cache
    def trained(run):
        made = runs.pair(run)[run[-1]]
        return made, made.model(device=made.config.training.device).eval()

    @cache
    def state(run, user):
        made, model = trained(run)
        one = PerturbedUser(model, made.data, find_user(user, made.data),
                            made.config.training.batch_size, seed)
        curve = np.linspace(0, max(epsilons), CURVE)
        return one, Animated(epsilon_figure(**one.picture(curve), **one.at(0.0)))

    def show(epsilon, run, user):
        one, figure = state(run, user)
        yield "user", picture(figure, one.words(epsilon), *one.at(epsilon).values())
        yield "tables", (table(one.lists(epsilon), "The ten best items, before and after")
                         + table(one.sizes(epsilon), "How far each item moves"))
        if stored is not None:
            nearest = float(values[np.abs(values - epsilon).argmin()])
            besides = "" if nearest == epsilon else f", the nearest to {epsilon:g} that was run"
            words = f"The stored sweep, epsilon {nearest:g} marked{besides}"
            yield "stored", picture(stored, words, nearest)
        yield "words", one.words(epsilon)

    return Panel({"epsilon": Slider("epsilon", [float(e) for e in epsilons], float(epsilon)),
                  "user": user_entry(data, user, runs.control), "run": runs.control}, show)


def stored_sweep(profile: str, dataset: str) -> dict:
    """Figure 4 of a profile's stored results, as `marked` and `swept` of `epsilon_panel`.

    Empty where no sweep of that data set is stored.
    """
    try:
        results = read_results(profile)
    except MissingRecords:
        return {}
    rows = with_role(results, "sweep", dataset=dataset, method="adv_cas")
    swept = sorted(rows["epsilon"].unique())
    return {"marked": lambda: figure4(results, swept[0], dataset), "swept": swept} if swept else {}
