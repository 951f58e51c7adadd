"""The machine: folders, devices, threads, a progress bar; and a hash of the library."""

import contextlib
import functools
import hashlib
import os
from pathlib import Path
from typing import Annotated

import torch
from pydantic import BeforeValidator
from threadpoolctl import threadpool_limits
from tqdm.auto import tqdm

from .checks import shown

PACKAGE = Path(__file__).resolve().parents[1]
DEVICES = "are 'auto', 'cpu' and the names of this machine's devices that hold float64"


def root() -> Path:
    """The folder that holds `casadv_lib/` and `figures/`; installed without them, the caller's."""
    return PACKAGE.parent if (PACKAGE.parent / "notebooks").is_dir() else Path.cwd()


def folder_named_by(variable: str) -> Path | None:
    """The folder that an environment variable names, whose value from now on is its whole path."""
    if named := os.environ.get(variable):
        os.environ[variable] = os.path.abspath(os.path.expanduser(named))
        return Path(os.environ[variable])
    return None


@functools.cache  # the code that a process works with does not change under it
def source_hash() -> str:
    """SHA-256 over the names and contents of the library's sources and of the tables they read."""
    digest = hashlib.sha256()
    kinds = ("py", "js*", "csv")
    for path in sorted(path for kind in kinds for path in PACKAGE.rglob(f"*.{kind}")):
        digest.update(path.relative_to(PACKAGE).as_posix().encode() + path.read_bytes())
    return digest.hexdigest()


def choose_device(name: str = "auto") -> torch.device:
    """The device of that name; "auto" takes PyTorch's accelerator where there is one that holds
    float64, in which negatives are drawn and ranks counted (Apple's does not), else the CPU."""
    if name == "auto":
        best = torch.accelerator.current_accelerator(check_available=True)
        with contextlib.suppress(ValueError):
            return choose_device(best or "cpu")
        return torch.device("cpu")
    try:
        device = torch.device(name if isinstance(name, (str, torch.device)) else repr(name))
        torch.empty(0, dtype=torch.float64, device=device)  # fails here, not in mid-work
    except (RuntimeError, AssertionError, NotImplementedError, TypeError) as error:
        raise ValueError(f"device is {shown(name)}; allowed {DEVICES}") from error
    return device


# the type of a field: the name as it was given
Device = Annotated[str, BeforeValidator(lambda name: str(choose_device(name) and name)), DEVICES]


def use_threads(count: int = 1) -> None:
    """CPU threads of PyTorch and of numpy's products; the last digits of a sum depend on them."""
    torch.set_num_threads(count)
    threadpool_limits(count)


def progress_bar(progress: bool = True, leave: bool = False, **options) -> tqdm:
    """A tqdm bar, none where CI is set. leave: it stays at the end. options: tqdm's."""
    return tqdm(disable=not progress or bool(os.environ.get("CI")), leave=leave, **options)
