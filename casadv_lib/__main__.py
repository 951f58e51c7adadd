"""The command line: python -m casadv_lib {run,attack,repeat,verify,grid,figures,data} --help."""

from __future__ import annotations

import argparse
import os
import sys
import warnings
from pathlib import Path

from .adversarial import METHODS
from .backbones import BACKBONES
from .datasets import load_dataset
from .evaluation import paired_bootstrap
from .experiments import configuration, grid, runs
from .experiments.environment import code_version
from .experiments.illustration import perturbed_history
from .experiments.plan import PAPER_STAGES, plan, stages_of
from .results import collect, frames
from .settings import AttackOptions, checked_options
from .support.checks import number, one_of
from .support.devices import use_threads
from .support.files import write_json
from .training import TrainingError


def main(arguments: list[str] | None = None) -> int:
    """Run one command; returns the exit status (2: bad input, 1: the work failed)."""
    options = _parser().parse_args(arguments)
    try:
        use_threads(number("threads", options.threads, low=1, high=4096, kind=int))
        with warnings.catch_warnings():
            warnings.showwarning = lambda message, *_: print(f"note: {message}", file=sys.stderr)
            options.command(options)
    except (ValueError, OSError, TrainingError, grid.JobsFailed, runs.Unequal) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2 if isinstance(error, (ValueError, FileNotFoundError)) else 1
    except KeyboardInterrupt as stop:
        print(str(stop) or "stopped; the same command goes on from the last checkpoint",
              file=sys.stderr)
        return 130
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "python -m casadv_lib", description="Cascade-guided Adversarial Training of recommenders")
    commands = parser.add_subparsers(required=True, metavar="command")
    shown = type("Shown", (argparse.ArgumentDefaultsHelpFormatter,
                           argparse.RawDescriptionHelpFormatter), {})
    for name, (function, words, options, defaults) in COMMANDS.items():
        command = commands.add_parser(name, help=words, description=words, formatter_class=shown,
                                      epilog=configuration.settings_help()
                                      if "set" in options.split() else None)
        for option in options.split():
            about = {"type": type(OPTIONS[option].get("default") or ""), **OPTIONS[option]}
            if "action" in about:
                del about["type"]
            command.add_argument(option if option == "names" else f"--{option}", **about)
        command.set_defaults(**{"command": function, "threads": 1, **defaults})
    return parser


def _settings(options) -> dict:
    named = configuration.named(options.set)
    for name in named.keys() & vars(options).keys():
        raise ValueError(f"--set names {name}; allowed is the option --{name} instead")
    return named


def _config(options) -> configuration.Configuration:
    return configuration.configure(options.profile, options.dataset, options.backbone,
                                   options.method, options.seed, **_settings(options))


def _line(label: str, metrics: dict) -> str:
    return f"{label} ndcg@10 {metrics['ndcg@10']:.4f} hr@10 {metrics['hr@10']:.4f}"


def _run(options) -> None:
    made = runs.run(_config(options))
    metrics, best = made.metrics, made.metrics["best"]
    print(f"stored in {made.folder}")
    print(f"wall time {metrics['provenance']['wall_seconds']:.0f} s, "
          f"{metrics['seconds']['per_epoch']:.2f} s an epoch")
    print(f"best validation epoch {best['epoch']} of {metrics['last']['epoch']}: "
          f"{_line('validation', best['validation'])}, {_line('test', best['test'])}")
    for split in runs.SPLITS:
        print(_line(split, metrics["last"][split]))


def _attack(options) -> None:
    # a slip in them must show before a run of minutes, not after it
    asked = checked_options(**{name: getattr(options, name) for name in ATTACK})
    surrogate = one_of("surrogate", options.surrogate, configuration.SURROGATES)
    result = runs.run_attack(runs.run(_config(options)), surrogate=surrogate, **asked)
    print(f"{result['users']} users; a substitute lies {result['distance'] / result['unit']:.2f} "
          "median neighbour distances away")
    for metric in ("ndcg@10", "hr@10"):
        before, after = (result[which][metric] for which in ("clean", "attacked"))
        drop = paired_bootstrap(result["ranks"], result["clean ranks"], metric)
        print(f"change of {metric} {drop['difference']:+.4f} [{drop['low']:+.4f}, "
              f"{drop['high']:+.4f}], {100 * (after - before) / max(before, 1e-12):+.1f}%")
    print(_line(f"{options.split} clean", result["clean"]))
    print(_line(options.split, result["attacked"]))


def _repeat(options) -> None:
    if parts := runs.differences(_config(options)):
        raise runs.Unequal("the numbers differ in: " + "; ".join(parts))
    print("the same numbers to the last digit")


def _verify(options) -> None:
    wanted = configuration.configure(options.profile, options.dataset, options.backbone,
                                     options.method)
    print(f"{collect.verified(frames.read_results(options.profile), wanted, print)}: the same "
          "numbers to the last digit")


