"""The code, packages and machine behind a number, stored beside it; and whether they are ready."""

from __future__ import annotations

import functools
import os
import platform
import re
import shutil
import subprocess
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pandas as pd
import psutil
import torch

from ..support.devices import choose_device
from ..support.repository import folder_named_by, root, source_hash

MEMORY_GB, DISK_GB, GB = 2.0, 1.0, 2**30  # what the quick profile needs at most


def provenance(data_hash: str, device: torch.device, wall_seconds: float) -> dict:
    """What is stored beside a result."""
    return {
        "data_hash": data_hash,
        "code_version": code_version(),
        "packages": {"python": platform.python_version(),
                     **{name: installed(name) for name in ("torch", "numpy", "pandas")}},
        "hardware": hardware(device),
        "device": str(device),
        "cpu_capability": torch.backends.cpu.get_cpu_capability(),
        "wall_seconds": round(wall_seconds, 2),
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
    }


@functools.cache  # the code that a process works with does not change under it
def code_version() -> str:
    """The commit ("-changed" with uncommitted changes; if there is one) and the source's hash."""
    commit = _git("rev-parse", "--short=12", "HEAD") or "no-commit"
    changed = "-changed" if _git("status", "--porcelain", "--", "casadv_lib") else ""
    return f"{commit}{changed} source {source_hash()[:12]}"


def _git(*arguments: str) -> str:
    try:
        return subprocess.run(["git", "-C", str(root()), *arguments], capture_output=True,
                              text=True, timeout=20, check=True).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return ""


def installed(package: str) -> str:
    """The version of a package here, or "missing"."""
    try:
        return version(package)
    except PackageNotFoundError:
        return "missing"


def hardware(device: torch.device) -> str:
    """The processor, or the GPU and the processor, in words."""
    info = Path("/proc/cpuinfo")
    named = re.search(r"^model name\s*:(.*)", info.read_text() if info.exists() else "", re.M)
    processor = named[1].strip() if named else platform.processor() or platform.machine()
    words = f"{processor}, {os.cpu_count()} cores, {torch.get_num_threads()} thread(s) used"
    return f"{torch.cuda.get_device_name(device)}; {words}" if device.type == "cuda" else words


def runs_folder() -> Path:
    """`CASADV_RUNS`, or `runs/` in the repository."""
    return folder_named_by("CASADV_RUNS") or root() / "runs"


def report(device: str = "auto") -> pd.DataFrame:
    """Is this machine ready? All checks as a table: what, here, wanted, verdict.

    "differs" is a version that was not tested and may well work. The table shows no path of the
    machine. Raises ValueError for a device that is not there.
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
    for package, tested in tested_versions().items():
        here = installed(package)  # 2.13.0+cpu is 2.13.0 for a CPU
        verdict = "ok" if here.split("+")[0] == tested else "differs"
        rows.append((package, here, tested, "missing" if here == "missing" else verdict))
    return pd.DataFrame(rows, columns=["what", "here", "wanted", "verdict"])


def tested_versions() -> dict[str, str]:
    """{package: version} of requirements.txt; {} where there is no checkout."""
    file = root() / "requirements.txt"
    text = file.read_text(encoding="utf-8") if file.exists() else ""
    return dict(re.findall(r"^([\w.-]+)==(\S+)", text, re.M))
