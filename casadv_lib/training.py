"""Training: phase 1 (L_B, Eq. 5) and phase 2 (L, Eq. 10), an epoch at a time.

Every random number of an epoch comes from (seed, phase, epoch) alone, so a run that was cut off
and goes on from its last checkpoint ends with the same numbers as one that was never cut.
"""

import contextlib
import copy
import time
import warnings
from dataclasses import dataclass, field, replace
from pathlib import Path
from unittest.mock import patch

import numpy as np
import torch

from .adversarial import BASE, METHODS, neighbour_inputs, training_loss
from .backbones import Backbone
from .batching import NegativeSampler, PackedBatch, TokenTable
from .cascade import cascade_effects, cascade_weights
from .data import SequenceDataset, training_inputs, training_sequences
from .evaluation import METRICS, evaluate
from .settings import AdversarialSettings, TrainingSettings
from .support.checkpoints import HealthCheck, LastGood
from .support.checks import instance, one_of
from .support.layers import Dropout
from .support.machine import choose_device, progress_bar


def fit(model: Backbone, data: SequenceDataset, epochs: int = 500, seed: int = 0,
        batch_size: int = 128, device: str = "auto", eval_every: int = 0, *,
        checkpoint: Path | str | None = None, progress: bool = True, **settings) -> "History":
    """Phase 1: train a backbone on L_B (Eq. 5, or another loss), in place.

    checkpoint: a file to resume from and to write to. settings: fields of `TrainingSettings`.
    Returns a `History`; a model that diverges or collapses raises a `TrainingError`.
    """
    own = TrainingSettings(epochs=epochs, seed=seed, batch_size=batch_size, device=device,
                           eval_every=eval_every, **settings)
    return Trainer(model, data, own).run(checkpoint, progress)


def fit_adversarial(model: Backbone, data: SequenceDataset, method: str = "adv_cas",
                    epsilon: float = 10.0, lambda1: float = 1.0, lambda2: float = 1.0,
                    epochs: int = 100, seed: int = 0, scope: str = "batch", eval_every: int = 0,
                    *, checkpoint: Path | str | None = None, progress: bool = True, **settings
                    ) -> "History":
    """Phase 2: go on training a converged backbone on L of Eq. 10, in place, with a fresh Adam.

    method: a name of `METHODS`. settings: fields of `TrainingSettings` and `AdversarialSettings`.
    checkpoint, what is returned and what is raised: as in `fit`.
    """
    one_of("method", method, METHODS)
    of_training = TrainingSettings.__pydantic_fields__
    for name in settings:
        one_of("setting", name, [*of_training, *AdversarialSettings.__pydantic_fields__])
    own = TrainingSettings(epochs=epochs, seed=seed, eval_every=eval_every, **{
        name: settings.pop(name) for name in {*settings} & {*of_training}})
    adversarial = AdversarialSettings(epsilon=epsilon, lambda1=lambda1, lambda2=lambda2,
                                      scope=scope, **settings)
    return Trainer(model, data, own, method, adversarial).run(checkpoint, progress)


@dataclass
class History:
    """What training leaves behind besides the model.

    losses: the mean training loss of each epoch. curve: one entry per evaluation, with "epoch"
    (counted from the trainer's first), "phase", "loss", "validation" and "test".
    best: the entry with the best validation NDCG@10, and best_state its weights. The test
    numbers of the curve are for Figure 3; nothing is ever chosen by them.
    """

    losses: list[float] = field(default_factory=list)
    curve: list[dict] = field(default_factory=list)
    best: dict | None = None
    best_state: dict | None = None
    epoch_seconds: list[float] = field(default_factory=list)


