"""Runs, profiles, files and the command line: reuse, resume, provenance, clear errors."""

import json
import re
import shutil

import numpy as np
import pytest
import torch
from faults import SMALL, arguments, write_data
from threadpoolctl import threadpool_info

import casadv_lib as cas
from casadv_lib.__main__ import main
from casadv_lib.attacks import attack
from casadv_lib.evaluation import METRICS, summary
from casadv_lib.experiments import configuration as profiles
from casadv_lib.experiments import runs
from casadv_lib.experiments.configuration import Configuration
from casadv_lib.results import collect
from casadv_lib.results.frames import read_ranks, read_results, with_role, write_ranks
from casadv_lib.settings import EXCLUDES
from casadv_lib.support import files
from casadv_lib.support.machine import root, use_threads


@pytest.fixture
def data_file(tmp_path):
    return write_data(tmp_path / "own.txt")


def configure(path, method="base", **options):
    return profiles.configure("quick", str(path), "sasrec", method, **{**SMALL, **options})


def test_a_run_is_made_once(data_file, runs_folder):
    made = runs.run(configure(data_file, "adv_cas"), progress=False)
    assert sorted(p.name.split("-")[2] for p in runs_folder.iterdir()) == ["adv_cas", "base"]
    stamp = (made.folder / "metrics.json").stat().st_mtime_ns
    files.save_tensors(made.folder / "checkpoint.pt", {"model": {}})
    with pytest.raises(files.DamagedFile, match="checkpoint.pt holds no model of this run"):
        made.model()
    again = runs.run(configure(data_file, "adv_cas"), progress=False)
    assert again.folder == made.folder
    assert (made.folder / "metrics.json").stat().st_mtime_ns == stamp
    other = runs.run(configure(data_file, "adv_cas", epsilon=1.5), progress=False)
    assert other.folder != made.folder and len(list(runs_folder.iterdir())) == 3


def test_a_run_with_patience_is_that_of_its_best_epoch(data_file, runs_folder):
    made = runs.run(configure(data_file, epochs=60, patience=1, eval_every=1), progress=False)
    best, last = made.metrics["best"], made.metrics["last"]
    assert last == best and last["epoch"] < len(made.metrics["losses"]) <= 60


def test_phase_two_goes_on_with_adams_state_where_told(data_file, runs_folder):
    fresh, kept = (runs.run(configure(data_file, "base+100", optimizer_state=how), progress=False)
                   for how in ("fresh", "kept"))
    assert fresh.metrics["losses"] != kept.metrics["losses"]
    path = kept.base.folder / "checkpoint.pt"
    content = files.load_tensors(path)
    content["history"]["optimizer_state"]["state"][0]["exp_avg"] = torch.zeros(3)
    files.save_tensors(path, content)
    with pytest.raises(files.DamagedFile, match="no optimizer's state .*another model.*delete its"):
        runs.run(configure(data_file, "adv_linear", optimizer_state="kept"), progress=False)


def test_a_file_is_one_data_set_wherever_it_lies(data_file, runs_folder, monkeypatch):
    monkeypatch.chdir(data_file.parent)
    shutil.copy(data_file, "copy.txt")
    [folder] = {runs.run(configure(path), progress=False).folder
                for path in ("own.txt", "./own.txt", data_file, "copy.txt")}
    config = configure("own.txt", columns="user=a,item=b")  # what counts is what they lead to
    made = runs.Run(config, cas.load_dataset(data_file))
    assert config.dataset == str(data_file) and made.folder == folder
    assert json.loads(config.reading) == {"columns": {"user": "a", "item": "b"}}
    assert Configuration.of(json.loads(json.dumps(config.flat()))).reading == config.reading
    assert made.dataset == f"own-{made.data.fingerprint[:8]}"
    data_file.write_text(data_file.read_text() + "99 1 2 3\n")  # in a notebook, between two cells
    assert runs.Run(configure("own.txt")).data.n_users == made.data.n_users + 1
    with pytest.raises(ValueError, match="separator is ';'; allowed is None where dataset"):
        profiles.configure(separator=";")
    with pytest.raises(ValueError, match="columns is 'a'; allowed is NAME=VALUE, such as"):
        configure("own.txt", columns="a")


@pytest.mark.parametrize("options", [{}, {"k": 2, "pick": "random", "seed": 5},
                                     {"positions": "first"}, {"k": 3, "surrogate": "base"}])
