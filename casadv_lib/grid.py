"""The runs and attacks behind a profile's figures: made by a queue, listed, and collected."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from .board import Board, log_of
from .checks import number
from .estimates import Times, in_words, time_left
from .files import read_json, write_json
from .illustration import perturbed_history
from .job_queue import Queue, default_workers
from .pairs import of_runs
from .plan import plan, stages_of
from .results import repository_root
from .runs import Run, record_of
from .selection import Choices


class JobsFailed(RuntimeError):
    """Some jobs failed; the message names each with its log."""


def board_of(profile: str = "quick", dataset: str | None = None, backbone: str | None = None,
             device: str = "auto", stages: list[str] | None = None,
             folder: Path | str | None = None, **overrides) -> Board:
    """The jobs of a profile, with where they stand.

    stages: names of `plan.stages_of`, None for the usual ones. folder: where the results are;
    None takes `figures/<profile>/`. overrides: settings, as in `profiles.configure`.
    """
    wanted = stages_of(profile, dataset, backbone, stages)
    choices = Choices(results_folder(profile, folder))
    return Board(plan(profile, wanted, device, **overrides), choices)


def results_folder(profile: str, folder: Path | str | None = None) -> Path:
    """Where results.json of a profile lies."""
    return repository_root() / "figures" / profile if folder is None else Path(folder)


def run_grid(
    profile: str = "quick",
    dataset: str | None = None,
    backbone: str | None = None,
    device: str = "auto",
    workers: int | None = None,
    folder: Path | str | None = None,
    stored: bool = False,
    stages: list[str] | None = None,
    **overrides,
) -> Path:
    """Make what is missing (with `stored`: nothing), then write `results.json`; returns its path.

    Stored runs are reused, so an interrupted grid goes on where it was.
    workers: processes; None takes one a core, or one a GPU. Other arguments: as `board_of`.
    Raises JobsFailed at the end if a job failed; what could be made is then made and stored.
    """
    board = board_of(profile, dataset, backbone, device, stages, folder, **overrides)
    workers = default_workers(device) if workers is None else workers
    number("workers", workers, low=1, kind=int)
    failed = {} if stored else Queue(board, workers, device).work()
    path = write_json(results_folder(profile, folder) / "results.json", collect(profile, board))
    if failed:
        lines = [f"{name}: {log}" for name, log in failed.items()]
        raise JobsFailed(f"{len(failed)} job(s) failed, see\n" + "\n".join(lines))
    return path


def dry_run(board: Board, workers: int) -> list[str]:
    """What is left, a line a job with the time it will take, and the sum."""
    times, lines, total, guessed = Times(), [], 0.0, False
    for job in board.plan.jobs.values():
        if board.is_done(job):
            continue
        left = time_left(board, job, times)
        total, guessed = total + left.seconds, guessed or left.is_guess
        state = board.state(job)
        lines.append(f"{in_words(left.seconds):>12}{' (guess)' if left.is_guess else '':8} "
                     f"{job.name}{'' if state in ('ready', 'waiting') else f', {state}'}")
    words = f"{len(lines)} of {len(board.plan.jobs)} jobs left, about {in_words(total)} of one "
    words += f"process, {in_words(total / workers)} with {workers}"
    return [*lines, words + (" (partly a guess)" if guessed else "")]


def status(board: Board, workers: int) -> list[str]:
    """Where the jobs stand: counts, what runs and how far, what failed and holds up, time left."""
    states = {job.name: board.state(job) for job in board.plan.jobs.values()}
    count = Counter(states.values())
    lines = [", ".join(f"{count[name]} {name}" for name in
                       ("done", "running", "failed", "ready", "waiting"))]
    for name, state in states.items():
        job = board.plan.jobs[name]
        if state == "running":
            unit, (done, total) = "attack" if job.attacks else "epoch", board.progress(job)
            lines.append(f"running: {name}, {unit} {done} of {total}")
        elif state == "failed":
            note = board.failure(job)
            lines.append(f"failed: {name} ({note['how']}, {note['date']}), see {log_of(job)}")
        elif state == "waiting":
            broken = [n for n in board.waits_for(job) if states[n] == "failed"]
            lines += [f"waiting: {name}, for {', '.join(broken)}"] if broken else []
    return [*lines, dry_run(board, workers)[-1]]


def dataset_rows(*named) -> list[dict]:
    """Table 2's rows: these data sets', then those stored by `python -m casadv_lib data`."""
    rows = [{"dataset": data.name} | data.statistics() for data in named]
    path = repository_root() / "figures" / "datasets.json"
    known = read_json(path)["dataset"] if path.exists() else []
    return rows + [row for row in known if row["dataset"] not in {row["dataset"] for row in rows}]


def collect(profile: str, board: Board) -> dict:
    """The stored results of a profile: records of complete runs, what pairs of them differ by
    (see `pairs`), what was chosen and tried, the data, the optimum."""
    made: dict[Path, tuple[Run, list[str]]] = {}
    for job in board.plan.of_role("main", "sweep", "switch", "values", "seed"):
        if board.is_done(job):
            one = Run(board.config(job), board.folder(job), board.data(job))
            made.setdefault(one.folder, (one, []))[1].append(job.role)
    if not made:
        raise ValueError(f"no run of profile {profile!r} is stored yet")
    runs = [one for one, _ in made.values()]
    data = list({one.data.name: one.data for one in runs}.values())
    return of_runs(list(made.values())) | {
        "profile": profile,
        "dataset": dataset_rows(*data),
        "optimum": {one.name: one.world.optimum("test") for one in data if one.world is not None},
        "figure1": perturbed_history(runs[0].model(device="cpu"), runs[0].data),
        "selection": board.choices.entries,
        "records": [record_of(one) | {"roles": roles, "run": folder.name}
                    for folder, (one, roles) in made.items()],
    }
