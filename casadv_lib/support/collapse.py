"""Is training still healthy? Looked at once an epoch, and a diagnosis where it is not.

Three things go wrong silently: a loss that is no number any more, embeddings that grow without
bound, and an encoder that gives all users one vector.
"""

import math
import warnings
from dataclasses import asdict

import numpy as np
import torch
from torch import Tensor

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
        inputs = [tuple(table.inputs[table.offsets[user] : table.offsets[user + 1]].tolist())
                  for user in users]
        different = [*dict(zip(inputs, users)).values()]
        self.batch = next(table.batches(different, len(different))) if len(different) > 1 else None

    def after_epoch(self, losses: list[Tensor], sizes: list[Tensor]) -> float:
        """The mean loss of an epoch; losses, sizes (of A, Eq. 7; may be empty): a scalar a step.

        A sick model raises TrainingError; with health="note" the first one warns, as long as loss
        and weights are numbers.
        """
        trainer = self.trainer
        least = torch.stack(sizes).min() if sizes else torch.ones_like(losses[0])
        looked = look_at(trainer.model, self.batch)
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
        """What went wrong and which settings to look at, a sentence; or "".

        loss: the mean. perturbation: the smallest size of A in a step. size, spread: see `look_at`.
        """
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
        if method.level1:
            read |= asdict(a)
        elif method.level2:
            read["epsilon"] = a.epsilon
        listed = [f"{name} ({read[name]:g})" for name in LIKELY if name in read]
        listed += [f"{name} ({value!r}: {why})" for (name, value), why in TRAPS.items()
                   if read.get(name) == value]
        return f"{what}. Look at {', '.join(listed)}"


@torch.no_grad()
def look_at(model, batch) -> tuple[Tensor, Tensor]:
    """(size, spread), scalars on the model's device.

    size: the root mean square coordinate of the longest item embedding. spread: how much the
    watched users' vectors differ, as a share of their length; 1 where nobody is watched.
    """
    size = model.items.weight.square().mean(1).max().sqrt()
    if batch is None:
        return size, torch.ones_like(size)
    with model.evaluating():
        w = model(batch)[batch.last].to(size.dtype)
    length = w.square().sum(1).mean().sqrt()
    apart = (w - w.mean(0)).square().sum(1).mean().sqrt()
    return size, apart / length.clamp_min(torch.finfo(size.dtype).tiny)
