"""Is training still healthy? Looked at once an epoch, and a diagnosis where it is not.

Three things go wrong silently: a loss that is no number any more, embeddings that grow without
bound, and an encoder that gives all users one vector. All three are read off a few numbers that
are made on the device and fetched together with the epoch's mean loss.
"""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

WATCHED_USERS = 16
# Trained encoders spread their users by 0.2 to 0.95 of the vectors' length; the worst setting
# that still ranked anything by 0.006. Below this, users can hardly be told apart.
SMALLEST_SPREAD = 3e-3
# Trained embeddings have coordinates of about 0.1 to 0.5; one step of Adam moves them by 0.001.
LARGEST_COORDINATE = 10.0


class TrainingError(RuntimeError):
    """Training cannot go on; the message says since when and which settings to look at."""


@dataclass(frozen=True)
class Health:
    """What is watched after an epoch, plain floats.

    loss: the mean loss. perturbation: the smallest size of A in a step (Eq. 7), None where the
    method makes none. size: the root mean square coordinate of the longest item embedding.
    spread: how much the watched users' vectors differ, as a share of their length; None where
    there are no two users with different histories.
    """

    loss: float
    perturbation: float | None
    size: float
    spread: float | None


class HealthCheck:
    """Watches a trainer's model: `after_epoch` raises TrainingError, or warns once."""

    def __init__(self, trainer):
        self.trainer, self.warned = trainer, False
        self.batch = watched_users(trainer.table)

    def after_epoch(self, losses: list[Tensor], sizes: list[Tensor]) -> float:
        """The mean loss of an epoch; losses, sizes: one scalar a step, sizes possibly empty.

        A sick model raises TrainingError; where the settings ask to go on, the first one warns.
        A loss or weights that are no numbers always raise.
        """
        trainer = self.trainer
        health = fetched(losses, sizes, look_at(trainer.model, self.batch), self.batch is not None)
        epoch = trainer.first_epoch + trainer.done + 1
        sick = diagnosis(health, epoch, trainer.settings, trainer.adversarial, trainer.method)
        if sick is not None:
            finite = math.isfinite(health.loss) and math.isfinite(health.size)
            if trainer.settings.health == "stop" or not finite:
                raise TrainingError(sick)
            if not self.warned:
                warnings.warn(f"{sick}. Training goes on, since health is 'note'", stacklevel=3)
            self.warned = True
        return health.loss


def watched_users(table):
    """A small batch of users with different inputs, spread over the data; None if all are alike."""
    count = len(table.lengths)
    chosen = {}
    for user in np.linspace(0, count - 1, min(count, WATCHED_USERS)).astype(int):
        inputs = table.inputs[table.offsets[user] : table.offsets[user + 1]]
        chosen.setdefault(tuple(inputs.tolist()), user)
    if len(chosen) < 2:
        return None
    users = np.array(list(chosen.values()))
    return next(table.batches(users, len(users)))


@torch.no_grad()
def look_at(model, batch) -> Tensor:
    """(3,) on the model's device: size, spread and |w| of the watched users; see `Health`."""
    size = model.items.weight.square().mean(1).max().sqrt()
    if batch is None:
        return torch.stack([size, torch.ones_like(size), torch.ones_like(size)])
    with model.evaluating():
        w = model(batch)[batch.last].to(size.dtype)
    length = w.square().sum(1).mean().sqrt()
    apart = (w - w.mean(0)).square().sum(1).mean().sqrt()
    spread = torch.where(length > 0, apart / length, torch.zeros_like(apart))
    return torch.stack([size, spread, length])


def fetched(losses: list[Tensor], sizes: list[Tensor], seen: Tensor, watched: bool) -> Health:
    """Fetch an epoch's numbers from the device, all at once; seen: of `look_at`."""
    least = torch.stack(sizes).min() if sizes else torch.zeros_like(seen[0])
    numbers = torch.cat([torch.stack(losses).mean().reshape(1), least.reshape(1), seen]).tolist()
    loss, perturbation, size, spread, length = numbers
    spread = spread if math.isfinite(length) else math.nan
    return Health(loss, perturbation if sizes else None, size, spread if watched else None)


def diagnosis(health: Health, epoch: int, s, a, method) -> str | None:
    """One sentence on what went wrong in an epoch and which settings to look at, or None.

    s, a: TrainingSettings and AdversarialSettings; method: None in phase 1.
    """
    moves = method is not None and method.level1
    likely = [f"learning_rate ({s.learning_rate:g})"]
    if method is not None and (method.level1 or method.level2):
        likely.append(f"epsilon ({a.epsilon:g})")
    if moves:
        likely.append(f"lambda1 ({a.lambda1:g})")
    if s.amp is True:
        likely.append("amp (True: few digits)")
    listed = " and ".join([", ".join(likely[:-1]), likely[-1]]) if likely[1:] else likely[0]
    decay = f"weight_decay ({s.weight_decay:g}) and decay ({s.decay!r})"
    if not math.isfinite(health.loss):
        return (f"the loss is {health.loss} in epoch {epoch}; the model has diverged. "
                f"Look at {listed}")
    if not math.isfinite(health.size) or not math.isfinite(health.spread or 0.0):
        return (f"the weights are no finite numbers after epoch {epoch}; the model has diverged. "
                f"Look at {listed}")
    if health.size > LARGEST_COORDINATE:
        return (f"item embeddings explode in epoch {epoch}: coordinates of {health.size:.3g}, "
                f"where trained ones are below 1. Look at {listed}, and at {decay}")
    if health.perturbation == 0 and a.epsilon > 0:
        return (f"the perturbation A was zero in epoch {epoch}: its gradient vanished. The norm of "
                f"Eq. 6 has gradient zero at A = 0; start is {a.start!r}, use start='random'")
    if health.spread is None or health.spread >= SMALLEST_SPREAD:
        return None
    words = (f"the encoder has collapsed in epoch {epoch}: all users have one vector (they differ "
             f"by {health.spread:.1g} of its length), so all get the same list. Look at ")
    if not moves:
        return f"{words}{listed}, and at {decay}"
    # L_adv1 is smallest for a constant encoder; these settings let it win
    causes = []
    if not a.detach_clean:
        causes.append("detach_clean (False: L_adv1 may pull the clean vectors together; use True)")
    if a.dropout_masks == "independent":
        causes.append("dropout_masks ('independent': L_adv1 measures dropout; use 'same')")
    return words + ", ".join([*causes, listed])
