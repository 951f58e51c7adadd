"""Reading curves: the best point, early stopping, shares of a gain, items learnt by heart."""

import numpy as np
import pytest
from conftest import build

import casadv_lib as cas
from casadv_lib.exercises.curves import made_curve
from casadv_lib.results.curves import (
    best_entry,
    by_heart,
    early_stopping,
    first_reaching,
    joined,
    series,
)


def test_the_best_entry_is_what_training_calls_best(toy):
    model = build("sasrec")
    history = cas.fit(model, toy, epochs=6, eval_every=1, batch_size=20, progress=False)
    assert best_entry(history.curve) is history.best
    epochs, values = series(history.curve, "test", "hr@10")
    assert epochs.tolist() == list(range(1, 7)) and values.dtype == np.float64
    assert values[-1] == cas.evaluate(model, toy)["hr@10"]


def test_the_best_entry_looks_at_validation_alone():
    curve = made_curve([0.1, 0.3, 0.3, 0.2], [0.9, 0.1, 0.2, 0.3])
    assert best_entry(curve)["epoch"] == 10
    with pytest.raises(ValueError, match="curve is empty"):
        best_entry([])


def test_early_stopping():
    curve = made_curve([1, 3, 2, 2, 4, 1], every=1)
    assert early_stopping(curve, 1) == (3, 2)
    assert early_stopping(curve, 2) == (4, 2)
    assert early_stopping(curve, 3) == (6, 5)
    with pytest.raises(ValueError, match="patience is 0"):
        early_stopping(curve, 0)


def test_first_reaching():
    curve = made_curve([2, 6, 5, 10], every=2)
    assert first_reaching(curve, 0, 0.5) == 4
    assert first_reaching(curve, 0, 1.0) == 8
    assert first_reaching(curve, 10, 0.5) is None
    with pytest.raises(ValueError, match="share is 2"):
        first_reaching(curve, 0, 2)


def test_joined_curves_hold_each_phase_once():
    base, more = {"curve": made_curve([1, 2])}, {"curve": made_curve([3])}
    assert joined(base, more) == base["curve"] + more["curve"]
    assert joined(base, base) == base["curve"]


def test_a_model_knows_by_heart_what_it_was_shown(toy):
    model = build("gru4rec", dim=32, dropout=0.0)
    before = by_heart(model, toy)["ndcg@10"]
    cas.fit(model, toy, epochs=80, batch_size=20, learning_rate=0.01, progress=False)
    assert by_heart(model, toy)["ndcg@10"] > 0.5 > before
    assert by_heart(model, toy)["ndcg@10"] > 1.5 * cas.evaluate(model, toy)["ndcg@10"]
