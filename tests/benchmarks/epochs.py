"""Epochs of training: packed against padded, phase 2 against phase 1, loss against loss."""

import numpy as np
import torch
from benchmarks.measuring import row, take_turns, timed
from benchmarks.worlds import model_of, sample
from oracles import PADDED
from torch.nn.functional import binary_cross_entropy_with_logits as bce_of_logits
from torch.nn.utils.rnn import pad_sequence

import casadv_lib as cas
from casadv_lib.adversarial import METHODS
from casadv_lib.experiments.configuration import USUAL
from casadv_lib.settings import AdversarialSettings, TrainingSettings
from casadv_lib.training import Trainer

BACKBONES = ("sasrec", "gru4rec")
# at least this many times as fast as padded; long histories hold little padding
PADDED_TARGETS = {"beauty": 10.0, "video": 10.0, "ml-1m": 2.5}
LOSSES = {"sampled, 256 negatives": {"loss": "sampled", "negatives": 256},
          "gbce, 64 negatives": {"loss": "gbce", "negatives": 64}, "ce": {"loss": "ce"}}
LOSS_TARGETS = {"sampled, 256 negatives": 2.0, "ce": 4.0}  # times an epoch of bce
PRODUCTS_TARGET = 1.5  # times the bare matrix products of ce and what else an epoch of bce does
ADV_CAS_TARGET = 2.0  # times the base; the paper has 3.92, the count of passes 8/3


class PaddedTrainer(Trainer):
    """`train_epoch` of phase 1 in the usual style, on padded blocks.

    The same model, batches, negatives, dropout rate, loss and settings as `Trainer`, so that
    nothing but the layout differs: `F.dropout` for each tensor, two look-ups in the item table,
    the loss over the real places, and the optimiser as PyTorch gives it by default.
    """

    def __init__(self, model, data, s: TrainingSettings, name: str):
        super().__init__(model, data, s)
        self.encode, side = PADDED[name]
        self.inputs, self.targets = (
            pad_sequence(flat.split(self.table.lengths.tolist()), True, padding_side=side)
            for flat in (self.table.inputs, self.table.targets))
        self.real = self.inputs > 0
        self.optimizer = torch.optim.AdamW(
            model.parameters(), s.learning_rate, (s.beta1, s.beta2), weight_decay=s.weight_decay)

    def loss(self, users: torch.Tensor, negatives: torch.Tensor) -> torch.Tensor:
        """L_B (Eq. 5) of some users; negatives: (users, T)."""
        real, rate = self.real[users], self.model.dropout if self.model.training else 0.0
        w = self.encode(self.model, self.model.items(self.inputs[users]), real, rate)
        total = 0.0
        for items, label in ((self.targets[users], 1.0), (negatives, 0.0)):
            logits = (w * self.model.items(items)).sum(-1)[real]
            total = total + bce_of_logits(logits, torch.full_like(logits, label))
        return total

    def train_epoch(self) -> float:
        """One pass over all users; returns the mean loss."""
        order = torch.as_tensor(np.random.default_rng(0).permutation(len(self.inputs)))
        negatives = torch.zeros_like(self.inputs)
        negatives[self.real] = self.sampler.draw(self.generator.manual_seed(0))
        self.model.train()
        losses = []
        for users in order.to(self.inputs.device).split(self.settings.batch_size):
            loss = self.loss(users, negatives[users])
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
            losses.append(loss.detach())
        return float(torch.stack(losses).mean())


def trainers_of(dataset: str, batches: int, dim: int, device: str):
    """(data, scale, the note on it, trainer): an epoch over so many batches takes 1 / scale of one
    over all users; trainer(backbone, method) is a new one over them, method "padded" too."""
    data, settings = cas.load_dataset(dataset), TrainingSettings(epochs=1, device=device)
    part = sample(data, batches * settings.batch_size)
    scale = data.n_users / part.n_users

    def trainer(name: str, method: str | None = None, settings=settings):
        model = model_of(name, dataset, data.n_items, dim)
        if method == "padded":
            return PaddedTrainer(model, part, settings, name)
        return Trainer(model, part, settings, method, AdversarialSettings(**USUAL))

    note = (f"Epochs over the same {part.n_users:,} of {data.n_users:,} users, all of an epoch's "
            f"work included; the times are scaled by {scale:.2f}.")
    return data, scale, note, trainer


def padded(dataset: str = "beauty", batches: int = 24, repeats: int = 5, dim: int = 100,
           device: str = "cpu") -> dict:
    """An epoch of phase 1 against the same model, batches and loss in padded blocks."""
    data, scale, note, trainer = trainers_of(dataset, batches, dim, device)
    rows = []
    for name in BACKBONES:
        seconds = scale * take_turns({"here": timed(trainer(name).train_epoch), "padded": timed(
            trainer(name, "padded").train_epoch)}, repeats)
        rows.append(row(f"{data.name}, {cas.BACKBONES[name].__name__}: an epoch of phase 1",
                        seconds["here"], than="padded", other=seconds["padded"], faster=True,
                        target=PADDED_TARGETS.get(dataset), headline=True))
    return {"rows": rows, "data": data.fingerprint, "notes": [note]}


def adversarial(dataset: str = "beauty", batches: int = 24, repeats: int = 7, dim: int = 100,
                methods=tuple(METHODS), backbones=BACKBONES, device: str = "cpu") -> dict:
    """An epoch of phase 2 against an epoch of phase 1, method by method, evaluation excluded."""
    data, scale, note, trainer = trainers_of(dataset, batches, dim, device)
    rows = []
    for name in backbones:
        clocks = {"base": timed(trainer(name).train_epoch)}
        clocks |= {method: timed(trainer(name, method).train_epoch) for method in methods}
        seconds = scale * take_turns(clocks, repeats)
        rows += [row(f"{data.name}, {cas.BACKBONES[name].__name__}: an epoch of {method}",
                     seconds[method], than="an epoch of the base", other=seconds["base"],
                     target=ADV_CAS_TARGET if method == "adv_cas" else None,
                     headline=method == "adv_cas") for method in methods]
    return {"rows": rows, "data": data.fingerprint, "notes": [note]}


def losses(dataset: str = "beauty", batches: int = 12, repeats: int = 5, dim: int = 100,
           device: str = "cpu") -> dict:
    """An epoch of phase 1 by each loss against one by Eq. 5; cross-entropy also against its bare
    matrix products and an epoch of Eq. 5 together."""
    data, scale, note, trainer = trainers_of(dataset, batches, dim, device)
    made = {name: trainer("sasrec", settings=TrainingSettings(epochs=1, device=device, **loss))
            for name, loss in ({"bce": {}} | LOSSES).items()}
    n, table = len(made["bce"].table.inputs) // batches, made["bce"].model.item_table()
    w = torch.randn(n, dim, device=device)

    def products() -> None:
        for _ in range(batches):
            scores = w @ table.T  # and the gradients of w and of the table
            scores @ table, scores.T @ w

    clocks = {name: timed(one.train_epoch) for name, one in made.items()}
    seconds = scale * take_turns(clocks | {"products": timed(products)}, repeats)
    rows = [row(f"{data.name}, SASRec: an epoch of {name}", seconds[name], than="an epoch of bce",
                other=seconds["bce"], target=LOSS_TARGETS.get(name)) for name in LOSSES]
    rows.append(row(f"{data.name}, SASRec: an epoch of ce", seconds["ce"],
                    than="its matrix products and an epoch of bce",
                    other=seconds["products"] + seconds["bce"], target=PRODUCTS_TARGET))
    return {"rows": rows, "data": data.fingerprint, "notes": [note]}
