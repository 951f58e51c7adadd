"""Bad arguments of public functions: an error that names the parameter, its value, what is allowed.

`CALLS`: of each function, arguments that work, and values beside `WRONG` that it must refuse. The
bounds of settings are in test_settings.
"""

import inspect
import math
import warnings
from functools import partial

import numpy as np
import pandas as pd
import pytest
import torch
from conftest import build
from oracles import dataset, random_sequences

import casadv_lib as cas
from casadv_lib.backbones import nearest_items
from casadv_lib.experiments.configuration import configure
from casadv_lib.settings import AttackOptions, TrainingSettings

WRONG = [math.nan, -math.inf, -1.5, "1", "x" * 500, b"", "\0", [1], {}, {"a"}, 1j, object(), print,
         torch.tensor([1.0]), range(3), ..., type]
WHOLE, REAL = [0, 1.5, True, None], [-1e-3, True, None, 10**400]  # WHOLE: of at least 1
FLAG, WORD, OTHER = [0, 1, None], ["", 2, True], []
HISTORIES = [["a"]], [[1.5]], [[0]], [[1, -1]], [[[1]]], [None], [1, 2], ["12"], [{1}], [[10**30]]
RANKS = ["x", None, [None], ["a"], [math.nan], [0.5], [-1.0], {}, object(), [[1], [1, 2]], True, 1j]
TOY = dataset(random_sequences(30, 40), 40)
MODEL = build("sasrec")
EFFECTS = cas.cascade_effects([[1, 2, 3], [3, 4]])

LAYERS = {"n_items": [*WHOLE, 2**40], "max_len": [*WHOLE, 10**6], "dim": [*WHOLE, 10**6],
          "dropout": [*REAL, 1.0]}
ITEMS = {"n_items": 1, "max_len": 1, "dim": 1, "dropout": 0}  # the least, so that it is allowed
BOTH = {"model": MODEL, "data": TOY}
TRAINED = dict.fromkeys(inspect.signature(TrainingSettings).parameters, OTHER) | {
    "model": OTHER, "data": OTHER, "epochs": [True, None], "progress": FLAG}
