"""Epsilon and lambda1 are chosen on validation alone, once for a family, and written down."""

import json

import pytest

from casadv_lib.adversarial import METHODS
from casadv_lib.experiments import configuration as profiles
from casadv_lib.experiments import selection
from casadv_lib.experiments.configuration import FAMILY, configure
from casadv_lib.support.files import write_json

ASKED = {"profile": "paper", "dataset": "beauty", "backbone": "sasrec", "seed": 0}


def scores(best):
    """Made-up validation scores, highest at the settings `best`."""
    def score(config):
        wanted = best.items() <= config.items()
        return {"ndcg@10": 0.05 if wanted else 0.04, "hr@10": 0.09}
    return score


LARGE = {"epsilon": 10.0, "lambda1": 0.1}


def test_every_perturbing_method_has_a_family_with_candidates():
    assert set(FAMILY) == set(METHODS) - {"base+100"}
    assert set(FAMILY.values()) == set(selection.CANDIDATES)
    def values(name):
        return {c.get(name) for c in candidates}

    for family, candidates in selection.CANDIDATES.items():
        method = METHODS[family]
        if method.replaces:  # with both, the smallest epsilon is left out
            assert values("epsilon") == ({3.0, 10.0, 20.0} if method.level2 else {None})
            assert values("replace_probability") == {0.1, 0.2, 0.5}
        else:
            assert values("epsilon") == {1.0, 3.0, 10.0, 20.0}
            level1_distance = method.level1 == "distance"
            assert values("lambda1") == ({0.1, 1.0} if level1_distance else {1.0})
        assert len({tuple(c.items()) for c in candidates}) == len(candidates)


@pytest.mark.parametrize("family, many", [("adv_global", 8), ("neighbour", 3),
                                          ("adv_neighbour", 9)])
def test_trials_are_ten_epochs_of_the_familys_own_method(family, many):
    found = selection.trials(family, **ASKED)
    assert len(found) == many and {c["adv_epochs"] for c in found} == {10}
    assert {c["method"] for c in found} == {family}
    assert {c["epochs"] for c in found} == {500}


def test_the_best_on_validation_is_chosen_and_all_is_written_down():
    entry = selection.choose("adv_global", scores(LARGE), "abc", **ASKED)
    assert entry["chosen"] == LARGE
    assert len(entry["tried"]) == 8 and entry["data_hash"] == "abc"
    assert max(t["validation"]["ndcg@10"] for t in entry["tried"]) == 0.05
    assert entry["base"] == {"ndcg@10": 0.04, "hr@10": 0.09}


def test_of_equals_the_first_is_taken():
    entry = selection.choose("adv_linear", scores({"seed": 1}), "abc", **ASKED)
    assert entry["chosen"] == {"epsilon": 1.0, "lambda1": 1.0}
    entry = selection.choose("adv_neighbour", scores({"epsilon": 10.0}), "abc", **ASKED)
    assert entry["chosen"] == {"replace_probability": 0.1, "epsilon": 10.0}


def test_nothing_is_chosen_while_a_trial_is_missing():
    def score(config):
        return None if config["epsilon"] == 10.0 else {"ndcg@10": 0.1, "hr@10": 0.1}
    assert selection.choose("adv_linear", score, "abc", **ASKED) is None


def test_the_test_split_is_not_read(tmp_path):
    write_json(tmp_path / "metrics.json",
               {"last": {"validation": {"ndcg@10": 0.1, "hr@10": 0.2, "tie_rate": 0.0}}})
    # there is no "test" in this file: reading it would fail
    assert selection.validation_scores(tmp_path) == {"ndcg@10": 0.1, "hr@10": 0.2}
    assert selection.validation_scores(tmp_path / "nowhere") is None


def test_choices_are_stored_and_count_for_the_same_data_and_base(tmp_path):
    first = selection.Choices(tmp_path)
    first.find("adv_linear", scores({"epsilon": 3.0}), "abc", **ASKED)
    first.store()
    again = selection.Choices(tmp_path)
    config = configure(method="adv_linear", **ASKED)
    assert again.get("adv_linear", config, "abc") == {"epsilon": 3.0, "lambda1": 1.0}
    assert again.get("adv_linear", config, "other data") is None
    assert again.get("adv_seq", config, "abc") is None
    assert again.get("adv_linear", config | {"epochs": 5}, "abc") is None
    # what another queue has stored meanwhile is kept
    other = selection.Choices(tmp_path / "empty")
    other.path = again.path
    other.find("adv_seq", scores({"epsilon": 1.0}), "abc", **ASKED)
    other.store()
    assert {e["family"] for e in json.loads(again.path.read_text())} == {"adv_linear", "adv_seq"}


