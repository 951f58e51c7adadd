"""The plan behind a profile's figures: stages, the jobs of a stage, and what each job needs.

What is tried, run and attacked stands in `plan.json`. The paper gives one setting for all (epsilon
10, lambda 1) and not over what its norms are taken, so each family of methods is tried at a few
settings for a few epochs from the same base, and the best NDCG@10 on validation decides. Known
choices stand in `chosen.json`; others are jobs, which the family's methods need.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import NamedTuple

from ..adversarial import METHOD_ORDER
from ..settings import PAPER_BACKBONES
from ..support.checks import one_of
from ..support.files import read_json
from .configuration import FAMILY, PROFILES, Configuration, choice, configure, resolved

PLAN = read_json(Path(__file__).with_name("plan.json"))
# {profile: {family: what is tried}}; a later row of the plan overrules. Level 1's distance is not
# squared, so its weight matters: it is small where the loss is (a mean over many easy negatives); a
# BCE at level 1 keeps the paper's weight, 1.
CANDIDATES = {profile: {family: tried for row in PLAN["candidates"]
                        if profile in row.get("profiles", PROFILES)
                        for family, tried in row["tried"].items()} for profile in PROFILES}
SEARCHED = {family: tuple(tried[0]) for family, tried in CANDIDATES["paper"].items()}  # names
TRIAL_EPOCHS = 10
# Trials that are compared agree in these.
GROUP = ["data_hash", "backbone", "loss", "family", "base_epochs", "dim", "trial_epochs"]
# Where the paper is silent: {name: (number in results.readings, settings over the defaults)}
SWITCHES = {row["name"]: (row["question"], row["settings"]) for row in PLAN["switches"]}
# {kind of stage: its runs}; of the switches those that notebook 11 runs by default
RUNS = PLAN["runs"] | {"switches": [
    {"role": "switch", "name": f"adv_cas {name}", "methods": ["adv_cas"],
     "settings": [SWITCHES[name][1]]} for name in PLAN["compared"]]}
# Runs of these roles ask what a value does, so a model that collapses is an answer and no mistake:
# the run goes on, and its scores say it. A loss that is no number still stops it.
ASKING, AN_ANSWER = ("trial", "trade-off", "sweep", "values"), {"health": "note"}


class Known(NamedTuple):
    """What tables hold of runs, which then need not be stored here (see `results.collect`)."""

    attacks: Mapping[str, set[str]] = {}  # {run: names of attacks on it}
    difference: Callable = lambda run: ""  # says in what a run here differs from them
    trials: Sequence[dict] = ()  # rows of the table `trials`


class Stage(NamedTuple):
    """A part of the plan that can be run alone: one data set and backbone, one purpose."""

    kind: str  # a key of RUNS
    dataset: str | None
    backbone: str

    @property
    def name(self) -> str:
        named = {"main": (self.dataset, self.backbone), "values": (self.kind, self.dataset),
                 "trade-off": (self.kind, self.dataset),
                 "seeds": (self.kind, Path(self.dataset or "").stem, self.backbone)}
        return "-".join(filter(None, named.get(self.kind, (self.kind, self.backbone))))


PAPER_STAGES = [Stage(row["kind"], dataset, backbone) for row in PLAN["stages"]
                for backbone in row["backbones"] for dataset in row["datasets"]]
CORE = [stage.name for stage in PAPER_STAGES[:10]]  # of `make paper`; others by --stages


@dataclass(frozen=True)
class Job:
    """One run, the attacks on it, or the choice of a family's values among its trials.

    role: what the run is for ("main", "sweep", "switch", "values", "seed", "trade-off" or
    "trial"), or "choice", which needs the trials. asked: arguments of `configure`; values that
    they leave open come from a choice that the job needs.
    """

    name: str
    role: str
    asked: dict
    needs: tuple[str, ...] = ()
    attacks: tuple[dict, ...] = ()

    def config(self, *results: list[dict] | None) -> Configuration:
        """The run's configuration; results: of the jobs that it needs, a choice's from `decide`."""
        values = [chosen_values(rows) for rows in results if rows]
        return configure(**{**dict(*values), **self.asked})


def decide(job: Job, rows: list[dict]) -> list[dict]:
    """The rows of a family's trials with "chosen", true of the best NDCG@10 on validation among
    candidates whose whole run did not collapse; of equals the first, with the smallest values."""
    over = choice(job.config().everything())["collapsed"]
    fitting = [row for row in rows if not any(
        all(one[name] == row[name] for name in SEARCHED[row["family"]]) for one in over)]
    best = max(fitting, key=lambda row: row["ndcg@10"])  # max keeps the first of equals
    return [row | {"chosen": row is best} for row in rows]


def chosen_values(tried: Iterable[dict]) -> dict[str, float]:
    """The chosen candidate, out of what `decide` returned."""
    return {name: row[name] for row in tried if row["chosen"]
            for name in SEARCHED[row["family"]]}


def stages_of(profile: str, dataset: str | None = None, backbone: str | None = None,
              names: Iterable[str] | None = None) -> list[Stage]:
    """The stages of a profile, narrowed to a data set, a backbone, or by their names.

    names: stages, or "all"; None: the profile's usual ones. Profile "paper" has PAPER_STAGES, and
    for another data set than theirs, as the other profiles, those of the kinds in plan.json.
    """
    one_of("profile", profile, PROFILES)
    names, known = tuple(names or ()), PAPER_STAGES
    dataset = None if dataset is None else resolved(dataset)  # workers may be in other folders
    if profile != "paper" or dataset not in (None, *(stage.dataset for stage in PAPER_STAGES)):
        backbones = PAPER_BACKBONES if backbone is None else (backbone,)
        known = [Stage(kind, dataset, one) for kind in PLAN["kinds"][profile]
                 for one in backbones[: 1 if kind == "switches" else None]]
    for name in names:
        one_of("stages", name, ("all", *(stage.name for stage in known)))
    if not names and known is PAPER_STAGES and dataset is None:
        names = CORE
    return [stage for stage in known
            if (not names or "all" in names or stage.name in names)
            and dataset in (None, stage.dataset) and backbone in (None, stage.backbone)]


def plan(profile: str, stages: Iterable[Stage], choose: bool = False, **overrides
         ) -> dict[str, Job]:
    """All jobs of the stages by name, in the order in which they are wanted.

    choose: trials also where the choice is known. overrides: settings, as in `configure`; where
    they name a value that is chosen elsewhere, it stands and nothing is tried.
    """
    jobs: dict[str, Job] = {}

    def add(stage, name, role, method, settings, *needs):
        """Put a job at the end, unless one of that name is there; returns the name."""
        setting = f"{Path(stage.dataset or PROFILES[profile]['dataset']).stem} {stage.backbone}"
        asked = {"profile": profile, "dataset": stage.dataset, "backbone": stage.backbone,
                 "method": method, "seed": 0} | (AN_ANSWER if role in ASKING else {})
        job = Job(f"{setting} {name}", role, asked | overrides | settings, needs)
        return jobs.setdefault(job.name, job).name

    def base_of(stage, seed=0):
        name, role = (f"base seed {seed}", "seed") if seed else ("base", "main")
        return add(stage, name, role, "base", {"seed": seed})

    def choices(stage, method, settings):
        """The choice, after its trials, that a run needs where a value is open and not known."""
        family = FAMILY.get(method)
        candidates = CANDIDATES[profile].get(family, [{}])
        values = candidates[0].keys()
        if values & {*PROFILES[profile], *overrides} or values <= settings.keys():
            return []
        config = configure(profile, stage.dataset, stage.backbone, method, **overrides)
        is_known = bool(choice(config.everything())["chosen"])
        if is_known and not choose:
            return []
        usual = {"adv_epochs": TRIAL_EPOCHS} | PROFILES[profile] | overrides
        epochs = min(TRIAL_EPOCHS, usual["adv_epochs"])
        trials = [
            add(stage, " ".join([f"trial {family}", *(f"{k} {v:g}" for k, v in one.items())]),
                "trial", family, {"adv_epochs": epochs} | one, base_of(stage))
            for one in candidates]
        made = add(stage, f"choice {family}", "choice", family, {}, *trials)
        return [] if is_known else [made]

    for stage in stages:
        attacked = {}
        for row in RUNS[stage.kind]:
            for settings, method in product(row["settings"], row.get("methods", METHOD_ORDER)):
                name = row["name"].format(method=method, **settings)
                made = base_of(stage, settings.get("seed", 0))
                if method != "base":  # which has no other role and name than its own
                    needs = made, *choices(stage, method, settings)
                    made = add(stage, name, row["role"], method, settings, *needs)
                if method in row.get("attacked", ()):
                    # those of Figure 5 (first, middle, last), Figure 6 (last K), and harder ones
                    attacked[made] = PLAN["attacks"]
                    if method != "base":
                        attacked[made] = attacked[made] + PLAN["attacks_by_base"]
                elif row.get("attacked_once"):  # clean against attacked accuracy
                    attacked[made] = [{}]
        for made, attacks in attacked.items():
            job = replace(jobs[made], name=f"{made} attacks", attacks=tuple(attacks),
                          needs=(made, *jobs[made].needs[1:]))  # and the choice, if any
            jobs.setdefault(job.name, job)
    return jobs
