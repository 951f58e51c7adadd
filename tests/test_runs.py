"""Runs, profiles, files and the command line: reuse, resume, provenance, clear errors."""

import json
import os
import re
import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from oracles import random_sequences

from casadv_lib.__main__ import main
from casadv_lib.attacks import attack
from casadv_lib.evaluation import METRICS, paired_bootstrap, summary
from casadv_lib.experiments import configuration as profiles
from casadv_lib.experiments import hits, runs
from casadv_lib.settings import EXCLUDES, AdversarialSettings
from casadv_lib.support import files

ROOT = Path(__file__).resolve().parents[1]
SMALL = {"epochs": 3, "adv_epochs": 2, "dim": 8, "eval_every": 1, "batch_size": 16}


@pytest.fixture
def data_file(tmp_path):
    path = tmp_path / "own.txt"
    lines = [
        f"{u} {' '.join(map(str, items))}\n"
        for u, items in enumerate(random_sequences(40, 30, 4, 10), 1)
    ]
    path.write_text("".join(lines))
    return path


def configure(path, method="base", **options):
    return profiles.configure("quick", str(path), "sasrec", method, **{**SMALL, **options})


def set_options(**extra):
    return [x for k, v in {**SMALL, **extra}.items() for x in ("--set", f"{k}={v}")]


def test_a_run_is_made_once(data_file, runs_folder):
    made = runs.run(configure(data_file, "adv_cas"), progress=False)
    assert sorted(p.name.split("-")[2] for p in runs_folder.iterdir()) == ["adv_cas", "base"]
    stamp = (made.folder / "metrics.json").stat().st_mtime_ns
    again = runs.run(configure(data_file, "adv_cas"), progress=False)
    assert again.folder == made.folder
    assert (made.folder / "metrics.json").stat().st_mtime_ns == stamp
    other = runs.run(configure(data_file, "adv_cas", epsilon=1.5), progress=False)
    assert other.folder != made.folder and len(list(runs_folder.iterdir())) == 3


@pytest.mark.parametrize("options", [{}, {"k": 2, "pick": "random", "seed": 5},
                                     {"positions": "first"}, {"k": 3, "surrogate": "base"}])
def test_an_attack_is_stored_by_all_rules(options, data_file, runs_folder):
    made = runs.run(configure(data_file, "adv_neighbour"), progress=False)
    asked = dict(options)
    if asked.pop("surrogate", None):
        base = runs.run(configure(data_file), progress=False)
        asked["surrogate"] = base.model(device="cpu")
    for rule in (*EXCLUDES, EXCLUDES[0]):  # made, then read
        live = attack(made.model(device="cpu"), made.data, exclude=rule, **asked)
        found = runs.attacked_ranks(made, exclude=rule, **options)
        for name in ("users", "ranks", "substitutes"):
            np.testing.assert_array_equal(found[name], live[name])
        np.testing.assert_array_equal(found["clean"]["ranks"], live["clean"]["ranks"])
        record = runs.run_attack(made, exclude=rule, **options)
        assert record["attacked"] == summary(live["ranks"]) and record["exclude"] == rule
        assert record.get("surrogate") == options.get("surrogate")
        for metric in METRICS:
            drop = paired_bootstrap(live["ranks"], live["clean"]["ranks"], metric)
            assert record["drop"][metric] == pytest.approx(drop, abs=1e-12)
    stem = runs.attack_stem(**options)
    names = {f"{stem}.npz", *(f"{stem}-{rule}.json" for rule in EXCLUDES)}
    assert {path.name for path in (made.folder / "attacks").iterdir()} == names
    assert len(runs.stored_attacks(made)) == len(runs.record_of(made)["attacks"]) == 3
    for wrong in ({"positions": "newest"}, {"exclude": "none"}, {"surrogate": "adv_cas"}):
        with pytest.raises(ValueError, match=f"{[*wrong][0]} is '{[*wrong.values()][0]}'"):
            runs.attacked_ranks(made, **wrong)


def test_an_attack_cut_off_between_its_records_is_made_again(data_file, runs_folder, monkeypatch):
    made, writes = runs.run(configure(data_file), progress=False), iter([True, True, False])

    def write(path, content):
        if not next(writes):
            raise KeyboardInterrupt
        files.write_json(path, content)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(runs, "write_json", write)
        runs.run_attack(made)
    assert len(runs.stored_attacks(made)) == 2
    assert not runs.has_attack(runs.attack_path(made.folder))
    runs.run_attack(made)
    assert len(runs.stored_attacks(made)) == 3


def test_what_older_code_left_of_attacks_is_not_read(data_file, runs_folder):
    made = runs.run(configure(data_file), progress=False)
    files.write_json(made.folder / "attacks" / "test-1-gradient-first-0-0.1.json", {"k": 1})
    np.savez(made.folder / "attacks" / "test-1-gradient-first-0-0.1.npz", attacked=[1.0])
    runs.run_attack(made)
    assert {a["positions"] for a in runs.record_of(made)["attacks"]} == {"last"}
    assert {name[:23] for name in hits.outcome_of(made).attacks} == {"test-1-gradient-last-0-"}
    runs.run_attack(made, positions="first")
    assert len(hits.outcome_of(made).attacks) == 6


