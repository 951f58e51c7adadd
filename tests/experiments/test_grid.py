"""The grid: order, failures, going on after a kill, workers elsewhere, the same numbers again."""

import asyncio
import functools
import json
import multiprocessing
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import dask
import numpy as np
import pandas as pd
import psutil
import pytest
from benchmarks.measuring import environment
from faults import LATE, content, finish, start, until, write_data

from casadv_lib.__main__ import main
from casadv_lib.experiments import grid, plan, runs
from casadv_lib.experiments.configuration import configure
from casadv_lib.experiments.grid import Grid, run_grid, work
from casadv_lib.experiments.plan import Job
from casadv_lib.results import collect
from casadv_lib.results.frames import read_results, select

ROOT = Path(__file__).resolve().parents[2]
SMALL = {"epochs": 2, "adv_epochs": 1, "dim": 8, "eval_every": 1, "batch_size": 32}
LONG = {"epochs": 60, "adv_epochs": 20, "dim": 8, "eval_every": 0, "batch_size": 16, "epsilon": 1.0,
        "lambda1": 1.0}  # seconds, a checkpoint an epoch


@pytest.fixture
def own(tmp_path, runs_folder, monkeypatch):
    """The words of a small grid on a file of its own: four methods, two trials a family."""
    monkeypatch.setattr(plan, "METHOD_ORDER", ("base", "base+100", "adv_linear", "adv_cas"))
    monkeypatch.setitem(plan.RUNS["methods"][0], "attacked", ("base", "adv_cas"))
    monkeypatch.setitem(plan.PLAN, "attacks", plan.PLAN["attacks"][:4])
    tried = plan.CANDIDATES["paper"]
    for family in ("adv_linear", "adv_global"):
        monkeypatch.setitem(tried, family, tried[family][1:3])
    path = write_data(tmp_path / "own.txt")
    return ["grid", "--profile", "paper", "--dataset", str(path), "--backbone", "sasrec",
            "--device", "cpu", "--folder", str(tmp_path / "tables"), "--stages", "methods-sasrec",
            "--workers", "1", *(x for k, v in SMALL.items() for x in ("--set", f"{k}={v}"))]


def jobs_of(path, *methods, **settings):
    """Runs alone; each needs the first."""
    asked = {"profile": "quick", "dataset": str(path), "device": "cpu", **SMALL, **settings}
    return {method: Job(method, "main", asked | {"method": method},
                        needs=methods[:1] if method != methods[0] else ())
            for method in methods}


def do_here(jobs):
    """Do the jobs of a grid in this process, without workers."""
    for name, job in jobs.left().items():
        jobs.results[name] = work(job, [*map(jobs.results.get, job.needs)])


def grid_of(words):
    """The grid that these words of the command line are about."""
    settings = {w.split("=")[0]: json.loads(w.split("=")[1]) for w in words if "=" in w}
    stages = plan.stages_of("paper", words[4], "sasrec", ["methods-sasrec"])
    known = collect.known(Path(words[words.index("--folder") + 1]))
    return Grid(plan.plan("paper", stages, device="cpu", **settings), known)


def tables(folder):
    """Results but for times, dates and where they were made."""
    found = read_results(folder)
    numbers = {name: getattr(found, name) for name in ("curves", "intervals", "trials", "datasets")}
    numbers["runs"] = found.runs.drop(columns=["seconds_per_epoch", "train_seconds", "hardware"])
    numbers["attacks"] = found.attacks.drop(columns="seconds")
    return numbers


def same(first, second):
    for name, table in first.items():
        pd.testing.assert_frame_equal(table, second[name], check_exact=True)
    return True


def test_the_whole_grid_with_the_choice_and_again_from_what_is_stored(own, tmp_path, capsys):
    assert main(own) == 0
    said, folder = capsys.readouterr().out, tmp_path / "tables"
    results = read_results(folder)
    chosen = results.trials[results.trials["chosen"].astype(bool)]
    assert set(chosen["family"]) == {"adv_linear", "adv_global"} and len(results.trials) == 4
    for method, family in (("adv_cas", "adv_global"), ("adv_linear", "adv_linear")):
        [row] = select(chosen, family=family).to_dict("records")
        values = {name: row[name] for name in ("epsilon", "lambda1")}
        assert f"own sasrec choice {family}: {values}\n" in said
        [config] = [c for c in results.configs.values() if c["method"] == method]
        assert (config["epsilon"], config["lambda1"]) == (row["epsilon"], row["lambda1"])
    assert set(results.runs["method"]) == {"base", "base+100", "adv_linear", "adv_cas"}
    assert set(results.runs["epoch"]) <= {1, 2, 3}  # the trials of ten epochs stand aside
    assert main([*own, "--dry-run"]) == 0
    assert capsys.readouterr().out.startswith("10 of 10 jobs done, 0 left")
    # one run thrown away and made again from its base: the same numbers to the last digit
    before = tables(folder)
    [run] = select(results.runs, method="adv_cas", which="last", split="test")["run"]
    shutil.rmtree(runs.runs_folder() / run)
    shutil.rmtree(folder)
    assert main(own) == 0 and same(tables(folder), before)