def _grid(options) -> None:
    settings, profile = _settings(options), options.profile
    stages = stages_of(profile, options.dataset, options.backbone, options.stages)
    keep = profile == "paper" if options.keep is None else options.keep
    folder = Path(options.folder or frames.folder_of(profile))
    if keep and settings and options.folder is None:
        raise ValueError(f"settings are {settings}, and {folder} keeps the runs of the profile's "
                         "own; allowed is another folder (--folder), or --no-keep, which writes "
                         "its tables anew")
    workers = options.workers
    workers = number("workers", grid.default_workers(options.device) if workers is None
                     else workers, low=1, kind=int)
    jobs = grid.Grid(plan(profile, stages, options.choose, device=options.device, **settings),
                     collect.known(folder) if keep else None)
    if options.dry_run or options.status:
        *lines, total = jobs.lines(workers)
        print(*(line for line in lines if options.dry_run or "running: " in line), total, sep="\n")
        return

    def store() -> Path:
        return collect.store(jobs.made(), folder, profile, keep, jobs.trial_rows(),
                             lambda run: perturbed_history(run.model(device="cpu"), run.data))

    failed = {} if options.stored else grid.run_grid(jobs, workers, options.device,
                                                     options.scheduler, store)
    print(f"results in {store()}")
    if failed:
        raise grid.JobsFailed("\n".join([f"{len(failed)} job(s) failed", *(
            f"{name}: {why}" for name, why in failed.items())]))


def _figures(options) -> None:
    from .figures.write import write_all  # slow to import; workers of the grid do without

    folder = frames.stored_folder(options.profile)
    for path in write_all(frames.read_results(folder), folder):
        print(path)


def _data(options) -> None:
    rows = []
    for data in map(load_dataset, options.names):
        rows.append({"dataset": data.name, "data_hash": data.fingerprint} | data.statistics())
        print(data.name, *data.notes, sep="\n")
        for key, value in data.statistics().items():
            print(f"{key:>16} {value:,.4g}" if isinstance(value, float) else f"{key:>16} {value:,}")
    if options.save:
        write_json(options.save, {"dataset": rows, "code_version": code_version()})


ATTACK = {row["name"]: {"default": row["default"],
                        "help": f"{row['meaning']}; allowed: {row['allowed']}"}
          for row in configuration.settings_table(AttackOptions)
          if row["name"] not in ("seed", "loss", "joint")}  # seed is that of the run
OPTIONS = ATTACK | {
    "profile": {"default": "quick", "help": f"one of {', '.join(configuration.PROFILES)}; of "
                "figures also a folder of tables"},
    "dataset": {"help": "a name or a path; by default the profile's"},
    "backbone": {"default": "sasrec", "help": f"one of {', '.join(BACKBONES)}; of grid by default "
                 "the paper's two"},
    "method": {"default": "base", "help": f"base, {', '.join(METHODS)}"},
    "seed": {"default": 0, "type": int, "help": "a whole number of at least 0"},
    "set": {"action": "append", "default": [], "metavar": "NAME=VALUE",
            "help": "any setting below, repeatable"},
    "threads": {"default": 1, "help": "CPU threads; another number, other last bits"},
    "surrogate": {"help": "base: the run's base picks substitutes"},
    "device": {"default": "auto", "help": "auto, cpu, cuda, ..."},
    "folder": {"help": "where the tables go; by default figures/made/<profile>, for paper "
               "figures/paper"},
    "stages": {"nargs": "+", "metavar": "STAGE", "help": "parts of the plan, or all; by default "
               "the profile's usual ones. Of profile paper: "
               + ", ".join(stage.name for stage in PAPER_STAGES)},
    "choose": {"action": "store_true", "help": "try on validation also what is chosen already"},
    "keep": {"action": argparse.BooleanOptionalAction, "help": "count runs as made that the tables "
             "hold, and leave these in them (by default for profile paper)"},
    "workers": {"type": int, "help": "processes (one a core or GPU)"},
    "scheduler": {"default": os.environ.get("DASK_SCHEDULER_ADDRESS"), "help": "tcp://HOST:PORT of "
                  "a Dask scheduler whose workers see the same folder of runs (CASADV_RUNS); by "
                  "default one of this machine"},
    "stored": {"action": "store_true", "help": "collect what is stored, run nothing"},
    "dry-run": {"action": "store_true", "help": "list what is left, and the time"},
    "status": {"action": "store_true", "help": "show what is done, running, left"},
    "names": {"nargs": "+", "help": "names such as beauty, or paths"},
    "save": {"metavar": "PATH", "help": "also store the counts as JSON"},
}
ONE_RUN = "profile dataset backbone method seed set threads "
COMMANDS = {  # name: (function, what it does, its options, defaults of its own)
    "run": (_run, "train a model, or reuse it; ends with a line a split, last epoch", ONE_RUN, {}),
    "attack": (_attack, "replace items of every history and rank again",
               f"{ONE_RUN}surrogate {' '.join(ATTACK)}", {}),
    "repeat": (_repeat, "make a stored run again from its base, compare to the last digit",
               ONE_RUN, {}),
    "verify": (_verify, "make a run of a profile's tables (this machine's, else the committed "
               "ones) again from nothing, compare to the last digit",
               "profile dataset backbone method", {"method": "adv_cas"}),
    "grid": (_grid, "make all runs and attacks that a profile's figures need",
             "profile dataset backbone set device folder stages choose keep workers scheduler "
             "stored dry-run status", {"backbone": None}),
    "figures": (_figures, "draw figures and tables beside the tables of a profile's results (this "
                "machine's, else the committed ones)", "profile", {}),
    "data": (_data, "load data sets (download if needed) and print their statistics",
             "names save", {}),
}

if __name__ == "__main__":
    sys.exit(main())
