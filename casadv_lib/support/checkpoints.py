"""Stopping, by Ctrl-C or the watch for a collapse, without losing the last good epoch.

Four things go wrong silently: a loss that is no number any more, embeddings that grow without
bound, a perturbation of zero, and an encoder that gives all users one vector.
"""

import contextlib
import copy
import inspect
import math
import time
import warnings
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from .checks import shown
from .files import load_tensors, make_folder, reading, save_tensors

SECONDS_BETWEEN_CHECKPOINTS = 30
MAY_CHANGE = ("epochs", "eval_every", "device", "compile", "health")  # in mid-training
WATCHED_USERS = 16
# Trained encoders spread their users by 0.2 to 0.95 of the vectors' length; the worst setting
# that still ranked anything by 0.006. Below this, users can hardly be told apart.
SMALLEST_SPREAD = 3e-3
# Trained embeddings have coordinates of about 0.1 to 0.5; one step of Adam moves them by 0.001.
LARGEST_COORDINATE = 10.0
LIKELY = ("learning_rate", "weight_decay", "epsilon", "lambda1")  # settings to look at
TRAPS = {  # and values of settings that alone can do it
    ("amp", True): "few digits",
    ("start", "zero"): "the norm of Eq. 6 has gradient zero at A = 0; use 'random'",
    ("detach_clean", False): "L_adv1 may pull the clean vectors together; use True",
    ("dropout_masks", "independent"): "L_adv1 measures dropout; use 'same'",
}


class TrainingError(RuntimeError):
    """Training cannot go on; the message says since when and which settings to look at."""


class HealthCheck:
    """Watches a trainer's model: `after_epoch` raises TrainingError, or warns once."""

    def __init__(self, trainer):
        self.trainer, self.warned = trainer, False
        table, count = trainer.table, len(trainer.table.lengths)
        # a small batch of users with different inputs, spread over the data; None if all are alike
        users = np.linspace(0, count - 1, min(count, WATCHED_USERS)).astype(int)
        inputs = {tuple(table.inputs[table.offsets[user] : table.offsets[user + 1]].tolist()): user
                  for user in users}
        batches = table.batches([*inputs.values()], len(inputs))
        self.batch = next(batches) if len(inputs) > 1 else None

    def after_epoch(self, losses: list[Tensor], sizes: list[Tensor]) -> float:
        """The mean loss of an epoch; losses, sizes (of A, Eq. 7; may be empty): a scalar a step. A
        sick model raises TrainingError; with health="note", and numbers still, the first warns."""
        trainer = self.trainer
        least = torch.stack(sizes).min() if sizes else torch.ones_like(losses[0])
        looked = size_and_spread(trainer.model, self.batch)
        # all numbers of an epoch are fetched from the device at once
        numbers = torch.stack([torch.stack(losses).mean(), least, *looked]).tolist()
        if sick := self.diagnosis(*numbers):
            if trainer.settings.health == "stop" or not all(map(math.isfinite, numbers)):
                raise TrainingError(sick)
            if not self.warned:
                warnings.warn(f"{sick}. Training goes on, since health is 'note'", stacklevel=3)
            self.warned = True
        return numbers[0]

    def diagnosis(self, loss: float, perturbation: float, size: float, spread: float) -> str:
        """What went wrong and which settings to look at, a sentence; or "". loss: the mean;
        perturbation: the smallest size of A in a step; size, spread: see `size_and_spread`."""
        trainer, a, method = self.trainer, self.trainer.adversarial, self.trainer.method
        epoch = trainer.first_epoch + trainer.done + 1
        if not all(map(math.isfinite, (loss, size, spread))):
            what = (f"the loss is {loss:.4g} in epoch {epoch}, and the weights are no finite "
                    "numbers: the model has diverged")
        elif size > LARGEST_COORDINATE:
            what = (f"item embeddings explode in epoch {epoch}: coordinates of {size:.3g}, where "
                    "trained ones are below 1")
        elif perturbation == 0 and a.epsilon > 0:
            what = f"the perturbation A was zero in epoch {epoch}: its gradient vanished"
        elif spread < SMALLEST_SPREAD:
            what = (f"the encoder has collapsed in epoch {epoch}: all users have one vector (they "
                    f"differ by {spread:.1g} of its length), so all get the same list")
        else:
            return ""
        read = asdict(trainer.settings)  # by this method
        read |= asdict(a) if method.level1 else {"epsilon": a.epsilon} if method.level2 else {}
        listed = [f"{name} ({read[name]:g})" for name in LIKELY if name in read]
        listed += [f"{name} ({value!r}: {why})" for (name, value), why in TRAPS.items()
                   if read.get(name) == value]
        return f"{what}. Look at {', '.join(listed)}"


@torch.no_grad()
def size_and_spread(model, batch) -> tuple[Tensor, Tensor]:
    """(size, spread), scalars on the model's device: the root mean square coordinate of the longest
    item embedding; how much the watched users' vectors differ, as a share of their length, or 1."""
    size = model.items.weight.square().mean(1).max().sqrt()
    if batch is None:
        return size, torch.ones_like(size)
    with model.evaluating():
        w = model(batch)[batch.last].to(size.dtype)
    length = w.square().sum(1).mean().sqrt()
    apart = (w - w.mean(0)).square().sum(1).mean().sqrt()
    return size, apart / length.clamp_min(torch.finfo(size.dtype).tiny)