def test_an_attack_is_stored_by_all_rules(options, data_file, runs_folder):
    made = runs.run(configure(data_file, "adv_neighbour"), progress=False)
    asked = dict(options)
    if asked.pop("surrogate", None):
        asked["surrogate"] = made.base.model(device="cpu")
    for rule in (*EXCLUDES, EXCLUDES[0]):  # made, then read
        live = attack(made.model(device="cpu"), made.data, exclude=rule, **asked)
        found = runs.run_attack(made, exclude=rule, **options)
        for name, wanted in (("indices", live["users"]), ("ranks", live["ranks"]),
                             ("clean ranks", live["clean"]["ranks"]),
                             ("substitutes", live["substitutes"])):
            np.testing.assert_array_equal(found[name], wanted)
        assert found["attacked"] == summary(live["ranks"]) and found["exclude"] == rule
        assert found.get("surrogate") == options.get("surrogate")
        assert found["users"] == len(live["users"]) and found["distance"] > 0
    name = runs.attack_name(**options)
    files_there = {path.name for path in (made.folder / "attacks").iterdir()}
    assert files_there == {f"{name}.npz", *(f"{name}-{rule}.json" for rule in EXCLUDES)}
    for pick in ("nearest", "random"):  # these take no step
        assert runs.attack_name(pick=pick, step=0.5) == f"test-1-{pick}-last-0-0.0"
    for wrong in ({"positions": "newest"}, {"exclude": "none"}, {"surrogate": "adv_cas"}):
        with pytest.raises(ValueError, match=f"{[*wrong][0]} is '{[*wrong.values()][0]}'"):
            runs.run_attack(made, **wrong)


def test_a_run_has_numbers_and_where_they_come_from(data_file, runs_folder):
    made = runs.run(configure(data_file, "adv_linear"), progress=False)
    metrics = made.metrics
    json.dumps(metrics, allow_nan=False)
    assert metrics["last"]["epoch"] == 10
    assert [entry["epoch"] for entry in metrics["curve"]] == [7, 8, 9, 10]
    best = max(metrics["curve"], key=lambda entry: entry["validation"]["ndcg@10"])
    assert metrics["best"]["epoch"] == best["epoch"]
    where = metrics["provenance"]
    assert where["data_hash"] == made.data.fingerprint
    assert where["packages"]["torch"] == torch.__version__ and where["wall_seconds"] > 0
    assert {"code_version", "hardware", "device", "date"} <= set(where)
    for which in ("last", "best"):  # the stored numbers are those of the stored weights
        found = runs.evaluate(made.model(which, "cpu"), made.data)
        assert found["ndcg@10"] == metrics[which]["test"]["ndcg@10"]
        np.testing.assert_array_equal(found["ranks"], made.ranks("test", which))


@pytest.mark.parametrize("method", ["base", "base+100", "adv_linear", "adv_cas", "neighbour",
                                    "adv_neighbour"])
def test_what_a_method_does_not_read_makes_no_other_run(method):
    def name(**options):
        return profiles.configure(dataset="toy", method=method, **options).run_name("00")

    own = "neighbour" in method
    assert (name(replace_probability=0.9) != name()) == own
    assert (name(neighbours=5) != name()) == own
    assert (name(epsilon=5) != name()) == (method not in ("base", "base+100", "neighbour"))
    assert (name(adv_epochs=9) != name()) == (name(optimizer_state="kept") != name())
    assert (name(adv_epochs=9) != name()) == (method != "base") and name(seed=1) != name()
    assert name(epsilon=3, dim=32) == name(epsilon=3.0, dim=32.0) and name(device="cpu") == name()
    # a stored configuration is read as it was, and names the same run
    config = profiles.configure(dataset="toy", method=method, epsilon=7.0)
    again = Configuration.of(config.flat())
    assert again.flat() == config.flat() and again.run_name("00") == config.run_name("00")
    assert ("replace_probability" in config.flat()) == own
    assert config.run_name("00") != config.run_name("01")  # of other data


