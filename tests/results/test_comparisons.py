"""Intervals: those of the paired bootstrap over users, on runs and on made-up ranks."""

from itertools import product

import numpy as np
import pandas as pd
import pytest
from oracles import dataset, random_sequences
from scipy import stats

from casadv_lib.evaluation import METRICS, RESAMPLES, gains, summary
from casadv_lib.experiments import runs
from casadv_lib.experiments.configuration import configure
from casadv_lib.results import comparisons, frames
from casadv_lib.results.collect import collect
from casadv_lib.results.frames import MissingRecords, interval, read_ranks, read_results, select
from casadv_lib.results.tables import TABLES
from casadv_lib.settings import EXCLUDES
from casadv_lib.support.machine import root

SMALL = {"epochs": 2, "adv_epochs": 1, "dim": 8, "batch_size": 16, "eval_every": 1,
         "device": "cpu", "health": "note"}


def change(attacked, clean):
    return 100 * (attacked / clean - 1)


def holds(found, of, metric, seed, *ranks):
    """Whether an interval is that of a function of mean gains, one resample after the other."""
    gain = [gains(one, metric) for one in ranks]
    rng, users = np.random.default_rng(seed), len(ranks[0])
    values = [of(*(one[rows].mean() for one in gain)) for rows in (
        np.arange(users), *(rng.integers(0, users, users) for _ in range(RESAMPLES)))]
    assert (found["value"], found["low"], found["high"]) == pytest.approx(
        (values[0], *np.quantile(values[1:], [0.025, 0.975])), rel=1e-5, abs=1e-9)


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


def test_pairs_compare_the_same_users(world):
    made, results, seed = world
    guided, base = made["adv_cas"], made["base"]
    for which, metric in product(("last", "best"), METRICS):
        ranks = guided.ranks(), base.ranks("test", which)
        for quantity, of in (("difference", np.subtract), ("percent", change)):
            holds(interval(results, "pair", quantity, metric, run=guided.name, versus=base.name,
                           versus_which=which), of, metric, seed, *ranks)
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
        own, other, first = (
            (one["ranks"], one["clean ranks"]) for one in (
                runs.run_attack(made["adv_cas"], exclude=rule),
                runs.run_attack(made["base"], exclude=rule),
                runs.run_attack(made["base"], exclude=rule, positions="first")))
        last, base = runs.attack_name(), {"run": made["base"].name}
        against = {"run": made["adv_cas"].name, "versus": made["base"].name}
        for quantity, attack, names, of, ranks in (
                ("change", last, base, change, other),
                ("change difference", last, against,
                 lambda a, b, c, d: change(a, b) - change(c, d), own + other),
                ("difference", last, against, np.subtract, (own[0], other[0])),
                *([("difference to clean", last, against, np.subtract, (own[0], other[1]))]
                  if metric == "hr@10" else []),
                ("change difference to last item", runs.attack_name(positions="first"), base,
                 lambda a, b, c, d: change(a, b) - change(c, d), first + other)):
            holds(interval(results, "attack", quantity, metric, **names, attack=attack,
                           exclude=rule), of, metric, seed, *ranks)
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


METHODS = ("base", "adv_linear", "adv_seq", "adv_global", "adv_cas")
FIRST, SECOND = ("beauty", "00000001", (0, 1, 2, 3, 5)), ("ml-1m", "00000002", (0, 2, 1, 1, 3))


def averages(*worlds, methods=METHODS):
    """The averages by name, and a gain in percent, where ranks improve from method to method by
    these shifts; methods: those of the last world."""
    rows, ranks, scores = [], {}, {}
    for name, digest, shifts in worlds:
        base = np.random.default_rng(int(digest)).integers(1, 40, 3000).astype(float)
        for method, shift in zip(METHODS, shifts, strict=True):
            if method in methods or name != worlds[-1][0]:
                run, own = f"{name}-{method}", np.maximum(1, base - shift)
                ranks[run], scores[run] = dict.fromkeys(("last", "best"), frames.encode(own)), own
                rows.append({"run": run, "dataset": name, "backbone": "sasrec", "seed": 0,
                             "method": method, "roles": "main", "which": "last", "split": "test",
                             "data_hash": digest})
    found = comparisons.intervals(pd.DataFrame(rows, columns=frames.COLUMNS["runs"]), ranks)
    return select(found, kind="average").set_index("quantity"), lambda name, method, metric: (
        change(*(summary(scores[f"{name}-{m}"])[metric] for m in (method, "base"))))


def test_averages_over_data_sets():
    found, gain = averages(FIRST, SECOND)
    own = [gain(name, "adv_cas", m) for name in ("beauty", "ml-1m") for m in METRICS]
    second = [gain(*best, m) for best in (("beauty", "adv_global"), ("ml-1m", "adv_linear"))
              for m in METRICS]
    assert found["dataset"].to_dict() == {"gain": "beauty+ml-1m", "more gain": "beauty+ml-1m",
                                          "sparse gain": "beauty"}
    assert set(found["backbone"]) == {"sasrec"} and (found["low"] < found["value"]).all()
    assert found["value"].to_dict() == pytest.approx({
        "gain": np.mean(own), "sparse gain": np.mean(own[:2]) - np.mean(own[2:]),
        "more gain": np.mean([change(a, b) for a, b in zip(own, second, strict=True)])}, rel=1e-5)


