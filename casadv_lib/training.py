"""Training: phase 1 (L_B, Eq. 5) and phase 2 (L, Eq. 10), with curves, checkpoints and resume.

Every random number of an epoch comes from (seed, phase, epoch) alone, so a run that was cut off
and goes on from its last checkpoint ends with the same numbers as one that was never cut.
"""

from __future__ import annotations

import copy
import os
import time
from dataclasses import dataclass, field, fields
from pathlib import Path

import numpy as np
import torch
from tqdm.auto import tqdm

from .adversarial import METHODS, neighbour_inputs, training_loss
from .backbones import Backbone, Dropout
from .batching import PackedBatch, TokenTable
from .cascade import cascade_effects, cascade_weights
from .data import SequenceDataset, training_inputs, training_sequences
from .evaluation import evaluate
from .sampling import NegativeSampler
from .settings import PRESETS, AdversarialSettings, TrainingSettings
from .support.checkpoints import LastGood, origin, put, read
from .support.checks import file_path, flag, instance, number, one_of, shown
from .support.collapse import TrainingError as TrainingError
from .support.collapse import act_on, look_at, vitals, watched_users
from .support.devices import choose_device
from .support.files import make_folder, save_tensors

SECONDS_BETWEEN_CHECKPOINTS = 30


@dataclass
class History:
    """What training leaves behind besides the model.

    losses: the mean training loss of each epoch. curve: one entry per evaluation, with "epoch"
    (phase 2 goes on counting where phase 1 ended), "phase", "loss", "validation" and "test".
    best: the entry with the best validation NDCG@10, and best_state its weights. The test
    numbers of the curve are for Figure 3; nothing is ever chosen by them.
    """

    losses: list[float] = field(default_factory=list)
    curve: list[dict] = field(default_factory=list)
    best: dict | None = None
    best_state: dict | None = None
    epoch_seconds: list[float] = field(default_factory=list)
    optimizer_state: dict | None = None