MOVED = dict.fromkeys(inspect.signature(cas.AdversarialSettings).parameters, OTHER)
CASCADE = {"max_len": WHOLE, "batch_size": WHOLE, "count_self": FLAG, "terms": WORD}
LEAST = {"max_len": 1, "batch_size": 1}
CALLS = {
    cas.SASRec: (ITEMS | {"n_blocks": 1, "n_heads": 1},
                 LAYERS | {"n_blocks": [*WHOLE, 61], "n_heads": [*WHOLE, 3]}),
    cas.GRU4Rec: (ITEMS, LAYERS),
    cas.CausalCNN: (ITEMS | {"n_layers": 1}, LAYERS | {"n_layers": [*WHOLE, 61]}),
    cas.fit: (BOTH | {"epochs": 0}, TRAINED),
    cas.fit_adversarial: (BOTH | {"epochs": 0}, TRAINED | MOVED | {"method": WORD}),
    cas.evaluate: (BOTH, {"model": OTHER, "data": OTHER, "split": WORD}),
    cas.attack: (BOTH, dict.fromkeys(inspect.signature(AttackOptions).parameters, [[]]) | {
        "model": OTHER, "data": OTHER, "k": WHOLE, "step": REAL, "split": WORD, "unit": [-1, True],
        "surrogate": [True], "joint": FLAG}),
    cas.cascade_effects: (LEAST | {"histories": [[1, 2], [2, 3]]},
                          CASCADE | {"histories": HISTORIES}),
    cas.cascade_effects_flat: (LEAST | {"items": np.array([1, 2]), "offsets": np.array([0, 2])},
                               CASCADE),
    cas.cascade_weights: ({"effects": EFFECTS}, {"norm": WORD, "mean": WORD}),
    cas.pack: ({"histories": [[1, 2]], "max_len": 1}, {"histories": HISTORIES, "max_len": WHOLE}),
    cas.paired_bootstrap: ({"ranks": [1.0], "reference": [2.0], "resamples": 1, "level": 0.5}, {
        "metric": WORD, "resamples": WHOLE, "level": [*REAL, 1, 0.2], "seed": [-1, 2**63]}),
    cas.load_dataset: ({"name": "synthetic"}, {
        "name": ["", 2, pd.DataFrame()], "min_count": OTHER, "seed": [-1], "columns": [{"x": "y"}],
        "separator": ["ab", "1"]}),
    TrainingSettings: ({}, dict.fromkeys(sorted(TRAINED.keys() - BOTH - {"progress"}), OTHER)),
    cas.AdversarialSettings: ({}, MOVED),
    configure: ({"method": "adv_cas"}, LAYERS | MOVED | {
        "profile": WORD, "backbone": WORD, "method": WORD, "epochs": WHOLE, "adv_epochs": WHOLE,
        "optimizer_state": WORD, "n_blocks": WHOLE, "n_heads": WHOLE}),
}
del CALLS[configure][1]["n_items"]
BY_HAND = [  # where numbers in a row are right, or nothing else is wrong
    *[(cas.attack, "users", bad) for bad in ([], [-1], [30], ["x"], [1.5], "x", 3, {}, [[1]])],
    *[(cas.cascade_effects_flat, name, bad) for name in ("items", "offsets") for bad in RANKS],
    *[(cas.cascade_effects_flat, "offsets", bad) for bad in ([], [1, 2], [0, 1], [0, 2, 1, 2])],
    (cas.cascade_effects_flat, "items", [1, 0]), (cas.pack, "histories", []),
    (cas.pack, "histories", [[1], []]),
    *[(cas.cascade_weights, "effects", bad) for bad in (
        *RANKS, [], [[]], [[0.5, 1.0]], [[math.inf]], [[[1.0]]]) if bad != [[1], [1, 2]]],
    *[(one, "ranks", bad) for one in (cas.ndcg, cas.hit_ratio, cas.paired_bootstrap)
      for bad in RANKS],
    *[(cas.paired_bootstrap, "reference", bad) for bad in RANKS],
    *[(cas.paired_bootstrap, "ranks", bad) for bad in ([], [1.0, 2.0])], (cas.ndcg, "ranks", []),
    *[(partial(nearest_items, MODEL), "count", bad) for bad in (*WRONG, *WHOLE, MODEL.n_items)],
    *[(one, "checkpoint", bad) for one in (cas.fit, cas.fit_adversarial)
      for bad in ("", "\0", 3, [1], object())],
]
PAIRS = [(function, name) for function, (_, rules) in CALLS.items() for name in rules]


def refuse(function, parameter, value):
    good = CALLS[function][0] if function in CALLS else {}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(ValueError) as error:
            function(**good | {parameter: value})
    said = str(error.value)
    assert {"name": "data set", "frame": ""}.get(parameter, parameter) in said, said
    assert any(word in said for word in ("allowed", "needed", "known", "at least")), said
    assert len(said) < 1500, said


@pytest.mark.parametrize(("function", "parameter"), PAIRS)
def test_a_bad_value_is_named_before_any_work(function, parameter, no_work):
    for value in [*WRONG, *CALLS[function][1][parameter]]:
        refuse(function, parameter, value)


def test_a_bad_row_is_named():
    for function, parameter, value in BY_HAND:
        refuse(function, parameter, value)


def test_every_public_function_and_parameter_is_in_the_table():
    public = {one for name, one in vars(cas).items() if name[0] != "_" and callable(one)}
    # training_loss works inside a step, on tensors; SequenceDataset is tested in test_data
    by_hand = {function for function, *_ in BY_HAND}
    assert public - {*CALLS} - by_hand <= {cas.Backbone, cas.SequenceDataset, cas.training_loss}
    for function, (good, rules) in CALLS.items():
        function(**good)
        tested = {*rules, *(name for one, name, _ in BY_HAND if one is function)}
        rest = {"settings", "overrides", "titles", "name", "device", "dataset", "seed"}
        assert {*inspect.signature(function).parameters} <= tested | rest, function
