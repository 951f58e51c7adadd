"""Where the time of a training step goes: shares by kind of work, by PyTorch's profiler.

For phase 1 as it is here and in padded blocks ("before"), and for adv_cas. What no operation of
PyTorch accounts for is Python, the packing of batches among it.
"""

from __future__ import annotations

import copy
import re
import time

from benchmarks.padded_training import ENCODERS, PaddedTrainer
from benchmarks.rows import measured
from benchmarks.worlds import model_of, sample
from torch.profiler import ProfilerActivity, profile

import casadv_lib as cas
from casadv_lib.experiments.configuration import USUAL
from casadv_lib.settings import AdversarialSettings, TrainingSettings
from casadv_lib.training import Trainer

KINDS = {
    "matrix products": r"mm$|baddbmm|linear|dot$",
    "look-ups and index sums": r"index|gather|scatter|embedding|take",
    "random numbers and masks": r"random_|bernoulli|uniform|normal_|randint|dropout",
    "copies, zeros, concatenation": r"copy_|zero|fill|cat$|clone|contiguous|empty|split|stack",
    "softmax and norms": r"softmax|layer_norm|norm",
    "other arithmetic": r"",
}
OPTIMISER, PYTHON = "optimiser", "Python, packing among it"


def kind_of(event) -> str:
    """The kind of an operation; whatever runs inside the optimiser counts as that."""
    parent = event
    while parent is not None:
        if parent.name.startswith("Optimizer.step"):
            return OPTIMISER
        parent = parent.cpu_parent
    name = event.name.removeprefix("aten::")
    return next(kind for kind, pattern in KINDS.items() if re.search(pattern, name))


def shares(action) -> dict[str, float]:
    """Percent of the wall time of `action`, by kind; sums to 100."""
    action()
    with profile(activities=[ProfilerActivity.CPU]) as found:
        started = time.perf_counter()
        action()
        wall = 1e6 * (time.perf_counter() - started)
    spent = dict.fromkeys((*list(KINDS), OPTIMISER), 0.0)
    for event in found.events():
        spent[kind_of(event)] += event.self_cpu_time_total
    return {kind: 100 * x / wall for kind, x in spent.items()} | {
        PYTHON: 100 * (1 - sum(spent.values()) / wall)}


def main(dataset: str = "beauty", batches: int = 12, dim: int = 100, device: str = "cpu") -> dict:
    """batches: users of that many batches are drawn and trained on."""
    data = cas.load_dataset(dataset)
    settings = TrainingSettings(epochs=1, device=device)
    part = sample(data, batches * settings.batch_size)
    rows = []
    for name in ENCODERS:
        model = model_of(name, dataset, data.n_items, dim)
        trainers = {
            "padded, phase 1": PaddedTrainer(copy.deepcopy(model), part, settings, name),
            "phase 1": Trainer(copy.deepcopy(model), part, settings),
            "adv_cas": Trainer(model, part, settings, "adv_cas", AdversarialSettings(**USUAL)),
        }
        for what, trainer in trainers.items():
            rows += [measured(f"{cas.BACKBONES[name].__name__}, {what}: {kind}", [share], "%")
                     for kind, share in shares(trainer.train_epoch).items()]
    return {
        "title": f"Where the time of a step goes, on {data.name}",
        "rows": rows,
        "data": data.fingerprint,
        "notes": [f"One epoch over {part.n_users:,} users under PyTorch's profiler, after one that "
                  "is not counted. The profiler costs time itself, most where many small "
                  "operations run."],
    }
