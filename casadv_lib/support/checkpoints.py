"""Stopping without losing anything: the state after the last good epoch, held and stored.

A run may be stopped in the middle of an epoch, by Ctrl-C (a notebook's stop button is the same) or
by its own health check.
"""

import copy
import time
from dataclasses import asdict
from pathlib import Path

import torch

from .checks import shown
from .collapse import TrainingError
from .files import DamagedFile, load_tensors, make_folder, save_tensors

SECONDS_BETWEEN_CHECKPOINTS = 30
# may change when a run goes on
HOW_NOT_WHAT = ("epochs", "eval_every", "device", "compile", "health")
MISFITS = (RuntimeError, ValueError, LookupError, TypeError, AttributeError)


class Stopped(KeyboardInterrupt):
    """Training was stopped by hand; the message says where it stands and how to go on."""


def content(trainer) -> dict:
    """What a checkpoint holds: all that the next epoch needs, and what it belongs to."""
    history = vars(trainer.history) | {"optimizer_state": trainer.optimizer.state_dict()}
    return {"model": trainer.model.state_dict(), "history": history, "origin": _origin(trainer)}


def _origin(trainer) -> dict:
    settings = asdict(trainer.settings)
    origin = {"backbone": type(trainer.model).__name__, "phase": trainer.phase,
              "data": trainer.data.fingerprint}
    origin |= {name: value for name, value in settings.items() if name not in HOW_NOT_WHAT}
    if settings["patience"]:  # the end has the best weights: to go on from there is another run
        origin["epochs"] = settings["epochs"]
    if trainer.phase == 2:
        origin |= {"method": trainer.method_name} | asdict(trainer.adversarial)
    return origin


def load(path: Path | str, trainer) -> None:
    """Go on from a checkpoint; raises DamagedFile, or ValueError for one of another model, data
    set, phase or setting: to go on from it would mix two runs."""
    stored, wanted = load_tensors(path, trainer.device), _origin(trainer)
    made_by = wanted | stored.get("origin", {})  # older checkpoints do not name all settings
    if made_by != wanted:
        differs = ", ".join(f"{name} {made_by[name]!r} instead of {wanted.get(name)!r}"
                            for name in sorted(made_by) if made_by[name] != wanted.get(name))
        raise ValueError(f"checkpoint is {str(path)!r}, which belongs to another training: "
                         f"{differs}; allowed is its own checkpoint, or a new file")
    try:
        _put(stored, trainer)
    except MISFITS as error:
        raise DamagedFile(f"{path} does not fit the model ({str(error).splitlines()[0]}); delete "
                          "it or name another file") from error


def _put(stored: dict, trainer) -> None:
    trainer.history = type(trainer.history)(**stored["history"])
    trainer.model.load_state_dict(stored["model"])
    trainer.optimizer.load_state_dict(stored["history"]["optimizer_state"])


def load_optimizer(optimizer: torch.optim.Optimizer, state: dict) -> None:
    """Go on with another training's state of Adam; raises ValueError where it does not fit."""
    try:
        optimizer.load_state_dict(state)
    except MISFITS as error:
        raise ValueError(f"optimizer_state is {shown(state)}; allowed is that of a History of this "
                         f"model, or None ({error})") from error


class LastGood:
    """The state after the last good epoch; leaving its block by Ctrl-C or a TrainingError puts it
    back into the model and the checkpoint. It begins with the checkpoint where there is one."""

    def __init__(self, trainer, path: Path | None):
        self.trainer, self.path = trainer, path
        if path is not None:
            make_folder(path.parent)
            if path.exists():
                load(path, trainer)
        self.stored = time.monotonic()
        self.remember()

    def remember(self, store: bool = False) -> None:
        """Copy the present state; store it, if there is a path, from time to time, or now."""
        self.content = copy.deepcopy(content(self.trainer))
        due = time.monotonic() - self.stored > SECONDS_BETWEEN_CHECKPOINTS
        if self.path is not None and (store or due):
            save_tensors(self.path, self.content, parents=False)
            self.stored = time.monotonic()

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace) -> None:
        if not isinstance(error, (KeyboardInterrupt, TrainingError)):
            return
        _put(self.content, self.trainer)
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
        raise Stopped(f"stopped after epoch {at}; {where}{again}") from None
