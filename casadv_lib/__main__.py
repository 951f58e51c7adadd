"""The command line: python -m casadv_lib {run,attack,verify,grid,figures,notebooks,data} --help."""

import argparse
import contextlib
import os
import signal
import sys
import warnings
from pathlib import Path

from .adversarial import METHOD_ORDER
from .backbones import BACKBONES
from .data import training_inputs
from .evaluation import paired_bootstrap
from .experiments import configuration, grid, runs
from .experiments.plan import PAPER_STAGES, plan, stages_of
from .results import collect, frames
from .settings import AttackOptions
from .support.checkpoints import TrainingError
from .support.checks import number
from .support.files import make_folder, read_json
from .support.machine import use_threads


def main(arguments: list[str] | None = None) -> int:
    """Run one command; returns the exit status (2: bad input, 1: the work failed, 130: stopped)."""
    parser = _parser()
    options, unknown = parser.parse_known_args(arguments)
    if unknown:
        parser.error(f"{' '.join(unknown)} is unknown here; a setting is --set NAME=VALUE")
    try:
        threads = getattr(options, "threads", 1)
        use_threads(number("threads", threads, low=1, high=4096, kind=int))
        with warnings.catch_warnings():
            warnings.showwarning = lambda message, *_: print(f"note: {message}", file=sys.stderr)
            return options.command(options) or 0
    except (ValueError, OSError, TrainingError, runs.Unequal) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2 if isinstance(error, (ValueError, FileNotFoundError)) else 1
    except KeyboardInterrupt as stop:
        print(str(stop) or "stopped; the same command goes on from the last checkpoint",
              file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    """The commands and options of command_line.json; those of `attack` also from its settings."""
    parser = argparse.ArgumentParser(
        "python -m casadv_lib", description="Cascade-guided Adversarial Training of recommenders")
    commands = parser.add_subparsers(required=True, metavar="command")
    shown = type("Shown", (argparse.ArgumentDefaultsHelpFormatter,
                           argparse.RawDescriptionHelpFormatter), {})
    about = read_json(Path(__file__).with_name("command_line.json"))
    about["options"] = {f"--{row['name']}": {
        "default": row["default"], "help": f"{row['meaning']}; allowed: {row['allowed']}"}
        for row in configuration.settings_table(AttackOptions)} | about["options"]
    lists = {name: ", ".join(values) for name, values in {
        "profiles": configuration.PROFILES, "backbones": BACKBONES, "methods": METHOD_ORDER,
        "stages": [stage.name for stage in PAPER_STAGES]}.items()}
    for name, words in about["commands"].items():
        epilog = configuration.settings_help() if "--set" in words["options"] else None
        command = commands.add_parser(name, help=words["help"], description=words["help"],
                                      formatter_class=shown, epilog=epilog)
        command.register("action", "yes_or_no", argparse.BooleanOptionalAction)
        for option in words["options"]:
            given = dict(about["options"][option])
            given["help"] = given["help"].format(**lists)
            if "action" not in given:
                usual = given.get("default")
                given["type"] = int if "type" in given else str if usual is None else type(usual)
            command.add_argument(option, **given)
        command.set_defaults(command=globals()[f"_{name}"], **words.get("defaults", {}))
    return parser


def _settings(options) -> dict:
    """What --set names, and how a file is to be read."""
    words = getattr(options, "set", None)
    named = configuration.by_name("--set", words) if words else {}
    for name in named.keys() & {*vars(options), "method", "seed"} - {"command"}:
        raise ValueError(f"--set names {name}; allowed is the option --{name.replace('_', '-')} "
                         "instead, where the command has it")
    return named | {name: getattr(options, name) for name in configuration.READING}


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
    names = {"surrogate", *AttackOptions.__pydantic_fields__} & vars(options).keys() - {"seed"}
    result = runs.run_attack(runs.Run(_config(options)),
                             **{name: getattr(options, name) for name in names})
    print(f"{result['users']} users; a substitute lies {result['distance'] / result['unit']:.2f} "
          "median neighbour distances away")
    for metric in ("ndcg@10", "hr@10"):
        before, after = (result[which][metric] for which in ("clean", "attacked"))
        drop = paired_bootstrap(result["ranks"], result["clean ranks"], metric)
        share = f", {100 * (after - before) / before:+.1f}%" if before else ""
        print(f"change of {metric} {drop['difference']:+.4f} [{drop['low']:+.4f}, "
              f"{drop['high']:+.4f}]{share}")
    print(_line(f"{options.split} clean", result["clean"]))
    print(_line(options.split, result["attacked"]))


def _verify(options) -> None:
    made = runs.Run(_config(options))
    results, folder = frames.Results(options.profile), None
    with contextlib.suppress(frames.MissingRecords):
        folder = frames.stored_folder(options.profile, made.dataset)
        results = frames.read_results(folder)
    if made.name not in results.configs and made.is_complete:
        results, _ = collect.collect({made: ["main"]})
    collect.verify(results, folder, made)
    print(f"{made.name}: the same numbers to the last digit")


def _grid(options) -> int:
    settings, profile = _settings(options), options.profile
    stages = stages_of(profile, options.dataset, options.backbone, options.stages)
    keep = profile == "paper" if options.keep is None else options.keep
    dataset = runs.Study(profile, options.dataset, **settings).dataset
    folder = Path(options.folder or frames.folder_of(profile, dataset=dataset))
    if keep and options.set and options.folder is None:
        raise ValueError(f"--set is {options.set}, and {folder} keeps the runs of the profile's "
                         "own; allowed is another folder (--folder), or --no-keep, which writes "
                         "its tables anew")
    workers = grid.workers_of(options.device, options.workers)
    jobs = grid.Grid(plan(profile, stages, options.choose, device=options.device, **settings),
                     collect.known(folder) if keep else None)
    if options.dry_run:
        print(*jobs.lines(), sep="\n")
        return 0
    make_folder(folder)  # what cannot be written shows before the work
    failed = {}
    try:
        if not options.stored:
            scheduler = options.scheduler or os.environ.get("DASK_SCHEDULER_ADDRESS")
            failed = grid.run_grid(jobs, workers, options.device, scheduler)
    finally:  # also where the grid was ended early
        made = jobs.made()
        if options.stored or made:
            path = collect.store(made, folder, profile, keep, jobs.trial_rows(), _figure1)
            print(f"results in {path}")
    if failed:
        print(f"error: {len(failed)} job(s) failed", *(
            f"{name}: {why}" for name, why in failed.items()), sep="\n", file=sys.stderr)
    return int(bool(failed))


def _figure1(made: runs.Run) -> dict:
    """Figure 1's arrays; the user is the first with 6 to 9 training inputs, or else with any."""
    from .figures.sketches import PerturbedUser  # slow to import

    model = made.model(device="cpu")
    users, inputs = training_inputs(made.data, model.max_len)
    user = next((u for u, one in zip(users, inputs) if 6 <= len(one) <= 9), users[0])
    return PerturbedUser(model, made.data, int(user), [10.0]).arrays(10.0)


def _figures(options) -> None:
    from .figures.measured import write_all  # slow to import; workers of the grid do without

    folder, settings = options.profile, _settings(options)  # or a folder of tables
    if options.dataset is not None or {*settings.values()} != {None}:
        study = runs.Study(folder, options.dataset, **settings)
        folder = frames.folder_of(folder, dataset=study.dataset)
    folder = frames.stored_folder(folder)
    print(*write_all(frames.read_results(folder), folder), sep="\n")


def _notebooks(options) -> None:
    from .experiments import notebooks  # slow to import

    names = ("profile", "dataset", "backbone", "device", *configuration.READING)
    asked = {name: getattr(options, name) for name in names}
    which = {"notebooks": options.notebooks, "workers": options.workers}
    if not options.refresh:
        written = notebooks.execute(**asked, **which)
    elif asked != dict.fromkeys(names) | {"profile": "quick", "device": "auto"}:
        raise ValueError("--refresh runs the notebooks' own parameters; leave out the others")
    else:
        written = notebooks.refresh(**which)
    print(*written, sep="\n")


def _data(options) -> None:
    for name in options.names:
        data = runs.Study(dataset=name, **_settings(options)).data
        print(data.name, *data.notes, sep="\n")
        for key, value in data.statistics().items():
            print(f"{key:>16} {value:,.4g}" if isinstance(value, float) else f"{key:>16} {value:,}")


if __name__ == "__main__":
    for stream in (sys.stdout, sys.stderr):  # lines at once, also into a file; any terminal's code
        stream.reconfigure(line_buffering=True, errors="backslashreplace")
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C: nothing is left behind
    sys.exit(main())
