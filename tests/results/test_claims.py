"""The claims: verdicts follow from the intervals, by hand-made numbers."""

import math
from dataclasses import replace
from itertools import product

import pytest
from fabricated import World, changed, matching, perfect, without

from casadv_lib.evaluation import METRICS
from casadv_lib.experiments.configuration import EPSILONS
from casadv_lib.results.claims import CLAIMS, check
from casadv_lib.results.frames import Results
from casadv_lib.results.paper import PAPER_DATASETS, paper_change

BEAUTY, VIDEO, ML_GRU = ("beauty", "sasrec"), ("video", "sasrec"), ("ml-1m", "gru4rec")
CLOTHING_GRU = ("clothing", "gru4rec")
ANY, ONLY = "Any adversarial method improves the base", "Only adv_cas helps GRU4Rec on Clothing"
GAIN = "The mean gain of adv_cas over the base"
MORE = "How much more adv_cas gains than the second best baseline"
FIVE = "With 5 items replaced, adv_cas is still above the base on clean data"
SPARSE = "The gains are larger on sparse data"
TERMS = "Both cascade terms help, and together most (Table 4)"
CONVERGED = "The base has converged by 500 epochs; more epochs do not help"
AT_LAST = "At the last item adv_cas loses less than base and generic training"


def verdicts(results, *settings):
    table = check(results, settings or None)
    return table.set_index(["claim", "dataset", "backbone"])["verdict"].to_dict()


def of(found, claim):
    return {word for key, word in found.items() if key[0] == claim}


@pytest.fixture(scope="module")
def world():
    return perfect()


@pytest.fixture(scope="module")
def before(world):
    return verdicts(world)


def test_verdicts_where_everything_or_nothing_holds(world, before):
    # two claims exclude each other
    assert {key for key, word in before.items() if word != "reproduced"} == {(ANY, *CLOTHING_GRU)}
    assert set(verdicts(world, VIDEO).values()) == {"reproduced"}
    empty = check(Results("paper"))
    assert len(empty) == 114 and set(empty["verdict"]) == {"not run"}
    assert empty[["ours", "low", "high"]].isna().all(axis=None)


def pair(run, versus, metric="ndcg@10", quantity="difference", which="last", setting=BEAUTY):
    head = "-".join(setting)
    return {"kind": "pair", "run": f"{head}-{run}", "versus": f"{head}-{versus}",
            "versus_which": which, "metric": metric, "quantity": quantity}


def less(method, attack, metric="ndcg@10", quantity="change difference", setting=BEAUTY):
    """What adv_cas loses less than a method."""
    head = "-".join(setting)
    return {"kind": "attack", "run": f"{head}-adv_cas", "versus": f"{head}-{method}",
            "attack": f"test-{attack}", "quantity": quantity, "metric": metric}


RAISED = {"value": 0.01, "low": 0.005, "high": 0.015}
ONE_LESS = [  # (claim, setting, the interval that changes), and to what
    ("With the last item replaced, adv_neighbour loses a smaller share than adv_cas", BEAUTY,
     less("adv_neighbour", "1-gradient-last-0-0.1-base")),
    (AT_LAST, VIDEO, less("adv_global", "1-gradient-last-0-0.1", setting=VIDEO)),
    ("With K last items replaced, adv_cas falls more slowly than base", BEAUTY,
     less("base", "3-gradient-last-0-0.1", "hr@10")),
    ("Replacing the first or the middle item costs the base 0 to 3%", VIDEO,
     {"run": "video-sasrec-base", "attack": "test-1-gradient-middle-0-0.1", "metric": "ndcg@10",
      "quantity": "change"}, {"value": -2, "low": -4, "high": 0}),
    ("Epsilon from 10 to 20 is best (Figure 4)", VIDEO,
     pair("adv_cas-epsilon20", "adv_cas-epsilon5", setting=VIDEO)),
    ("Accuracy falls above epsilon 30, and not before (Figure 4)", VIDEO,
     pair("adv_cas-epsilon30", "base", setting=VIDEO)),
    (TERMS, BEAUTY, pair("adv_cas_1", "base")),
    ("The gain of adv_cas survives against the base's best-validation epoch", BEAUTY,
     pair("adv_cas", "base", which="best")),
    (ONLY, CLOTHING_GRU, pair("adv_seq", "base", setting=CLOTHING_GRU), RAISED),
    (CONVERGED, VIDEO, pair("base+100", "base", quantity="percent", setting=VIDEO),
     {"value": 1, "low": -1, "high": 9.0}),
    (CONVERGED, VIDEO, pair("base", "base", which="best", setting=VIDEO),
     {"value": -2, "low": -3, "high": -1}),
    ("adv_cas is above adv_global with every seed", VIDEO,
     pair("adv_cas-2", "adv_global-2", setting=VIDEO)),
    ("With these values adv_cas is better than adv_global, norms as Eq. 7 and 9 are printed",
     BEAUTY, pair("adv_cas-literal", "adv_global-literal")),
    ("Except GRU4Rec on MovieLens-1M, where both fall alike", ML_GRU,
     less("base", "2-gradient-last-0-0.1", "hr@10", setting=ML_GRU),
     {"value": -2, "low": -3, "high": -1}),
]


@pytest.mark.parametrize("row", ONE_LESS, ids=lambda row: f"{row[0][:40]} {row[2]['run'][-12:]}")
def test_one_condition_less_is_partly(world, before, row):
    claim, setting, where, *to = row
    after = verdicts(changed(world, **where, **dict(*to)))
    assert after[claim, *setting] == "partly"
    assert {key[1:] for key in before if before[key] != after[key]} == {setting}


