"""The plan behind a profile's figures: stages, the jobs of a stage, and what each job needs.

A job is one run, or the attacks on one run. A run of the second phase needs its base; where its
epsilon and lambda1 are chosen on validation (see `selection`), it needs the trials too. Attacks
need their run.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ..results.paper import MOST_REPLACED, PAPER_BACKBONES
from ..results.readings import COMPARED, SWITCHES
from ..results.records import METHOD_ORDER
from ..settings import PRESETS
from ..support.checks import one_of
from .configuration import FAMILY, PROFILES, configure
from .runs import canonical
from .selection import CANDIDATES, CHANCES, SIZES, TRIAL_EPOCHS

# clean against attacked accuracy, a curve a method: over epsilon, or over the chance of neighbour
TRADE_OFF = {"adv_linear": SIZES, "adv_global": SIZES, "adv_cas": SIZES, "neighbour": CHANCES,
             "adv_neighbour": SIZES[1:]}
LARGER_STEPS = (0.25, 0.5, 1.0)  # of the gradient attack; 0.1 is the default
EPSILONS = (0.1, 1.0, 3.0, 5.0, 10.0, 20.0, 30.0, 50.0)  # Figure 4
# of Figures 5 and 6; at the paper's scale the control and both methods of ours are attacked, too
DRAWN = ("base", "adv_linear", "adv_seq", "adv_global", "adv_cas", "adv_neighbour")
ATTACKED = ("base", "base+100", "adv_linear", "adv_seq", "adv_global", "adv_cas", "neighbour",
            "adv_neighbour")
REPEATED = ("base", "adv_linear", "adv_global", "adv_cas")  # the methods run with more seeds
PAPER_VALUES = {"batch": {"scope": "batch", "epsilon": 10.0, "lambda1": 1.0},
                "literal": {"preset": "literal"}}
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
    switches: tuple[str, ...] = ()  # names of `readings.SWITCHES`, run with adv_cas
    trade_off: bool = False  # short runs at several sizes, with the last item attacked
    paper_values: bool = False  # adv_global and adv_cas at the paper's epsilon and lambda
    select: bool = False


def _main_stage(dataset: str, backbone: str) -> Stage:
    return Stage(f"{dataset}-{backbone}", dataset, backbone, methods=METHOD_ORDER,
                 attacked=tuple(m for m in ATTACKED if m != "adv_seq"), select=True)


PAPER_STAGES = (
    *(_main_stage(dataset, backbone)
      for backbone in PAPER_BACKBONES for dataset in ("beauty", "video")),
    *(Stage(f"sweep-{backbone}", "video", backbone, epsilons=EPSILONS, select=True)
      for backbone in PAPER_BACKBONES),
    *(Stage(f"values-{dataset}", dataset, "sasrec", paper_values=True)
      for dataset in ("beauty", "video")),
    *(Stage(f"trade-off-{dataset}", dataset, "sasrec", trade_off=True, select=True)
      for dataset in ("beauty", "video")),
    *(_main_stage(dataset, backbone)
      for dataset in ("ml-1m", "clothing") for backbone in PAPER_BACKBONES),
    *(Stage(f"seeds-{backbone}", "video", backbone, seeds=(1, 2), methods=REPEATED, select=True)
      for backbone in PAPER_BACKBONES),
)  # fmt: skip
# what `make paper` runs; the others are named by --stages
CORE = tuple(stage.name for stage in PAPER_STAGES[:10])


@dataclass(frozen=True)
class Job:
    """One run, or the attacks on it.

    asked: arguments of `profiles.configure`. family: whose choice gives the values that `asked`
    leaves open; None: none are open. role: what the run is for ("main", "sweep", "switch",
    "values", "seed", "trade-off" or "trial").
    """

    name: str
    stage: str
    role: str
    asked: dict
    family: str | None = None
    attacks: tuple[dict, ...] = ()
    needs: tuple[str, ...] = ()

    def config(self, chosen: Mapping[str, float] | None = None) -> dict | None:
        """The run's configuration; None while the family's choice is not made."""
        if self.family is None:
            return canonical(configure(**self.asked))
        return None if chosen is None else canonical(configure(**{**chosen, **self.asked}))


@dataclass
class Plan:
    """The jobs in the order in which they are wanted, each after all that it needs."""

    jobs: dict[str, Job] = field(default_factory=dict)

    def add(self, job: Job) -> str:
        """Put a job at the end, unless one of that name is there; returns the name."""
        self.jobs.setdefault(job.name, job)
        return job.name

    def of_role(self, *roles: str) -> list[Job]:
        """The runs of these roles; a job with attacks is no run of its own."""
        return [job for job in self.jobs.values() if job.role in roles and not job.attacks]


def attacks_of(method: str, attacked: tuple[str, ...] = ATTACKED) -> list[dict]:
    """The attacks of Figure 5 (first, middle, last) and Figure 6 (the last K), and harder ones on
    the last item: larger steps, the nearest item in the half-space, substitutes that the base
    picks."""
    if method not in attacked:
        return []
    found = [{"positions": position} for position in ("first", "middle")]
    picks = ("gradient", "nearest", "random")
    found += [{"k": k, "pick": pick} for k in range(1, MOST_REPLACED + 1) for pick in picks]
    found += [{"step": step} for step in LARGER_STEPS] + [{"pick": "halfspace"}]
    if method != "base":
        found += [{"k": k, "surrogate": "base"} for k in (1, MOST_REPLACED)]
    return found


def stages_of(profile: str, dataset: str | None = None, backbone: str | None = None,
              names: tuple[str, ...] | list[str] | None = None) -> list[Stage]:
    """The stages of a profile, narrowed to a data set, a backbone, or by their names.

    names: stages, or "all"; None: the profile's usual ones. Profile "paper" has the stages of
    PAPER_STAGES (another data set than theirs gets the same stages of its own); the other
    profiles have the methods, the sweep and the switches of their one data set.
    """
    one_of("profile", profile, PROFILES)
    known = PAPER_STAGES
    if profile != "paper" or dataset not in (None, *(stage.dataset for stage in PAPER_STAGES)):
        known = _own_stages(profile, dataset, backbone)
    for name in names or ():
        one_of("stages", name, ("all", *(stage.name for stage in known)))
    is_core = known is PAPER_STAGES and not names and dataset is None
    wanted = CORE if is_core else names if names and "all" not in names else None
    return [stage for stage in known
            if (wanted is None or stage.name in wanted)
            and dataset in (None, stage.dataset) and backbone in (None, stage.backbone)]


def _own_stages(profile: str, dataset: str | None, backbone: str | None) -> list[Stage]:
    """The stages of one data set: all methods, then the sweep, then the switches."""
    names = PAPER_BACKBONES if backbone is None else (backbone,)
    switches = COMPARED if profile == "quick" else ()  # of notebook 11
    return [
        *(Stage(f"methods-{name}", dataset, name, methods=METHOD_ORDER, attacked=DRAWN,
                select=True) for name in names),
        *(Stage(f"sweep-{name}", dataset, name, epsilons=EPSILONS, select=True)
          for name in names),
        *(Stage(f"switches-{name}", dataset, name, switches=switches, select=True)
          for name in names[:1]),
    ]  # fmt: skip


def plan(profile: str, stages: list[Stage], device: str = "auto", **overrides) -> Plan:
    """All jobs of the stages. overrides: settings, as in `profiles.configure`.

    Where the overrides name epsilon or lambda1, nothing is chosen: those values stand.
    """
    found = Plan()
    for stage in stages:
        _add_stage(found, profile, stage, {"device": device} | overrides)
    return found


def _add_stage(found: Plan, profile: str, stage: Stage, options: dict) -> None:
    place = f"{Path(stage.dataset or PROFILES[profile]['dataset']).stem} {stage.backbone}"
    select = stage.select and not {"epsilon", "lambda1"} & options.keys()

    def asked(method, role, seed=0, **more):
        health = AN_ANSWER if role in ASKING else {}
        return {"profile": profile, "dataset": stage.dataset, "backbone": stage.backbone,
                "method": method, "seed": seed} | health | options | more

    def base(seed):
        words = f"{place} base" + (f" seed {seed}" if seed else "")
        role = "seed" if seed else "main"
        return found.add(Job(words, stage.name, role, asked("base", role, seed)))

    def trial_names(family):
        return [found.add(Job(
            " ".join([place, "trial", family, *(f"{name} {value:g}" for name, value in c.items())]),
            stage.name, "trial", asked(family, "trial", **c, adv_epochs=TRIAL_EPOCHS),
            needs=(base(0),),
        )) for c in CANDIDATES[family]]  # fmt: skip

    def add_attacks(name, attacks):
        run = found.jobs[name]
        found.add(Job(f"{name} attacks", stage.name, run.role, run.asked, run.family,
                      tuple(attacks), (name,)))

    def add(words, role, method, seed=0, *, chosen=True, **more):
        """A run, after its base and after the trials of its family."""
        if method == "base":
            return base(seed)
        family = FAMILY.get(method) if select and chosen else None
        needs = [base(seed), *(trial_names(family) if family else ())]
        return found.add(Job(f"{place} {words}", stage.name, role,
                             asked(method, role, seed, **more), family, needs=tuple(needs)))

    for seed in stage.seeds:
        role, words = ("seed", f" seed {seed}") if seed else ("main", "")
        made = {m: add(m + words, role, m, seed) for m in stage.methods}
        for method, name in made.items():
            attacks = attacks_of(method, stage.attacked)
            if attacks:
                add_attacks(name, attacks)
    for epsilon in stage.epsilons:
        add(f"adv_cas epsilon {epsilon:g}", "sweep", "adv_cas", epsilon=epsilon)
    for method, values in TRADE_OFF.items() if stage.trade_off else ():
        for value in values:
            settings = {"replace_probability" if method == "neighbour" else "epsilon": value}
            words = f"trade-off {method} {value:g}"
            add_attacks(add(words, "trade-off", method, **settings, adv_epochs=TRIAL_EPOCHS), [{}])
    for name in stage.switches:
        # a preset as the values that it stands for: they must overrule what was chosen
        settings = dict(SWITCHES[name][1])
        settings |= PRESETS.get(settings.pop("preset", None), {})
        add(f"adv_cas {name}", "switch", "adv_cas", **settings)
    if stage.paper_values:
        for name, values in PAPER_VALUES.items():
            for method in ("adv_global", "adv_cas"):
                add(f"{method} paper's values, {name}", "values", method, chosen=False, **values)
