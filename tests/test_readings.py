"""The readings of open places, and what a switch changes."""

import numpy as np
import pytest
from test_comparison import SMALL, own  # noqa: F401 - a fixture

from casadv_lib.experiments.configuration import PROFILES, configure
from casadv_lib.results import readings


def test_readings_are_numbered_and_whole():
    assert [r.number for r in readings.READINGS] == list(range(1, 25))
    table = readings.readings_table()
    assert (table[["question", "default", "others"]] != "").all().all()


def test_each_switch_is_a_setting_of_its_reading_and_changes_the_run():
    default = configure(method="adv_cas", lambda1=0.5)
    for name, (number, settings) in readings.SWITCHES.items():
        changed = configure(method="adv_cas", **{"lambda1": 0.5, **settings})
        assert changed != default, name
        words = readings.READINGS[number - 1].setting
        setting = next(iter(settings))
        assert setting in words or setting in ("epsilon", "lambda1", "level1_loss"), name


def test_a_switch_overrules_what_was_asked_and_all_start_from_one_base(own, runs_folder):  # noqa: F811
    name, data = own
    asked = {"profile": "quick", "dataset": name, "backbone": "gru4rec", "seed": 0,
             "device": "cpu", **SMALL, "lambda1": 0.5}
    made = readings.switch_runs(data, asked, ["lambda1_1", "literal"])
    assert made["default"].config["lambda1"] == 0.5 and made["lambda1_1"].config["lambda1"] == 1
    assert made["literal"].config["scope"] == "literal"
    assert len(list(runs_folder.glob("own-gru4rec-base-*"))) == 1
    # what is the default here is no switch
    assert list(readings.switch_runs(data, asked | {"lambda1": 1.0}, ["lambda1_1"])) == ["default"]
    with pytest.raises(ValueError, match="'lamda'"):
        readings.switch_runs(data, asked, ["lamda"])
    table = readings.switch_effects(made)
    assert list(table.switch) == ["lambda1_1", "literal"]
    assert (table.low_all <= table.low).all() and (table.high <= table.high_all).all()
    for place, name_of in enumerate(table.switch):
        values = [made[n].metrics["last"]["test"]["ndcg@10"] for n in (name_of, "default")]
        assert table.difference[place] == pytest.approx(values[0] - values[1], abs=1e-9)
        values = [made[n].metrics["last"]["validation"]["ndcg@10"] for n in (name_of, "default")]
        assert table.validation[place] == pytest.approx(values[0] - values[1], abs=1e-9)


def test_effects_in_words():
    assert readings.effect_in_words(0.1, 0.2) == "better"
    assert readings.effect_in_words(-0.2, -0.1) == "worse"
    assert readings.effect_in_words(-0.1, 0.1) == "not settled"
    assert readings.effect_in_words(np.nan, np.nan) == "not settled"


def test_a_default_lambda_is_a_profile_s_own():
    assert all(profile["lambda1"] != 1.0 for profile in PROFILES.values())
