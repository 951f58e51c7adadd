"""The runs and attacks behind a profile's figures: made by a queue, listed, and collected."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from .illustration import perturbed_history
from ..results.pairs import of_runs
from ..results.paper import PAPER_BACKBONES, PAPER_DATASETS
from ..results.records import known_first
from ..support.checks import flag, number
from ..support.files import read_json, write_json
from ..support.repository import root
from .board import Board, log_of
from .configuration import KEEPS_RECORDS, results_folder, stored_file
from .estimates import Times, in_words, time_left
from .hits import Outcome, outcome_of, write_hits
from .job_queue import Queue, default_workers
from .kept import Kept
from .plan import Job, plan, stages_of
from .runs import one_at_a_time, record_of, stored_attacks
from .selection import Choices


class JobsFailed(RuntimeError):
    """Some jobs failed; the message names each with its log."""


def board_of(profile: str = "quick", dataset: str | None = None, backbone: str | None = None,
             device: str = "auto", stages: list[str] | None = None,
             folder: Path | str | None = None, keep: bool | None = None, **overrides) -> Board:
    """The jobs of a profile, with where they stand.

    stages: names of `plan.stages_of`, None for the usual ones. folder: where the results are;
    None takes `profiles.results_folder`, and where nothing was chosen there yet, the committed
    choices stand. keep: whether a run counts as made where results.json there has its record (see
    `kept`); None takes the profile's `KEEPS_RECORDS`. overrides: settings, as in
    `profiles.configure`.
    """
    wanted, place = stages_of(profile, dataset, backbone, stages), results_folder(profile, folder)
    keep = profile in KEEPS_RECORDS if keep is None else flag("keep", keep)
    if keep and overrides and folder is None:
        raise ValueError(f"settings are {overrides}, and {place} keeps the records of the "
                         "profile's own; allowed is another folder (--folder), or keep=False "
                         "(--no-keep), which writes its results anew")
    choices = Choices(stored_file(profile, "selection.json").parent if folder is None else place)
    choices.path = place / "selection.json"  # where new ones go
    return Board(plan(profile, wanted, device, **overrides), choices,
                 kept=Kept(place) if keep else None)


def run_grid(
    profile: str = "quick",
    dataset: str | None = None,
    backbone: str | None = None,
    device: str = "auto",
    workers: int | None = None,
    folder: Path | str | None = None,
    stored: bool = False,
    stages: list[str] | None = None,
    keep: bool | None = None,
    **overrides,
) -> Path:
    """Make what is missing (with `stored`: nothing), then write `results.json`; returns its path.

    Stored runs are reused, so an interrupted grid goes on where it was; `results.json` is written
    again as runs come in (see `job_queue.SECONDS_BETWEEN_STORES`). With `keep` it goes on
    from the records of results.json as well, and leaves those of other stages in it.
    workers: processes; None takes one a core, or one a GPU. Other arguments: as `board_of`.
    Raises JobsFailed at the end if a job failed; what could be made is then made and stored.
    """
    board = board_of(profile, dataset, backbone, device, stages, folder, keep, **overrides)
    workers = default_workers(device) if workers is None else workers
    number("workers", workers, low=1, kind=int)
    place = results_folder(profile, folder)
    failed = {} if stored else Queue(board, workers, device, store=lambda: store(
        profile, board, place)).work()
    path = store(profile, board, place)
    if failed:
        lines = [f"{name}: {log}" for name, log in failed.items()]
        raise JobsFailed(f"{len(failed)} job(s) failed, see\n" + "\n".join(lines))
    return path


def dry_run(board: Board, workers: int) -> list[str]:
    """What is left, a line a job with the time it will take, and the sum."""
    times, lines, total, guessed = Times(board.kept_records()), [], 0.0, False
    for name, state in board.states().items():
        if state == "done":
            continue
        left = time_left(board, board.plan.jobs[name], times)
        total, guessed = total + left.seconds, guessed or left.is_guess
        lines.append(f"{in_words(left.seconds):>12}{' (guess)' if left.is_guess else '':8} "
                     f"{name}{'' if state in ('ready', 'waiting') else f', {state}'}")
    words = f"{len(lines)} of {len(board.plan.jobs)} jobs left, about {in_words(total)} of one "
    words += f"process, {in_words(total / workers)} with {workers}"
    return [*lines, words + (" (partly a guess)" if guessed else "")]


def status(board: Board, workers: int) -> list[str]:
    """Where the jobs stand: counts, what runs and how far, what failed and holds up, time left."""
    states = board.states()
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
    path = root() / "figures" / "datasets.json"
    known = read_json(path)["dataset"] if path.exists() else []
    return rows + [row for row in known if row["dataset"] not in {row["dataset"] for row in rows}]


def store(profile: str, board: Board, folder: Path) -> Path:
    """Write results.json and, where records are kept, the hits beside it; returns the first.

    A choice that only stored trials made is written, too: the runs that took it name its values.
    Records that another queue has added since are kept, and two queues write one after the other.
    """
    with one_at_a_time(folder):
        if board.kept:
            board.kept = Kept(folder)
        results, new = collect(profile, board)
        if board.new_choices:
            board.choices.store()
        for outcome in new if board.kept else ():
            write_hits(folder, outcome)
        return write_json(folder / "results.json", results)


def collect(profile: str, board: Board) -> tuple[dict, list[Outcome]]:
    """The stored results of a profile: records of complete runs, what pairs of them differ by
    (see `pairs`), what was chosen and tried, the data, the optimum; and the outcomes of those
    runs that were not kept, or with fewer attacks."""
    kept = {record["run"]: (record, board.kept.outcome(record["run"]))
            for record in board.kept_records()}
    made: dict[str, tuple[dict, Outcome]] = {}
    roles: dict[str, list[str]] = {name: list(record["roles"]) for name, (record, _)
                                   in kept.items()}
    for job in board.plan.of_role("main", "sweep", "switch", "values", "seed", "trade-off"):
        if board.is_done(job):
            name = board.folder(job).name
            made[name] = _fuller(board, job, kept.get(name))
            roles[name] = known_first([*roles.get(name, ()), job.role], ())
    made |= {name: found for name, found in kept.items() if name not in made}
    if not made:
        raise ValueError(f"no run of profile {profile!r} is stored yet")
    made = {name: made[name] for name in sorted(made, key=lambda name: _place(made[name][1]))}
    outcomes = [outcome for _, outcome in made.values()]
    data = {one.name: one for one in board.loaded()}
    there = dict.fromkeys(outcome.dataset for outcome in outcomes)
    before = board.kept.results if board.kept else {}
    results = of_runs([(one, roles[one.run]) for one in outcomes]) | {
        "profile": profile,
        "dataset": dataset_rows(*(data[name] for name in there if name in data)),
        "optimum": {name: data[name].world.optimum("test") for name in there
                    if name in data and data[name].world is not None},
        "figure1": before.get("figure1") or _figure1(board),
        "selection": board.choices.entries,
        "records": [record | {"roles": roles[name], "run": name}
                    for name, (record, _) in made.items()],
    }
    return results, [outcome for name, (_, outcome) in made.items()
                     if name not in kept or outcome is not kept[name][1]]


def _place(outcome: Outcome) -> tuple[int, int]:
    """The order of records, however many sittings they took: data sets and backbones as in the
    paper, others behind; the plan's order within."""
    def among(name, order):
        return order.index(name) if name in order else len(order)

    return (among(outcome.dataset, PAPER_DATASETS),
            among(outcome.config["backbone"], PAPER_BACKBONES))


def _fuller(board: Board, job: Job, kept: tuple[dict, Outcome] | None) -> tuple[dict, Outcome]:
    """The record and the outcome of a run that is done: the kept ones, or those of the run stored
    here where nothing is kept or more attacks are here."""
    if board.is_here(job):
        one = board.run(job)
        if kept is None or len(stored_attacks(one)) > len(kept[0]["attacks"]):
            return record_of(one), outcome_of(one)
    return kept


def _figure1(board: Board) -> dict | None:
    """Figure 1's arrays from the first run that is stored here; None where none is."""
    for job in board.plan.of_role("main"):
        if board.is_here(job):
            one = board.run(job)
            return perturbed_history(one.model(device="cpu"), one.data)
    return None
