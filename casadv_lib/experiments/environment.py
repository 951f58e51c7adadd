"""Is this machine ready? Python, packages, memory, disk and device, each with a verdict."""

from __future__ import annotations

import platform
import re
import shutil
from importlib.metadata import PackageNotFoundError, version

import pandas as pd
import psutil
import torch

from ..support.devices import choose_device
from ..support.repository import root
from .runs import runs_folder

MEMORY_GB, DISK_GB, GB = 2.0, 1.0, 2**30  # what the quick profile needs at most


def tested_versions() -> dict[str, str]:
    """{package: version} of requirements.txt; {} where there is no checkout."""
    file = root() / "requirements.txt"
    text = file.read_text(encoding="utf-8") if file.exists() else ""
    return dict(re.findall(r"^([\w.-]+)==(\S+)", text, re.M))


def _package(name: str, tested: str) -> tuple:
    try:
        installed = version(name)
    except PackageNotFoundError:
        return name, "none", tested, "missing"
    same = installed.split("+")[0] == tested  # 2.13.0+cpu is 2.13.0 for a CPU
    return name, installed, tested, "ok" if same else "differs"


def report(device: str = "auto") -> pd.DataFrame:
    """All checks as a table: what, here, wanted, verdict ("differs": not tested, may well work).

    It shows no path of the machine. Raises ValueError for a device that is not there.
    """
    chosen = choose_device(device)
    folder = next(p for p in (runs_folder(), *runs_folder().resolve().parents) if p.exists())
    free = {"free memory": (psutil.virtual_memory().available, MEMORY_GB),
            "free disk space": (shutil.disk_usage(folder).free, DISK_GB)}
    if chosen.type == "cuda":
        free["free GPU memory"] = (torch.cuda.mem_get_info(chosen)[0], MEMORY_GB)
    # an older Python does not come this far: the library's syntax needs 3.11
    rows = [("Python", platform.python_version(), "3.11 or newer", "ok"),
            ("device", str(chosen), "any", "ok")]
    rows += [(what, f"{size / GB:.1f} GB", f"{wanted:g} GB",
              "ok" if size / GB >= wanted else "less than wanted")
             for what, (size, wanted) in free.items()]
    rows += [_package(name, tested) for name, tested in tested_versions().items()]
    return pd.DataFrame(rows, columns=["what", "here", "wanted", "verdict"])
