"""Is this machine ready? Python, packages, memory and device, each with a verdict.

Used by notebook 00. Nothing is installed or changed, and no path of the machine is shown.
"""

from __future__ import annotations

import os
import platform
import re
import shutil
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pandas as pd
import psutil  # comes with ipykernel
import torch

from ..support.devices import choose_device
from ..support.repository import root
from .configuration import identity
from .runs import canonical, is_complete, runs_folder

OLDEST_PYTHON = (3, 11)
MEMORY_GB, DISK_GB = 2.0, 1.0  # what the quick profile needs at most
GB = 2**30


def tested_versions(requirements: Path | None = None) -> dict[str, str]:
    """{package: version} of the lines `name==version` of requirements.txt."""
    text = (requirements or root() / "requirements.txt").read_text(encoding="utf-8")
    return dict(re.findall(r"^([\w.-]+)==(\S+)", text, re.M))


def check_python(found: tuple[int, ...] | None = None) -> dict[str, str]:
    """A row on Python's version; found: such as (3, 12), default: this one's."""
    shown = ".".join(map(str, found)) if found else platform.python_version()
    parts = found or tuple(int(part) for part in platform.python_version_tuple()[:2])
    new_enough = tuple(parts[:2]) >= OLDEST_PYTHON
    wanted = ".".join(map(str, OLDEST_PYTHON)) + " or newer"
    return _row("Python", shown, wanted, "ok" if new_enough else "too old")


def check_packages(wanted: dict[str, str] | None = None) -> list[dict[str, str]]:
    """A row a package: "ok", "differs" (not tested, may well work) or "missing"."""
    rows = []
    for name, tested in (wanted or tested_versions()).items():
        try:
            found = version(name)
        except PackageNotFoundError:
            rows.append(_row(name, "none", tested, "missing"))
            continue
        same = found.split("+")[0] == tested  # 2.13.0+cpu is 2.13.0 for a CPU
        rows.append(_row(name, found, tested, "ok" if same else "differs"))
    return rows


def check_machine(device: str = "auto", folder: Path | None = None) -> list[dict[str, str]]:
    """Rows on the device, the cores, the free memory and the free disk space for runs.

    device: as everywhere, "auto", "cpu", "cuda", ...; raises ValueError for one that is not there.
    """
    chosen = choose_device(device)
    words = torch.cuda.get_device_name(chosen) if chosen.type == "cuda" else chosen.type
    memory = psutil.virtual_memory().available / GB
    rows = [
        _row("device", words, "any", "ok"),
        _row("CPU cores", str(os.cpu_count()), "2 or more", _enough(os.cpu_count() or 1, 2)),
        _row("free memory", f"{memory:.1f} GB", f"{MEMORY_GB:g} GB", _enough(memory, MEMORY_GB)),
    ]
    if chosen.type == "cuda":
        free = torch.cuda.mem_get_info(chosen)[0] / GB
        rows.append(_row("free GPU memory", f"{free:.1f} GB", f"{MEMORY_GB:g} GB",
                         _enough(free, MEMORY_GB)))
    place = folder or runs_folder()
    while not place.exists():  # the folder is made by the first run
        place = place.parent
    disk = shutil.disk_usage(place).free / GB
    rows.append(_row("free disk space", f"{disk:.1f} GB", f"{DISK_GB:g} GB",
                     _enough(disk, DISK_GB)))
    return rows


def report(device: str = "auto") -> pd.DataFrame:
    """All checks as a table: what, found, wanted, verdict."""
    return pd.DataFrame([check_python(), *check_machine(device), *check_packages()])


def stored_runs(configs: Iterable[dict], data) -> pd.DataFrame:
    """One row a configuration: backbone, method and whether its run is stored.

    configs: from `profiles.configure`; equal runs are listed once. data: their SequenceDataset.
    """
    rows = {}
    for config in map(canonical, configs):
        rows[identity(config, data.fingerprint)] = {
            "backbone": config["backbone"], "method": config["method"],
            "stored": is_complete(config, data),
        }  # fmt: skip
    return pd.DataFrame(rows.values())


def _enough(found: float, wanted: float) -> str:
    return "ok" if found >= wanted else "less than wanted"


def _row(what: str, found: str, wanted: str, verdict: str) -> dict[str, str]:
    return {"what": what, "found": found, "wanted": wanted, "verdict": verdict}
