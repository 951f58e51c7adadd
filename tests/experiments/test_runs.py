"""Runs, profiles, files and the command line: reuse, resume, provenance, clear errors."""

import json
import re

import numpy as np
import pytest
import torch
from oracles import random_sequences

from casadv_lib.__main__ import main
from casadv_lib.attacks import attack
from casadv_lib.evaluation import summary
from casadv_lib.experiments import configuration as profiles
from casadv_lib.experiments import runs
from casadv_lib.experiments.configuration import Configuration
from casadv_lib.settings import EXCLUDES
from casadv_lib.support import files

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
    assert list(runs.stored_attacks(made)) == [name]
    for wrong in ({"positions": "newest"}, {"exclude": "none"}, {"surrogate": "adv_cas"}):
        with pytest.raises(ValueError, match=f"{[*wrong][0]} is '{[*wrong.values()][0]}'"):
            runs.run_attack(made, **wrong)


def test_an_attack_cut_off_between_its_records_is_made_again(data_file, runs_folder, monkeypatch):
    made, writes = runs.run(configure(data_file), progress=False), iter([True, True, False])

    def write(path, content):
        if not next(writes):
            raise KeyboardInterrupt
        files.write_json(path, content)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(runs, "write_json", write)
        runs.run_attack(made)
    assert not runs.has_attack(made.folder)
    runs.run_attack(made)
    assert [len(by_rule) for by_rule in runs.stored_attacks(made).values()] == [3]


def test_what_older_code_left_of_attacks_is_not_read(data_file, runs_folder):
    made = runs.run(configure(data_file), progress=False)
    files.write_json(made.folder / "attacks" / "test-1-gradient-first-0-0.1.json", {"k": 1})
    np.savez(made.folder / "attacks" / "test-1-gradient-first-0-0.1.npz", attacked=[1.0])
    assert runs.stored_attacks(made) == {}
    runs.run_attack(made)
    assert list(runs.stored_attacks(made)) == [runs.attack_name()]


def test_a_run_has_numbers_and_where_they_come_from(data_file, runs_folder):
    made = runs.run(configure(data_file, "adv_linear"), progress=False)
    metrics = made.metrics
    json.dumps(metrics, allow_nan=False)
    assert metrics["last"]["epoch"] == 5
    assert [entry["epoch"] for entry in metrics["curve"]] == [4, 5]
    where = metrics["provenance"]
    assert where["data_hash"] == made.data.fingerprint
    assert where["packages"]["torch"] == torch.__version__ and where["wall_seconds"] > 0
    assert {"code_version", "hardware", "device", "date"} <= set(where)
    for which in ("last", "best"):  # the stored numbers are those of the stored weights
        found = runs.evaluate(made.model(which, "cpu"), made.data)
        assert found["ndcg@10"] == metrics[which]["test"]["ndcg@10"]
        np.testing.assert_array_equal(found["ranks"], made.ranks("test", which))


def test_what_a_method_does_not_read_makes_no_other_run(data_file, runs_folder):
    first = runs.run(configure(data_file, epsilon=1.0), progress=False)
    assert runs.run(configure(data_file, epsilon=9.0), progress=False).folder == first.folder
    control = configure(data_file, "base+100", epsilon=1.0).identity("")
    assert control == configure(data_file, "base+100", epsilon=9.0).identity("")
    assert control != configure(data_file, "base+100", adv_epochs=9).identity("")


@pytest.mark.parametrize("method", ["base", "base+100", "adv_linear", "adv_cas", "neighbour",
                                    "adv_neighbour"])
def test_only_methods_that_replace_have_settings_of_a_replacement(method):
    def name(**options):
        return profiles.configure(dataset="toy", method=method, **options).run_name("00")

    own = "neighbour" in method
    assert (name(replace_probability=0.9) != name()) == own
    assert (name(neighbours=5) != name()) == own
    assert (name(epsilon=5) != name()) == (method not in ("base", "base+100", "neighbour"))
    # a stored configuration is read as it was, and names the same run
    config = profiles.configure(dataset="toy", method=method, epsilon=7.0)
    again = Configuration.of(config.flat())
    assert again.flat() == config.flat() and again.run_name("00") == config.run_name("00")
    assert again.base.identity("") == config.base.identity("")
    assert ("replace_probability" in config.flat()) == own


def test_runs_of_before_are_found():
    """The names of stored runs' folders: another one, and nothing that was trained is found."""
    data_hash = "8788c8fc94c19dca6bc208cf7d4ae1fb84d27a5de78959c591913820402c6612"
    for asked, name in (
            ({"method": "base"}, "video-sasrec-base-seed0-e1ec820b94"),
            ({"method": "base+100"}, "video-sasrec-base+100-seed0-5e7c5dbe3a"),
            ({"method": "base", "seed": 2}, "video-sasrec-base-seed2-998645c857"),
            ({"method": "base", "backbone": "gru4rec"}, "video-gru4rec-base-seed0-afd2c7cc75")):
        assert profiles.configure("paper", "video", **asked).run_name(data_hash) == name


def test_other_data_is_another_run(data_file, runs_folder):
    first = runs.run(configure(data_file), progress=False)
    text = data_file.read_text().splitlines(keepends=True)
    data_file.write_text("".join(text[:-1]))
    assert runs.run(configure(data_file), progress=False).folder != first.folder


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
        (["--set", "dim=[8, 8]"], r"dim is \[8, 8\]; allowed"),
        (["--set", "preset=paper"], "preset is 'paper'"),
        (["--method", "adv"], "method is 'adv'"),
        (["--backbone", "bert"], "backbone is 'bert'; allowed are 'sasrec'"),
        (["--profile", "big"], "profile is 'big'; allowed are 'quick', .*'paper'"),
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
    for command in ("run", "attack", "repeat", "verify", "grid", "figures", "data"):
        with pytest.raises(SystemExit) as stop:
            main([command, "--help"])
        said = capsys.readouterr().out
        assert stop.value.code == 0 and len(said) > 150
        if command in ("run", "grid"):  # every setting is named
            names = set(re.findall(r"^  (\w+) \(", said, re.MULTILINE))
            own = {"profile", "dataset", "backbone", "method"}
            assert set(profiles.configure("paper").everything()) - own <= names


def test_presets_and_profiles():
    literal = configure("x", "adv_cas", preset="literal").adversarial
    assert literal.scope == "literal" and literal.epsilon == 10
    assert configure("x", "adv_cas", preset="literal", epsilon=2).adversarial.epsilon == 2
    paper = profiles.configure("paper", "ml-1m", "sasrec", "adv_cas")
    assert (paper.training.epochs, paper.adv_epochs, paper.model["max_len"]) == (500, 100, 200)
    assert profiles.configure("paper", "video").model["max_len"] == 50
    # 3 and 3.0 are one run
    assert configure("x", "adv_cas", epsilon=3) == configure("x", "adv_cas", epsilon=3.0)
