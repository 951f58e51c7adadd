"""What every exercise check must do, for the test files of the topics."""

import runpy

from casadv_lib.experiments import notebooks as batch

SOLUTIONS = batch.notebooks_folder() / "solutions"


def said(check, function, capsys):
    check(function)
    return capsys.readouterr().out


def solution_passes(check, notebook, name, capsys):
    solution = runpy.run_path(str(SOLUTIONS / f"{notebook}.py"))[name]
    assert f"{name} is right" in said(check, solution, capsys)


def open_and_broken_are_reported(check, capsys, answer_to_soup="'soup'"):
    def unsolved(*arguments):
        ...

    def broken(*arguments):
        return 1 / 0

    assert "not solved yet" in said(check, unsolved, capsys)
    assert "ZeroDivisionError" in said(check, broken, capsys)
    assert answer_to_soup in said(check, lambda *arguments: "soup", capsys)


def wrong_is_caught(check, function, message, capsys):
    text = said(check, function, capsys)
    assert message in text and "is right" not in text and "The case was:" in text
