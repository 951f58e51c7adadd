"""Intervals: those of the paired bootstrap over users, on runs and on made-up ranks."""

from itertools import product

import numpy as np
import pandas as pd
import pytest
from oracles import dataset, random_sequences

from casadv_lib.evaluation import METRICS, RESAMPLES, gains, paired_bootstrap, summary
from casadv_lib.experiments import runs
from casadv_lib.experiments.configuration import configure
from casadv_lib.results import comparisons
from casadv_lib.results.collect import collect, ranks_of
from casadv_lib.results.frames import (
    COLUMNS,
    MissingRecords,
    decode,
    encode,
    interval,
    read_ranks,
    select,
    write_ranks,
)
from casadv_lib.settings import EXCLUDES

SMALL = {"epochs": 2, "adv_epochs": 1, "dim": 8, "batch_size": 16, "eval_every": 1,
         "device": "cpu", "health": "note"}


def relative_change(attacked, clean, versus=None, metric="ndcg@10", seed=0):
    """The change in percent, minus another one, on the same resamples, one user after the other."""
    gain = [gains(ranks, metric) for ranks in (attacked, clean, *(versus or ()))]
    rng, users, drawn = np.random.default_rng(seed), len(clean), []
    for rows in (np.arange(users), *(rng.integers(0, users, users) for _ in range(RESAMPLES))):
        means = [one[rows].mean() for one in gain]
        other = 100 * (means[2] / means[3] - 1) if versus else 0
        drawn.append(100 * (means[0] / means[1] - 1) - other)
    low, high = np.quantile(drawn[1:], [0.025, 0.975])
    return {"value": drawn[0], "low": low, "high": high}


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """Runs {name: run} of three methods, two of them attacked, and a sweep; and their tables."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CASADV_RUNS", str(tmp_path_factory.mktemp("runs")))
        data = dataset(random_sequences(60, 40), 40)

        def made(method, **more):
            return runs.run(configure(dataset="toy", method=method, **SMALL, **more), data)

        found = {"base": made("base"), "adv_linear": made("adv_linear"),
                 "adv_cas": made("adv_cas", epsilon=3.0), "large": made("adv_cas", epsilon=30.0)}
        for name, options in product(("base", "adv_cas"), ({}, {"step": 0.5}, {"k": 3},
                                                           {"positions": "first"})):
            runs.run_attack(found[name], **options)
        roles = {"base": ["main"], "adv_linear": ["main"], "adv_cas": ["main", "sweep"],
                 "large": ["sweep"]}
        results, _ = collect({run: roles[name] for name, run in found.items()})
        yield found, results, int(data.fingerprint[:8], 16)


def close(found, value, low, high):
    assert (found["value"], found["low"], found["high"]) == pytest.approx(
        (value, low, high), rel=1e-5, abs=1e-9)


def test_pairs_are_those_of_the_paired_bootstrap(world):
    made, results, seed = world
    guided, base = made["adv_cas"], made["base"]
    for which, metric in product(("last", "best"), METRICS):
        wanted = paired_bootstrap(guided.ranks(), base.ranks("test", which), metric, seed=seed)
        close(interval(results, "pair", "difference", metric, run=guided.name, versus=base.name,
                       versus_which=which), *(wanted[k] for k in ("difference", "low", "high")))
        change = relative_change(guided.ranks(), base.ranks("test", which), None, metric, seed)
        close(interval(results, "pair", "percent", metric, run=guided.name, versus=base.name,
                       versus_which=which), **change)
    # the sweep's runs are compared with each other and with the base, no others are
    for versus in (guided, base):
        interval(results, "pair", "difference", run=made["large"].name, versus=versus.name,
                 versus_which="last")
    with pytest.raises(MissingRecords):
        interval(results, "pair", "difference", run=made["large"].name,
                 versus=made["adv_linear"].name)


def test_attacks_compare_the_same_users_under_the_same_attack(world):
    made, results, seed = world
    for rule, metric in product(EXCLUDES, METRICS):
        found = {name: runs.run_attack(made[name], exclude=rule) for name in ("base", "adv_cas")}
        own, versus = ((one["ranks"], one["clean ranks"]) for one in found.values())
        where = {"run": made["base"].name, "attack": runs.attack_name(), "exclude": rule}
        close(interval(results, "attack", "change", metric, **where),
              **relative_change(*own, None, metric, seed))
        guided = where | {"run": made["adv_cas"].name, "versus": made["base"].name}
        close(interval(results, "attack", "change difference", metric, **guided),
              **relative_change(*versus, own, metric, seed))
        for quantity, reference in (("difference", own[0]), ("difference to clean", own[1])):
            wanted = paired_bootstrap(versus[0], reference, metric, seed=seed)
            close(interval(results, "attack", quantity, metric, **guided),
                  *(wanted[k] for k in ("difference", "low", "high")))
        first = runs.run_attack(made["base"], exclude=rule, positions="first")
        close(interval(results, "attack", "change difference to last item", metric, **where | {
            "attack": runs.attack_name(positions="first")}),
            **relative_change(first["ranks"], first["clean ranks"], own, metric, seed))
    rows = select(results.intervals, quantity="change", run=made["base"].name)
    assert set(rows[rows["attack"] == runs.attack_name(step=0.5)]["exclude"]) == set(EXCLUDES)


def test_figure_6_is_about_those_who_can_be_attacked_at_every_k(world):
    made, results, _ = world
    few = runs.run_attack(made["base"], k=3)["indices"]
    one = runs.run_attack(made["base"])
    kept = np.isin(one["indices"], few)
    for quantity, ranks in (("able", one["ranks"]), ("able_clean", one["clean ranks"])):
        found = interval(results, "attack", quantity, "hr@10", run=made["base"].name,
                         attack=runs.attack_name(), exclude="both")
        assert found["value"] == pytest.approx(gains(ranks[kept], "hr@10").mean(), rel=1e-5)


def test_ranks_keep_what_each_attack_put_in(world, tmp_path):
    run = world[0]["base"]
    write_ranks(tmp_path, run.name, ranks_of(run))
    stored = read_ranks(tmp_path, run.name)
    for k in (1, 3):
        attacked = runs.run_attack(run, k=k)
        name = runs.attack_name(k=k).replace(f"-{k}-", "-", 1)
        items = stored[f"substitutes {name}"][attacked["indices"], :k]
        assert (items == attacked["substitutes"]).all() and (items > 0).all()


def test_a_number_without_meaning_is_none():
    zero = np.zeros(1 + RESAMPLES)
    assert all(np.isnan(list(comparisons.percentile_interval(
        comparisons.percent(zero, zero)).values())))


METHODS = ("base", "adv_linear", "adv_seq", "adv_global", "adv_cas")


def made_up(dataset, digest, shifts, seed, methods=METHODS):
    """Rows of `runs` and ranks that improve from method to method."""
    rng = np.random.default_rng(seed)
    base = rng.integers(1, 40, 3000).astype(float)
    codes = {f"{dataset}-{m}": encode(np.maximum(1, base - shift))
             for m, shift in zip(METHODS, shifts, strict=True) if m in methods}
    rows = [{"run": run, "dataset": dataset, "backbone": "sasrec", "method": run.split("-")[-1],
             "seed": 0, "roles": "main", "which": "last", "split": "test", "data_hash": digest}
            for run in codes]
    return rows, {run: {"last": one, "best": one} for run, one in codes.items()}


def averages(*worlds):
    rows = pd.DataFrame([row for rows, _ in worlds for row in rows], columns=COLUMNS["runs"])
    ranks = {run: one for _, ranks in worlds for run, one in ranks.items()}
    found = select(comparisons.intervals(rows, ranks), kind="average")
    scores = {run: summary(decode(one["last"])) for run, one in ranks.items()}
    return {row["quantity"]: row for row in found.to_dict("records")}, lambda run, metric: 100 * (
        scores[run][metric] / scores[run.rsplit("-", 1)[0] + "-base"][metric] - 1)


def test_averages_over_data_sets():
    found, gain = averages(made_up("beauty", "00000001", (0, 1, 2, 3, 5), 0),
                           made_up("ml-1m", "00000002", (0, 2, 1, 1, 3), 1))
    sets = [("beauty", "beauty-adv_global"), ("ml-1m", "ml-1m-adv_linear")]
    own = [gain(f"{name}-adv_cas", m) for name, _ in sets for m in METRICS]
    second = [gain(run, m) for _, run in sets for m in METRICS]
    assert found["gain"]["dataset"] == "beauty+ml-1m" and found["gain"]["backbone"] == "sasrec"
    assert found["gain"]["value"] == pytest.approx(np.mean(own), rel=1e-5)
    assert found["gain"]["low"] < found["gain"]["value"] < found["gain"]["high"]
    assert found["more gain"]["value"] == pytest.approx(
        np.mean([100 * (a / b - 1) for a, b in zip(own, second, strict=True)]), rel=1e-5)
    assert found["sparse gain"]["dataset"] == "beauty"
    assert found["sparse gain"]["value"] == pytest.approx(
        np.mean(own[:2]) - np.mean(own[2:]), rel=1e-5)


def test_averages_leave_out_what_lacks_a_method():
    first = made_up("beauty", "00000001", (0, 1, 2, 3, 5), 0)
    found, _ = averages(first, made_up("video", "00000002", (0, 2, 1, 1, 3), 1, METHODS[:-1]))
    assert found["gain"]["dataset"] == "beauty" and "sparse gain" not in found
    found, _ = averages(first, made_up("video", "00000002", (0, 2, 1, 1, 3), 1,
                                       ("base", "adv_cas")))
    assert found["gain"]["dataset"] == "beauty+video"
    assert found["more gain"]["dataset"] == "beauty"


def test_a_second_best_that_gains_nothing_in_a_resample_leaves_no_interval():
    found, _ = averages(made_up("beauty", "00000001", (0, 0, 0, 0, 5), 0))
    assert np.isnan(found["more gain"]["low"]) and np.isnan(found["more gain"]["high"])