def test_a_failed_job_is_named_with_its_log_and_the_rest_goes_on(tmp_path, runs_folder, capsys):
    path = write_data(tmp_path / "own.txt")
    jobs = jobs_of(path, "base", "base+100", "adv_linear")
    for name, job in jobs_of(path, "base", "adv_seq", learning_rate=1e30).items():  # diverges
        needs = ("broken base",) if job.needs else ()
        jobs[f"broken {name}"] = Job(f"broken {name}", "main", job.asked, needs=needs)

    failed, said = run_grid(Grid(jobs), 2, "cpu"), capsys.readouterr().out
    assert list(failed) == ["broken base", "broken adv_seq"]
    assert failed["broken adv_seq"] == "not done, because it needs broken base"
    assert "TrainingError" in failed["broken base"]
    log = Path(failed["broken base"].split("see ")[1])
    assert "TrainingError" in log.read_text()
    assert "FAILED broken base: TrainingError" in said and "FAILED broken adv_seq" not in said
    left = Grid(jobs)
    assert list(left.left()) == list(failed)
    with runs.one_at_a_time(left.run(jobs["broken adv_seq"]).folder):  # as another process does
        assert [line.split()[0] for line in left.lines()[:-1]] == ["failed:", "running:"]
    assert "left: broken adv_seq" in left.lines()[1]


def test_a_job_whose_process_dies_takes_no_other_with_it(tmp_path, runs_folder):
    path, preload = write_data(tmp_path / "own.txt"), tmp_path / "dies.py"
    preload.write_text("import os; from casadv_lib.experiments import runs\n"
                       "def train(made, *more, train=runs._train):\n"
                       "    if made.config.training.seed == 9: os.kill(os.getpid(), 9)\n"
                       "    train(made, *more)\n"
                       "runs._train = train\n"
                       "from casadv_lib.experiments import grid; grid.MOST_DEATHS = 2\n")
    jobs = jobs_of(path, "base", "base+100", seed=9) | {
        str(seed): Job(str(seed), "main", jobs_of(path, "base", seed=seed)["base"].asked)
        for seed in (1, 2)}
    with dask.config.set({"distributed.worker.preload": [str(preload)]}):
        failed = run_grid(Grid(jobs), 1, "cpu")
    assert "2 process(es) died" in failed.pop("base")
    assert failed == {"base+100": "not done, because it needs base"}
    assert {*Grid(jobs).results} == {"1", "2"}


# ------------------------------------------------------------------ going on from tables


@pytest.fixture
def sittings(own, monkeypatch, tmp_path):
    """Words of a grid whose first sitting made all but adv_cas, and the tables that one makes.

    The runs of the first sitting are gone, its tables are here.
    """
    do_here(grid_of(own))
    whole = [*own, "--folder", str(tmp_path / "whole"), "--stored", "--no-keep"]
    assert main(whole) == 0
    [last] = runs.runs_folder().glob("*adv_cas*")
    shutil.rmtree(last)
    assert main([*own, "--stored"]) == 0  # the choices, too, are made from what is stored
    monkeypatch.setenv("CASADV_RUNS", str(tmp_path / "another machine"))
    return own, tables(tmp_path / "whole")


def test_two_sittings_give_what_one_gives(sittings, tmp_path, capsys):
    words, whole = sittings
    folder, jobs, early = tmp_path / "tables", grid_of(words), grid_of(words)
    left = [name.removeprefix("own sasrec ") for name in jobs.left()]
    assert left == ["base", "adv_cas", "adv_cas attacks"]  # the base is needed, its attacks not
    assert any("trial" in name for name in grid_of([*words, 'loss="gbce"']).left())
    ranks = {path: path.stat().st_mtime_ns for path in (folder / "ranks").iterdir()}
    do_here(jobs)
    assert main([*words, "--stored"]) == 0
    assert same(tables(folder), whole)
    assert {path: path.stat().st_mtime_ns for path in ranks} == ranks  # what was kept is untouched
    assert len(list((folder / "ranks").iterdir())) == len(ranks) + 1
    assert grid_of(words).left() == {}
    # another grid that has read the tables before leaves in them what was added meanwhile
    collect.store(early.made(), folder, "paper", True, early.trial_rows())
    assert same(tables(folder), whole)
    assert main([*words, "--dry-run"]) == 0
    assert capsys.readouterr().out.splitlines()[-1].startswith("10 of 10 jobs done")
    # a run without its ranks does not count
    base = next(run for run in collect.known(folder).attacks if "-base-seed" in run)
    (folder / "ranks" / f"{base}.npz").unlink()
    assert base not in collect.known(folder).attacks


