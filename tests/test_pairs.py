"""Pairs: the intervals stored for comparisons are those of the paired bootstrap over users."""

from itertools import product

import numpy as np
import pytest
from oracles import dataset, random_sequences

from casadv_lib.attacks import EXCLUDES
from casadv_lib.evaluation import METRICS, RESAMPLES, gains, paired_bootstrap, resampled_gains
from casadv_lib.experiments import runs
from casadv_lib.experiments.configuration import configure
from casadv_lib.experiments.hits import outcome_of
from casadv_lib.results import pairs
from casadv_lib.results.robustness import relative_change

SMALL = {"epochs": 2, "adv_epochs": 1, "dim": 8, "batch_size": 16, "eval_every": 1,
         "device": "cpu"}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Runs of three methods with roles, two of them attacked, and a sweep."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CASADV_RUNS", str(tmp_path_factory.mktemp("runs")))
        data = dataset(random_sequences(60, 40), 40)
        found = []
        for method in ("base", "adv_linear", "adv_cas"):
            one = runs.run(configure(dataset="toy", method=method, **SMALL), data)
            if method != "adv_linear":
                for step in (0.1, 0.5):
                    runs.run_attack(one, step=step)
            found.append((one, ["main", "sweep"] if method == "adv_cas" else ["main"]))
        for epsilon in (1.0, 30.0):
            config = configure(dataset="toy", method="adv_cas", epsilon=epsilon, **SMALL)
            found.append((runs.run(config, data), ["sweep"]))
        yield found


def outcomes(made):
    return [(outcome_of(one), roles) for one, roles in made]


def test_resampled_gains_are_the_draws_of_the_paired_bootstrap():
    rng = np.random.default_rng(1)
    first, second = rng.integers(1, 30, (2, 500)).astype(float)
    for metric in METRICS:
        table = np.stack([gains(first, metric), gains(second, metric)], axis=1)
        means = resampled_gains(table, seed=5)
        assert means.shape == (1 + RESAMPLES, 2)
        found = pairs.compare(means[:, 0], means[:, 1])
        wanted = paired_bootstrap(first, second, metric, seed=5)
        assert found["difference"]["value"] == pytest.approx(wanted["difference"], abs=1e-12)
        for side in ("low", "high"):
            assert found["difference"][side] == pytest.approx(wanted[side], abs=1e-12)
        relative = relative_change(first, second, metric=metric, seed=5)
        assert found["percent"]["value"] == pytest.approx(relative["change"], rel=1e-9)
        assert found["percent"]["low"] == pytest.approx(relative["low"], rel=1e-9)


def test_a_number_without_meaning_is_none():
    zero = np.zeros(1 + RESAMPLES)
    assert pairs.compare(zero, zero)["percent"] == {"value": None, "low": None, "high": None}


def test_pairs_of_runs_and_the_best_epoch_of_the_base(made):
    found = pairs.of_runs(outcomes(made))
    names = {one.config["method"] + f" {one.config['epsilon']:g}": one for one, _ in made}
    base, guided = names["base 10"], names["adv_cas 3"]
    seed = pairs.seed_of(base.data.fingerprint)
    by_ends = {(*p["better"], *p["worse"]): p for p in found["pairs"]}
    for which in ("last", "best"):
        pair = by_ends[guided.folder.name, "last", base.folder.name, which]
        for metric in METRICS:
            wanted = paired_bootstrap(guided.ranks(), base.ranks("test", which), metric,
                                      seed=seed)
            got = pair[metric]["difference"]
            assert (got["value"], got["low"], got["high"]) == pytest.approx(
                (wanted["difference"], wanted["low"], wanted["high"]), abs=1e-12)
    # the sweep's runs are compared with each other and with the base
    largest = names["adv_cas 30"].folder.name
    assert (largest, "last", guided.folder.name, "last") in by_ends
    assert (largest, "last", base.folder.name, "last") in by_ends


def test_drops_compare_the_same_users_under_the_same_attack(made):
    base, guided = made[0][0], made[2][0]
    found = {d["attack"]: d for d in pairs.of_runs(outcomes(made))["drops"]
             if d["run"] == base.folder.name}
    # by the rule "both" all attacks, by the others those of the figures
    stem, larger = (runs.attack_stem(step=step) for step in (0.1, 0.5))
    assert set(found) == {*(f"{stem}-{rule}" for rule in EXCLUDES), f"{larger}-both"}
    seed = pairs.seed_of(base.data.fingerprint)
    for rule, metric in product(EXCLUDES, METRICS):
        row = found[f"{stem}-{rule}"]
        stored = [runs.attacked_ranks(one, exclude=rule) for one in (guided, base)]
        own, versus = ((one["ranks"], one["clean"]["ranks"]) for one in stored)
        change = relative_change(*versus, metric=metric, seed=seed)
        assert row[metric]["change"]["value"] == pytest.approx(change["change"])
        assert row[metric]["change"]["low"] == pytest.approx(change["low"])
        spared = relative_change(*own, versus=versus, metric=metric, seed=seed)
        assert row[metric]["spared"]["value"] == pytest.approx(spared["change"])
        assert row[metric]["spared"]["high"] == pytest.approx(spared["high"])
        above = paired_bootstrap(own[0], versus[1], metric, seed=seed)
        assert row[metric]["above clean"]["low"] == pytest.approx(above["low"], abs=1e-12)


def test_other_data_other_draws():
    assert pairs.seed_of("00000010ff") == 16 != pairs.seed_of("10000000ff")
