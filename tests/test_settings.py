"""Settings: what is taken, what is refused and in which words, and the table made of them."""

import inspect

import numpy as np
import pytest
import torch

import casadv_lib as cas
from casadv_lib.adversarial import METHODS
from casadv_lib.experiments.configuration import settings_table
from casadv_lib.settings import AdversarialSettings, AttackOptions, TrainingSettings
from casadv_lib.training import Trainer


@pytest.mark.parametrize(("kind", "name", "value", "plain"), [
    (TrainingSettings, "epochs", 3.0, 3),
    (TrainingSettings, "seed", np.int64(2**63 - 1), 2**63 - 1),
    (TrainingSettings, "learning_rate", np.float32(0.5), 0.5),
    (TrainingSettings, "beta2", 0.99999, 0.99999),
    (TrainingSettings, "device", torch.device("cpu"), "cpu"),
    (TrainingSettings, "amp", True, True),
    (AdversarialSettings, "neighbours", 1000, 1000),
    (AdversarialSettings, "replace_probability", 1, 1.0),
    (AdversarialSettings, "level1_loss", None, None),
])
def test_numbers_become_plain(kind, name, value, plain):
    made = getattr(kind(**{name: value}), name)
    assert made == plain and type(made) is type(plain)


@pytest.mark.parametrize(("kind", "name", "value", "said"), [
    (AdversarialSettings, "epsilon", -1, "epsilon is -1; allowed is a number of at least 0"),
    (AdversarialSettings, "epsilon", "10", "epsilon is '10'; allowed is a number of at least 0"),
    (AdversarialSettings, "scope", "all", "scope is 'all'; allowed are 'batch', 'literal'$"),
    (AdversarialSettings, "detach_clean", 1, "detach_clean is 1; allowed are True, False$"),
    (AdversarialSettings, "neighbours", 1001, "allowed is a whole number from 1 to 1000$"),
    (AdversarialSettings, "replace_probability", 1.5, "is 1.5; allowed is a number from 0 to 1$"),
    (TrainingSettings, "batch_size", 0, "batch_size is 0; allowed is a whole number of at least 1"),
    (TrainingSettings, "loss", "softmax", "'softmax'; allowed are 'bce', 'gbce', 'sampled', 'ce'$"),
    (TrainingSettings, "negatives", 0, "negatives is 0; allowed is a whole number of at least 1$"),
    (TrainingSettings, "calibration", 1.5, "is 1.5; allowed is a number from 0 to 1$"),
    (TrainingSettings, "seed", 2**63, f"seed is {2**63}; allowed is a .* from 0 to {2**63 - 1}$"),
    (TrainingSettings, "beta1", 1.0, "beta1 is 1.0; allowed is a number from 0 to 0.99999$"),
    (TrainingSettings, "amp", 1, "amp is 1; allowed are 'auto', True, False$"),
    (TrainingSettings, "device", "gpu", "device is 'gpu'; allowed are 'auto', 'cpu' and the names"),
    (TrainingSettings, "epoch", 3, "'epoch' .did you mean epochs.*; allowed are 'epochs'"),
])
def test_a_bad_value_is_one_sentence(kind, name, value, said):
    with pytest.raises(ValueError, match=said) as error:
        kind(**{name: value})
    assert type(error.value) is ValueError and "\n" not in str(error.value)


@pytest.mark.parametrize("method", METHODS)
def test_a_methods_own_loss_and_direction_stand_where_none_is_set(method):
    method = METHODS[method]
    own = AdversarialSettings().of(method)
    assert (own.level1_loss, own.direction) == (method.level1, method.direction)
    mine = AdversarialSettings(level1_loss="bce", direction="sign").of(method)
    assert (mine.level1_loss, mine.direction) == ("bce", "sign")


def test_the_table_names_all_that_a_class_takes():
    rows = {row["name"]: row for row in settings_table()}
    assert all(row["meaning"] for row in rows.values())
    assert rows["epsilon"] == {"name": "epsilon", "default": 10.0,
                               "meaning": "size of every perturbation, Eq. 7 and 9",
                               "allowed": "a number of at least 0"}
    assert rows["scope"]["allowed"] == "'batch', 'literal'"
    assert rows["device"]["allowed"].startswith("'auto', 'cpu'")
    for kind in (TrainingSettings, AdversarialSettings):
        defaults = {row["name"]: row["default"] for row in settings_table(kind)}
        assert vars(kind()) == defaults


DEFAULTS = {  # Section 5.3, and what stands for the paper's text in its ambiguous places
    "epochs": 500, "seed": 0, "batch_size": 128, "eval_every": 0, "learning_rate": 0.001,
    "weight_decay": 1e-5, "decay": "adamw", "beta1": 0.9, "beta2": 0.98, "device": "auto",
    "amp": "auto", "compile": "auto", "health": "stop", "epsilon": 10.0, "lambda1": 1.0,
    "lambda2": 1.0, "scope": "batch", "cascade_norm": "raw", "weight_mean": "inverse",
    "count_self": False, "start": "random", "start_size": 0.001, "dropout_masks": "same",
    "detach_clean": True, "level1_loss": None, "inject": "before", "level1_positions": "all",
    "weighted_gradient": False, "direction": None, "replace_probability": 0.2, "neighbours": 10,
    "positions": "last", "k": 1, "pick": "gradient", "step": 0.1, "split": "test",
    "exclude": "both", "loss": "target", "joint": True, "max_len": 50, "dim": 100, "dropout": 0.2,
    "n_blocks": 2, "n_heads": 1, "n_layers": 4, "terms": "both", "norm": "raw", "mean": "inverse",
    "metric": "ndcg@10", "resamples": 2000, "level": 0.95, "first_epoch": 0, "method": "adv_cas",
    "progress": True,
}


@pytest.mark.parametrize("taker", [
    cas.fit, cas.fit_adversarial, cas.attack, cas.evaluate, cas.pack, cas.cascade_effects,
    cas.cascade_effects_flat, cas.cascade_weights, cas.paired_bootstrap, cas.Backbone, cas.SASRec,
    cas.GRU4Rec, cas.CausalCNN, AttackOptions, TrainingSettings, AdversarialSettings, Trainer,
], ids=lambda taker: taker.__name__)
def test_a_parameter_has_the_same_default_wherever_it_is_taken(taker):
    # the loss of an attack is another than that of training
    other = {cas.fit_adversarial: {"epochs": 100}, Trainer: {"method": None},
             TrainingSettings: {"loss": "bce"}, cas.pack: {"device": "cpu"}}
    wanted = DEFAULTS | other.get(taker, {})
    for name, parameter in inspect.signature(taker).parameters.items():
        if name in wanted and parameter.default is not parameter.empty:
            assert parameter.default == wanted[name], name
            assert type(parameter.default) is type(wanted[name]), name
