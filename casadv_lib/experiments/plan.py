"""The plan behind a profile's figures: stages, the jobs of a stage, and what each job needs.

A job is one run, or the attacks on one run. A run of the second phase needs its base, attacks need
their run. Epsilon, lambda1 and the chance of a replacement are chosen on the validation split
alone: the paper gives one setting for all (epsilon 10, lambda 1) and not over what its norms are
taken, so each family of methods is tried at a few settings for a few epochs from the same base,
and the best NDCG@10 decides. Known choices stand in `chosen.json`; where none is known, the trials
are jobs, and the family's methods need them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path

from ..adversarial import METHOD_ORDER
from ..settings import MOST_REPLACED, PAPER_BACKBONES, PRESETS
from ..support.checks import one_of
from .configuration import EPSILONS, FAMILY, PROFILES, Configuration, chosen, configure

TRIAL_EPOCHS = 10
# Level 1's distance is not squared, so its weight matters; a BCE keeps the paper's weight, 1.
SIZES, CHANCES = (1.0, 3.0, 10.0, 20.0), (0.1, 0.2, 0.5)
CANDIDATES = {
    "adv_linear": tuple({"epsilon": e, "lambda1": 1.0} for e in SIZES),
    "adv_seq": tuple({"epsilon": e, "lambda1": 1.0} for e in SIZES),
    "adv_global": tuple({"epsilon": e, "lambda1": weight} for weight, e in product(
        (0.1, 1.0), SIZES)),
    "neighbour": tuple({"replace_probability": p} for p in CHANCES),
    "adv_neighbour": tuple({"replace_probability": p, "epsilon": e}
                           for p, e in product(CHANCES, SIZES[1:])),
}
# clean against attacked accuracy, a curve a method: over epsilon, or over the chance of neighbour
TRADE_OFF = {"adv_linear": SIZES, "adv_global": SIZES, "adv_cas": SIZES, "neighbour": CHANCES,
             "adv_neighbour": SIZES[1:]}
LARGER_STEPS = (0.25, 0.5, 1.0)  # of the gradient attack; 0.1 is the default
# of Figures 5 and 6; at the paper's scale the control and both methods of ours are attacked, too
DRAWN = ("base", "adv_linear", "adv_seq", "adv_global", "adv_cas", "adv_neighbour")
ATTACKED = ("base", "base+100", "adv_linear", "adv_global", "adv_cas", "neighbour",
            "adv_neighbour")
REPEATED = ("base", "adv_linear", "adv_global", "adv_cas")  # the methods run with more seeds
PAPER_VALUES = {"batch": {"scope": "batch", "epsilon": 10.0, "lambda1": 1.0},
                "literal": PRESETS["literal"]}
# Where the paper is silent: {name: (number in results.readings, settings over the defaults)}
SWITCHES = {
    "minmax": (1, {"cascade_norm": "minmax"}),
    "mean_of_C": (2, {"weight_mean": "cascade"}),
    "count_self": (3, {"count_self": True}),
    "literal": (5, {"preset": "literal"}),
    "paper_values": (5, {"epsilon": 10.0, "lambda1": 1.0}),
    "bce_start": (6, {"start": "bce"}),
    "other_masks": (7, {"dropout_masks": "independent"}),
    "not_detached": (8, {"detach_clean": False}),
    "lambda1_1": (8, {"lambda1": 1.0}),
    "lambda1_tenth": (8, {"lambda1": 0.1}),
    "level1_bce": (8, {"level1_loss": "bce"}),
    "after_scaling": (9, {"inject": "after"}),
    "last_position": (10, {"level1_positions": "last"}),
    "kept_state": (13, {"optimizer_state": "kept"}),
    "weights_first": (20, {"weighted_gradient": True}),
    "sign": (21, {"direction": "sign"}),
}
# those that matter most: what notebook 11 runs by default, and the quick grid beforehand
COMPARED = ("literal", "lambda1_1", "lambda1_tenth", "minmax", "mean_of_C", "other_masks",
            "not_detached", "level1_bce", "after_scaling", "sign", "kept_state")
# Runs of these roles ask what a value does, so a model that collapses is an answer and no mistake:
# the run goes on, and its scores say it. A loss that is no number still stops it.
ASKING, AN_ANSWER = ("trial", "trade-off", "sweep", "values"), {"health": "note"}


@dataclass(frozen=True)
class Stage:
    """A part of the plan that can be run alone: one data set and backbone, one purpose."""

    name: str
    dataset: str | None
    backbone: str
    seeds: tuple[int, ...] = (0,)
    methods: tuple[str, ...] = ()
    attacked: tuple[str, ...] = ()
    epsilons: tuple[float, ...] = ()
    switches: tuple[str, ...] = ()  # names of SWITCHES, run with adv_cas
    trade_off: bool = False  # short runs at several sizes, with the last item attacked
    paper_values: bool = False  # adv_global and adv_cas at the paper's epsilon and lambda


def _main_stages(settings: Iterable[tuple[str, str]]) -> list[Stage]:
    return [Stage(f"{dataset}-{backbone}", dataset, backbone, methods=METHOD_ORDER,
                  attacked=ATTACKED) for dataset, backbone in settings]


PAPER_STAGES = (
    *_main_stages((dataset, backbone)
                  for backbone in PAPER_BACKBONES for dataset in ("beauty", "video")),
    *(Stage(f"sweep-{backbone}", "video", backbone, epsilons=EPSILONS)
      for backbone in PAPER_BACKBONES),
    *(Stage(f"values-{dataset}", dataset, "sasrec", paper_values=True)
      for dataset in ("beauty", "video")),
    *(Stage(f"trade-off-{dataset}", dataset, "sasrec", trade_off=True)
      for dataset in ("beauty", "video")),
    *_main_stages(product(("ml-1m", "clothing"), PAPER_BACKBONES)),
    *(Stage(f"seeds-{backbone}", "video", backbone, seeds=(1, 2), methods=REPEATED)
      for backbone in PAPER_BACKBONES),
)  # fmt: skip
# what `make paper` runs; the others are named by --stages
CORE = tuple(stage.name for stage in PAPER_STAGES[:10])


@dataclass(frozen=True)
class Job:
    """One run, or the attacks on it.

    asked: arguments of `configure`. family: whose choice gives the values that `asked` leaves
    open; None: none are open. role: what the run is for ("main", "sweep", "switch", "values",
    "seed", "trade-off" or "trial").
    """

    name: str
    stage: str
    role: str
    asked: dict
    family: str | None = None
    attacks: tuple[dict, ...] = ()
    needs: tuple[str, ...] = ()

    def config(self, choice: dict | None = None) -> Configuration:
        """The run's configuration, with what was chosen where that is open."""
        return configure(**{**(choice or {}), **self.asked})


