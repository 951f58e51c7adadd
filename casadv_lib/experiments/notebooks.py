"""Running the notebooks without a browser, for figures or to refresh what is committed."""

import hashlib
import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import patch

import distributed
import nbformat
import papermill
from nbclient.exceptions import DeadKernelError
from papermill.exceptions import PapermillExecutionError

from ..backbones import BACKBONES
from ..results.frames import folder_made, folder_of
from ..support.checks import one_of
from ..support.files import make_folder, read_json, write_bytes, write_json
from ..support.machine import choose_device, folder_named_by, progress_bar, root, source_hash
from .configuration import resolved
from .grid import cluster, workers_of
from .runs import Study, provenance, runs_folder

KERNEL = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
# whose models a notebook goes on with, and so waits for
NEEDS = {"04_adversarial_training": ["02_backbones"], "12_a_stronger_loss": ["02_backbones"],
         "08_first_middle_last": ["02_backbones", "04_adversarial_training"]}
# What a profile hands to single notebooks: that for which its grid has made the runs.
OF_PROFILE = {"paper": {"07_epsilon_sweep": {"dataset": "video"},
                        "11_ambiguities": {"switches": ["literal", "paper_values"]}}}


def committed(names: list[str] | None = None) -> list[Path]:
    """The numbered notebooks in order, or those named: "01", "01_data_preparation", with .ipynb;
    ValueError for a name that no notebook has."""
    every = sorted((root() / "notebooks").glob("[0-9]*.ipynb"))
    known = {name: path for path in every for name in (path.stem, path.stem[:2])}
    asked = [one_of("notebooks", Path(name).name.removesuffix(".ipynb"), known)
             for name in names or known]
    return [path for path in every if path in map(known.get, asked)]


def execute(profile: str = "quick", dataset: str | None = None, backbone: str | None = None,
            device: str = "auto", notebooks: list[str] | None = None, workers: int | None = None,
            **reading) -> list[Path]:
    """Run notebooks into notebooks/ in the folder of what is made (see `frames.folder_of`).

    A value is handed over where the notebook's parameters cell has that name; None leaves the
    notebook's own. workers: as for `run_all`. reading: as for `load_dataset`. Returns the paths
    once all have run, or raises a ChildProcessError that names those that failed and the cells; a
    copy shows how far it came. measured.json beside them keeps of each its parameters, number of
    new runs and provenance.
    """
    one_of("backbone", backbone, (None, *BACKBONES))
    label = Study(profile, dataset, **reading).dataset
    # "quick" is what is committed: there each notebook has its own, the films or the world
    own = None if profile == "quick" else profile
    asked = {"profile": own, "dataset": dataset and resolved(dataset), "backbone": backbone,
             "device": device} | reading
    asked = {name: value for name, value in asked.items() if value is not None}
    known = {path: papermill.inspect_notebook(str(path)) for path in committed(notebooks)}
    for name in asked.keys() - {"profile", "device"}:
        one_of("parameter", name, set().union(*known.values()))
    folder = make_folder(folder_made() / folder_of(profile, dataset=label).name / "notebooks")
    make_folder(runs_folder())  # what cannot be written shows before the work
    wanted, file = {}, folder / "measured.json"
    for path, names in known.items():
        given = OF_PROFILE.get(profile, {}).get(path.stem, {}) | asked
        wanted[path] = folder / path.name, {n: value for n, value in given.items() if n in names}
    for path, record in run_all(wanted, workers, device):
        records = read_json(file) if file.exists() else {}  # those that do not run now stay
        write_json(file, dict(sorted((records | {path.stem: record}).items())))
    return [output for output, _ in wanted.values()]


