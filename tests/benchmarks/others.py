"""Other implementations, each in an environment and a process of its own, asked for turns.

The process stays; between its turns it waits for a line and uses no processor. So both
implementations meet the same moments of the machine, as within one process.
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from pathlib import Path

from benchmarks.own_process import environment

import casadv_lib as cas
from casadv_lib.experiments.configuration import MAX_LEN

WORKERS = Path(__file__).parent / "workers"
ENVIRONMENTS = Path(__file__).resolve().parents[2] / ".venv"  # where `make bench-env` puts them


class MissingEnvironment(RuntimeError):
    """There is no Python that has the other implementation."""


def interpreter(name: str) -> Path:
    """The Python of an environment: CASADV_<NAME>_PYTHON, or the one that `make bench-env` made."""
    variable = f"CASADV_{name.upper()}_PYTHON"
    path = Path(os.environ.get(variable) or ENVIRONMENTS / name / "bin" / "python")
    if not path.exists():
        raise MissingEnvironment(
            f"there is no {path}; `make bench-env` makes it, or {variable} names another Python "
            f"that has what tests/benchmarks/workers/requirements-{name}.txt lists"
        )
    return path


class Worker:
    """`with Worker("recbole", request) as worker: seconds = worker.turn("SASRec")`.

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


def written(data: cas.SequenceDataset, folder: str) -> str:
    """The data set as 'user item item ...' lines in a new file; its path."""
    path = Path(tempfile.mkstemp(suffix=".txt", dir=folder)[1])
    lines = (f"{u} {' '.join(map(str, s))}" for u, s in enumerate(data.sequences, 1))
    path.write_text("\n".join(lines) + "\n")
    return str(path)


def request_of(data, path: str, dataset: str, dim: int, device: str, variants: dict) -> dict:
    """What a worker is told: the data, the sizes of the model, and what to train."""
    return {"data": path, "max_len": MAX_LEN.get(dataset, 50), "dim": dim, "dropout": 0.2,
            "device": device, "variants": variants}
