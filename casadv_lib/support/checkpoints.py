"""Stopping without losing anything: the state after the last good epoch, kept and stored.

A run may be stopped by Ctrl-C (a notebook's stop button is the same) or by its own health check,
in the middle of an epoch. `LastGood` holds a copy of everything as it was after the last whole
epoch; it puts that back into the model and writes it as the checkpoint, so nothing of the broken
epoch stays and the same call goes on from there.
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import torch

from .collapse import TrainingError
from .files import DamagedFile, load_tensors, save_tensors

# may change when a run goes on
HOW_NOT_WHAT = ("epochs", "eval_every", "device", "compile", "health")
PARTS = ("model", "history")


class Stopped(KeyboardInterrupt):
    """Training was stopped by hand; the message says where it stands and how to go on."""


def origin(trainer) -> dict:
    """What a checkpoint belongs to: model, data and settings, as plain values."""
    settings = asdict(trainer.settings)
    kept = {name: value for name, value in settings.items() if name not in HOW_NOT_WHAT}
    found = {"backbone": type(trainer.model).__name__, "phase": trainer.phase,
             "data": trainer.data.fingerprint, **kept}
    if trainer.phase == 2:
        found |= {"method": trainer.method_name} | asdict(trainer.adversarial)
    return found


def read(path: Path | str, trainer) -> dict:
    """The content of a checkpoint that fits a trainer; raises DamagedFile or ValueError.

    A checkpoint of another model, data set, phase or setting is refused: to go on from it would
    mix two runs.
    """
    content = load_tensors(path, trainer.device)
    shape = {name: isinstance(content.get(name), dict) for name in PARTS}
    names = set(vars(trainer.history))
    if not all(shape.values()) or set(content["history"]) != names:
        raise DamagedFile(f"{path} is no checkpoint of a training (it must hold 'model' and "
                          "'history'); delete it or name another file")
    made_by, wanted = content.get("origin"), origin(trainer)
    if made_by is not None and made_by != wanted:
        differs = ", ".join(f"{name} {made_by.get(name)!r} instead of {wanted.get(name)!r}"
                            for name in sorted({*made_by, *wanted})
                            if made_by.get(name) != wanted.get(name))
        raise ValueError(f"checkpoint is {str(path)!r}, which belongs to another training: "
                         f"{differs}; allowed is its own checkpoint, or a new file")
    return content


def put(content: dict, trainer, path: Path | str) -> None:
    """Give a trainer the state of a checkpoint; raises DamagedFile where it does not fit."""
    try:
        trainer.model.load_state_dict(content["model"])
        trainer.optimizer.load_state_dict(content["history"]["optimizer_state"])
    except (RuntimeError, ValueError, KeyError, TypeError, AttributeError) as error:
        reason = str(error).splitlines()[0]
        raise DamagedFile(f"{path} does not fit the model ({reason}); delete it or name another "
                          "file") from error
    trainer.history = type(trainer.history)(**content["history"])


def copied(value):
    """A copy of nested dicts and lists whose tensors have memory of their own."""
    if isinstance(value, torch.Tensor):
        return value.detach().clone()
    if isinstance(value, dict):
        return {key: copied(v) for key, v in value.items()}
    return list(value) if isinstance(value, list) else value


class LastGood:
    """The state after the last good epoch; leaving its block by a stop brings it back.

    As a context manager it turns KeyboardInterrupt into `Stopped` and completes the message of a
    TrainingError, both after the checkpoint (if there is a path) was written.
    """

    def __init__(self, trainer, path: Path | str | None):
        self.trainer, self.path = trainer, path
        self.remember()

    def remember(self) -> None:
        """Copy the present state; the cost is about that of one step of Adam."""
        content = self.trainer.content()
        # these two are replaced by new ones in training, never changed: no need to copy them
        fixed = {name: content["history"].pop(name) for name in ("best", "best_state")}
        self.content = copied(content)
        self.content["history"] |= fixed

    def __enter__(self) -> LastGood:
        return self

    def __exit__(self, kind, error, trace) -> None:
        if not isinstance(error, (KeyboardInterrupt, TrainingError)):
            return
        done = self.trainer.first_epoch + len(self.content["history"]["losses"])
        whole = self.trainer.first_epoch + self.trainer.settings.epochs
        where = "the model stands there; name a checkpoint to be able to go on"
        if self.path is not None:
            save_tensors(self.path, self.content)
            where = f"the checkpoint is {self.path}"
        put(self.content, self.trainer, self.path)
        if isinstance(error, TrainingError):
            raise TrainingError(f"{error}. Training stopped after the last good epoch, {done} of "
                                f"{whole}; {where}") from error
        again = "; the same call or command goes on from it" if self.path is not None else ""
        raise Stopped(f"stopped after epoch {done} of {whole}; {where}{again}") from None
