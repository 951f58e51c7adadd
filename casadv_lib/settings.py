"""What a training run is told (Section 5.3), and how each ambiguous place of the paper is read.

Every setting of a phase stands here once, with its type, what is allowed, its default and meaning;
pydantic checks it, and the help of the command line is made of these fields.
"""

import dataclasses
from typing import Literal

from pydantic import Field

from .support.checks import AutoFlag, Count, Flag, Momentum, Number, Seed, Size, settings
from .support.machine import Device

# Defaults of a run by profile; sizes and epochs of "paper" are those of Section 5.3.
PROFILES = {
    # the synthetic world, minutes on two CPU cores; what the notebooks are committed with
    "quick": {"dataset": "synthetic", "epochs": 80, "adv_epochs": 12, "eval_every": 5,
              "adv_eval_every": 1, "dim": 64, "max_len": 50},
    # histories with titles; epsilon, lambda1 are the paper's: 610 users are too few to choose by
    "films": {"dataset": "ml-latest-small", "epochs": 150, "adv_epochs": 20, "eval_every": 10,
              "adv_eval_every": 1, "dim": 64, "max_len": 50, "epsilon": 10.0, "lambda1": 1.0},
    "laptop": {"dataset": "beauty", "epochs": 200, "adv_epochs": 40, "eval_every": 20},  # an hour
    "paper": {"dataset": "beauty", "epochs": 500, "adv_epochs": 100, "eval_every": 20},
    # stronger losses, which overfit within dozens of epochs and so stop at their best; hours
    "sampled": {"dataset": "beauty", "loss": "sampled", "negatives": 256, "epochs": 200,
                "eval_every": 2, "adv_epochs": 6, "patience": 2},
    "ce": {"dataset": "beauty", "loss": "ce", "epochs": 40, "eval_every": 2, "adv_epochs": 6,
           "patience": 2},
    "gbce": {"dataset": "beauty", "loss": "gbce", "negatives": 64, "epochs": 200, "eval_every": 4,
             "adv_epochs": 12, "patience": 3},
    "bce64": {"dataset": "beauty", "loss": "bce", "negatives": 64, "epochs": 200, "eval_every": 4,
              "adv_epochs": 12, "patience": 3},
}
POSITIONS = ("first", "middle", "last")
MOST_REPLACED = 5  # K of Figure 6
PAPER_BACKBONES = ("sasrec", "gru4rec")
PICKS = ("gradient", "nearest", "random", "halfspace", "projection", "cosine")
EXCLUDES = ("both", "attacked", "original")


@settings
class AttackOptions:
    """What `attack` takes besides models and data; its docstring says more."""

    positions: Literal[*POSITIONS] = Field("last", description="which item is replaced")
    k: Number(int, 1) = Field(1, description="how many, counted from the end")
    pick: Literal[*PICKS] = Field("gradient", description="which item is put in")
    step: Size = Field(0.1, description="along the gradient, in median neighbour distances")
    split: Literal["test", "validation"] = Field("test", description="whose target is ranked")
    seed: Seed = Field(0, description="of pick random")
    exclude: Literal[*EXCLUDES] = Field(
        "both", description="what is not offered again: the history before, after, or both")
    loss: Literal["target", "first_choice"] = Field("target", description="of which item")
    joint: Flag = Field(True, description="one gradient for all k items")


def checked_options(**options) -> AttackOptions:
    """The options of `attack`, the others with their default; raises ValueError for a bad one."""
    checked = AttackOptions(**options)
    if checked.k > 1 and checked.positions != "last":
        raise ValueError(f"k is {checked.k} with positions={checked.positions!r}; allowed is 1, or "
                         "positions='last'")
    return checked