def best(family: str, scores: list[float], collapsed: Iterable[dict] = ()) -> dict[str, float]:
    """The candidate with the best trial; of equals the first, with the smallest values.

    collapsed: candidates to pass over, since a whole run of theirs has collapsed.
    """
    tried = [(score, candidate) for score, candidate in zip(scores, CANDIDATES[family], strict=True)
             if not any(candidate.items() <= one.items() for one in collapsed)]
    return max(tried, key=lambda one: one[0])[1]  # max keeps the first of equals


def attacks_of(method: str) -> list[dict]:
    """The attacks of Figure 5 (first, middle, last) and Figure 6 (the last K), and harder ones on
    the last item: larger steps, the nearest item in the half-space, substitutes that the base
    picks."""
    found = [{"positions": position} for position in ("first", "middle")]
    picks = ("gradient", "nearest", "random")
    found += [{"k": k, "pick": pick} for k in range(1, MOST_REPLACED + 1) for pick in picks]
    found += [{"step": step} for step in LARGER_STEPS] + [{"pick": "halfspace"}]
    if method != "base":
        found += [{"k": k, "surrogate": "base"} for k in (1, MOST_REPLACED)]
    return found


def stages_of(profile: str, dataset: str | None = None, backbone: str | None = None,
              names: Iterable[str] | None = None) -> list[Stage]:
    """The stages of a profile, narrowed to a data set, a backbone, or by their names.

    names: stages, or "all"; None: the profile's usual ones. Profile "paper" has the stages of
    PAPER_STAGES (another data set than theirs gets stages of its own); the other profiles have the
    methods, the sweep and (quick) the switches of their one data set.
    """
    one_of("profile", profile, PROFILES)
    names, known = tuple(names or ()), PAPER_STAGES
    if profile != "paper" or dataset not in (None, *(stage.dataset for stage in PAPER_STAGES)):
        known = _own_stages(profile, dataset, backbone)
    for name in names:
        one_of("stages", name, ("all", *(stage.name for stage in known)))
    if not names and known is PAPER_STAGES and dataset is None:
        names = CORE
    return [stage for stage in known
            if (not names or "all" in names or stage.name in names)
            and dataset in (None, stage.dataset) and backbone in (None, stage.backbone)]


