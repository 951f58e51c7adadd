"""Bad parameters: an error that names the parameter, the value and what is allowed, before work.

Public functions, the command line and every notebook's parameters cell.
"""

import inspect
import warnings

import nbformat
import pytest
from _parameters import CALLS, PAIRS
from hypothesis import HealthCheck, given, settings

import casadv_lib as cas
from casadv_lib.__main__ import main
from casadv_lib.experiments import notebooks as batch
from casadv_lib.experiments import runs
from casadv_lib.support import checks
from casadv_lib.training import Trainer

CASES = 12  # values of a parameter


@pytest.fixture
def no_work(monkeypatch):
    """Fail where a training, an evaluation or the making of a world begins."""

    def work(*_, **__):
        raise AssertionError("work started")

    for owner, name in ((Trainer, "run"), (Trainer, "train_epoch"), (runs, "evaluate"),
                        (runs, "attack"), (cas, "fit"), (cas, "fit_adversarial"),
                        (cas, "evaluate"), (cas, "attack")):
        monkeypatch.setattr(owner, name, work)


@pytest.mark.parametrize(("name", "parameter"), PAIRS)
def test_a_bad_value_is_named(name, parameter):
    call = CALLS[name]

    @settings(max_examples=CASES, deadline=None, derandomize=True, database=None,
              suppress_health_check=list(HealthCheck))
    @given(call.rules[parameter])
    def refused(value):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            with pytest.raises(ValueError) as error:
                call.function(**call.good | {parameter: value})
        said = str(error.value)
        named = {"name": "data set", "frame": ""}.get(parameter, parameter)
        assert named in said, said
        assert "allowed" in said or "needed" in said or "known" in said or "at least" in said, said
        assert len(said) < 1500, said

    refused()


def test_every_public_function_and_parameter_is_in_the_table():
    public = {name for name in vars(cas) if name[0] != "_" and callable(getattr(cas, name))}
    # training_loss works inside a step, on tensors; SequenceDataset is tested in test_data
    missing = public - set(CALLS) - {"Backbone", "SequenceDataset", "training_loss"}
    assert missing == set()
    for name, call in CALLS.items():
        known = set(inspect.signature(call.function).parameters) - {
            "settings", "overrides", "titles", "name", "device"}
        if name not in ("load_dataset", "pack"):
            assert known <= set(call.rules), name


def test_the_good_arguments_work():
    for call in CALLS.values():
        call.function(**call.good)


def test_a_fault_in_a_repr_does_not_hide_the_message():
    class Odd:
        def __repr__(self):
            raise RuntimeError("no")

    with pytest.raises(ValueError, match="epochs is a Odd whose repr fails"):
        checks.number("epochs", Odd())


# ------------------------------------------------------------------ the command line

BAD_WORDS = {
    "--dataset": ["", "nowhere", "x/y/z.txt", "a\nb", "~nobody/x", "x" * 5000],
    "--backbone": ["", "bert", "0", "SASRec"],
    "--method": ["", "adv", "base+99", "None"],
    "--profile": ["", "big", "../quick"],
    "--seed": ["-1", "1.5", "x", "", str(2**63)],
    "--threads": ["0", "-3", "x", "1e3", "99999"],
    "--set": ["", "=", "epochs", "epochs=", "epochs=0", "epochs=-1", "epochs=1.5", "epochs=NaN",
              "epochs=Infinity", "epochs=1e999", "epochs=[1]", "epochs=null", "epochs={}",
              "epochs=true", "nothing=1", "dim=0", "dim=1000000", "dropout=1", "dropout=-0.1",
              "n_heads=3", "n_blocks=0", "n_blocks=1000", "device=tpu", "device=cuda:99",
              "replace_probability=2", "neighbours=0", "neighbours=2.5",
              "amp=1", "compile=maybe", "beta1=1", "preset=all", "seed=1", "method=adv_cas"],
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
            words = (name, words.get(name, name), "setting", "no such file")
            assert any(word in said.err for word in words), said.err
    assert not runs_folder.exists()


# ------------------------------------------------------------------ parameters of the notebooks

BAD = {  # by the type of the committed value
    str: [3, None, "", "nonsense", [], True],
    int: [-1, 1.5, "3", None, [], True, float("nan"), 10**400],
    float: [-1.0, "0.1", None, [], float("nan"), float("inf")],
    list: [3, None, "x", [None], [object()], []],
    dict: [3, None, [], {"nothing": 1}, {"epochs": 0}, {"epochs": "5"}, {3: 1}],
    type(None): [3, "", "nonsense", [], 1.5],
}


def cells_of(path):
    """(parameters cell, the other code cells) without cells that only a browser can use."""
    cells = [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]
    first = next(k for k, cell in enumerate(cells) if "parameters" in cell.metadata.get("tags", []))
    rest = [cell.source for cell in cells[first + 1 :]
            if "skip-execution" not in cell.metadata.get("tags", [])]
    return cells[first].source, rest


@pytest.mark.parametrize("path", batch.committed(), ids=lambda path: path.stem)
def test_a_notebook_refuses_bad_parameters_before_any_work(
        path, no_work, runs_folder, monkeypatch):
    import matplotlib

    monkeypatch.chdir(path.parent)
    parameters, rest = cells_of(path)
    good: dict = {}
    exec(parameters, good)
    del good["__builtins__"]
    # the notebook makes its data set before it trains; a world a case would take minutes
    world = cas.load_dataset("synthetic")
    real = cas.load_dataset
    monkeypatch.setattr(cas, "load_dataset",
                        lambda name, *more: world if name == "synthetic" else real(name, *more))
    for name, value in good.items():
        for bad in BAD[type(value)]:
            space = {"__name__": "__main__", **good, name: bad}
            with warnings.catch_warnings(), matplotlib.rc_context():
                warnings.simplefilter("ignore")
                with pytest.raises(ValueError) as error:
                    for source in rest[:4]:
                        exec(source, space)
            said = str(error.value)
            if name == "overrides" and isinstance(bad, dict):
                assert str(next(iter(bad))) in said, (name, bad, said)
            else:
                words = {"dataset": ("dataset", "data set")}.get(name, (name,))
                assert any(word in said for word in words), (name, bad, said)
            assert "allowed" in said or "known data sets" in said, (name, bad, said)
    assert not runs_folder.exists()