class Trainer:
    """One phase of training, an epoch at a time. `fit` and `fit_adversarial` run it."""

    def __init__(
        self,
        model: Backbone,
        data: SequenceDataset,
        settings: TrainingSettings,
        method: str | None = None,
        adversarial: AdversarialSettings | None = None,
        first_epoch: int = 0,
    ):
        instance("model", model, Backbone)
        instance("data", data, SequenceDataset)
        self.model, self.data, self.settings = model, data, settings
        self.method, self.method_name = None if method is None else METHODS[method], method
        self.adversarial = adversarial or AdversarialSettings()
        self.phase = 1 if method is None else 2
        self.first_epoch = number("first_epoch", first_epoch, low=0, kind=int)
        self.device = choose_device(settings.device)
        model.to(self.device)
        self.table, self.sampler = training_table(
            model, data, self.device, self._terms(), settings.batch_size, self.adversarial
        )
        self.watched, self.noted = watched_users(self.table), False
        self.optimizer = make_optimizer(model, settings)
        self.generator = torch.Generator(self.device)
        self.history = History()
        self.amp = settings.amp is True
        if settings.compile is True:
            compile_encoder(model)

    def _terms(self):
        return None if self.method is None else self.method.terms

    @property
    def done(self) -> int:
        """Epochs of this phase behind us."""
        return len(self.history.losses)

    def train_epoch(self) -> float:
        """One pass over all users in a new order; returns the mean loss."""
        s, words = self.settings, [self.settings.seed, self.phase, self.done]
        self.generator.manual_seed(int(np.random.SeedSequence(words).generate_state(1)[0]))
        order = np.random.default_rng(words).permutation(len(self.table.lengths))
        negatives = self.sampler.draw(self.generator)
        inputs = self.table.inputs
        if self.method is not None and self.method.replaces:
            inputs = neighbour_inputs(
                self.model, inputs, self.table.targets, self.adversarial, self.generator
            )
        self.model.train()
        losses, sizes = [], []
        for batch in self.table.batches(order, s.batch_size, negatives, inputs):
            drop = Dropout(self.model.dropout, self.generator)
            with torch.autocast(self.device.type, torch.bfloat16, enabled=self.amp):
                loss, parts = training_loss(
                    self.model, batch, self.method, self.adversarial, drop, self.generator
                )
            if s.decay == "item_norm":
                loss = loss + s.weight_decay * torch.linalg.vector_norm(self.model.items.weight)
            self.optimizer.zero_grad(set_to_none=True)
            loss.backward()
            self.optimizer.step()
            losses.append(loss.detach())
            if "perturbation" in parts:
                sizes.append(parts["perturbation"])
        # the only place of an epoch that waits for the device
        found = vitals(losses, sizes, look_at(self.model, self.watched), self.watched is not None)
        epoch = self.first_epoch + self.done + 1
        self.noted = act_on(
            found, epoch, self.settings, self.adversarial, self.method, self.noted
        )
        return found.loss

    def evaluate(self) -> dict:
        """A curve entry for the present weights; remembers the best validation NDCG@10."""
        entry = {
            "epoch": self.first_epoch + self.done,
            "phase": self.phase,
            "loss": self.history.losses[-1] if self.history.losses else None,
        }
        for split in ("validation", "test"):
            found = evaluate(self.model, self.data, split)
            entry[split] = {key: found[key] for key in ("ndcg@10", "hr@10")}
        self.history.curve.append(entry)
        best, key = self.history.best, "ndcg@10"
        if best is None or entry["validation"][key] > best["validation"][key]:
            self.history.best = entry
            self.history.best_state = copy.deepcopy(self.model.state_dict())
        return entry

    def run(self, checkpoint: Path | None = None, progress: bool = True) -> History:
        """Train to the end, from the checkpoint where there is one.

        Ctrl-C and a TrainingError leave the state after the last good epoch, in the model and in
        the checkpoint.
        """
        checkpoint, progress = file_path("checkpoint", checkpoint), flag("progress", progress)
        if checkpoint is not None:
            make_folder(checkpoint.parent)
            if checkpoint.exists():
                self.load(checkpoint)
        s, saved = self.settings, time.monotonic()
        label = "phase 1" if self.method is None else "phase 2"
        with LastGood(self, checkpoint) as good, tqdm(
            total=s.epochs, initial=self.done, desc=label, unit="epoch",
            disable=not progress or bool(os.environ.get("CI")),
        ) as bar:  # fmt: skip
            while self.done < s.epochs:
                started = time.perf_counter()
                loss = self.train_epoch()
                self.history.losses.append(loss)
                self.history.epoch_seconds.append(time.perf_counter() - started)
                last = self.done == s.epochs
                shown = {"loss": f"{loss:.4f}"}
                if s.eval_every and (self.done % s.eval_every == 0 or last):
                    shown["validation ndcg@10"] = f"{self.evaluate()['validation']['ndcg@10']:.4f}"
                good.remember()
                bar.update()
                bar.set_postfix(shown)
                due = time.monotonic() - saved > SECONDS_BETWEEN_CHECKPOINTS
                if checkpoint is not None and (due or last):
                    self.save(checkpoint)
                    saved = time.monotonic()
        self.history.optimizer_state = self.optimizer.state_dict()
        return self.history

    def save(self, path: Path) -> None:
        """Write everything that the next epoch needs, atomically."""
        save_tensors(path, self.content(), parents=False)

    def content(self) -> dict:
        """What a checkpoint holds."""
        kept = {f.name: getattr(self.history, f.name) for f in fields(History)}
        kept["optimizer_state"] = self.optimizer.state_dict()
        return {"model": self.model.state_dict(), "history": kept, "origin": origin(self)}

    def load(self, path: Path) -> None:
        """Go on from `save`; raises ValueError for a damaged or another training's checkpoint."""
        put(read(path, self), self, path)


def make_optimizer(model: Backbone, s: TrainingSettings) -> torch.optim.Optimizer:
    """Adam with the chosen kind of decay.

    Coupled decay under Adam shrinks every item that is not in the batch at the full learning
    rate, since Adam divides the tiny decay by its own tiny size; decoupled decay does not.
    """
    kind = torch.optim.Adam if s.decay == "adam" else torch.optim.AdamW
    decay = 0.0 if s.decay == "item_norm" else s.weight_decay
    # fused: one pass over the item table instead of many; it needs a real device
    fused = all(p.device.type != "meta" for p in model.parameters()) or None
    return kind(
        model.parameters(), s.learning_rate, (s.beta1, s.beta2), weight_decay=decay, fused=fused
    )


def compile_encoder(model: Backbone) -> None:
    """Let torch.compile fuse what works position by position; needs a C++ compiler on a CPU.

    What mixes positions (blocks of every batch's own shapes) and what holds state (dropout's
    masks) runs as it is: compiled, each new shape would be compiled again.
    """
    for owner, name in ((Dropout, "__call__"), (PackedBatch, "blocks"), (PackedBatch, "recur")):
        setattr(owner, name, torch.compiler.disable(getattr(owner, name)))
    model.encode = torch.compile(model.encode, dynamic=True)