def _own_stages(profile: str, dataset: str | None, backbone: str | None) -> list[Stage]:
    """The stages of one data set: all methods, then the sweep, then the switches."""
    names = PAPER_BACKBONES if backbone is None else (backbone,)
    return [
        *(Stage(f"methods-{name}", dataset, name, methods=METHOD_ORDER, attacked=DRAWN)
          for name in names),
        *(Stage(f"sweep-{name}", dataset, name, epsilons=EPSILONS) for name in names),
        *(Stage(f"switches-{name}", dataset, name, switches=COMPARED)
          for name in names[:1] if profile == "quick"),  # of notebook 11
    ]  # fmt: skip


def plan(profile: str, stages: Iterable[Stage], choose: bool = False, **overrides
         ) -> dict[str, Job]:
    """All jobs of the stages by name, in the order in which they are wanted.

    choose: trials also where the choice is known. overrides: settings, as in `configure`; where
    they name a value that is chosen elsewhere, it stands and nothing is tried.
    """
    jobs: dict[str, Job] = {}
    for stage in stages:
        _add_stage(jobs, profile, stage, choose, overrides)
    return jobs


def _add_stage(jobs: dict[str, Job], profile: str, stage: Stage, choose: bool, overrides: dict
               ) -> None:
    setting = f"{Path(stage.dataset or PROFILES[profile]['dataset']).stem} {stage.backbone}"

    def add(words, role, method, needs=(), family=None, seed=0, **more):
        """Put a job at the end, unless one of that name is there; returns the name."""
        health = AN_ANSWER if role in ASKING else {}
        asked = {"profile": profile, "dataset": stage.dataset, "backbone": stage.backbone,
                 "method": method, "seed": seed} | health | overrides | more
        job = Job(f"{setting} {words}", stage.name, role, asked, family, needs=tuple(needs))
        return jobs.setdefault(job.name, job).name

    def base(seed=0):
        return add(f"base seed {seed}" if seed else "base", "seed" if seed else "main", "base",
                   seed=seed)

    def trials(family):
        return [add(" ".join([f"trial {family}", *(f"{k} {v:g}" for k, v in values.items())]),
                    "trial", family, [base()], adv_epochs=TRIAL_EPOCHS, **values)
                for values in CANDIDATES[family]]

    def run(words, role, method, seed=0, **more):
        """A run after its base and, where its values are open, after the trials of its family."""
        if method == "base":
            return base(seed)
        family, needs = FAMILY.get(method), [base(seed)]
        tried = set(CANDIDATES[family][0]) if family else set()
        if tried & set(overrides) or tried <= set(more):
            family = None  # nothing is left to choose
        if family:
            config = configure(profile, stage.dataset, stage.backbone, method, **overrides)
            is_known = bool(chosen(config.everything()))
            needs += trials(family) if choose or not is_known else ()
            family = None if is_known else family
        return add(words, role, method, needs, family, seed=seed, **more)

    def attack(name, attacks):
        """The attacks on a run, which need it and what is to be chosen for it."""
        run = jobs[name]
        needs = [*(n for n in run.needs if run.family and jobs[n].role == "trial"), name]
        job = replace(run, name=f"{name} attacks", attacks=tuple(attacks), needs=tuple(needs))
        jobs.setdefault(job.name, job)

    for seed in stage.seeds:
        words, role = (f" seed {seed}", "seed") if seed else ("", "main")
        made = {method: run(method + words, role, method, seed) for method in stage.methods}
        for method in stage.attacked:
            attack(made[method], attacks_of(method))
    for epsilon in stage.epsilons:
        run(f"adv_cas epsilon {epsilon:g}", "sweep", "adv_cas", epsilon=epsilon)
    for method, values in TRADE_OFF.items() if stage.trade_off else ():
        varied = "replace_probability" if method == "neighbour" else "epsilon"
        for value in values:
            attack(run(f"trade-off {method} {value:g}", "trade-off", method,
                       **{varied: value, "adv_epochs": TRIAL_EPOCHS}), [{}])
    for name in stage.switches:
        # a preset as the values that it stands for: they must overrule what was chosen
        settings = {k: v for k, v in SWITCHES[name][1].items() if k != "preset"}
        settings |= PRESETS.get(SWITCHES[name][1].get("preset"), {})
        run(f"adv_cas {name}", "switch", "adv_cas", **settings)
    for name, values in PAPER_VALUES.items() if stage.paper_values else ():
        for method in ("adv_global", "adv_cas"):
            run(f"{method} paper's values, {name}", "values", method, **values)