def test_an_entry_with_fewer_candidates_is_no_choice_and_lends_its_scores(tmp_path, monkeypatch):
    config = configure(method="adv_linear", **ASKED)

    def at(epsilon):
        return config | {"epsilon": epsilon, "lambda1": 1.0}

    with monkeypatch.context() as patch:  # as it was before epsilon 20 joined
        patch.setitem(selection.CANDIDATES, "adv_linear", selection.CANDIDATES["adv_linear"][:3])
        before = selection.Choices(tmp_path)
        before.find("adv_linear", scores({"epsilon": 3.0}), "abc", **ASKED)
        before.store()
        assert before.get("adv_linear", config, "abc") == {"epsilon": 3.0, "lambda1": 1.0}
    now, early = selection.Choices(tmp_path), selection.Choices(tmp_path)
    assert now.get("adv_linear", config, "abc") is None
    assert now.tried("adv_linear", at(3.0), "abc") == {"ndcg@10": 0.05, "hr@10": 0.09}
    assert now.tried("adv_linear", at(20.0), "abc") is None
    assert now.tried("adv_linear", at(3.0), "other data") is None
    asked = []

    def score(config):  # of the runs that are stored here: the new trial alone
        asked.append((config["method"], config["epsilon"]))
        best = {"ndcg@10": 0.06, "hr@10": 0.1}
        return best if asked[-1] == ("adv_linear", 20.0) else None

    assert now.find("adv_linear", lambda config: None, "abc", **ASKED) is None
    entry = now.find("adv_linear", score, "abc", **ASKED)
    assert [t["validation"]["ndcg@10"] for t in entry["tried"]] == [0.04, 0.05, 0.04, 0.06]
    assert entry["base"] == {"ndcg@10": 0.04, "hr@10": 0.09}  # its run is not here either
    assert now.entries == [entry] and selection.is_whole(entry)
    assert now.get("adv_linear", config, "abc") == {"epsilon": 20.0, "lambda1": 1.0}
    now.store()
    early.find("adv_seq", scores({"epsilon": 1.0}), "abc", **ASKED)
    early.store()  # what it read in the beginning is no longer what is stored
    assert entry in json.loads(early.path.read_text()) and len(early.entries) == 2


@pytest.fixture
def stored_choice(tmp_path, monkeypatch):
    monkeypatch.setattr(profiles, "root", lambda: tmp_path)
    entry = selection.choose("adv_global", scores(LARGE), "abc", **ASKED)
    write_json(tmp_path / "figures" / "paper" / "selection.json", [entry])


def test_a_profile_takes_the_stored_choice(stored_choice):
    for method in ("adv_global", "adv_cas", "adv_random"):
        config = configure("paper", "beauty", "sasrec", method)
        assert (config["epsilon"], config["lambda1"]) == (10.0, 0.1)
    for other in (dict(dataset="video"), dict(backbone="gru4rec"), dict(method="adv_seq"),
                  dict(profile="laptop")):
        config = configure(**{**ASKED, "method": "adv_cas", **other})
        assert config["epsilon"] == profiles.PROFILES["paper"]["epsilon"]


def test_the_newer_choice_counts_where_the_data_have_changed(stored_choice, tmp_path):
    choices = selection.Choices(tmp_path / "figures" / "paper")
    choices.find("adv_global", scores({"epsilon": 3.0, "lambda1": 1.0}), "other data", **ASKED)
    choices.store()
    config = configure("paper", "beauty", "sasrec", "adv_cas")
    assert (config["epsilon"], config["lambda1"]) == (3.0, 1.0)


def test_what_the_caller_names_stands_above_the_choice(stored_choice):
    config = configure("paper", "beauty", "sasrec", "adv_cas", epsilon=2)
    assert (config["epsilon"], config["lambda1"]) == (2.0, 0.1)
    assert configure("paper", "beauty", "sasrec", "adv_cas", preset="literal")["lambda1"] == 1.0