@pytest.mark.parametrize("profile", ["quick", "paper", "sampled", "ce", "gbce", "bce64"])
def test_stored_runs_have_the_names_of_their_configurations(profile):
    """With other names, nothing that was trained is found: neither a run by its settings nor a main
    run by its profile, data set, backbone and method, with what validation chose."""
    stored = read_results(root() / "figures" / profile)
    loss = {profiles.PROFILES[profile].get("loss", "bce")}
    assert {*stored.runs["loss"]} == loss
    assert {*stored.trials["loss"]} == loss
    hashes = {name: where["data_hash"] for name, where in stored.provenance.items()}
    is_main = {*with_role(stored, "main")["run"]}
    for name, flat in stored.configs.items():
        # the device that it was made on need not be here
        assert Configuration.of(flat | {"device": "auto"}).run_name(hashes[name]) == name
        asked = {key: flat[key] for key in ("profile", "dataset", "backbone", "method", "seed")}
        asked |= {"epochs": 100} if (profile, flat["dataset"]) == ("ce", "ml-1m") else {}
        if name in is_main or flat["method"] == "base":  # bases of other seeds, too
            assert profiles.configure(**asked).run_name(hashes[name]) == name


def test_settings_may_share_a_word_and_a_frame_is_no_name():
    shared = profiles.by_name("--set", ["epochs=3,dim=8", "loss=ce"])
    assert shared == {"epochs": 3, "dim": 8, "loss": "ce"}
    with pytest.raises(ValueError, match="dataset is a list; allowed is a name or a path"):
        profiles.configure(dataset=[])


def test_a_lock_that_cannot_be_made_says_what_to_do(tmp_path):
    (tmp_path / ".lock").mkdir()
    with pytest.raises(OSError, match="could not write .*lock: .*CASADV_RUNS"):
        runs.one_at_a_time(tmp_path)


def test_a_study_is_of_one_backbone_and_of_all_methods():
    study = runs.Study(dataset="beauty", overrides={"backbone": "gru4rec", "profile": "paper"})
    assert (study.backbone, study.profile, study.config("adv_cas").backbone) == (
        "gru4rec", "paper", "gru4rec")
    with pytest.raises(ValueError, match="method is 'adv_cas'; allowed"):
        runs.Study(overrides={"method": "adv_cas"})


