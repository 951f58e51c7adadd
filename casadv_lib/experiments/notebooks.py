"""Running the notebooks without a browser, for figures or to refresh what is committed.

`execute` runs them by Papermill with the caller's profile, data set, backbone and device; what
comes out lies in the folder notebooks/ beside the profile's results (figures/made/<profile>/) and
the committed notebooks stay as they are. The seconds and the memory that each took are stored
there too, in measured.json.
`refresh` runs the committed notebooks with the values that stand in them and stores the outputs
in place, with a stamp of the code that made them.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
import tempfile
import time
from collections.abc import Collection, Iterator
from pathlib import Path

import nbformat
import papermill
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from papermill.exceptions import PapermillExecutionError

from ..backbones import BACKBONES
from ..support.checks import one_of
from ..support.devices import choose_device
from ..support.files import read_json, write_bytes, write_json
from ..support.repository import root, source_hash
from .configuration import NOTEBOOK_PARAMETERS, PROFILES, results_folder
from .memory import PeakMemory
from .provenance import provenance
from .runs import runs_folder
from .stamps import KERNEL, cleaned, code_hash


class NotebookError(RuntimeError):
    """A notebook stopped; the message names it and the cell."""


def notebooks_folder() -> Path:
    return root() / "notebooks"


def committed(names: Collection[str] | None = None) -> list[Path]:
    """The numbered notebooks in order, or those named: "01", "01_data_preparation", with .ipynb.

    Raises ValueError for a name that no notebook has.
    """
    there = sorted(notebooks_folder().glob("[0-9]*.ipynb"))
    if not names:
        return there
    for name in names:
        if not any(_is_called(path, name) for path in there):
            choices = ", ".join(path.stem for path in there)
            raise ValueError(f"notebooks is {name!r}; allowed are {choices}")
    return [path for path in there if any(_is_called(path, name) for name in names)]


def _is_called(path: Path, name: str) -> bool:
    stem = Path(name).name.removesuffix(".ipynb")
    return stem in (path.stem, path.stem.split("_")[0])


def execute(
    profile: str = "quick",
    dataset: str | None = None,
    backbone: str | None = None,
    device: str = "auto",
    notebooks: Collection[str] | None = None,
    folder: Path | None = None,
) -> list[Path]:
    """Run notebooks into figures/made/<profile>/notebooks/; returns the paths written.

    A value is handed to a notebook where its parameters cell has that name; None leaves the
    notebook's own, or what `profiles.NOTEBOOK_PARAMETERS` has for it. After a failure the others
    still run, then NotebookError names all that failed; the copy of a failed notebook shows how
    far it came. `measured.json` beside the copies keeps what each run took (see `measured`).
    folder: None takes that of the profile (see `profiles.results_folder`).
    """
    one_of("profile", profile, PROFILES)
    one_of("backbone", backbone, (None, *BACKBONES))
    given = {"profile": profile, "dataset": dataset, "backbone": backbone, "device": device}
    given = {name: value for name, value in given.items() if value is not None}
    chosen = committed(notebooks)
    folder = folder or results_folder(profile) / "notebooks"
    folder.mkdir(parents=True, exist_ok=True)
    written, failed = [], []
    for path in chosen:
        known = papermill.inspect_notebook(str(path))
        own = NOTEBOOK_PARAMETERS.get(profile, {}).get(path.stem, {})
        parameters = {name: value for name, value in (own | given).items() if name in known}
        try:
            record = measured(path, folder / path.name, parameters)
        except NotebookError as error:
            failed.append(str(error))
            continue
        written.append(folder / path.name)
        stored = folder / "measured.json"  # entries of notebooks that do not run now stay
        known = read_json(stored) if stored.exists() else {}
        write_json(stored, known | {path.stem: record})
    if failed:
        raise NotebookError("\n".join(failed))
    return written


def measured(path: Path, output: Path, parameters: dict) -> dict:
    """Run one notebook; returns what it took, as plain values.

    "parameters": what was handed over; "peak_megabytes": the most memory of its kernel and the
    processes below it; "new_runs": how many runs were not stored and had to be made;
    "provenance": as for runs, with the wall time, and without a data hash.
    """
    before, started = _stored_runs(), time.perf_counter()
    with PeakMemory() as memory:
        run_notebook(path, output, parameters)
    device = choose_device(parameters.get("device", "auto"))
    origin = provenance("", device, time.perf_counter() - started)
    del origin["data_hash"]  # a notebook may read several data sets, or none
    return {"parameters": parameters, "peak_megabytes": memory.megabytes,
            "new_runs": _stored_runs() - before, "provenance": origin}


def _stored_runs() -> int:
    return len(list(runs_folder().glob("*/metrics.json")))


def refresh(notebooks: Collection[str] | None = None) -> list[Path]:
    """Run the committed notebooks with their own parameters and store the outputs in place.

    A notebook that fails stays as it was, and NotebookError is raised.
    """
    for path in committed(notebooks):
        library = source_hash()  # before the run: a change during it must show as stale
        with tempfile.TemporaryDirectory() as folder:
            made = run_notebook(path, Path(folder) / path.name, {})
            notebook = cleaned(nbformat.read(made, as_version=4))
        notebook.metadata["casadv"] = {"code": code_hash(notebook), "library": library}
        write_bytes(path, (nbformat.writes(notebook).rstrip("\n") + "\n").encode())
    return committed(notebooks)


def run_notebook(path: Path, output: Path, parameters: dict, cwd: Path | None = None) -> Path:
    """Run one notebook with Papermill, in its own folder unless told otherwise.

    Papermill writes its copy cell by cell; it gets its name when it is whole, or has failed.
    """
    try:
        with _named_at_the_end(output) as growing, _quiet_kernel():
            papermill.execute_notebook(
                str(path), str(growing), parameters, kernel_name=KERNEL["name"],
                cwd=str(cwd or path.parent), progress_bar=False,
            )  # fmt: skip
    except PapermillExecutionError as error:
        raise NotebookError(
            f"{path.name}: cell {error.cell_index} (In [{error.exec_count}]) failed with "
            f"{error.ename}: {error.evalue}\nThe cell starts with: "
            f"{error.source.strip().splitlines()[0]}"
        ) from error
    except (CellExecutionError, CellTimeoutError, DeadKernelError) as error:
        last = _last_run(output)
        raise NotebookError(f"{path.name}: the kernel stopped {last}: {error}") from error
    return output


@contextlib.contextmanager
def _named_at_the_end(output: Path) -> Iterator[Path]:
    """A path to write to; what lies there afterwards, whole or not, is renamed to `output`."""
    growing = output.with_name(f".{output.stem}.partial.ipynb")
    try:
        yield growing
    finally:
        if growing.exists():
            os.replace(growing, output)


def _last_run(output: Path) -> str:
    """Where a kernel died: the cell after the last one that the saved copy shows as run."""
    if not output.exists():
        return "before the first cell"
    cells = nbformat.read(output, as_version=4).cells
    done = [place for place, cell in enumerate(cells) if cell.get("execution_count")]
    return f"in or after cell {done[-1]}" if done else "before the first cell"


@contextlib.contextmanager
def _quiet_kernel() -> Iterator[None]:
    """The environment a kernel inherits: no progress bars, and pictures inside the notebook."""
    before = dict(os.environ)
    os.environ["CI"] = "1"
    # as the grid's processes: the same last bits, and no slower for batches this small
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    os.environ.pop("MPLBACKEND", None)  # Agg from the caller's shell would drop inline pictures
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def main(arguments: list[str] | None = None) -> int:
    """The command line; returns the exit status (2: bad input, 1: a notebook failed)."""
    layout = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(
        "python -m casadv_lib.experiments.notebooks", description=__doc__, formatter_class=layout
    )
    add = parser.add_argument
    add("names", nargs="*", help="notebooks, such as 01 (default: all)")
    add("--profile", default="quick", help=f"one of {', '.join(PROFILES)} (default: quick)")
    add("--dataset", default=None, help="a name or a path (default: the profile's)")
    add("--backbone", default=None, help="(default: the notebook's)")
    add("--device", default="auto", help="auto, cpu, cuda, ... (default: auto)")
    add("--refresh", action="store_true",
        help="run with the notebooks' own parameters and store the outputs in place")  # fmt: skip
    options = parser.parse_args(arguments)
    chosen = (options.profile, options.dataset, options.backbone, options.device)
    try:
        if options.refresh and chosen != ("quick", None, None, "auto"):
            raise ValueError("--refresh runs the notebooks' own parameters; leave out the others")
        run = refresh(options.names) if options.refresh else execute(*chosen, options.names)
    except (ValueError, NotebookError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2 if isinstance(error, ValueError) else 1
    print(*run, sep="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
