"""What each public function takes, and values that it must refuse. Used by test_parameters.

A rule draws values that are wrong by type or by range; `CALLS` gives a function, arguments that
work, and the rule of each parameter.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import pandas as pd
import torch
from conftest import build
from hypothesis import strategies as st
from oracles import dataset, random_sequences

import casadv_lib as cas
from casadv_lib import datasets as data_module
from casadv_lib import settings as optimisation
from casadv_lib.datasets import synthetic
from casadv_lib.datasets.kcore import k_core
from casadv_lib.experiments import configuration as profiles

TOY = dataset(random_sequences(30, 40), 40)
OTHER = dataset(random_sequences(30, 20), 20)
MODEL = build("sasrec")
EFFECTS = cas.cascade_effects([[1, 2, 3], [3, 4]])
FRAME = pd.DataFrame({"user": ["u"] * 3, "item": [1, 2, 3], "timestamp": [1, 2, 3]})

ANYTHING = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5), st.binary(),
    st.lists(st.integers(), max_size=3), st.dictionaries(st.text(max_size=2), st.integers(),
                                                        max_size=2),
    st.sampled_from([math.nan, math.inf, -math.inf, 10**400, -(10**400), 2**63, 2**64, 1e308, 1j,
                     object, object(), print, torch.tensor([1.0]), np.array([1, 2]), np.nan,
                     Fraction(1, 3), "1", "x" * 5000, "\0", ..., {"a"}, (), np.array(3),
                     pd.DataFrame(), range(3), np.bool_(True), type]),
)


def _number(value, low, high, whole):
    fits = isinstance(value, (int, float, np.integer, np.floating, Fraction))
    if not fits or isinstance(value, bool):
        return False
    fits = abs(value) < (math.inf if whole and isinstance(value, int) else 2**1023)
    return (fits and value == value and low <= value <= high
            and (not whole or value == int(value)))


def whole(low, high=math.inf):
    return ANYTHING.filter(lambda value: not _number(value, low, high, True))


def real(low=0.0, high=math.inf):
    return ANYTHING.filter(lambda value: not _number(value, low, high, False))


def _plain(value):
    return isinstance(value, (str, int, bool)) or value is None


def choice(*allowed):
    return ANYTHING.filter(lambda value: not (_plain(value) and any(
        value == one and isinstance(value, bool) == isinstance(one, bool) for one in allowed)))


flag = choice(True, False)
not_a_model = ANYTHING
not_a_data_set = ANYTHING
no_path = ANYTHING.filter(lambda value: value is not None and not (
    isinstance(value, str) and value and "\0" not in value))
bad_histories = st.one_of(
    ANYTHING.filter(lambda value: not isinstance(value, (list, tuple, set, range, np.ndarray,
                                                         torch.Tensor, pd.DataFrame))),
    st.sampled_from([[["a"]], [[1.5]], [[0]], [[1, -1]], [[[1]]], [None], [1, 2], ["12"], [[1], 2],
                     [[True]], [{1}], [np.array([np.nan])], [[10**30]], [[1, None]]]))
bad_users = st.sampled_from([[], [-1], [30], ["x"], [1.5], "x", 3, {}, [[1]], [None], [10**30]])
bad_ranks = st.sampled_from(["x", None, [None], ["a"], [math.nan], [0.5], [0], [-1.0], {}, object(),
                             [[1], [1, 2]], True, 1j, b"x", [1j]])


@dataclass(frozen=True)
class Call:
    function: Callable
    good: dict
    rules: dict


SETTINGS = {
    "batch_size": whole(1), "learning_rate": real(0), "weight_decay": real(0),
    "decay": choice("adamw", "adam", "item_norm"), "beta1": real(0, 0.99999),
    "beta2": real(0, 0.99999), "amp": choice("auto", True, False), "health": choice("stop", "note"),
    "compile": choice("auto", True, False), "seed": whole(0, 2**63 - 1), "eval_every": whole(0),
    "device": ANYTHING.filter(lambda v: v not in ("auto", "cpu") if isinstance(v, str) else True),
}
ADVERSARIAL = {
    "epsilon": real(0), "lambda1": real(0), "lambda2": real(0), "start_size": real(0),
    "scope": choice("batch", "literal"), "cascade_norm": choice("raw", "minmax"),
    "weight_mean": choice("inverse", "cascade"), "count_self": flag, "detach_clean": flag,
    "weighted_gradient": flag, "start": choice("random", "zero", "bce", "masks"),
    "dropout_masks": choice("same", "independent"),
    "level1_loss": choice(None, "distance", "bce"), "inject": choice("before", "after"),
    "level1_positions": choice("all", "last"),
    "direction": choice(None, "gradient", "sign", "random"),
    "replace_probability": real(0, 1), "neighbours": whole(1, 1000),
}
MODELS = {"max_len": whole(1, 100_000), "dim": whole(1, 100_000), "dropout": real(0, 0.99)}
TRAINING = {"model": not_a_model, "data": not_a_data_set, "epochs": whole(0),
            "checkpoint": no_path, "progress": flag} | SETTINGS
CASCADE = {"max_len": whole(1), "batch_size": whole(1), "count_self": flag,
           "terms": choice("both", "temporal", "cross")}
METHODS = choice(*cas.METHODS)
ATTACK = {"positions": choice("first", "middle", "last"), "k": whole(1), "step": real(0),
          "pick": choice("gradient", "nearest", "random", "halfspace", "projection", "cosine"),
          "split": choice("test", "validation"), "seed": whole(0, 2**63 - 1), "joint": flag,
          "loss": choice("target", "first_choice"),
          "exclude": choice("both", "attacked", "original"),
          "surrogate": ANYTHING.filter(lambda value: value is not None)}

CALLS = {
    "SASRec": Call(cas.SASRec, {"n_items": 9, "dim": 4}, MODELS | {
        "n_items": whole(1, 2**30), "n_blocks": whole(1, 60), "n_heads": whole(1)}),
    "GRU4Rec": Call(cas.GRU4Rec, {"n_items": 9, "dim": 4}, MODELS | {"n_items": whole(1, 2**30)}),
    "CausalCNN": Call(cas.CausalCNN, {"n_items": 9, "dim": 4}, MODELS | {
        "n_items": whole(1, 2**30), "n_layers": whole(1, 60)}),
    "fit": Call(cas.fit, {"model": MODEL, "data": TOY, "epochs": 0}, TRAINING),
    "fit_adversarial": Call(
        cas.fit_adversarial, {"model": MODEL, "data": TOY, "epochs": 0},
        TRAINING | ADVERSARIAL | {
            "method": METHODS, "preset": choice(None, "batch", "literal"), "first_epoch": whole(0),
            "optimizer_state": ANYTHING.filter(lambda value: value is not None)}),
    "evaluate": Call(cas.evaluate, {"model": MODEL, "data": TOY},
                     {"model": not_a_model, "data": not_a_data_set,
                      "split": choice("test", "validation")}),
    "attack": Call(cas.attack, {"model": MODEL, "data": TOY},
                   {"model": not_a_model, "data": not_a_data_set, "users": bad_users,
                    "unit": ANYTHING.filter(lambda v: v is not None
                                            and not _number(v, 0, math.inf, False))} | ATTACK),
    "cascade_effects": Call(cas.cascade_effects, {"histories": [[1, 2], [2, 3]]},
                            CASCADE | {"histories": bad_histories}),
    "cascade_effects_flat": Call(
        cas.cascade_effects_flat, {"items": np.array([1, 2]), "offsets": np.array([0, 2])},
        CASCADE | {"items": bad_ranks, "offsets": bad_ranks}),
    "cascade_weights": Call(cas.cascade_weights, {"effects": EFFECTS}, {
        "effects": bad_ranks.filter(lambda value: value != [[1], [1, 2]]),
        "norm": choice("raw", "minmax"),
        "mean": choice("inverse", "cascade")}),
    "pack": Call(cas.pack, {"histories": [[1, 2]]},
                 {"histories": bad_histories, "max_len": whole(1)}),
    "ndcg": Call(cas.ndcg, {"ranks": [1.0]}, {"ranks": st.one_of(bad_ranks, st.just([]))}),
    "hit_ratio": Call(cas.hit_ratio, {"ranks": [1.0]}, {"ranks": bad_ranks}),
    "paired_bootstrap": Call(cas.paired_bootstrap, {"ranks": [1.0], "reference": [2.0]}, {
        "ranks": st.one_of(bad_ranks, st.sampled_from([[], [1.0, 2.0]])), "reference": bad_ranks,
        "metric": choice("ndcg@10", "hr@10"), "resamples": whole(1), "level": real(0.5, 0.9999),
        "seed": whole(0, 2**63 - 1)}),
    "load_dataset": Call(cas.load_dataset, {"name": "synthetic"}, {
        "name": ANYTHING.filter(lambda value: value != "synthetic" if isinstance(value, str)
                                else True),
        "min_count": ANYTHING.filter(lambda value: value is not None), "seed": whole(0)}),
    "from_interactions": Call(data_module.from_interactions, {"frame": FRAME}, {
        "frame": ANYTHING, "min_count": ANYTHING.filter(
            lambda value: value is not None and not _number(value, 1, math.inf, True))}),
    "k_core": Call(k_core, {"frame": FRAME, "k": 1}, {"k": whole(1), "frame": ANYTHING}),
    "make_world": Call(synthetic.make_world, {}, {"settings": ANYTHING, "seed": whole(0)}),
    "TrainingSettings": Call(optimisation.TrainingSettings, {}, SETTINGS | {"epochs": whole(0)}),
    "AdversarialSettings": Call(cas.AdversarialSettings, {}, ADVERSARIAL),
    "configure": Call(profiles.configure, {"method": "adv_cas"}, SETTINGS | ADVERSARIAL | {
        "profile": choice("quick", "laptop", "paper"), "backbone": choice(*cas.BACKBONES),
        "method": choice("base", *cas.METHODS), "epochs": whole(1), "adv_epochs": whole(1),
        "optimizer_state": choice("fresh", "kept"), "n_blocks": whole(1, 60),
        "preset": choice(None, "batch", "literal"), "dropout": real(0, 0.99),
        "dim": whole(1, 100_000), "n_heads": whole(1),
        "max_len": ANYTHING.filter(lambda v: v is not None and not _number(v, 1, 100_000, True)),
        "dataset": ANYTHING.filter(lambda v: v is not None and not (isinstance(v, str) and v))}),
}
PAIRS = [(name, parameter) for name, call in CALLS.items() for parameter in call.rules]
