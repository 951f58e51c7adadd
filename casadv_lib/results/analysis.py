"""What single notebooks measure on a model or a run: curves, positions, switches, costs."""

from __future__ import annotations

import time
import weakref
from collections import Counter
from pathlib import Path
from statistics import NormalDist

import numpy as np
import pandas as pd
import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from ..adversarial import METHODS, sequence_perturbation, training_loss
from ..attacks import CHUNK, _Chooser, input_gradients
from ..backbones import Backbone
from ..data import SequenceDataset, held_out
from ..evaluation import gains, resampled_gains, user_vectors
from ..experiments.plan import SWITCHES
from ..settings import AdversarialSettings
from ..support.checks import number, one_of
from ..support.dropout import Dropout
from ..training import Trainer, training_table
from .comparisons import interval, percent
from .frames import MissingRecords, Results, main_run, score, with_role
from .frames import interval as stored_interval

# Learning curves (notebook 06): lists of entries as training writes them, {"epoch", "validation":
# {"ndcg@10", ...}, "test": {...}, ...}, epochs rising. Nothing here chooses by the test numbers.

def best_entry(curve: list[dict], metric: str = "ndcg@10") -> dict:
    """The entry with the best validation value, the earliest of equals."""
    if not curve:
        raise ValueError("curve is empty; allowed are curves with at least one entry")
    return max(curve, key=lambda entry: entry["validation"][metric])


def early_stopping(curve: list[dict], patience: int, metric: str = "ndcg@10") -> tuple[int, int]:
    """(epoch at which training ends, epoch whose weights are kept), both from validation.

    Training ends at the first evaluation that is the `patience`-th in a row without a new best
    value, else with the curve.
    """
    number("patience", patience, low=1, kind=int)
    best, waited = best_entry(curve[:1], metric), 0
    for entry in curve[1:]:
        is_better = entry["validation"][metric] > best["validation"][metric]
        best, waited = (entry, 0) if is_better else (best, waited + 1)
        if waited == patience:
            return entry["epoch"], best["epoch"]
    return curve[-1]["epoch"], best["epoch"]


def first_reaching(curve: list[dict], start: float, share: float, split: str = "validation",
                   metric: str = "ndcg@10") -> int | None:
    """The first epoch at which a curve has made `share` of its way from `start` to its end.

    None where the curve ends no higher than `start`: then there is no gain to share.
    """
    number("share", share, low=0, high=1)
    values = [entry[split][metric] for entry in curve]
    if not values or values[-1] <= start:
        return None
    goal = start + share * (values[-1] - start)
    return next(entry["epoch"] for entry, value in zip(curve, values, strict=True)
                if value >= goal)


# Perturbations and attacks (notebooks 07 to 09)

def position_sizes(model: Backbone, data: SequenceDataset, batch_size: int = 128,
                   batches: int = 4, seed: int = 0) -> dict:
    """How far epsilon = 1 over the batch moves single positions, on a few training batches.

    Returns arrays over all their positions: "generic" and "guided" (the lengths of the rows of A
    and of (1/C) * A) and "embedding" (the lengths of the rows of S); and "positions", the mean
    number n of positions in a batch. All lengths of A grow in proportion to epsilon.
    """
    number("batches", batches, low=1, kind=int)
    settings = AdversarialSettings(epsilon=1.0).of(METHODS["adv_global"])
    device, found = next(model.parameters()).device, []
    table, sampler = training_table(model, data, device, "both", batch_size, AdversarialSettings())
    for shift in range(seed, seed + batches):
        negatives = sampler.draw(torch.Generator(device).manual_seed(shift))
        order = np.random.default_rng(shift).permutation(len(table.lengths))
        batch = next(table.batches(order, batch_size, negatives))
        S = model.embed(batch.inputs).detach()
        A = sequence_perturbation(model, batch, S, model.encode(S, batch).detach(), None, settings,
                                  Dropout(0.0), torch.Generator(device).manual_seed(shift))
        generic = torch.linalg.vector_norm(A, dim=1)
        found.append(torch.stack([generic, batch.weights * generic,
                                  torch.linalg.vector_norm(S, dim=1)]).cpu().numpy())
    lengths = np.concatenate(found, axis=1).astype(np.float64)
    return dict(zip(("generic", "guided", "embedding"), lengths, strict=True)) | {
        "positions": lengths.shape[1] / batches}


