"""The command line: python -m casadv_lib {run,attack,repeat,grid,figures,data} ..., with --help."""

from __future__ import annotations

import argparse
import json
import sys
import warnings

from .adversarial import METHODS
from .attacks import EXCLUDES, PICKS, POSITIONS, checked_options
from .backbones import BACKBONES
from .datasets import load_dataset
from .experiments import configuration as profiles
from .experiments import grid, repeat, runs
from .experiments.plan import PAPER_STAGES
from .experiments.provenance import code_version, provenance
from .figures import write as figures
from .results import records as results
from .settings import AdversarialSettings, TrainingSettings, settings_of
from .support.checks import number, one_of
from .support.devices import choose_device, use_threads
from .support.files import write_json
from .training import TrainingError


def main(arguments: list[str] | None = None) -> int:
    """Run one command; returns the exit status (2: bad input, 1: the work failed)."""
    options = _parser().parse_args(arguments)
    try:
        with warnings.catch_warnings():
            warnings.showwarning = lambda message, *_: print(f"note: {message}", file=sys.stderr)
            options.command(options)
    except (ValueError, FileNotFoundError) as error:
        return _fail(error, 2)
    except (OSError, TrainingError, grid.JobsFailed, repeat.Unequal) as error:
        return _fail(error, 1)
    except KeyboardInterrupt as stop:
        words = str(stop) or "stopped; the same command goes on from the last checkpoint"
        print(words, file=sys.stderr)
        return 130
    return 0


def _fail(error, status: int) -> int:
    print(f"error: {error}", file=sys.stderr)
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "python -m casadv_lib", description="Cascade-guided Adversarial Training of recommenders"
    )
    commands = parser.add_subparsers(required=True, metavar="command")

    def add(name, function, words):
        command = commands.add_parser(
            name, help=words, description=words,
            formatter_class=argparse.ArgumentDefaultsHelpFormatter,
        )  # fmt: skip
        command.set_defaults(command=function)
        return command

    one = add("run", _run, "train a model, or reuse it; ends with a line a split, last epoch")
    _run_options(one)
    one = add("attack", _attack, "replace items of every history and rank again")
    _run_options(one)
    one.add_argument("--positions", default="last", help=f"one of {', '.join(POSITIONS)}")
    one.add_argument("--k", type=int, default=1, help="how many items, counted from the end")
    one.add_argument("--pick", default="gradient", help=f"one of {', '.join(PICKS)}")
    one.add_argument("--step", type=float, default=0.1, help="in median neighbour distances")
    one.add_argument("--exclude", default="both", help="what an attacked user is not offered "
                     f"again: the original history and what was put in, or one: one of "
                     f"{', '.join(EXCLUDES)}")
    one.add_argument("--surrogate", default=None, help="base: the run's base picks substitutes")
    one.add_argument("--split", default="test", help="test or validation")
    one = add("repeat", _repeat, "make a stored run again from its base, compare to the last digit")
    _run_options(one)
    one = add("verify", _verify, "make a run of a profile's results.json (this machine's, else the "
              "committed one) again from nothing, compare to the last digit")
    one.add_argument("--profile", default="quick", help="a profile with stored results")
    one.add_argument("--dataset", default=None, help="a name or a path; by default the profile's")
    one.add_argument("--backbone", default="sasrec", help=f"one of {', '.join(BACKBONES)}")
    one.add_argument("--method", default="adv_cas", help=f"base, {', '.join(METHODS)}")
    one = add("grid", _grid, "make all runs and attacks that a profile's figures need")
    _grid_options(one)
    one.add_argument("--stored", action="store_true", help="collect what is stored, run nothing")
    one.add_argument("--keep", action=argparse.BooleanOptionalAction, default=None,
                     help="count runs as made whose records results.json has, and leave these in "
                     f"it (by default for profile {', '.join(profiles.KEEPS_RECORDS)})")
    one.add_argument("--workers", type=int, default=None, help="processes (one a core or GPU)")
    one.add_argument("--stages", nargs="+", default=None, metavar="STAGE",
                     help="parts of the plan, or all; by default the profile's usual ones. Of "
                     f"profile paper: {', '.join(stage.name for stage in PAPER_STAGES)}")
    one.add_argument("--dry-run", action="store_true", help="list what is left, and the time")
    one.add_argument("--status", action="store_true", help="show what is done, running, failed")
    one = add("figures", _figures, "draw figures and tables beside the results.json that they are "
              "from")
    one.add_argument("--profile", default="quick", help="a profile: this machine's results, else "
                     "the committed ones; or a folder, such as figures/quick")
    one = add("data", _data, "load data sets (download if needed) and print their statistics")
    one.add_argument("names", nargs="+", help="names such as beauty, or paths")
    one.add_argument("--save", default=None, metavar="PATH", help="also store the counts as JSON")
    return parser


def _run_options(command) -> None:
    add = command.add_argument
    add("--dataset", default=None, help="a name or a path; by default the profile's")
    add("--backbone", default="sasrec", help=f"one of {', '.join(BACKBONES)}")
    add("--method", default="base", help=f"base, {', '.join(METHODS)}")
    add("--profile", default="quick", help=f"one of {', '.join(profiles.PROFILES)}")
    add("--seed", type=int, default=0, help="a whole number of at least 0")
    _set_option(command)
    add("--threads", type=int, default=1, help="CPU threads; another number, other last bits")


def _set_option(command) -> None:
    backbones = sorted({name for known in profiles.MODEL_DEFAULTS.values() for name in known})
    names = ["adv_epochs", *settings_of(AdversarialSettings, TrainingSettings), *backbones]
    names.remove("seed")  # has an option of its own
    words = ("any setting, repeatable; adv_epochs is of phase 2, epochs of phase 1. Allowed: "
             f"{', '.join(names)}, optimizer_state, preset")
    command.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help=words)