def test_command_line_ends_with_a_line_a_split(data_file, runs_folder, capsys):
    words = [*arguments(data_file)[1:], "--seed", "0", "--set", "dropout=.5"]
    assert main(["run", *words]) == 0
    lines = capsys.readouterr().out.splitlines()
    made = runs.Run(configure(data_file, "adv_cas", dropout=0.5))
    metrics = made.metrics["last"]
    for line, split in zip(lines[-2:], ("validation", "test")):
        found = metrics[split]
        assert line == f"{split} ndcg@10 {found['ndcg@10']:.4f} hr@10 {found['hr@10']:.4f}"
    assert main(["attack", *words, "--k", "2"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[-2].startswith("test clean ndcg@10 ") and lines[-1].startswith("test ndcg@10 ")
    [path] = made.folder.glob("attacks/*-both.json")
    files.write_json(path, files.read_json(path) | {"clean": dict.fromkeys(METRICS, 0.0)})
    assert main(["attack", *words, "--k", "2"]) == 0
    assert "%" not in capsys.readouterr().out  # of nothing
    assert main(["data", str(data_file)]) == 0
    said = capsys.readouterr().out
    assert "users" in said and made.data.notes and all(note in said for note in made.data.notes)


def test_help_of_every_command(capsys):
    for command in ("run", "attack", "verify", "grid", "figures", "notebooks", "data"):
        with pytest.raises(SystemExit) as stop:
            main([command, "--help"])
        said = capsys.readouterr().out
        assert stop.value.code == 0 and len(said) > 150
        if command in ("run", "grid"):  # every setting is named
            names = set(re.findall(r"^  (\w+) \(", said, re.MULTILINE))
            own = {"profile", "dataset", "backbone", "method", "reading"}
            assert set(profiles.configure("paper").everything()) - own <= names


BAD_WORDS = {
    "--dataset": ["", "nowhere", "x/y/z.txt", "a\nb", "~nobody/x", "x" * 5000],
    "--backbone": ["", "bert", "0", "SASRec"],
    "--method": ["", "adv", "base+99", "None"],
    "--profile": ["", "big", "../quick"],
    "--seed": ["-1", "1.5", "x", "", str(2**63)],
    "--threads": ["0", "-3", "x", "1e3", "99999"],
    "--set": ["", "=", "epochs", "epochs=", "epochs=0", "epochs=-1", "epochs=1.5", "epochs=NaN",
              "epochs=Infinity", "epochs=1e999", "epochs=[1]", "epochs=null", "epochs={}",
              "epochs=true", "nothing=1", "n_heads=3", "device=tpu", "device=cuda:99", "amp=1",
              "compile=maybe", "preset=all", "seed=1", "method=adv_cas", "min_count=3",
              "model=3", "reading={}"],
}
ATTACK_WORDS = {"--positions": ["", "start", "../x"], "--k": ["0", "-1", "1.5", "x"],
                "--pick": ["", "any"], "--step": ["-1", "nan", "inf", "x"],
                "--split": ["", "train", "../../x"], "--exclude": ["", "all"],
                "--surrogate": ["", "adv_cas", "../x"]}


@pytest.mark.parametrize("command", ["run", "attack"])
def test_the_command_line_refuses_before_any_work(command, no_work, runs_folder, capsys):
    options = BAD_WORDS | (ATTACK_WORDS if command == "attack" else {})
    for option, values in options.items():
        for value in values:
            try:
                status = main([command, option, value])
            except SystemExit as stop:  # from argparse
                status = stop.code
            said = capsys.readouterr()
            assert status == 2, (option, value, said)
            assert "Traceback" not in said.err and said.out == ""
            name = option.strip("-") if option != "--set" else value.split("=")[0]
            words = {"dataset": "data set", "set": "--set"}
            words = (name, words.get(name, name), "setting", "cannot be read")
            assert any(word in said.err for word in words), said.err
    for words, said in (
            (["figures", "--min-count", "3"], "min_count is 3; allowed is None where dataset is"),
            (["figures", "--profile", "nosuch"], "allowed are quick, films, "),
            (["grid", "--set", "method=base"], "--set names method; allowed"),
            (["run", "--profile", "ce", "--set", "optimizer_state=kept"],  # weights of one epoch,
             "optimizer_state is 'kept' with patience=2; allowed")):  # moments of another
        assert main(words) == 2 and said in capsys.readouterr().err
    assert not runs_folder.exists()


# ---------------------------------------------------------------- made again


def test_verify_makes_a_run_of_the_tables_again_from_nothing(
        data_file, tmp_path, runs_folder, monkeypatch, capsys):
    config, other = (configure(data_file, "adv_cas", seed=seed) for seed in (0, 5))
    tables = tmp_path / "tables"
    collect.store({runs.run(config, progress=False): ["main"]}, tables, "quick")
    shutil.rmtree(runs_folder)
    monkeypatch.setattr(profiles, "configure", lambda *_, **__: config)
    assert main(["verify", "--profile", str(tables)]) == 0
    assert "seed0-" in capsys.readouterr().out and not runs_folder.exists()
    curves, good = tables / "curves.csv", (tables / "curves.csv").read_text()
    value = float(read_results(tables).curves["hr@10"].iloc[-1])
    curves.write_text(f"{float(np.nextafter(value, 2))!r}".join(good.rsplit(f"{value!r}", 1)))
    assert main(["verify", "--profile", str(tables)]) == 1
    assert "other numbers than its record, in curves (test NDCG@10" in capsys.readouterr().err
    curves.write_text(good)
    ranks = read_ranks(tables, run := config.run_name(runs.Run(config).data.fingerprint))
    ranks["last"][:2] += 1
    ranks["best"][1:3] += 1
    write_ranks(tables, run, ranks)
    assert main(["verify", "--profile", str(tables)]) == 1
    assert "in the ranks of 3 of 40 users (test" in capsys.readouterr().err
    monkeypatch.setattr(profiles, "configure", lambda *_, **__: other)
    assert main(["verify", "--profile", str(tables)]) == 2
    assert "no run in the tables" in capsys.readouterr().err
    made = runs.run(other, progress=False)  # in no table, but stored
    assert main(["verify", "--profile", str(tables)]) == 0
    metrics = made.metrics
    scores = metrics["curve"][-1]["test"]
    scores["hr@10"] = float(np.nextafter(scores["hr@10"], 2))  # a last digit more is a difference
    files.write_json(made.folder / "metrics.json", metrics)
    assert main(["verify", "--profile", str(tables)]) == 1
    assert "other numbers than its record, in curves" in capsys.readouterr().err


def test_a_command_computes_with_one_thread_whatever_the_machine_offers(runs_folder):
    """Intervals come from numpy's products: with more threads, another order and other digits."""
    use_threads(2)
    assert main(["verify", "--profile", "none of these"]) == 2
    found = [pool["num_threads"] for pool in threadpool_info()]
    assert found and {torch.get_num_threads(), *found} == {1}