def refresh(notebooks: list[str] | None = None, workers: int | None = None) -> list[Path]:
    """Run committed notebooks with the values that stand in them, and store the outputs in place,
    stamped with the code that made them; one that fails stays as it was."""
    paths, library = committed(notebooks), source_hash()  # a change during a run shows as stale
    with tempfile.TemporaryDirectory() as folder:
        made = {path: (Path(folder) / path.name, {}) for path in paths}
        for path, _ in run_all(made, workers):
            notebook = nbformat.read(made[path][0], as_version=4)
            notebook.metadata = nbformat.from_dict({
                "kernelspec": KERNEL, "language_info": {"name": "python"},
                "casadv": {"code": code_hash(notebook), "library": library}})
            for cell in notebook.cells:  # what differs from run to run or machine to machine goes
                cell.metadata = nbformat.from_dict({
                    key: value for key, value in cell.metadata.items()
                    if key in ("tags", "jupyter") and value})  # "jupyter": a folded answer
            write_bytes(path, (nbformat.writes(notebook).rstrip("\n") + "\n").encode())
    return paths


def run_all(asked: dict[Path, tuple[Path, dict]], workers: int | None = None, device: str = "auto"
            ) -> Iterator[tuple[Path, dict]]:
    """Run notebooks, {path: (output, parameters)}; yields each as it ends, with its record.

    workers: processes; None: one a core, or one a GPU. Those that others NEED come first, then the
    last ones, which take longest. Raises ChildProcessError for all that failed.
    """
    workers = min(workers_of(device, workers), len(asked))
    order = [path for path in asked if path.stem in sum(NEEDS.values(), [])]
    order += [path for path in reversed(asked) if path not in order]
    tasks, failed = {}, []
    with (progress_bar(total=len(asked), desc="notebooks", unit="notebook") as bar,
          cluster(workers, device) as (client, resource)):
        for path in order:
            needs = [tasks[name] for name in NEEDS.get(path.stem, ()) if name in tasks]
            tasks[path.stem] = client.submit(
                run_notebook, path, *asked[path], device, *needs, key=path.stem,
                priority=-len(tasks), resources={resource: 1})
        for task in distributed.as_completed(tasks.values()):
            bar.update()
            path, record, why = task.result()
            if why:
                failed.append(why)
            else:
                yield path, record
    if failed:
        raise ChildProcessError("\n".join(sorted(failed)))


def run_notebook(path: Path, output: Path, parameters: dict, device: str = "auto", *_
                 ) -> tuple[Path, dict, str]:
    """Run a notebook with Papermill, in its own folder; returns its path, its record, and why it
    failed, or "". The output is whole, or up to a failure. A task in a cluster may have more
    arguments, which it only waits for."""
    before, started = set(runs_folder().glob("*/metrics.json")), time.perf_counter()
    for name in ("CASADV_RUNS", "CASADV_DATA", "CASADV_FIGURES"):
        folder_named_by(name)  # as the caller means it
    growing = make_folder(output.parent) / f".{output.stem}.partial.ipynb"  # cell by cell
    inherited = {"OMP_NUM_THREADS": "1"} | os.environ | {"CI": "1"}  # no progress bars
    inherited.pop("MPLBACKEND", None)  # Agg from the caller's shell would drop inline pictures
    why = ""
    try:
        with patch.dict(os.environ, inherited, clear=True):
            papermill.execute_notebook(
                str(path), str(growing), parameters, kernel_name=KERNEL["name"],
                cwd=str(path.parent), progress_bar=False, coalesce_streams=True)
    except PapermillExecutionError as error:
        first = error.source.strip().splitlines()[0]
        why = (f"{path.name}: cell {error.cell_index}, which starts with {first!r}, failed with "
               f"{error.ename}: {error.evalue}")
    except DeadKernelError as error:
        why = f"{path.name}: the kernel stopped: {error}"
    finally:
        if growing.exists():
            os.replace(growing, output)
    seconds, made = time.perf_counter() - started, runs_folder().glob("*/metrics.json")
    return path, {"parameters": parameters, "new_runs": len(set(made) - before),
                  "provenance": provenance("", choose_device(device), seconds)}, why


def code_hash(notebook) -> str:
    """SHA-256 of the sources of a notebook's code cells."""
    sources = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
    return hashlib.sha256("\n\f\n".join(sources).encode()).hexdigest()
