"""Where a number comes from: code, packages, hardware, date. Stored beside every result."""

from __future__ import annotations

import functools
import os
import platform
import subprocess
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import torch

from ..support.repository import root, source_hash

PACKAGES = ("torch", "numpy", "pandas")


@functools.cache  # the code that a process works with does not change under it
def code_version() -> str:
    """The commit ("-changed" with uncommitted changes; if there is one) and the source's hash."""
    commit = _git("rev-parse", "--short=12", "HEAD") or "no-commit"
    changed = "-changed" if _git("status", "--porcelain", "--", "casadv_lib") else ""
    return f"{commit}{changed} source {source_hash()[:12]}"


def _git(*arguments: str) -> str:
    try:
        found = subprocess.run(
            ["git", "-C", str(root()), *arguments], capture_output=True, text=True, timeout=20
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return found.stdout.strip() if found.returncode == 0 else ""


def packages() -> dict[str, str]:
    """Installed versions of what the numbers depend on, and Python's."""
    found = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "missing"
    return found


def hardware(device: torch.device) -> str:
    """The processor, or the GPU and the processor, in words."""
    processor = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        lines = [line for line in info.read_text().splitlines() if line.startswith("model name")]
        processor = lines[0].split(":", 1)[1].strip() if lines else processor
    words = f"{processor}, {os.cpu_count()} cores, {torch.get_num_threads()} thread(s) used"
    if device.type == "cuda":
        words = f"{torch.cuda.get_device_name(device)}; {words}"
    return words


def provenance(data_hash: str, device: torch.device, wall_seconds: float) -> dict:
    """What is stored beside a result."""
    return {
        "data_hash": data_hash,
        "code_version": code_version(),
        "packages": packages(),
        "hardware": hardware(device),
        "device": str(device),
        "cpu_capability": torch.backends.cpu.get_cpu_capability(),
        "wall_seconds": round(wall_seconds, 2),
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
    }