def relative_change(attacked: np.ndarray, clean: np.ndarray, versus: tuple | None = None,
                    metric: str = "ndcg@10", seed: int = 0) -> dict[str, float]:
    """Change of a metric by an attack in percent of the clean score, with a 95% interval.

    attacked, clean: (users,) ranks of the same users. versus: another such pair, of the same
    users under another model or another attack; then the result is the first change minus the
    second, in percentage points. Returns "value", "low" and "high"; NaN where a clean score, or
    one of a resample, is 0 and the change has no meaning.
    """
    ranks = [attacked, clean, *(versus or ())]
    if len({np.shape(one) for one in ranks}) != 1 or np.ndim(clean) != 1 or not len(clean):
        raise ValueError(f"ranks have shapes {[np.shape(one) for one in ranks]}; allowed is one "
                         "shape (users,) for all, since users are compared in pairs")
    means = resampled_gains(np.stack([gains(one, metric) for one in ranks], axis=1), seed).T
    change = percent(*means[:2])
    return interval(change - percent(*means[2:]) if versus else change)


def position_sensitivity(model: Backbone, data: SequenceDataset, steps: int = 8,
                         pick: str = "gradient", step: float = 0.1, split: str = "test",
                         seed: int = 0) -> pd.DataFrame:
    """Mean fall of the target's score when the item t steps from the end is replaced.

    One row for each t = 0 (the newest item) ... steps - 1 that at least two users have; columns
    t, users, fall, low, high (95%, normal). The fall is in standard deviations of that user's
    clean scores over all items, since models differ in the size of their scores.
    pick, step: "gradient", "nearest" or "random", as in `attack`.
    """
    number("steps", steps, low=1, kind=int)
    number("step", step, low=0)
    one_of("pick", pick, ("gradient", "nearest", "random"))
    histories, targets = held_out(data, split)
    with torch.no_grad():
        table, w = model.item_table(), user_vectors(model, histories)
        spread = torch.cat([(w[a : a + CHUNK] @ table.T).std(1) for a in range(0, len(w), CHUNK)])
    lengths, unit, rows = np.array([min(len(h), model.max_len) for h in histories]), None, []
    for t in range(steps):
        users = np.flatnonzero(lengths > t)
        if len(users) < 2:
            break
        own = [histories[user] for user in users]
        indices = np.array([[len(h) - 1 - t] for h in own])
        replaced = np.array([h[i] for h, (i,) in zip(own, indices, strict=True)])
        chooser = _Chooser(model, own, targets[users], pick, step, seed, np.arange(len(own)),
                           len(own), unit)
        unit = chooser.unit
        gradient = input_gradients(model, own, targets[users], indices)[:, 0]
        items = chooser(replaced, gradient if pick == "gradient" else None,
                        np.zeros((len(own), 0), int))
        moved = [np.concatenate([h[:i], [item], h[i + 1 :]])
                 for h, (i,), item in zip(own, indices, items, strict=True)]
        with torch.no_grad():
            goal, at = chooser._rows(targets[users]), torch.as_tensor(users, device=w.device)
            fall = ((w[at] - user_vectors(model, moved)) * goal).sum(1) / spread[at]
        mean, half = float(fall.mean()), 1.96 * float(fall.std()) / len(users) ** 0.5
        rows.append({"t": t, "users": len(users), "fall": mean, "low": mean - half,
                     "high": mean + half})
    return pd.DataFrame(rows)


# Open places of the paper (notebook 11)

def readings() -> pd.DataFrame:
    """Where the paper is silent or contradicts itself, one row an open place: the question, our
    default, the alternatives, and the setting that takes them."""
    return pd.read_csv(Path(__file__).with_name("readings.csv"), index_col="number",
                       keep_default_na=False)


def switch_effects(results: Results, dataset: str, backbone: str, metric: str = "ndcg@10"
                   ) -> pd.DataFrame:
    """What each switch of `collect.results_of` changes against adv_cas, one row a switch.

    Columns: switch, reading, value (test), difference (test), low, high (95% interval), low_all,
    high_all (so much wider that all rows together hold with 95%: Bonferroni, by the normal
    distribution), validation (difference there) and effect, in words, from these two.
    """
    default, runs = main_run(results, dataset, backbone, "adv_cas"), {}
    for name in SWITCHES:
        found = with_role(results, f"switch:{name}", dataset=dataset, backbone=backbone)["run"]
        if len(found) and found.iloc[0] != default:  # not where it is the default here
            runs[name] = found.iloc[0]
    if not runs:
        raise MissingRecords(f"no switch of adv_cas on {dataset!r} and {backbone!r}")
    wider, rows = NormalDist().inv_cdf(1 - 0.025 / len(runs)) / NormalDist().inv_cdf(0.975), []
    for name, run in runs.items():
        bound = stored_interval(results, "pair", "difference", metric, run=run, versus=default)
        low, high = (bound["value"] + wider * (bound[end] - bound["value"])
                     for end in ("low", "high"))
        rows.append({
            "switch": name, "reading": SWITCHES[name][0], "value": score(results, run, metric),
            "difference": bound["value"], "low": bound["low"], "high": bound["high"],
            "low_all": low, "high_all": high,
            "validation": score(results, run, metric, split="validation")
            - score(results, default, metric, split="validation"),
            "effect": "better" if low > 0 else "worse" if high < 0 else "not settled"})
    return pd.DataFrame(rows)