def origin_of(trainer) -> dict:
    """What a checkpoint belongs to: to go on from another's would mix two runs."""
    settings = asdict(trainer.settings)
    # what the constructor takes need not show in the shape of a weight, such as dropout and n_heads
    given = {name: value for name in inspect.signature(type(trainer.model)).parameters
             if isinstance(value := getattr(trainer.model, name, None), (int, float))}
    origin = given | {"backbone": type(trainer.model).__name__, "phase": trainer.phase,
                        "data": trainer.data.fingerprint}
    origin |= {name: value for name, value in settings.items() if name not in MAY_CHANGE}
    if settings["patience"]:  # the end has the best weights: to go on from there is another run
        origin["epochs"] = settings["epochs"]
    if trainer.phase == 2:
        origin |= {"method": trainer.method_name} | asdict(trainer.adversarial)
    return origin


def load_optimizer(optimizer: torch.optim.Optimizer, checkpoint: dict) -> None:
    """Go on with the state of Adam that a checkpoint holds; what is wrong with it raises."""
    optimizer.load_state_dict(checkpoint["history"]["optimizer_state"])
    for parameter, one in optimizer.state.items():  # PyTorch does not compare shapes
        if not one["exp_avg"].shape == one["exp_avg_sq"].shape == parameter.shape:
            raise ValueError("the optimizer's state is of another model")


class LastGood(contextlib.AbstractContextManager):
    """The state after the last good epoch; leaving its block by Ctrl-C or a TrainingError puts it
    back into the model and the checkpoint. It begins with the checkpoint where there is one, which
    may raise DamagedFile, or ValueError for one of another model, data set, phase or setting."""

    def __init__(self, trainer, checkpoint: Path | str | None):
        self.trainer, self.path, self.origin = trainer, None, origin_of(trainer)
        if checkpoint is not None:
            if (not isinstance(checkpoint, (str, Path)) or "\0" in str(checkpoint)
                    or Path(checkpoint).is_dir()):
                raise ValueError(f"checkpoint is {shown(checkpoint)}; allowed is the path of a "
                                 "file, or None")
            self.path = Path(checkpoint)
            make_folder(self.path.parent)
            if self.path.exists():
                self._load()
        self.stored = time.monotonic()
        self.remember()

    def _load(self) -> None:
        stored, wanted = load_tensors(self.path, self.trainer.device), self.origin
        origin = stored.get("origin")  # older checkpoints do not name all settings
        made_by = wanted | (origin if isinstance(origin, dict) else {})
        if differs := [f"{name} {made_by[name]!r} instead of {value!r}"
                       for name, value in sorted(wanted.items()) if value != made_by[name]]:
            raise ValueError(f"checkpoint is {str(self.path)!r}, which belongs to another training:"
                             f" {', '.join(differs)}; allowed is its own checkpoint, or a new file")
        with reading(self.path, "does not fit the model", "delete it or name another file"):
            self._put(stored)
        if self.trainer.done > (epochs := self.trainer.settings.epochs):
            raise ValueError(f"epochs is {epochs}, and checkpoint {str(self.path)!r} holds "
                             f"{self.trainer.done}; allowed are no fewer, or a new file")

    def _put(self, stored: dict) -> None:
        trainer, history = self.trainer, dict(stored["history"])
        history.pop("optimizer_state", None)
        trainer.history = type(trainer.history)(**history)
        trainer.model.load_state_dict(stored["model"])
        load_optimizer(trainer.optimizer, stored)

    def remember(self, store: bool = False) -> None:
        """Copy the present state; store it, if there is a path, from time to time, or now."""
        trainer = self.trainer
        history = vars(trainer.history) | {"optimizer_state": trainer.optimizer.state_dict()}
        self.content = copy.deepcopy({"model": trainer.model.state_dict(), "history": history,
                                      "origin": self.origin})
        due = time.monotonic() - self.stored > SECONDS_BETWEEN_CHECKPOINTS
        if self.path is not None and (store or due):
            save_tensors(self.path, self.content)
            self.stored = time.monotonic()

    def __exit__(self, kind, error, trace) -> None:
        if not isinstance(error, (KeyboardInterrupt, TrainingError)):
            return
        self._put(self.content)
        first, done = self.trainer.first_epoch, self.trainer.done
        at = f"{first + done} of {first + self.trainer.settings.epochs}"
        where, again = "the model stands there; name a checkpoint to be able to go on", ""
        if self.path is not None:
            save_tensors(self.path, self.content)
            where = f"the checkpoint is {self.path}"
            again = "; the same call or command goes on from it"
        if isinstance(error, TrainingError):
            raise TrainingError(f"{error}. Training stopped after the last good epoch, {at}; "
                                f"{where}") from error
        raise KeyboardInterrupt(f"stopped after epoch {at}; {where}{again}") from None
