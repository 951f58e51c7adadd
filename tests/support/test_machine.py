"""Which device is taken, and memory that is kept."""

import os
import platform
import subprocess
import sys

import pytest
import torch

from casadv_lib.support.machine import choose_device


@pytest.mark.parametrize("holds", [True, False])
def test_a_device_without_float64_is_not_taken(holds, monkeypatch):
    """As Apple's: negatives are drawn, and ranks counted, in float64."""
    real = torch.empty

    def empty(*size, dtype=None, **rest):
        if dtype is torch.float64 and not holds:
            raise TypeError("no float64 here")
        return real(*size, dtype=dtype, **rest)

    monkeypatch.setattr(torch, "empty", empty)
    monkeypatch.setattr(torch.accelerator, "current_accelerator",
                        lambda check_available: torch.device("meta"))
    assert choose_device("auto").type == ("meta" if holds else "cpu")
    if not holds:
        with pytest.raises(ValueError, match="device is 'meta'; allowed .* that hold float64"):
            choose_device("meta")


FAULTS = """
import resource, sys
import numpy as np
from casadv_lib.support import machine
if sys.argv[1] == "keep":
    machine.keep_memory()
for _ in range(100):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    np.ones(60_000)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="it is glibc that is told")
def test_freed_memory_is_kept_where_the_process_was_told_to_give_it_back():
    told = os.environ | {"MALLOC_TRIM_THRESHOLD_": "65536"}  # as `dask worker` does
    gone, kept = (int(subprocess.run([sys.executable, "-c", FAULTS, how], capture_output=True,
                                     env=told, check=True, text=True).stdout)
                  for how in ("give", "keep"))
    assert gone > 50 > 5 > kept  # 117 pages are fresh each time, or none
