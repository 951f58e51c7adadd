"""Bad words on the command line: refused in one sentence, before any work."""

import pytest

from casadv_lib.__main__ import main

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
            words = (name, words.get(name, name), "setting", "cannot be read")
            assert any(word in said.err for word in words), said.err
    assert not runs_folder.exists()
