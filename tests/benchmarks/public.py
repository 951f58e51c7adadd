"""Phase 1 against public implementations: RecBole's SASRec and GRU4Rec, RecTools' SASRec.

Each runs in an environment and a process of its own. The process stays; between its turns it waits
for a line and uses no processor. So both implementations meet the same moments of the machine.
"""

import contextlib
import json
import os
import subprocess
import tempfile
from pathlib import Path

from benchmarks.epochs import trainers_of
from benchmarks.measuring import environment, row, take_turns, timed
from benchmarks.worlds import MAX_LEN

import casadv_lib as cas

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


@contextlib.contextmanager
def worker(name: str, script: Path | None = None):
    """A process of the other implementation, as a function: a line asked, its JSON answered."""
    variable = f"CASADV_{name.upper()}_PYTHON"
    python = Path(os.environ.get(variable) or ENVIRONMENTS / name / "bin" / "python")
    if not python.exists():
        raise FileNotFoundError(
            f"there is no {python}; `make bench-env` makes it, or {variable} names another Python "
            f"that has what tests/benchmarks/workers/requirements-{name}.txt lists")
    asked = [str(python), str(script or WORKERS / f"{name}_worker.py")]
    own = environment()
    own.pop("PYTHONPATH")  # the library's packages are not for that environment
    process = subprocess.Popen(asked, env=own, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                               text=True, bufsize=1)

    def ask(line: str):
        answer = ""
        with contextlib.suppress(BrokenPipeError):
            process.stdin.write(line + "\n")
            answer = process.stdout.readline()
        if not answer:
            raise RuntimeError(f"the worker ended with {process.wait()}; its message stands above")
        return json.loads(answer)

    with process:  # it ends where its lines end
        yield ask


def main(name: str, dataset: str = "beauty", batches: int = 24, repeats: int = 3, dim: int = 100,
         device: str = "cpu", script: Path | None = None) -> dict:
    """Rows of an epoch here against an epoch there, scaled from the parts that are timed."""
    # with their defaults, samples of 200 items would need minutes a step
    variants = {key: variant for key, variant in VARIANTS[name].items()
                if dataset != "ml-1m" or "default" not in key}
    data, scale, note, trainer = trainers_of(dataset, batches, dim, device)
    ours = {variant["ours"] for variant in variants.values()}
    clocks = {backbone: timed(trainer(backbone).train_epoch) for backbone in sorted(ours)}
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as file, worker(name, script) as ask:
        file.writelines(f"{user} {' '.join(map(str, items))}\n"
                        for user, items in enumerate(data.sequences, 1))
        file.flush()
        told = ask(json.dumps({"data": file.name, "max_len": MAX_LEN.get(dataset, 50), "dim": dim,
                               "dropout": 0.2, "device": device, "variants": variants}))
        # an answer is the seconds of a step, the mean over the variant's steps
        clocks |= {key: lambda key=key: told["steps"][key] * float(ask(key)) for key in variants}
        seconds = take_turns(clocks, repeats)
    rows = [row(f"{data.name}, {cas.BACKBONES[one['ours']].__name__}: an epoch of phase 1",
                scale * seconds[one["ours"]], than=key, other=seconds[key], faster=True,
                headline="default" not in key) for key, one in variants.items()]
    steps = ", ".join(f"{told['steps'][key]:,} ({one['steps']} timed a turn; {key})"
                      for key, one in variants.items())
    return {"rows": rows, "data": data.fingerprint, "others": told["versions"], "notes": [
        note, f"Steps of an epoch there: {steps}. Their times are scaled from the timed steps to "
        "the epoch, without shuffling and other work between epochs."]}