def test_a_base_with_other_numbers_is_not_mixed_in(sittings, tmp_path, monkeypatch):
    words, _ = sittings
    path = tmp_path / "tables" / "runs.csv"
    table = pd.read_csv(path)
    row = table.index[(table["method"] == "base") & (table["which"] == "last")
                      & (table["split"] == "test")]
    table.loc[row, "ndcg@10"] = np.nextafter(table.loc[row, "ndcg@10"], 2)
    table.to_csv(path, index=False)
    before, jobs = path.read_bytes(), grid_of(words)
    base = jobs.jobs["own sasrec base"]
    work(base, [])
    assert not jobs.is_here(base) and base.name in jobs.left()
    with pytest.raises(runs.Unequal, match="other numbers than its record, in runs .test NDCG@10"):
        work(base, [], check=jobs.known.difference)
    assert main([*words, "--stored"]) == 0  # what is known stays
    assert path.read_bytes() == before


@pytest.mark.parametrize("words, said", [
    (["--stored", "--no-keep"], "no run of profile 'quick' is stored yet"),
    (["--profile", "paper", "--set", "epochs=3"], r"--set is \['epochs=3'\].*--folder"),
    (["--stages", "vidoe"], "stages is 'vidoe'"), (["--workers", "-1"], "workers is -1"),
    (["--scheduler", "tcp://127.0.0.1:9"], "scheduler is 'tcp://127.0.0.1:9', where none answers"),
])
def test_bad_words(words, said, runs_folder, capsys, tmp_path, monkeypatch):
    monkeypatch.setattr(grid, "SECONDS_TO_CONNECT", 0.5)
    folder = [] if "paper" in words else ["--folder", str(tmp_path / "tables")]
    assert main(["grid", *words, *folder]) == 2
    assert re.search(said, capsys.readouterr().err)


# ------------------------------------------------------------------ processes that are killed


@pytest.fixture(scope="module")
def often(tmp_path_factory):
    """A file that lets a process store a checkpoint after every epoch."""
    path = tmp_path_factory.mktemp("preload") / "often.py"
    path.write_text("import casadv_lib.support.checkpoints as c\n"
                    "c.SECONDS_BETWEEN_CHECKPOINTS = 0\n")
    return str(path)


@pytest.fixture(scope="module")
def uncut(tmp_path_factory):
    """A data file, and what runs that nobody disturbs leave: all of their folder."""
    folder = tmp_path_factory.mktemp("uncut")
    path = write_data(folder / "own.txt")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CASADV_RUNS", str(folder / "runs"))
        runs.run(configure("quick", path, method="adv_cas", device="cpu", **LONG), progress=False)
    return path, content(folder / "runs")


@pytest.fixture(autouse=True)
def no_clients_left():
    yield
    for process in multiprocessing.active_children():
        process.kill()


def two_methods(often):
    """Prepare the process of a client."""
    os.setpgrp()
    plan.METHOD_ORDER, plan.RUNS["methods"][0]["attacked"] = ("base", "adv_cas"), ()
    dask.config.set({"distributed.worker.preload": [often]})


def client(path, runs, often, *words):
    """The command line of a grid that makes the two runs of `uncut`."""
    words = ["grid", "--dataset", str(path), "--backbone", "sasrec", "--device", "cpu",
             "--stages", "methods-sasrec", "--folder", str(runs) + "-tables", "--workers", "2",
             *(x for k, v in LONG.items() for x in ("--set", f"{k}={v}")), *words]
    return start(words, runs, prepare=functools.partial(two_methods, often))


def started(runs):
    """Whether the base has a checkpoint."""
    return list(runs.glob("*-base-*/checkpoint.pt"))


def goes_on(path, folder, often, wanted, *words):
    """Start the grid again and compare with the runs that nobody disturbed."""
    assert content(folder)
    again = client(path, folder, often, *words)
    assert finish(again) == 0, again.log.read_text()
    assert content(folder) == wanted
    assert not list(folder.rglob(".*.partial"))


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_grid_that_is_ended_leaves_no_process_and_goes_on(how, uncut, often, tmp_path):
    path, wanted = uncut
    process = client(path, tmp_path / "runs", often)
    until(lambda: started(tmp_path / "runs"), LATE, "a checkpoint")
    children = psutil.Process(process.pid).children(recursive=True)
    assert len(children) >= 2
    (os.killpg if how == signal.SIGINT else os.kill)(process.pid, how)
    assert finish(process) != 0
    assert not psutil.wait_procs(children, timeout=LATE)[1]
    if how == signal.SIGTERM:
        shutil.rmtree(tmp_path / "runs" / "logs")
        (tmp_path / "runs").rename(tmp_path / "moved")
        goes_on(path, tmp_path / "moved", often, wanted)


