"""Stopping without losing anything: the state after the last good epoch, held and stored.

A run may be stopped in the middle of an epoch, by Ctrl-C (a notebook's stop button is the same) or
by its own health check. `LastGood` then puts the state after the last whole epoch back into the
model and writes it as the checkpoint, and the same call goes on from there.
"""

from __future__ import annotations

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


class Stopped(KeyboardInterrupt):
    """Training was stopped by hand; the message says where it stands and how to go on."""


def content(trainer) -> dict:
    """What a checkpoint holds: all that the next epoch needs, and what it belongs to."""
    history = vars(trainer.history) | {"optimizer_state": trainer.optimizer.state_dict()}
    return {"model": trainer.model.state_dict(), "history": history, "origin": _origin(trainer)}


def _origin(trainer) -> dict:
    """The model, the data and the settings of a training, as plain values."""
    settings = asdict(trainer.settings)
    origin = {"backbone": type(trainer.model).__name__, "phase": trainer.phase,
              "data": trainer.data.fingerprint}
    origin |= {name: value for name, value in settings.items() if name not in HOW_NOT_WHAT}
    if trainer.phase == 2:
        origin |= {"method": trainer.method_name} | asdict(trainer.adversarial)
    return origin


def load(path: Path | str, trainer) -> None:
    """Go on from a checkpoint that fits; raises DamagedFile or ValueError.

    A checkpoint of another model, data set, phase or setting is refused: to go on from it would
    mix two runs.
    """
    stored = load_tensors(path, trainer.device)
    history = stored.get("history")
    if not isinstance(stored.get("model"), dict) or not isinstance(history, dict) or (
            set(history) != set(vars(trainer.history))):
        raise DamagedFile(f"{path} is no checkpoint of a training (it must hold 'model' and "
                          "'history'); delete it or name another file")
    made_by, wanted = stored.get("origin"), _origin(trainer)
    if made_by is not None and made_by != wanted:
        differs = ", ".join(f"{name} {made_by.get(name)!r} instead of {wanted.get(name)!r}"
                            for name in sorted({*made_by, *wanted})
                            if made_by.get(name) != wanted.get(name))
        raise ValueError(f"checkpoint is {str(path)!r}, which belongs to another training: "
                         f"{differs}; allowed is its own checkpoint, or a new file")
    _put(stored, trainer, path)


def _put(stored: dict, trainer, path: Path | str | None) -> None:
    """Give a trainer the state of a checkpoint; raises DamagedFile where it does not fit."""
    try:
        trainer.model.load_state_dict(stored["model"])
        trainer.optimizer.load_state_dict(stored["history"]["optimizer_state"])
    except (RuntimeError, ValueError, KeyError, TypeError, AttributeError) as error:
        reason = str(error).splitlines()[0]
        raise DamagedFile(f"{path} does not fit the model ({reason}); delete it or name another "
                          "file") from error
    trainer.history = type(trainer.history)(**stored["history"])


def load_optimizer(optimizer: torch.optim.Optimizer, state: dict) -> None:
    """Go on with another training's state of Adam; raises ValueError where it does not fit."""
    try:
        optimizer.load_state_dict(state)
    except (TypeError, LookupError, ValueError, AttributeError, RuntimeError) as error:
        raise ValueError(f"optimizer_state is {shown(state)}; allowed is that of a History of this "
                         f"model, or None ({error})") from error


def _copied(value):
    """A copy of nested dicts and lists whose tensors have memory of their own."""
    if isinstance(value, torch.Tensor):
        return value.detach().clone()
    if isinstance(value, dict):
        return {key: _copied(v) for key, v in value.items()}
    return list(value) if isinstance(value, list) else value


class LastGood:
    """The state after the last good epoch; leaving its block by a stop brings it back.

    It begins with the checkpoint at `path` where there is one. A KeyboardInterrupt becomes
    `Stopped`; both that and a TrainingError say where training stands.
    """

    def __init__(self, trainer, path: Path | None):
        self.trainer, self.path = trainer, path
        if path is not None:
            make_folder(path.parent)
            if path.exists():
                load(path, trainer)
        self.stored = time.monotonic()
        self.remember()

    def remember(self, store: bool = False) -> None:
        """Copy the present state, at about the cost of a step of Adam; store it from time to time.

        store: write the checkpoint now, if there is a path.
        """
        state = content(self.trainer)
        # these two are replaced by new ones in training, never changed: no need to copy them
        fixed = {name: state["history"].pop(name) for name in ("best", "best_state")}
        state = _copied(state)
        state["history"] |= fixed
        self.content = state
        due = time.monotonic() - self.stored > SECONDS_BETWEEN_CHECKPOINTS
        if self.path is not None and (store or due):
            save_tensors(self.path, state, parents=False)
            self.stored = time.monotonic()

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
        _put(self.content, self.trainer, self.path)
        if isinstance(error, TrainingError):
            raise TrainingError(f"{error}. Training stopped after the last good epoch, {done} of "
                                f"{whole}; {where}") from error
        again = "; the same call or command goes on from it" if self.path is not None else ""
        raise Stopped(f"stopped after epoch {done} of {whole}; {where}{again}") from None
