"""Where and with how many threads a process computes."""

from __future__ import annotations

import torch
from threadpoolctl import threadpool_limits

from .checks import shown


def choose_device(name: str = "auto") -> torch.device:
    """The device of that name; "auto" takes PyTorch's accelerator where there is one.

    It must hold float64, in which negatives are drawn and ranks counted; Apple's does not, and
    "auto" takes the CPU there.
    """
    if name == "auto":
        best = torch.accelerator.current_accelerator(check_available=True)
        return best if best is not None and _holds_float64(best) else torch.device("cpu")
    try:
        device = torch.device(name if isinstance(name, (str, torch.device)) else repr(name))
        torch.empty(0, device=device)  # a device that is not there fails here, not in mid-work
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise ValueError(f"device is {shown(name)}, which is not there; allowed are 'auto', 'cpu' "
                         "and the names of this machine's devices in PyTorch") from error
    if not _holds_float64(device):
        raise ValueError(f"device is {shown(name)}, which has no float64; negatives are drawn and "
                         "ranks counted in it, so allowed are 'auto', 'cpu' and devices that do")
    return device


def _holds_float64(device: torch.device) -> bool:
    try:
        torch.empty(0, dtype=torch.float64, device=device)
    except (RuntimeError, TypeError):
        return False
    return True


def use_threads(count: int = 1) -> None:
    """Let this process compute with that many CPU threads, in PyTorch and in numpy's products.

    The order of a sum, and so its last digits, depends on the number.
    """
    torch.set_num_threads(count)
    threadpool_limits(count)
