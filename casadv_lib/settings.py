"""What a training run is told (Section 5.3), and how each ambiguous place of the paper is read."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields

from .support.checks import MOST_SEED, flag, number, one_of
from .support.devices import choose_device

# Ways to read the size of a perturbation: over the whole batch, or Eq. 7 and 9 to the letter.
PRESETS = {
    "batch": {"scope": "batch"},
    # to the letter it all but collapses the encoder; what that gives is to be seen
    "literal": {"scope": "literal", "epsilon": 10.0, "lambda1": 1.0, "lambda2": 1.0,
                "health": "note"},
}
MOST_NEIGHBOURS = 1000
REPLACING = ("replace_probability", "neighbours")  # read by methods that replace alone
CHOICES = {
    "scope": ("batch", "literal"),
    "cascade_norm": ("raw", "minmax"),
    "weight_mean": ("inverse", "cascade"),
    "start": ("random", "zero", "bce", "masks"),
    "dropout_masks": ("same", "independent"),
    "level1_loss": (None, "distance", "bce"),
    "inject": ("before", "after"),
    "level1_positions": ("all", "last"),
    "direction": (None, "gradient", "sign", "random"),
}


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


@dataclass(frozen=True)
class AdversarialSettings:
    """Sizes, and one field for each place where the paper can be read in several ways."""

    epsilon: float = 10.0  # size of every perturbation, Eq. 7 and 9
    lambda1: float = 1.0  # weight of L_adv1, Eq. 10
    lambda2: float = 1.0  # weight of L_adv2
    scope: str = "batch"  # ||g|| over the "batch", or "literal": per sequence for A, per vector
    cascade_norm: str = "raw"  # C as Eq. 11 has it, or "minmax": 1 + min-max(C)
    weight_mean: str = "inverse"  # mean(1/C) is 1, or "cascade": mean(C) is 1
    count_self: bool = False  # a user's own occurrences in the cross term (Algorithm 1)
    start: str = "random"  # where g is taken: "random", "zero" (a trap), "bce", "masks"
    start_size: float = 1e-3  # coordinates of the random start are uniform in +- this
    dropout_masks: str = "same"  # in the clean and the moved pass, or "independent"
    detach_clean: bool = True  # the clean w in L_adv1 carries no gradient
    level1_loss: str | None = None  # None: the method's own; "distance" (Eq. 6) or "bce"
    inject: str = "before"  # A is added "before" or "after" the scaling of the look-up
    level1_positions: str = "all"  # L_adv1 over "all" positions or the "last"
    weighted_gradient: bool = False  # 1/C already applied where g is taken
    direction: str | None = None  # None: the method's own; "gradient", "sign" or "random"
    replace_probability: float = 0.2  # of an input by a near item, methods that replace
    neighbours: int = 10  # how many nearest items stand for an input

    def __post_init__(self):
        for name in ("epsilon", "lambda1", "lambda2", "start_size"):
            object.__setattr__(self, name, number(name, getattr(self, name), low=0))
        chance = number("replace_probability", self.replace_probability, low=0, high=1)
        object.__setattr__(self, "replace_probability", chance)
        near = number("neighbours", self.neighbours, low=1, high=MOST_NEIGHBOURS, kind=int)
        object.__setattr__(self, "neighbours", near)
        for name, allowed in CHOICES.items():
            one_of(name, getattr(self, name), allowed)
        for name in ("count_self", "detach_clean", "weighted_gradient"):
            flag(name, getattr(self, name))

    def of(self, method) -> AdversarialSettings:
        """These settings with the method's own loss and direction filled in."""
        own = {f.name: getattr(self, f.name) for f in fields(self)}
        own["level1_loss"] = self.level1_loss or method.level1
        own["direction"] = self.direction or method.direction
        return AdversarialSettings(**own)


def settings_of(*kinds: type) -> dict:
    """The defaults of settings classes as one flat dict."""
    return {k: v for kind in kinds for k, v in asdict(kind()).items()}