@settings
class TrainingSettings:
    """What both phases share (Section 5.3); "auto" is decided where the run starts."""

    epochs: Count = Field(500, description="passes over all users; at least 1 for a stored run")
    seed: Seed = Field(0, description="decides every random number")
    batch_size: Number(int, 1) = Field(128, description="users a batch, b of Eq. 11")
    loss: Literal["bce", "gbce", "sampled", "ce"] = Field(
        "bce", description="bce: Eq. 5; the others are not the paper's (losses.py)")
    negatives: Number(int, 1) = Field(
        1, description="drawn a position; for loss sampled, a batch; ce has none")
    calibration: Number(float, 0, 1) = Field(0.75, description="t of loss gbce; 0: plain bce")
    eval_every: Count = Field(0, description="epochs between evaluations; 0: none inside")
    patience: Count = Field(
        0, description="evaluations without a better one that end training at its best; 0: none")
    learning_rate: Size = Field(1e-3, description="step of Adam")
    weight_decay: Size = Field(1e-5, description="the paper's \"L2 norm\"")
    decay: Literal["adamw", "adam", "item_norm"] = Field(
        "adamw", description="adamw: decoupled; adam: coupled; item_norm: ||E|| added to the loss")
    beta1: Momentum = Field(0.9, description="of Adam, for the mean of gradients")
    beta2: Momentum = Field(0.98, description="of Adam, for the mean of their squares")
    device: Device = Field("auto", description="auto: a GPU if there is one, else the CPU")
    amp: AutoFlag = Field(
        "auto", description="bfloat16 passes; auto: no, they drown the small random start of A")
    compile: AutoFlag = Field("auto", description="torch.compile of the encoder; auto: no")
    health: Literal["stop", "note"] = Field(
        "stop", description="at a collapsed encoder or exploding embeddings; note: warn, go on")


@settings
class AdversarialSettings:
    """Sizes, and one field for each place where the paper can be read in several ways."""

    epsilon: Size = Field(10.0, description="size of every perturbation, Eq. 7 and 9")
    lambda1: Size = Field(1.0, description="weight of L_adv1, Eq. 10")
    lambda2: Size = Field(1.0, description="weight of L_adv2, Eq. 10")
    scope: Literal["batch", "literal"] = Field(
        "batch", description="||g|| of Eq. 7 and 9 over the batch; literal: per sequence, vector")
    cascade_norm: Literal["raw", "minmax"] = Field(
        "raw", description="C as Eq. 11 has it; minmax: 1 + min-max(C), Algorithm 1")
    weight_mean: Literal["inverse", "cascade"] = Field(
        "inverse", description="what has mean 1 in Eq. 6: 1/C; cascade: C")
    count_self: Flag = Field(
        False, description="a user's own occurrences count in the cross term, Algorithm 1")
    start: Literal["random", "zero", "bce", "masks"] = Field(
        "random", description="where g of Eq. 7 is taken; zero: a trap, no gradient there")
    start_size: Size = Field(1e-3, description="the random start is uniform in +- this")
    dropout_masks: Literal["same", "independent"] = Field(
        "same", description="of the clean and the moved pass of Eq. 6")
    detach_clean: Flag = Field(True, description="the clean w of Eq. 6 carries no gradient")
    level1_loss: Literal[None, "distance", "bce"] = Field(
        None, description="None: the method's own; Eq. 6, or the loss (Eq. 5) on moved inputs")
    inject: Literal["before", "after"] = Field(
        "before", description="A is added before or after the scaling of the look-up, Eq. 6")
    level1_positions: Literal["all", "last"] = Field(
        "all", description="positions that the distance of Eq. 6 is the mean of")
    weighted_gradient: Flag = Field(False, description="1/C applied already where g is taken")
    direction: Literal[None, "gradient", "sign", "random"] = Field(
        None, description="None: the method's own; of Eq. 7 and 9, always of size epsilon")
    replace_probability: Number(float, 0, 1) = Field(
        0.2, description="of an input by a near item, in methods that replace (not the paper's)")
    neighbours: Number(int, 1, 1000) = Field(
        10, description="nearest items that may stand for an input (not the paper's)")

    def of(self, method) -> "AdversarialSettings":
        """These settings with the method's own loss and direction where none is set."""
        return dataclasses.replace(self, level1_loss=self.level1_loss or method.level1,
                                   direction=self.direction or method.direction)