class Trainer:
    """One phase of training, an epoch at a time. `fit` and `fit_adversarial` run it.

    first_epoch: epochs that lie behind the model already, for the numbering of the curve.
    """

    def __init__(self, model: Backbone, data: SequenceDataset, settings: TrainingSettings,
                 method: str | None = None, adversarial: AdversarialSettings | None = None,
                 first_epoch: int = 0):
        self.model, self.data = instance("model", model, Backbone), data
        self.settings, self.method_name = settings, method
        self.phase, self.method = (1, BASE) if method is None else (2, METHODS[method])
        self.adversarial = adversarial or AdversarialSettings()
        self.first_epoch = first_epoch
        if settings.patience and not settings.eval_every:
            raise ValueError(f"patience is {settings.patience} with eval_every=0; allowed is an "
                             "eval_every of at least 1, as validation says when to stop")
        self.device = choose_device(settings.device)
        model.to(self.device)
        self.table, self.sampler = training_table(model, data, self.device, self.method.terms,
                                                  settings.batch_size, self.adversarial)
        self.health = HealthCheck(self)
        self.optimizer = make_optimizer(model, settings)
        self.generator = torch.Generator(self.device)
        self.history = History()

    @property
    def done(self) -> int:
        """Epochs of this phase behind us."""
        return len(self.history.losses)

    @property
    def is_over(self) -> bool:
        """Whether all epochs are done, or `patience` evaluations brought nothing better."""
        worse = [e for e in self.history.curve if e["epoch"] > self.history.best["epoch"]]
        return self.done >= self.settings.epochs or 0 < self.settings.patience <= len(worse)

    def train_epoch(self) -> float:
        """One pass over all users in a new order; returns the mean loss."""
        s, words = self.settings, [self.settings.seed, self.phase, self.done]
        self.generator.manual_seed(int(np.random.SeedSequence(words).generate_state(1)[0]))
        order = np.random.default_rng(words).permutation(len(self.table.lengths))
        negatives, inputs = self.negatives(), self.table.inputs
        if self.method.replaces:
            inputs = neighbour_inputs(self.model, inputs, self.table.targets, self.adversarial,
                                      self.generator)
        self.model.train()
        losses, sizes = [], []
        for batch in self.table.batches(order, s.batch_size, negatives, inputs):
            if s.loss == "sampled":
                batch = replace(batch, negatives=self.shared_negatives())
            drop = Dropout(self.model.dropout, self.generator)
            with torch.autocast(self.device.type, torch.bfloat16, enabled=s.amp is True):
                loss, parts = training_loss(self.model, batch, self.method, self.adversarial, drop,
                                            self.generator, s)
            if s.decay == "item_norm":
                loss = loss + s.weight_decay * torch.linalg.vector_norm(self.model.items.weight)
            self.optimizer.zero_grad(set_to_none=True)
            loss.backward()
            self.optimizer.step()
            losses.append(loss.detach())
            if "perturbation" in parts:
                sizes.append(parts["perturbation"])
        # the only moment of an epoch that waits for the device
        return self.health.after_epoch(losses, sizes)

    def negatives(self) -> torch.Tensor | None:
        """Of an epoch, for the losses that draw them: (all tokens,), or (all tokens, m)."""
        if self.settings.loss not in ("bce", "gbce"):
            return None
        many = self.settings.negatives
        drawn = [self.sampler.draw(self.generator) for _ in range(many)]
        return drawn[0] if many == 1 else torch.stack([each.int() for each in drawn], 1)

    def shared_negatives(self) -> torch.Tensor:
        """Of a batch, (m,): different items of the whole catalogue, also such as users have met."""
        n_items = self.model.n_items
        drawn = torch.randperm(n_items, generator=self.generator, device=self.device)
        return drawn[: self.settings.negatives] + 1

    def evaluate(self) -> dict:
        """A curve entry for the present weights; remembers the best validation NDCG@10."""
        entry = {"epoch": self.first_epoch + self.done, "phase": self.phase,
                 "loss": self.history.losses[-1] if self.history.losses else None}
        for split in ("validation", "test"):
            scores = evaluate(self.model, self.data, split)
            entry[split] = {metric: scores[metric] for metric in METRICS}
        self.history.curve.append(entry)
        best, metric = self.history.best, "ndcg@10"
        if best is None or entry["validation"][metric] > best["validation"][metric]:
            self.history.best = entry
            self.history.best_state = copy.deepcopy(self.model.state_dict())
        return entry

    def run(self, checkpoint: Path | None = None, progress: bool = True) -> History:
        """Train to the end, from the checkpoint where there is one.

        Ctrl-C and a TrainingError leave the state after the last good epoch, in the model and in
        the checkpoint. With `patience` the model ends with the weights of its best epoch.
        """
        one_of("progress", progress, (True, False))
        s = self.settings
        with (LastGood(self, checkpoint) as good, compiled_encoder(self.model, s.compile is True),
              progress_bar(progress, leave=True, total=s.epochs, initial=self.done,
                           desc=f"phase {self.phase}", unit="epoch") as bar):
            history = self.history  # of the checkpoint, where there is one
            while not self.is_over:
                started = time.perf_counter()
                loss = self.train_epoch()
                history.losses.append(loss)
                history.epoch_seconds.append(time.perf_counter() - started)
                shown = {"loss": f"{loss:.4f}"}
                if s.eval_every and (self.done % s.eval_every == 0 or self.done == s.epochs):
                    shown["validation ndcg@10"] = f"{self.evaluate()['validation']['ndcg@10']:.4f}"
                if s.patience and self.is_over:
                    self.model.load_state_dict(history.best_state)
                good.remember(store=self.is_over)  # first: what the bar counts is safe
                bar.update()
                bar.set_postfix(shown)
        return history


