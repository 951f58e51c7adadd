"""Estimates of time: from stored runs where there are any, scaled or guessed otherwise."""

import pytest

from casadv_lib.experiments import estimates
from casadv_lib.experiments.board import Board
from casadv_lib.experiments.configuration import configure
from casadv_lib.experiments.estimates import Times, in_words, time_left
from casadv_lib.experiments.plan import plan, stages_of
from casadv_lib.experiments.runs import canonical, folder_of
from casadv_lib.experiments.selection import Choices
from casadv_lib.support.files import write_json


def store(folder, config, per_epoch, curve=25, beside=54.0, attack=None):
    """As much of a stored run as the estimates read."""
    epochs = config["epochs"] if config["method"] == "base" else config["adv_epochs"]
    train = epochs * per_epoch
    write_json(folder / "config.json", config)
    write_json(folder / "metrics.json", {
        "curve": [None] * curve, "seconds": {"per_epoch": per_epoch, "train": train},
        "provenance": {"wall_seconds": train + beside}})
    if attack:
        write_json(folder / "attacks" / "test.json", {"provenance": {"wall_seconds": attack}})


def paper(dataset, method, backbone="sasrec"):
    return canonical(configure("paper", dataset, backbone, method))


def test_measured_on_the_same_data_and_method(runs_folder):
    store(runs_folder / "a", paper("beauty", "adv_cas"), 7.0)
    found = Times().per_epoch(paper("beauty", "adv_cas"), 198_502)
    assert (found.seconds, found.is_guess) == (7.0, False)


def test_other_sizes_do_not_count(runs_folder):
    store(runs_folder / "a", paper("beauty", "adv_cas") | {"dim": 8}, 7.0)
    assert Times().per_epoch(paper("beauty", "adv_cas"), 198_502).is_guess


def test_scaled_from_the_base_by_the_ratio_seen_elsewhere(runs_folder):
    store(runs_folder / "a", paper("beauty", "base"), 5.0)
    store(runs_folder / "b", paper("beauty", "adv_cas"), 20.0)
    store(runs_folder / "c", paper("video", "base"), 6.0)
    found = Times().per_epoch(paper("video", "adv_cas"), 231_780)
    assert (found.seconds, found.is_guess) == (24.0, True)


def test_a_guess_from_the_size_of_the_data(runs_folder):
    found = Times().per_epoch(paper("video", "adv_linear"), 100_000)
    assert found.is_guess
    assert found.seconds == pytest.approx(
        100_000 * estimates.SECONDS_AN_INTERACTION * estimates.OVER_BASE["adv_linear"])


def test_evaluations_and_attacks(runs_folder):
    store(runs_folder / "a", paper("beauty", "base"), 5.0, curve=25, beside=54.0, attack=17.0)
    times = Times()
    assert times.per_evaluation(paper("beauty", "adv_cas"), 1).seconds == 2.0
    assert times.per_attack(paper("beauty", "adv_cas"), 1).seconds == 17.0
    assert times.per_attack(paper("video", "adv_cas"), 1).is_guess


def test_time_left_of_a_job(toy, runs_folder, tmp_path):
    found = plan("paper", stages_of("paper", names=["beauty-sasrec"]), "cpu", dim=8)
    board = Board(found, Choices(tmp_path), {"beauty": toy})
    base = board.plan.jobs["beauty sasrec base"]
    store(runs_folder / "other", board.config(base), 5.0, beside=54.0)
    # 500 epochs of 5 s, an evaluation of 2 s every 20 and two at the end
    left = time_left(board, base, Times())
    assert (left.seconds, left.is_guess) == (500 * 5.0 + 27 * 2.0, False)
    attacks = board.plan.jobs["beauty sasrec base attacks"]
    store(folder_of(board.config(base), toy), board.config(base), 5.0, attack=10.0)
    assert len(attacks.attacks) == 21
    assert time_left(board, attacks, Times()).seconds == 21 * 10.0


@pytest.mark.parametrize("seconds, words", [(12.4, "12 s"), (90, "2 min"), (3600, "1 h 00 min"),
                                            (7500, "2 h 05 min")])
def test_in_words(seconds, words):
    assert in_words(seconds) == words