def test_record_has_numbers_and_where_they_come_from(data_file, runs_folder):
    made = runs.run(configure(data_file, "adv_linear"), progress=False)
    runs.run_attack(made, k=2)
    record = runs.record_of(made)
    json.dumps(record, allow_nan=False)
    assert record["metrics"]["last"]["epoch"] == 5
    assert [e["epoch"] for e in record["curve"]] == [4, 5]
    where = record["provenance"]
    assert where["data_hash"] == made.data.fingerprint
    assert where["packages"]["torch"] == torch.__version__ and where["wall_seconds"] > 0
    assert {"code_version", "hardware", "device", "date"} <= set(where)
    assert record["attacks"][0]["k"] == 2 and record["attacks"][0]["distance"] > 0
    # the stored numbers are those of the stored weights
    for which in ("last", "best"):
        found = runs.evaluate(made.model(which, "cpu"), made.data)
        assert found["ndcg@10"] == record["metrics"][which]["test"]["ndcg@10"]
        np.testing.assert_array_equal(found["ranks"], made.ranks("test", which))
    difference = record["versus_base"]["test"]["ndcg@10"]["difference"]
    base = runs.run(configure(data_file), progress=False).metrics
    expected = record["metrics"]["last"]["test"]["ndcg@10"] - base["last"]["test"]["ndcg@10"]
    assert difference == pytest.approx(expected, abs=1e-12)


def test_what_a_method_does_not_read_makes_no_other_run(data_file, runs_folder):
    first = runs.run(configure(data_file, epsilon=1.0), progress=False)
    assert runs.run(configure(data_file, epsilon=9.0), progress=False).folder == first.folder
    control = runs.canonical(configure(data_file, "base+100", epsilon=1.0))
    assert control == runs.canonical(configure(data_file, "base+100", epsilon=9.0))
    assert control != runs.canonical(configure(data_file, "base+100", adv_epochs=9))


@pytest.mark.parametrize("method", ["base", "base+100", "adv_linear", "adv_cas", "neighbour",
                                    "adv_neighbour"])
def test_only_methods_that_replace_have_settings_of_a_replacement(method, toy, runs_folder):
    def folder(**options):
        config = profiles.configure(dataset="toy", method=method, **options)
        return runs.folder_of(runs.canonical(config), toy)

    own = "neighbour" in method
    assert (folder(replace_probability=0.5) != folder()) == own
    assert (folder(neighbours=5) != folder()) == own
    assert (folder(epsilon=5) != folder()) == (method not in ("base", "base+100", "neighbour"))
    # a configuration from before there were such methods is that of the same run, and is read
    config = runs.canonical(profiles.configure(dataset="toy", method=method))
    old = {k: v for k, v in config.items() if k not in ("replace_probability", "neighbours")}
    assert (old == config) == (not own)
    assert profiles.part(old, AdversarialSettings) == profiles.part(config, AdversarialSettings)
    base = profiles.configure(dataset="toy")
    assert profiles.base_of(old) == profiles.base_of(config) == runs.canonical(base)


def test_other_data_is_another_run(data_file, runs_folder):
    first = runs.run(configure(data_file), progress=False)
    text = data_file.read_text().splitlines(keepends=True)
    data_file.write_text("".join(text[:-1]))
    assert runs.run(configure(data_file), progress=False).folder != first.folder


def test_killed_and_started_again_is_the_same(data_file, tmp_path):
    # a real process, killed with no warning while it trains; then the same command again
    command = [sys.executable, "-m", "casadv_lib", "run", "--dataset", str(data_file)]
    command += ["--method", "adv_cas", *set_options(epochs=25, adv_epochs=10)]
    fast = "import casadv_lib.support.checkpoints as t; t.SECONDS_BETWEEN_CHECKPOINTS = 0; "
    fast += "from casadv_lib.__main__ import main; import sys; sys.exit(main(sys.argv[1:]))"
    patched = [sys.executable, "-c", fast, *command[3:]]
    found = []
    for name, cut in (("whole", False), ("cut", True)):
        environment = {**os.environ, "CASADV_RUNS": str(tmp_path / name), "CI": "1"}
        if cut:
            quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
            process = subprocess.Popen(patched, cwd=ROOT, env=environment, **quiet)
            while not list((tmp_path / name).glob("*/checkpoint.pt")):
                assert process.poll() is None
            process.kill()
            process.wait()
            assert not list((tmp_path / name).glob("*adv_cas*/metrics.json"))
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        found.append(done.stdout.splitlines()[-2:])
    assert found[0] == found[1]
    weights = [
        files.load_tensors(next((tmp_path / name).glob("*adv_cas*/checkpoint.pt")))["model"]
        for name in ("whole", "cut")
    ]
    for key, value in weights[0].items():
        assert torch.equal(value, weights[1][key])


