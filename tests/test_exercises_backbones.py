"""The exercises of notebook 02: solutions pass, wrong answers are told what is wrong."""

import runpy

import pytest
import torch

from casadv_lib.exercises import backbones as exercises_backbones
from casadv_lib.experiments import notebooks as batch

SOLUTIONS = batch.notebooks_folder() / "solutions" / "02_backbones.py"
EXERCISES = {"check_causal_attention": "causal_attention", "check_gru_step": "my_gru_step",
             "check_wasted_share": "wasted"}


def said(check, function, capsys):
    getattr(exercises_backbones, check)(function)
    return capsys.readouterr().out


def solution(name):
    return runpy.run_path(str(SOLUTIONS))[name]


@pytest.mark.parametrize("check", EXERCISES)
def test_solutions_pass(check, capsys):
    name = EXERCISES[check]
    assert f"{name} is right" in said(check, solution(name), capsys)


@pytest.mark.parametrize("check", EXERCISES)
def test_open_and_broken_answers_are_reported(check, capsys):
    assert "not solved yet" in said(check, lambda *arguments: None, capsys)
    assert "ZeroDivisionError" in said(check, lambda *arguments: 1 / 0, capsys)
    assert "'soup'" in said(check, lambda *arguments: "soup", capsys)


def attention(mask=True, scale=True, shifted=True):
    def causal_attention(q, k, v):
        scores = q @ k.T / (q.shape[1] ** 0.5 if scale else 1)
        if mask:
            scores = scores.masked_fill(torch.ones_like(scores).triu(1).bool(), -torch.inf)
        shares = scores.softmax(-1) if shifted else scores.exp() / scores.exp().sum(-1)[:, None]
        return shares @ v

    return causal_attention


def swapped_gates(x, h, W, U, b, c):
    d = len(x)
    order = torch.cat([torch.arange(d, 2 * d), torch.arange(d), torch.arange(2 * d, 3 * d)])
    return solution("my_gru_step")(x, h, W[order], U[order], b[order], c[order])


def z_the_other_way(x, h, W, U, b, c):
    d, new = len(x), solution("my_gru_step")(x, h, W, U, b, c)
    z = torch.sigmoid(W[d : 2 * d] @ x + b[d : 2 * d] + U[d : 2 * d] @ h + c[d : 2 * d])
    proposal = (new - z * h) / (1 - z)
    return z * proposal + (1 - z) * h


WRONG = {
    "sees the future": ("check_causal_attention", attention(mask=False), "case 2 of 4"),
    "not scaled": ("check_causal_attention", attention(scale=False), "differs"),
    "overflows": ("check_causal_attention", attention(shifted=False), "case 4 of 4"),
    "one row": ("check_causal_attention", lambda q, k, v: v[-1], "shape"),
    "gates swapped": ("check_gru_step", swapped_gates, "differs"),
    "update turned round": ("check_gru_step", z_the_other_way, "case 1 of 4"),
    "state kept": ("check_gru_step", lambda x, h, *weights: h, "case 1 of 4"),
    "not cut": ("check_wasted_share", lambda n, T: 1 - sum(n) / (T * len(n)), "case 3 of 4"),
    "share of real": ("check_wasted_share", lambda n, T: sum(min(x, T) for x in n) / T / len(n),
                      "case 1 of 4"),
    "per cent": ("check_wasted_share", lambda n, T: 100 - 100 * sum(n) / T / len(n), "33.3333"),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_answers_are_caught(name, capsys):
    check, function, message = WRONG[name]
    text = said(check, function, capsys)
    assert message in text and "is right" not in text and "The case was:" in text