def training_table(
    model: Backbone,
    data: SequenceDataset,
    device,
    terms: str | None,
    batch_size: int,
    adversarial: AdversarialSettings,
) -> tuple[TokenTable, NegativeSampler]:
    """The training tokens of a data set, with their cascade weights if `terms` is given.

    A training sequence v_1 ... v_n gives the inputs v_1 ... v_{n-1} with the targets
    v_2 ... v_n, the last max_len of them. The held-out items appear nowhere.
    """
    if model.n_items != data.n_items:
        raise ValueError(
            f"the model has {model.n_items} items, the data set {data.name!r} {data.n_items}; "
            "allowed is a model made for this data set"
        )
    users, inputs = training_inputs(data, model.max_len)
    if not inputs:
        raise ValueError(f"no user of {data.name!r} has two training items; nothing can be learnt")
    sequences = training_sequences(data)
    met = [sequences[user] for user in users]
    targets = [s[1:][-model.max_len :] for s in met]
    weights = None
    if terms is not None:
        effects = cascade_effects(
            inputs, model.max_len, batch_size, terms, adversarial.count_self
        )
        weights = cascade_weights(effects, adversarial.cascade_norm, adversarial.weight_mean)
    table = TokenTable(inputs, device, targets, weights)
    return table, NegativeSampler(met, table.lengths, data.n_items, device)


def _split(options: dict, kinds: tuple[type, ...]) -> list[dict]:
    """Sort keyword arguments into the settings they belong to; refuse unknown names."""
    known = [{f.name for f in fields(kind)} for kind in kinds]
    for name in options:
        if not any(name in names for names in known):
            allowed = ", ".join(sorted(set().union(*known)))
            raise ValueError(f"{name!r} is not a setting; allowed are {allowed}")
    return [{k: v for k, v in options.items() if k in names} for names in known]


def fit(
    model: Backbone,
    data: SequenceDataset,
    epochs: int = 500,
    seed: int = 0,
    batch_size: int = 128,
    device: str = "auto",
    eval_every: int = 0,
    *,
    checkpoint: Path | str | None = None,
    progress: bool = True,
    **settings,
) -> History:
    """Phase 1: train a backbone on L_B (Eq. 5), in place.

    checkpoint: a file to resume from and to write to. settings: fields of `TrainingSettings`.
    Returns a `History`.
    """
    settings |= dict(epochs=epochs, seed=seed, batch_size=batch_size, device=device)
    (own,) = _split(settings | {"eval_every": eval_every}, (TrainingSettings,))
    trainer = Trainer(model, data, TrainingSettings(**own))
    return trainer.run(checkpoint, progress)


def fit_adversarial(
    model: Backbone,
    data: SequenceDataset,
    method: str = "adv_cas",
    epsilon: float = 10.0,
    lambda1: float = 1.0,
    lambda2: float = 1.0,
    epochs: int = 100,
    seed: int = 0,
    scope: str = "batch",
    eval_every: int = 0,
    *,
    preset: str | None = None,
    optimizer_state: dict | None = None,
    first_epoch: int = 0,
    checkpoint: Path | str | None = None,
    progress: bool = True,
    **settings,
) -> History:
    """Phase 2: go on training a converged backbone on L of Eq. 10, in place.

    method: a name of `METHODS`. preset: "batch" or "literal", overrides the values it names.
    optimizer_state: go on with phase 1's (a `History` has it); None starts Adam afresh.
    first_epoch: the epochs of phase 1, for the numbering of the curve.
    settings: fields of `TrainingSettings` and `AdversarialSettings`. Returns a `History`.
    """
    one_of("method", method, METHODS)
    one_of("preset", preset, (None, *PRESETS))
    settings |= dict(epochs=epochs, seed=seed, eval_every=eval_every, scope=scope)
    settings |= dict(epsilon=epsilon, lambda1=lambda1, lambda2=lambda2) | PRESETS.get(preset, {})
    own, adversarial = _split(settings, (TrainingSettings, AdversarialSettings))
    trainer = Trainer(
        model, data, TrainingSettings(**own), method, AdversarialSettings(**adversarial),
        first_epoch,
    )  # fmt: skip
    if optimizer_state is not None:
        try:
            trainer.optimizer.load_state_dict(optimizer_state)
        except (
            TypeError, LookupError, ValueError, AttributeError, RuntimeError
        ) as error:  # fmt: skip
            raise ValueError(f"optimizer_state is {shown(optimizer_state)}; allowed is that of a "
                             f"History of this model, or None ({error})") from error
    return trainer.run(checkpoint, progress)
