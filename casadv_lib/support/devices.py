"""Where and with how many threads a process computes."""

import contextlib
from typing import Annotated

import torch
from pydantic import BeforeValidator
from threadpoolctl import threadpool_limits

from .checks import shown

DEVICES = "are 'auto', 'cpu' and the names of this machine's devices that hold float64"


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