def _grid_options(command) -> None:
    add = command.add_argument
    add("--profile", default="quick", help=f"one of {', '.join(profiles.PROFILES)}")
    add("--dataset", default=None, help="a name or a path; by default the profile's")
    add("--backbone", default=None, help="one backbone; by default the paper's two")
    add("--device", default="auto", help="auto, cpu, cuda, ...")
    add("--folder", default=None, help="where results.json goes; by default "
        "figures/made/<profile>, for paper figures/paper")
    _set_option(command)


def _settings(options) -> dict:
    found = {}
    for pair in options.set:
        name, equals, text = pair.partition("=")
        if not equals:
            raise ValueError(f"--set is {pair!r}; allowed is NAME=VALUE, such as epsilon=3")
        if name in vars(options):
            raise ValueError(f"--set is {pair!r}; allowed is the option --{name} instead")
        try:
            found[name] = json.loads(text)
        except json.JSONDecodeError:
            words = {"True": True, "False": False, "None": None}
            found[name] = words.get(text, text)
    return found


def _config(options) -> dict:
    use_threads(number("threads", options.threads, low=1, high=4096, kind=int))
    return profiles.configure(
        options.profile, options.dataset, options.backbone, options.method, options.seed,
        **_settings(options),
    )  # fmt: skip


def _made(options) -> runs.Run:
    return runs.run(_config(options))


def _line(label: str, metrics: dict) -> str:
    return f"{label} ndcg@10 {metrics['ndcg@10']:.4f} hr@10 {metrics['hr@10']:.4f}"


def _run(options) -> None:
    made = _made(options)
    metrics = made.metrics
    print(f"stored in {made.folder}")
    print(f"wall time {metrics['provenance']['wall_seconds']:.0f} s, "
          f"{metrics['seconds']['per_epoch']:.2f} s an epoch")  # fmt: skip
    best = metrics["best"]
    print(f"best validation epoch {best['epoch']} of {metrics['last']['epoch']}: "
          f"{_line('validation', best['validation'])}, {_line('test', best['test'])}")  # fmt: skip
    for split in runs.SPLITS:
        print(_line(split, metrics["last"][split]))


def _attack(options) -> None:
    names = ("positions", "k", "pick", "step", "split", "exclude")
    # a slip in them must show before a run of minutes, not after it
    asked = checked_options(**{name: getattr(options, name) for name in names})
    surrogate = one_of("surrogate", options.surrogate, runs.SURROGATES)
    found = runs.run_attack(_made(options), surrogate=surrogate, **asked)
    print(f"{found['users']} users; a substitute lies {found['distance'] / found['unit']:.2f} "
          "median neighbour distances away")  # fmt: skip
    for metric, drop in found["drop"].items():
        relative = 100 * drop["difference"] / max(found["clean"][metric], 1e-12)
        print(f"change of {metric} {drop['difference']:+.4f} "
              f"[{drop['low']:+.4f}, {drop['high']:+.4f}], {relative:+.1f}%")  # fmt: skip
    print(_line(f"{options.split} clean", found["clean"]))
    print(_line(options.split, found["attacked"]))


def _repeat(options) -> None:
    found = repeat.differences(_config(options))
    if found:
        raise repeat.Unequal("the numbers differ in: " + "; ".join(found))
    print("the same numbers to the last digit")


def _verify(options) -> None:
    use_threads(1)
    wanted = {name: getattr(options, name) for name in ("dataset", "backbone", "method")}
    config = profiles.configure(options.profile, **wanted)
    records = results.load_results(options.profile)["records"]
    own = profiles.identity(runs.canonical(config), "")  # on whatever device it was made
    match = [record for record in records
             if profiles.identity(runs.canonical(record["config"]), "") == own]
    if not match:
        raise ValueError(f"no record of {options.profile} has {wanted}; allowed is a method that "
                         "its results.json holds")
    stored = match[0]["provenance"]
    here = provenance(stored["data_hash"], choose_device(config["device"]), 0.0)
    for name in ("hardware", "packages"):
        print(f"{name}: stored {stored[name]}, here {here[name]}")
    found = repeat.against_record(match[0])
    if found:
        raise repeat.Unequal("the numbers differ in: " + "; ".join(found) + ". Another processor, "
                             "number of threads or version of a package rounds differently")
    print(f"{match[0]['run']}: the same numbers to the last digit")


def _grid(options) -> None:
    use_threads(1)
    asked = (options.profile, options.dataset, options.backbone, options.device)
    settings = _settings(options)
    if options.dry_run or options.status:
        board = grid.board_of(*asked, options.stages, options.folder, options.keep, **settings)
        workers = options.workers or grid.default_workers(options.device)
        show = grid.status if options.status else grid.dry_run
        print(*show(board, workers), sep="\n")
        return
    path = grid.run_grid(*asked, options.workers, options.folder, options.stored, options.stages,
                         options.keep, **settings)
    print(f"results in {path}")


def _figures(options) -> None:
    use_threads(1)
    file = results.results_file(options.profile)
    stored = results.load_results(file)
    for path in figures.write_all(stored, file.parent):
        print(path)


def _data(options) -> None:
    rows = []
    for name in options.names:
        data = load_dataset(name)
        rows.append({"dataset": data.name, "data_hash": data.fingerprint} | data.statistics())
        for line in (data.name, *data.notes):
            print(line)
        for key, value in data.statistics().items():
            print(f"{key:>16} {value:,.4g}" if isinstance(value, float) else f"{key:>16} {value:,}")
    if options.save:
        write_json(options.save, {"dataset": rows, "code_version": code_version()})


if __name__ == "__main__":
    sys.exit(main())