@pytest.mark.parametrize("claim, where, now, word", [
    (GAIN, {"quantity": "gain"}, (4, 3, 5), "partly"),
    (GAIN, {"quantity": "gain"}, (4, 3, 50), "reproduced"),
    # as where the second best gains nothing in one of the resamples
    (MORE, {"quantity": "more gain"}, (7, math.nan, math.nan), "undecided"),
    ("Replacing the last item costs the base models 23% NDCG and 11% hits",
     {"quantity": "last item"}, (-50, -52, -48), "partly"),
    (SPARSE, {"quantity": "sparse gain"}, (-1, -2, 0), "not"),
    # with five items, and with no fewer
    (FIVE, {"quantity": "difference to clean", "attack": "test-4-gradient-last-0-0.1"},
     (-1, -2, 0), "reproduced"),
    (FIVE, {"quantity": "difference to clean", "attack": "test-5-gradient-last-0-0.1"},
     (-1, -2, 0), "not"),
    # no other method counts where adv_cas itself does not help
    (ONLY, pair("adv_cas", "base", setting=CLOTHING_GRU), (0, -1, 1), "not"),
])
def test_numbers_of_another_size(world, claim, where, now, word):
    numbers = dict(zip(("value", "low", "high"), now))
    assert of(verdicts(changed(world, **numbers, **where)), claim) == {word}


def test_a_part_of_the_sweep_decides_nothing(world):
    part = without(world, dataset="video", backbone="sasrec", roles="sweep", epsilon=EPSILONS[-1])
    assert set(check(part, [VIDEO], topic="Figure 4")["verdict"]) == {"not run"}


def test_the_best_of_a_sweep_is_that_on_validation(world):
    runs = world.runs.copy()
    last = matching(runs, run="video-sasrec-adv_cas-epsilon50", split="test")
    runs.loc[last, list(METRICS)] = 1.0
    table = check(replace(world, runs=runs), [VIDEO], topic="Figure 4")
    assert table["about"].tolist()[1::2] == [
        "epsilon 20, the less good end, over 5", "epsilon 10 over base"]


@pytest.mark.parametrize("spoil, claim", [
    (lambda r: replace(r, runs=r.runs.assign(epochs=200)), CONVERGED),
    (lambda r: replace(r, runs=r.runs.assign(hardware=r.runs["run"])),
     "The second phase adds no more than 78% of the training time"),
    (lambda r: replace(r, intervals=r.intervals[r.intervals["quantity"] != "change difference"]),
     AT_LAST),
    (lambda r: replace(r, intervals=r.intervals[(r.intervals["quantity"] != "sparse gain")
                                           | (r.intervals["dataset"] != "clothing")]), SPARSE),
    (lambda r: without(r, roles="seed"), "adv_cas is above adv_global with every seed"),
    (lambda r: without(r, method="adv_cas_1"), TERMS),
])
def test_what_lacks_its_records_is_not_run(world, before, spoil, claim):
    after = verdicts(spoil(world))
    assert of(after, claim) == {"not run"}
    assert sum(before[key] != after[key] for key in before) < len(before) / 2


@pytest.mark.parametrize("seconds, word", [(3.5, "reproduced"), (5.0, "partly"), (9.0, "not")])
def test_added_time(world, seconds, word):
    runs = world.runs.copy()
    runs.loc[runs["method"] == "adv_cas", "seconds_per_epoch"] = seconds
    [row] = check(replace(world, runs=runs), [BEAUTY], topic="Section 5.7").to_dict("records")
    assert row["verdict"] == word and row["ours"] == pytest.approx(100 * seconds / 5)


def test_attacks_whose_substitutes_compete_do_not_count():
    tables = []
    for rules in (("both",), ("original", "both"), ("original",)):
        world = World()
        world.methods(BEAUTY)
        world.attacks(BEAUTY, rules=rules)
        tables.append(check(world.results(), [BEAUTY]))
    assert tables[0].equals(tables[1])
    attacked = tables[0]["section"] == "5.6"
    assert set(tables[2]["verdict"][attacked]) == {"not run"} and attacked.sum() > 5
    assert "not run" not in set(tables[0]["verdict"][attacked])


def test_a_reader_s_setting_has_the_paper_s_tally():
    world = World()
    for backbone in ("causalcnn", "sasrec"):
        world.methods(("own", backbone))
    table = check(world.results(), [("own", "sasrec"), ("own", "causalcnn")])
    said = table.set_index(["claim", "backbone"])["paper"]
    assert said["Level 2 alone improves the base", "sasrec"] == "higher on 3 of 4 data sets"
    assert set(said[:, "causalcnn"]) == {""}
    assert said[CONVERGED, "sasrec"] == ""  # the paper says that of its own data sets
    assert GAIN not in set(table["claim"])  # it is about several data sets


def test_tallies_follow_from_the_paper_s_tables():
    rows = [row for row in CLAIMS if row["test"] == "better" and not row["settings"]]
    for row, backbone in product(rows, ("sasrec", "gru4rec", "causalcnn")):
        [method], [versus] = row["options"]["methods"], row["options"]["versus"]
        changes = [paper_change(name, backbone, method, versus=versus) for name in PAPER_DATASETS]
        higher = sum(change > 0 for change in changes if change is not None)
        assert row["paper"].get(backbone) == (
            None if None in changes else f"higher on {higher} of 4 data sets")
    assert len(rows) == 11
