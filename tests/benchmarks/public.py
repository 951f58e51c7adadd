"""Phase 1 against public implementations: RecBole's SASRec and GRU4Rec, RecTools' SASRec.

Each runs in an environment and a process of its own. The process stays; between its turns it waits
for a line and uses no processor. So both implementations meet the same moments of the machine.
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from pathlib import Path

from benchmarks.measuring import environment, faster, take_turns, timed
from benchmarks.worlds import model_of, sample

import casadv_lib as cas
from casadv_lib.settings import TrainingSettings
from casadv_lib.training import Trainer

WORKERS = Path(__file__).parent / "workers"
ENVIRONMENTS = Path(__file__).resolve().parents[2] / ".venv"  # where `make bench-env` puts them
# what is compared, and what the worker is told; "ours": the backbone here
RECBOLE = {f"RecBole {model}{words}": {"ours": model.lower(), "model": model, **told}
           for words, told in (
               ("", {"loss": "BPR", "batch_size": 128, "steps": 8}),
               (", its default loss and batch", {"loss": "CE", "batch_size": 2048, "steps": 1}))
           for model in ("SASRec", "GRU4Rec")}
SASREC = {"ours": "sasrec", "negatives": 1, "batch_size": 128}
RECTOOLS = {"RecTools SASRec": SASREC | {"loss": "BCE", "steps": 8},
            "RecTools SASRec, its default loss": SASREC | {"loss": "softmax", "steps": 2}}
VARIANTS = {"recbole": RECBOLE, "rectools": RECTOOLS}
NOTES = {
    "recbole": "RecBole makes one sample of every prefix of a history, padded to T, with one "
               "target; here a history is one sample with a target at each position. Its rows have "
               "128 samples a batch and the BPR loss with one negative, the nearest to Eq. 5; its "
               "defaults are 2,048 samples and cross-entropy over all items. Its blocks are those "
               "of BERT (GELU, layer norm after the residual), its GRU4Rec has a dense layer "
               "behind the GRU, and its Adam has no decay.",
    "rectools": "RecTools, trained by Lightning, has no GRU4Rec. It pads every history to T and "
                "has a target at each position, as here; its rows have the same binary "
                "cross-entropy with one negative, its default is a softmax over all items at each "
                "position. It drops nothing of the user's own items from the negatives, and its "
                "Adam has no decay.",
}


class MissingEnvironment(RuntimeError):
    """There is no Python that has the other implementation."""


def interpreter(name: str) -> Path:
    """The Python of an environment: CASADV_<NAME>_PYTHON, or the one that `make bench-env` made."""
    variable = f"CASADV_{name.upper()}_PYTHON"
    path = Path(os.environ.get(variable) or ENVIRONMENTS / name / "bin" / "python")
    if not path.exists():
        raise MissingEnvironment(
            f"there is no {path}; `make bench-env` makes it, or {variable} names another Python "
            f"that has what tests/benchmarks/workers/requirements-{name}.txt lists")
    return path


class Worker:
    """`with Worker("recbole", request) as worker: seconds = worker.turn("RecBole SASRec")`.

    request: a dict, see the worker's script. `versions` and `steps` (of an epoch, by key) are
    what it answered.
    """

    def __init__(self, name: str, request: dict, script: Path | None = None):
        asked = [str(interpreter(name)), str(script or WORKERS / f"{name}_worker.py")]
        own = environment()
        own.pop("PYTHONPATH")  # the library's packages are not for that environment
        self.process = subprocess.Popen(asked, env=own, stdin=subprocess.PIPE, text=True,
                                        stdout=subprocess.PIPE, bufsize=1)
        answer = self._ask(json.dumps(request))
        self.versions, self.steps = answer["versions"], answer["steps"]

    def turn(self, key: str) -> float:
        """Seconds of a step, the mean over the variant's steps."""
        return float(self._ask(key))

    def _ask(self, line: str):
        try:
            self.process.stdin.write(line + "\n")
            answer = self.process.stdout.readline()
        except BrokenPipeError:
            answer = ""
        if not answer:
            raise RuntimeError(f"the worker ended with {self.process.wait()}; its message stands "
                               "above")
        return json.loads(answer)

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *error):
        self.process.stdin.close()
        self.process.wait()


def main(name: str, dataset: str = "beauty", batches: int = 24, repeats: int = 3, dim: int = 100,
         device: str = "cpu", script: Path | None = None) -> dict:
    """Rows of an epoch here against an epoch there, scaled from the parts that are timed."""
    # with their defaults, samples of 200 items would need minutes a step
    variants = {key: variant for key, variant in VARIANTS[name].items()
                if dataset != "ml-1m" or "default" not in key}
    data = cas.load_dataset(dataset)
    settings = TrainingSettings(epochs=1, device=device)
    part = sample(data, batches * settings.batch_size)
    scale = data.n_users / part.n_users
    models = {v["ours"]: model_of(v["ours"], dataset, data.n_items, dim) for v in variants.values()}
    clocks = {ours: timed(Trainer(model, part, settings).train_epoch)
              for ours, model in models.items()}
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
        file.writelines(f"{user} {' '.join(map(str, items))}\n"
                        for user, items in enumerate(data.sequences, 1))
        file.flush()
        request = {"data": file.name, "max_len": next(iter(models.values())).max_len, "dim": dim,
                   "dropout": 0.2, "device": device, "variants": variants}
        with Worker(name, request, script) as worker:
            for key in variants:
                clocks[key] = lambda key=key: worker.turn(key)
            seconds = take_turns(clocks, repeats)
    rows = [faster(f"{data.name}, {cas.BACKBONES[variant['ours']].__name__}: an epoch of phase 1",
                   [scale * x for x in seconds[variant["ours"]]], key,
                   [worker.steps[key] * x for x in seconds[key]], headline="default" not in key)
            for key, variant in variants.items()]
    steps = ", ".join(f"{worker.steps[key]:,} ({v['steps']} timed a turn; {key})"
                      for key, v in variants.items())
    ours = -(-data.n_users // settings.batch_size)
    return {
        "title": f"Phase 1 on {data.name} against {name}",
        "rows": rows,
        "data": data.fingerprint,
        "others": worker.versions,
        "notes": [
            "An epoch, here and there, takes every training item once as a target. Steps of an "
            f"epoch there: {steps}; {ours:,} here. Their times are scaled from the timed steps to "
            "the epoch, without shuffling and other work between epochs; ours from "
            f"{part.n_users:,} users to {data.n_users:,}, all of an epoch's work included.",
            "Matched: d, T, two blocks, one head, inner size d, one GRU layer, dropout 0.2, "
            "learning rate, one thread.", NOTES[name]],
    }
