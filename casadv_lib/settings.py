"""What a training run is told: epochs, optimiser, device (Section 5.3)."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import torch
from threadpoolctl import threadpool_limits

from .backbones import Backbone, Dropout
from .batching import PackedBatch
from .support.checks import MOST_SEED, number, one_of, shown


@dataclass(frozen=True)
class TrainingSettings:
    """What both phases share (Section 5.3); "auto" is decided where the run starts."""

    epochs: int = 500
    seed: int = 0
    batch_size: int = 128  # users a batch
    eval_every: int = 0  # epochs between evaluations; 0: none inside
    learning_rate: float = 1e-3
    weight_decay: float = 1e-5  # the paper's "L2 norm"
    decay: str = "adamw"  # decoupled; "adam": coupled; "item_norm": ||E|| added to the loss
    beta1: float = 0.9
    beta2: float = 0.98
    device: str = "auto"  # "auto": a GPU if there is one; or any name PyTorch knows
    amp: str | bool = "auto"  # bfloat16 passes; "auto": no, they drown the small random start
    compile: str | bool = "auto"  # torch.compile of the encoder; "auto": no
    health: str = "stop"  # at a collapsed encoder or exploding embeddings; "note": warn, go on

    def __post_init__(self):
        def keep(name, **bounds):
            object.__setattr__(self, name, number(name, getattr(self, name), **bounds))

        for name in ("epochs", "eval_every"):
            keep(name, low=0, kind=int)
        keep("seed", low=0, high=MOST_SEED, kind=int)
        keep("batch_size", low=1, kind=int)
        for name in ("learning_rate", "weight_decay"):
            keep(name, low=0)
        for name in ("beta1", "beta2"):
            keep(name, low=0, high=0.99999)
        one_of("decay", self.decay, ("adamw", "adam", "item_norm"))
        one_of("health", self.health, ("stop", "note"))
        for name in ("amp", "compile"):
            one_of(name, getattr(self, name), ("auto", True, False))
        choose_device(self.device)


def choose_device(name: str = "auto") -> torch.device:
    """The device of that name; "auto" takes PyTorch's accelerator where there is one.

    It must hold float64, in which negatives are drawn and ranks counted; Apple's does not, and
    "auto" takes the CPU there.
    """
    if name == "auto":
        found = torch.accelerator.current_accelerator(check_available=True)
        return found if found is not None and _holds_float64(found) else torch.device("cpu")
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


def make_optimizer(model: Backbone, s: TrainingSettings) -> torch.optim.Optimizer:
    """Adam with the chosen kind of decay.

    Coupled decay under Adam shrinks every item that is not in the batch at the full learning
    rate, since Adam divides the tiny decay by its own tiny size; decoupled decay does not.
    """
    kind = torch.optim.Adam if s.decay == "adam" else torch.optim.AdamW
    decay = 0.0 if s.decay == "item_norm" else s.weight_decay
    # fused: one pass over the item table instead of many; it needs a real device
    fused = all(p.device.type != "meta" for p in model.parameters()) or None
    return kind(
        model.parameters(), s.learning_rate, (s.beta1, s.beta2), weight_decay=decay, fused=fused
    )


def compile_encoder(model: Backbone) -> None:
    """Let torch.compile fuse what works position by position; needs a C++ compiler on a CPU.

    What mixes positions (blocks of every batch's own shapes) and what holds state (dropout's
    masks) runs as it is: compiled, each new shape would be compiled again.
    """
    for owner, name in ((Dropout, "__call__"), (PackedBatch, "blocks"), (PackedBatch, "recur")):
        setattr(owner, name, torch.compiler.disable(getattr(owner, name)))
    model.encode = torch.compile(model.encode, dynamic=True)


def settings_of(*kinds: type) -> dict:
    """The defaults of settings classes as one flat dict."""
    return {k: v for kind in kinds for k, v in asdict(kind()).items()}