# What a training step costs (notebook 10): passes through the encoder counted by rule, operations
# and memory by a meter, epochs by the clock.

def passes(method: str) -> int:
    """Encoder passes of one step in units of a forward pass; "base" or a name of METHODS.

    A forward pass is 1, backward to inputs and weights 2, backward to the inputs alone 1. Level 1
    adds a forward and a backward pass to the inputs for the gradient (none where the direction is
    random), and a forward and a full backward pass for the loss on the moved inputs. Level 2 lies
    behind the encoder and adds none.
    """
    one_of("method", method, ("base", *METHODS))
    if method == "base" or METHODS[method].level1 is None:
        return 1 + 2
    gradient = 0 if METHODS[method].direction == "random" else 1 + 1
    return (1 + 2) + gradient + (1 + 2)


class SavedMemory:
    """Bytes that autograd keeps for the backward pass: `live` now and at the `peak`.

    Storages of the model's parameters are not counted, shared storages once. Use it as a context:
    `with SavedMemory(model) as memory: ...`.
    """

    class _Saved:
        def __init__(self, tensor: Tensor):
            self.tensor = tensor

    def __init__(self, model: torch.nn.Module):
        self.live = self.peak = 0
        self._ignored = {p.untyped_storage().data_ptr() for p in model.parameters()}
        self._holders: Counter = Counter()
        self._hooks = torch.autograd.graph.saved_tensors_hooks(self._pack, lambda one: one.tensor)

    def __enter__(self) -> SavedMemory:
        self._hooks.__enter__()
        return self

    def __exit__(self, *error):
        self._hooks.__exit__(*error)

    def _pack(self, tensor: Tensor) -> _Saved:
        saved, storage = self._Saved(tensor), tensor.untyped_storage()
        key, size = storage.data_ptr(), storage.nbytes()
        if key not in self._ignored:
            self._hold(key, size, 1)
            weakref.finalize(saved, self._hold, key, size, -1)  # when the graph lets it go
        return saved

    def _hold(self, key: int, size: int, change: int) -> None:
        before, self._holders[key] = self._holders[key], self._holders[key] + change
        self.live += size * (bool(self._holders[key]) - bool(before))
        self.peak = max(self.peak, self.live)


def count_step(trainer: Trainer) -> dict[str, int]:
    """One step's matrix operations ("flops") and the peak of saved tensors ("saved_bytes").

    The step takes the first users of the data and changes no weights.
    """
    table, model = trainer.table, trainer.model
    order = np.arange(min(trainer.settings.batch_size, len(table.lengths)))
    negatives = trainer.sampler.draw(trainer.generator.manual_seed(0))
    batch = next(iter(table.batches(order, len(order), negatives)))
    drop = Dropout(model.dropout, trainer.generator)
    model.train()
    with SavedMemory(model) as memory, FlopCounterMode(display=False) as counter:
        loss, _ = training_loss(model, batch, trainer.method, trainer.adversarial, drop,
                                trainer.generator)
        loss.backward()
    model.zero_grad(set_to_none=True)
    return {"flops": counter.get_total_flops(), "saved_bytes": memory.peak}


def time_epochs(trainers: dict[str, Trainer], epochs: int = 5) -> dict[str, list[float]]:
    """Seconds of `epochs` epochs of each trainer, after one that is not counted.

    The trainers take turns, so that a slow moment of the machine meets them all.
    """
    number("epochs", epochs, low=1, kind=int)
    seconds: dict[str, list[float]] = {name: [] for name in trainers}
    for turn in range(epochs + 1):
        for name, trainer in trainers.items():
            started = time.perf_counter()
            trainer.train_epoch()  # it ends by reading the loss, so a GPU is done as well
            if turn:
                seconds[name].append(time.perf_counter() - started)
    return seconds


def median_ratio(seconds: list[float], reference: list[float], resamples: int = 2000,
                 seed: int = 0) -> dict[str, float]:
    """Ratio of medians of two lists of times taken in turns, with a 95% bootstrap interval.

    The turns are resampled, both times of a turn together, since a slow moment of the machine
    meets both. Returns "value", "low" and "high". Few epochs give a rough interval.
    """
    a, b = np.asarray(seconds), np.asarray(reference)
    if a.ndim != 1 or a.shape != b.shape or not len(a) or min(a.min(), b.min()) <= 0:
        raise ValueError(f"seconds has shape {a.shape}, reference {b.shape}; allowed are two "
                         "equally long lists of times above 0")
    turns = np.random.default_rng(seed).integers(0, len(a), (resamples, len(a)))
    turns = np.concatenate([[np.arange(len(a))], turns])
    return interval(np.median(a[turns], axis=1) / np.median(b[turns], axis=1))