def test_averages_leave_out_what_lacks_a_method():
    found, _ = averages(FIRST, SECOND, methods=("base", "adv_cas"))
    assert found["dataset"].to_dict() == {"gain": "beauty+ml-1m", "more gain": "beauty",
                                          "sparse gain": "beauty"}


def test_a_second_best_that_gains_nothing_in_a_resample_leaves_no_interval():
    for shift in (0, -1):
        found, _ = averages((*FIRST[:2], (0, shift, shift, shift, 5)))
        assert found.loc["more gain", ["low", "high"]].isna().all()


def test_an_interval_over_seeds_knows_of_users_and_of_training():
    users = np.append(0, np.random.default_rng(0).normal(0, 2, 2000))
    training = np.array([1.0, 2.0, 6.0])[:, None]
    alike, exact, both = (comparisons.seeds_interval(values) for values in (
        np.stack([3 + users] * 3), training + 0 * users, training + users))
    half = [found["high"] - found["value"] for found in (alike, exact, both)]
    assert [found["value"] for found in (alike, exact, both)] == [3, 3, 3]
    assert comparisons.STUDENT == pytest.approx(
        {n: stats.t.ppf(0.975, n - 1) for n in range(2, 9)}, rel=1e-3)
    assert half == pytest.approx([1.96 * 2, 4.303 * 7**0.5 / 3**0.5, np.hypot(*half[:2])], rel=0.05)


@pytest.mark.parametrize("method", ["adv_linear", "adv_cas"])
@pytest.mark.parametrize("quantity", ["percent", "change difference"])
def test_changes_over_seeds_are_of_runs_with_bases_of_their_own(method, quantity):
    results = read_results("paper")
    runs = frames.runs_by_seed(results, "video", "sasrec")[["base", method]]
    if quantity == "percent":
        scores = select(results.runs, which="last", split="test").set_index("run")["hr@10"]
        changes = change(*(runs[name].map(scores) for name in (method, "base")))
    else:
        rows = select(results.attacks, attack=comparisons.LAST_ITEM, exclude="both")
        lost = change(rows["hr@10"], rows["hr@10_clean"]).set_axis(rows["run"])
        changes = runs[method].map(lost) - runs["base"].map(lost)
    changes = changes.dropna()
    found = interval(results, "seeds", quantity, "hr@10", run=runs[method][0],
                     versus=runs["base"][0])
    assert len(changes) > 1 and found["value"] == pytest.approx(changes.mean(), rel=1e-4)
    table = select(TABLES["seeds"](results), method=method, versus="base").set_index("by seed")
    row = table.loc[", ".join(f"{seed}: {one:+.1f}" for seed, one in changes.items())]
    assert row["low %"] == found["low"] and row["gain in"].startswith("HR@10")


def test_the_committed_intervals_are_those_of_the_committed_ranks():
    stored = read_results(root() / "figures" / "quick")
    ranks = {run: read_ranks(root() / "figures" / "quick", run) for run in stored.configs}
    pd.testing.assert_frame_equal(comparisons.intervals(stored.runs, ranks), stored.intervals,
                                  check_dtype=False, rtol=1e-4)
    found = select(stored.intervals, kind="average", quantity="last item", metric="ndcg@10")
    bases = [stored.main["synthetic", backbone]["base"] for backbone in ("sasrec", "gru4rec")]
    changes = [interval(stored, "attack", "change", run=run, exclude="both",
                        attack=runs.attack_name())["value"] for run in bases]
    assert found["value"].tolist() == pytest.approx([np.mean(changes)], rel=1e-4)


def test_the_ladder_is_what_a_method_adds_to_plain_training():
    rows, results = comparisons.ladder({"one": "paper"}, "beauty"), read_results("paper")
    runs = results.main["beauty", "sasrec"]
    ends = {"run": runs["adv_cas"], "which": "last", "versus": runs["base+100"],
            "versus_which": "last"}
    stored = {"accuracy over base+more": interval(results, "pair", "percent", **ends),
              "robustness over base+more": interval(results, "attack", "change difference", **ends,
                                     attack=comparisons.LAST_ITEM, exclude="both")}
    for measure, wanted in stored.items():
        row = select(rows, loss="one", measure=measure, method="adv_cas")
        for name in ("value", "low", "high"):
            assert row[name].item() == pytest.approx(wanted[name], rel=1e-4)
    rows = comparisons.ladder({"one": "quick"}, "synthetic")  # its control is not attacked
    assert {*rows["measure"]} == {"accuracy over base+more", "accuracy over base",
                                     "robustness over base"}
    assert list(rows["method"].unique()) == comparisons.LADDER
    assert comparisons.ladder({"one": "quick"}, "beauty").empty