def training_table(model: Backbone, data: SequenceDataset, device, terms: str | None,
                   batch_size: int, adversarial: AdversarialSettings
                  ) -> tuple[TokenTable, NegativeSampler]:
    """The tokens of `training_inputs` with their targets, and the cascade weights of `terms`."""
    model.check_items(data)
    users, inputs = training_inputs(data, model.max_len)
    if not inputs:
        raise ValueError(f"no user of {data.name!r} has two training items and an item "
                         "that it has not met; nothing can be learnt")
    sequences = training_sequences(data)
    met = [sequences[user] for user in users]
    if full := [user for user in np.setdiff1d(np.arange(data.n_users), users)
                if len(sequences[user]) > 1]:
        warnings.warn(f"{data.name}: {len(full)} user(s) who have met all {data.n_items} items in "
                      f"training are left out of it, such as {data.user_ids[full[0]]}: a negative "
                      "needs another item", stacklevel=2)
    targets = [s[1:][-model.max_len :] for s in met]
    weights = None
    if terms is not None:
        effects = cascade_effects(inputs, model.max_len, batch_size, terms, adversarial.count_self)
        weights = cascade_weights(effects, adversarial.cascade_norm, adversarial.weight_mean)
    table = TokenTable(inputs, device, targets, weights)
    return table, NegativeSampler(met, table.lengths, data.n_items, device)


def make_optimizer(model: Backbone, s: TrainingSettings) -> torch.optim.Optimizer:
    """Adam with the chosen kind of decay.

    Coupled decay under Adam shrinks every item that is not in the batch at the full learning
    rate, since Adam divides the tiny decay by its own tiny size; decoupled decay does not.
    """
    kind = torch.optim.Adam if s.decay == "adam" else torch.optim.AdamW
    decay = 0.0 if s.decay == "item_norm" else s.weight_decay
    # fused: one pass over the item table instead of many
    return kind(model.parameters(), s.learning_rate, (s.beta1, s.beta2), weight_decay=decay,
                fused=True)


def compiled_encoder(model: Backbone, wanted: bool):
    """For a `with`: torch.compile fuses what works position by position.

    It needs a C++ compiler on a CPU. What mixes positions (blocks of every batch's own shapes) and
    what holds state (dropout's masks) runs as it is: compiled, each new shape would be again.
    """
    if not wanted:
        return contextlib.nullcontext()
    for owner, name in ((Dropout, "__call__"), (PackedBatch, "blocks"), (PackedBatch, "recur")):
        setattr(owner, name, torch.compiler.disable(getattr(owner, name)))
    # put back at the end: a copy of the model would go on with this one's encoder
    return patch.object(model, "encode", torch.compile(model.encode, dynamic=True))