# ------------------------------------------------------------------ workers elsewhere


class Site:
    """A Dask scheduler and workers on the loopback, each in a process and a folder of its own."""

    def __init__(self, folder, often):
        self.folder, self.runs, self.processes = folder, folder / "runs", []
        self.environment = environment() | {
            "CASADV_RUNS": str(self.runs), "DASK_DISTRIBUTED__WORKER__PRELOAD": often}
        self.file = folder / "scheduler.json"
        self.start("scheduler", "--port", "0", "--scheduler-file", str(self.file))
        until(lambda: self.file.exists() and self.file.stat().st_size, LATE, "an address")
        self.address = json.loads(self.file.read_text())["address"]

    def start(self, *words, **environment):
        place = self.folder / f"place{len(self.processes)}"
        place.mkdir()
        process = subprocess.Popen(
            [sys.executable, "-m", "dask", *words, "--no-dashboard"], cwd=place,
            env=self.environment | environment,
            stdout=subprocess.DEVNULL, stderr=(place / "log").open("w"))
        self.processes.append(process)
        return process

    def worker(self, **environment):
        return self.start("worker", self.address, "--nthreads", "1", "--no-nanny",
                          "--death-timeout", "10", **environment)

    def end(self):
        for process in self.processes:
            process.kill()
            process.wait(10)


@pytest.fixture
def site(tmp_path, often):
    found = Site(tmp_path, often)
    yield found
    found.end()


def test_workers_elsewhere_give_the_same_bits_also_when_one_is_killed(site, uncut, often):
    path, wanted = uncut
    process = client(path, site.runs, often, "--scheduler", site.address)  # nobody is there yet
    workers = [site.worker(), site.worker()]
    until(lambda: started(site.runs), LATE, "a checkpoint")
    running = max(workers, key=lambda worker: sum(psutil.Process(worker.pid).cpu_times()[:2]))
    running.kill()
    assert finish(process) == 0, process.log.read_text()
    assert content(site.runs) == wanted


def test_a_scheduler_or_a_client_that_is_killed(site, uncut, often):
    path, wanted = uncut
    words = ["--scheduler", site.address]
    worker = site.worker()
    first = client(path, site.runs, often, *words)
    until(lambda: started(site.runs), LATE, "a checkpoint")
    first.kill()  # what its worker was at goes on to the end of the run
    second = client(path, site.runs, often, *words)
    until(lambda: list(site.runs.glob("*-adv_cas-*/checkpoint.pt")), LATE, "a checkpoint")
    site.processes[0].kill()
    assert finish(second) == 1
    assert "the scheduler is gone; the same command goes on" in second.log.read_text()
    assert worker.wait(LATE) is not None
    goes_on(path, site.runs, often, wanted)
    assert len(list(site.runs.glob(".*"))) == 2  # the lock and the name of the folder


@pytest.mark.parametrize("why", ["it has another version of the library",
                                 "it does not see the folder of runs"])
def test_a_worker_that_does_not_fit_is_refused(why, site, tmp_path, monkeypatch):
    other = shutil.copytree(ROOT / "casadv_lib", tmp_path / "other" / "casadv_lib")
    with (other / "training.py").open("a") as file:
        file.write("# another version\n")
    elsewhere = tmp_path / "elsewhere"
    site.worker(**{"PYTHONPATH": str(other.parent)} if "version" in why else
                {"CASADV_RUNS": str(elsewhere)})
    monkeypatch.setenv("CASADV_RUNS", str(site.runs))
    jobs = Grid(jobs_of(write_data(tmp_path / "own.txt"), "base"))
    with pytest.raises(ValueError, match=f"the worker tcp.* is refused: {why}"):
        run_grid(jobs, 1, "cpu", site.address)
    assert not list(site.runs.glob("*-base-*")) and not elsewhere.exists()


def test_the_gpus_that_are_dealt_out(monkeypatch):
    monkeypatch.setattr(grid, "choose_device", grid.torch.device)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,6")
    assert [grid.gpus_of(device) for device in ("cuda", "cpu", "cuda:1")] == [["4", "6"], [], []]
    monkeypatch.setattr(grid.signal, "signal", lambda *_: None)
    for place, gpu in enumerate(["4", "6", "4"]):
        worker = SimpleNamespace(name=place, set_resources=lambda **_: asyncio.sleep(0))
        asyncio.run(grid._joining("casadv folder source ", ["4", "6"]).setup(worker))
        assert os.environ["CUDA_VISIBLE_DEVICES"] == gpu