def test_two_processes_make_one_run(data_file, tmp_path):
    command = [sys.executable, "-m", "casadv_lib", "run", "--dataset", str(data_file)]
    command += set_options()
    environment = {**os.environ, "CASADV_RUNS": str(tmp_path / "runs"), "CI": "1"}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    both = [subprocess.Popen(command, cwd=ROOT, env=environment, **pipes) for _ in range(2)]
    said = [process.communicate()[0].splitlines() for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert said[0] == said[1] and len(list((tmp_path / "runs").iterdir())) == 1


def test_full_disk_leaves_the_old_checkpoint(tmp_path):
    path = tmp_path / "checkpoint.pt"
    files.save_tensors(path, {"x": torch.arange(10)})
    before = path.read_bytes()
    # a limit on the size of a file fails a write half-way, as a full disk does
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
    try:
        said = "could not write .*checkpoint.pt.*CASADV_RUNS"
        with pytest.raises(files.StorageError, match=said):
            files.save_tensors(path, {"x": torch.arange(100_000)})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["checkpoint.pt"]


def test_a_checkpoint_cannot_run_code(tmp_path):
    class Evil:
        def __reduce__(self):
            return (open, (str(tmp_path / "written"), "w"))

    path = tmp_path / "checkpoint.pt"
    torch.save({"model": Evil()}, path)
    with pytest.raises(files.DamagedFile, match="could run code"):
        files.load_tensors(path)
    assert not (tmp_path / "written").exists()


def test_command_line_ends_with_a_line_a_split(data_file, runs_folder, capsys):
    assert main(["run", "--dataset", str(data_file), *set_options()]) == 0
    lines = capsys.readouterr().out.splitlines()
    metrics = runs.run(configure(data_file), progress=False).metrics["last"]
    for line, split in zip(lines[-2:], ("validation", "test")):
        found = metrics[split]
        assert line == f"{split} ndcg@10 {found['ndcg@10']:.4f} hr@10 {found['hr@10']:.4f}"
    assert main(["attack", "--dataset", str(data_file), "--k", "2", *set_options()]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[-2].startswith("test clean ndcg@10 ") and lines[-1].startswith("test ndcg@10 ")
    assert main(["data", str(data_file)]) == 0
    assert "users" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--set", "epsilon=ten"], "epsilon is 'ten'; allowed is a number of at least 0"),
        (["--set", 'epsilon="10"'], "epsilon is '10'"),
        (["--set", "epsilon"], "allowed is NAME=VALUE"),
        (["--set", "eps=1"], "setting is 'eps'; allowed are .*'epsilon'"),
        (["--set", "epochs=0"], "epochs is 0"),
        (["--set", "dim=8.5"], "dim is 8.5"),
        (["--set", "preset=paper"], "preset is 'paper'"),
        (["--method", "adv"], "method is 'adv'"),
        (["--backbone", "bert"], "backbone is 'bert'; allowed are 'sasrec'"),
        (["--profile", "big"], "profile is 'big'; allowed are 'quick', 'laptop', 'paper'"),
        (["--dataset", "amazon"], "amazon.*synthetic.*path"),
        (["--seed", "-1"], "seed is -1"),
    ],
)
def test_bad_input_is_named_before_any_work(arguments, said, runs_folder, capsys):
    assert main(["run", *arguments]) == 2
    captured = capsys.readouterr()
    assert re.search(said, captured.err) and "Traceback" not in captured.err
    assert not runs_folder.exists()


def test_help_of_every_command(capsys):
    for command in ("run", "attack", "grid", "figures", "data"):
        with pytest.raises(SystemExit) as stop:
            main([command, "--help"])
        said = capsys.readouterr().out
        assert stop.value.code == 0 and len(said) > 150
        if command in ("run", "grid"):  # every setting is named
            names = set(re.findall(r"\w+", said[said.index("Allowed:"):]))
            own = {"profile", "dataset", "backbone", "method", "seed"}
            assert set(profiles.configure("paper", "beauty", "sasrec", "adv_cas")) - own <= names


def test_presets_and_profiles():
    literal = configure("x", "adv_cas", preset="literal")
    assert literal["scope"] == "literal" and literal["epsilon"] == 10
    assert configure("x", "adv_cas", preset="literal", epsilon=2)["epsilon"] == 2
    paper = profiles.configure("paper", "ml-1m", "sasrec", "adv_cas")
    assert (paper["epochs"], paper["adv_epochs"], paper["max_len"]) == (500, 100, 200)
    assert profiles.configure("paper", "video")["max_len"] == 50
    # 3 and 3.0 are one run
    assert configure("x", "adv_cas", epsilon=3) == configure("x", "adv_cas", epsilon=3.0)
