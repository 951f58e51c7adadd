"""The scoreboard: every verdict is reached by every claim that can reach it, from the numbers."""

import copy
import math

import pytest
from _fake_scores import LEVELS, PLACES, bad, main_part, perfect, results_of
from _fake_scores import drop as drop_row

from casadv_lib.experiments.plan import EPSILONS
from casadv_lib.results import report, scoreboard
from casadv_lib.support.repository import root as repository_root

EMPTY = {"records": []}


def verdicts(results):
    table = scoreboard.scoreboard(results)
    return {(row["claim"], row["dataset"], row["backbone"]): row["verdict"]
            for _, row in table.iterrows()}


def test_a_world_where_everything_holds():
    found = verdicts(perfect())
    # where only adv_cas helps, not every method does
    excluded = ("Any adversarial method improves the base", "clothing", "gru4rec")
    assert {key for key, word in found.items() if word != "reproduced"} == {excluded}


def test_a_world_where_nothing_holds():
    found = verdicts(bad())
    excluded = ("Any adversarial method improves the base", "clothing", "gru4rec")
    assert {key for key, word in found.items() if word != "not"} == {excluded}


def test_nothing_was_run():
    table = scoreboard.scoreboard(EMPTY)
    assert set(table["verdict"]) == {"not run"}
    assert table[["ours", "low", "high"]].isna().all(axis=None)
    assert len(table.attrs["missing"]) == len(table)
    assert set(table["claim"]) == {claim.text for claim in scoreboard.CLAIMS}


def partly(change):
    """The verdicts of the perfect world after a change of its results."""
    results = copy.deepcopy(perfect())
    change(results)
    return verdicts(results)


def lower(key, better, worse, place=("beauty", "sasrec")):
    """A change: the interval of one pair now reaches below 0."""
    def change(results):
        pair_of(results, better, worse, place, key)["ndcg@10"]["difference"] |= {"low": -1.0}

    return change


def raised(better, worse, place):
    """A change: the interval of one pair now lies above 0."""
    def change(results):
        found = pair_of(results, better, worse, place)
        found["ndcg@10"]["difference"] = {"value": 0.01, "low": 0.005, "high": 0.015}

    return change


def wide(better, worse, place):
    """A change: the percent of one pair could now be anything up to 9."""
    def change(results):
        pair_of(results, better, worse, place)["ndcg@10"]["percent"]["high"] = 9.0

    return change


def pair_of(results, better, worse, place, epoch="last"):
    ends = ["-".join((*place, better)), "-".join((*place, worse))]
    [found] = [pair for pair in results["pairs"] if pair["worse"][1] == epoch
               and [pair["better"][0], pair["worse"][0]] == ends]
    return found


def sweep_below(epsilon, other):
    """A change: an epsilon of Video's sweep with SASRec is no longer above another run."""
    def change(results):
        found = [pair for pair in results["pairs"] if pair["worse"][0] == other
                 and pair["better"][0] == f"video-sasrec-adv_cas-epsilon{epsilon:g}"]
        found += [pair for pair in results["pairs"] if pair["better"][0] == other
                  and pair["worse"][0] == f"video-sasrec-adv_cas-epsilon{epsilon:g}"]
        for pair in found:
            pair["ndcg@10"]["difference"] = {"value": 0.0, "low": -0.1, "high": 0.1}

    return change


def as_well(what, **attack):
    """A change: under one attack adv_cas could be as good as adv_neighbour on Beauty."""
    def change(results):
        stem = drop_row(("beauty", "sasrec"), "adv_neighbour", 0, 0, **attack)["attack"]
        [found] = [drop for drop in results["drops"] if drop["attack"] == stem
                   and drop["run"] == "beauty-sasrec-adv_neighbour"]
        found["ndcg@10"] = found["ndcg@10"] | {what: {"value": -1.0, "low": -2.0, "high": 0.0}}

    return change


@pytest.mark.parametrize("claim, place, change", [
    ("adv_neighbour is more accurate than adv_cas", ("beauty", "sasrec"),
     lower("last", "adv_neighbour", "adv_cas")),
    ("With the last item replaced, adv_neighbour ranks better than adv_cas", ("beauty", "sasrec"),
     as_well("above", pick="halfspace")),
    ("With the last item replaced, adv_neighbour loses a smaller share than adv_cas",
     ("beauty", "sasrec"), as_well("spared", surrogate="base")),
    ("Epsilon from 10 to 20 is best (Figure 4)", ("video", "sasrec"),
     sweep_below(20, "video-sasrec-adv_cas-epsilon5")),
    ("Accuracy falls above epsilon 30, and not before (Figure 4)", ("video", "sasrec"),
     sweep_below(30, "video-sasrec-base")),
    ("Any adversarial method improves the base", ("beauty", "sasrec"),
     lower("last", "adv_seq", "base")),
    ("adv_cas is better than every baseline", ("beauty", "sasrec"),
     lower("last", "adv_cas", "adv_global")),
    ("Both cascade terms help, and together most (Table 4)", ("beauty", "sasrec"),
     lower("last", "adv_cas", "adv_cas_2")),
    ("The gain of adv_cas survives against base+100", ("beauty", "sasrec"),
     lower("last", "adv_cas", "base+100")),
    ("The gain of adv_cas survives against the base's best-validation epoch",
     ("beauty", "sasrec"), lower("best", "adv_cas", "base")),
    ("Only adv_cas helps GRU4Rec on Clothing", ("clothing", "gru4rec"),
     raised("adv_seq", "base", ("clothing", "gru4rec"))),
    ("The base has converged by 500 epochs; more epochs do not help", ("video", "sasrec"),
     wide("base+100", "base", ("video", "sasrec"))),
])
def test_one_condition_less_is_partly(claim, place, change):
    before, after = verdicts(perfect()), partly(change)
    assert after[claim, *place] == "partly"
    changed = {key for key in before if before[key] != after[key]}
    assert (claim, *place) in changed and {key[1:] for key in changed} == {place}


def set_average(what, **bounds):
    def change(results):
        for row in results["averages"]:
            if row["what"] == what:
                row |= bounds
    return change


@pytest.mark.parametrize("claim, change", [
    ("The mean gain of adv_cas over the base", set_average("gain", value=4, low=3, high=5)),
    ("How much more adv_cas gains than the second best baseline",
     set_average("more gain", value=4, low=3, high=5)),
    ("Replacing the last item costs the base models 23% NDCG and 11% hits",
     set_average("last item", value=-50, low=-52, high=-48)),
])
def test_a_gain_or_loss_of_another_size_is_partly(claim, change):
    after = {key: word for key, word in partly(change).items() if key[0] == claim}
    assert set(after.values()) == {"partly"}


def test_a_ratio_without_an_interval_decides_nothing():
    """As where the second best gains nothing in one of the resamples."""
    change = set_average("more gain", value=None, low=None, high=None)
    after = partly(change)
    claim = "How much more adv_cas gains than the second best baseline"
    assert after[claim, scoreboard.ALL_SETS, "sasrec"] == "undecided"
    results = perfect()
    change(results)
    text = scoreboard.as_markdown(scoreboard.scoreboard(results))
    assert "| +18.16% | no number, mean over beauty, video;" in text
    assert "2 undecided" in text


def test_no_other_method_counts_where_adv_cas_itself_does_not_help():
    place = ("clothing", "gru4rec")
    after = partly(lower("last", "adv_cas", "base", place))
    assert after["Only adv_cas helps GRU4Rec on Clothing", *place] == "not"


def test_sparse_data_are_all_three():
    def change(results):
        results["averages"] = [row for row in results["averages"]
                               if row.get("sparse") != "clothing"]

    results = copy.deepcopy(perfect())
    change(results)
    table = scoreboard.scoreboard(results)
    rows = table[table["claim"] == "The gains are larger on sparse data"]
    assert set(rows["verdict"]) == {"not run"}
    assert {table.attrs["missing"][at] for at in rows.index} == {"no gain of clothing to compare"}


@pytest.mark.parametrize("absent", EPSILONS)
def test_a_part_of_the_sweep_decides_nothing(absent):
    results = perfect()
    results["records"] = [one for one in results["records"] if not (
        one["run"].startswith("video-sasrec") and one["run"].endswith(f"-epsilon{absent:g}"))]
    table = scoreboard.scoreboard(results)
    rows = table[table["claim"].str.contains("Figure 4") & (table["backbone"] == "sasrec")]
    assert list(rows["verdict"]) == ["not run"] * 3
    assert {table.attrs["missing"][at] for at in rows.index} == {
        f"the sweep of video and sasrec has no epsilon {absent:g}"}


def test_fewer_epochs_do_not_speak_of_500():
    def change(results):
        for record in results["records"]:
            record["config"]["epochs"] = 200

    claim = "The base has converged by 500 epochs; more epochs do not help"
    words = {word for key, word in partly(change).items() if key[0] == claim}
    assert words == {"not run"}


def test_the_paper_s_claims_and_ours_are_counted_apart():
    text = scoreboard.counts(scoreboard.scoreboard(perfect()))
    ours = 8 + 8 + 2 + 3 * 8 + 2 * (2 + 2)
    assert text.endswith(f"; ours: {ours} reproduced")
    assert text.startswith("the paper's: ") and "not run" not in text


def test_what_is_there_is_judged_and_the_rest_is_not_run():
    results = results_of(main_part(("beauty", "sasrec"), LEVELS))
    table = scoreboard.scoreboard(results)
    there = table[table["verdict"] != "not run"]
    assert set(zip(there["dataset"], there["backbone"], strict=True)) == {("beauty", "sasrec")}
    row = there[there["claim"] == "adv_cas is better than every baseline"].iloc[0]
    assert row["ours"] == pytest.approx(100 * (1.3 / 1.12 - 1)) and row["unit"] == "%"
    assert row["paper"] == "+1.6%"  # 0.0320 over adv_linear's 0.0315
    assert row["about"] == "over the best other, adv_global"


def test_an_attack_on_the_base_alone_is_not_compared():
    results = copy.deepcopy(perfect())
    for drop in results["drops"]:
        for metric in ("ndcg@10", "hr@10"):
            drop[metric] = {"change": drop[metric]["change"]}
    after = verdicts(results)
    assert after["At the last item adv_cas loses less than base and generic training",
                 "video", "sasrec"] == "not run"
    assert after["Replacing the first or the middle item costs the base 0 to 3%",
                 "video", "sasrec"] == "reproduced"


def test_attacks_by_the_older_rule_are_judged_alike_and_marked():
    results = perfect()
    for record in results["records"]:
        record["attacks"] = [{"exclude": "original"}]
    for drop in results["drops"]:
        drop["attack"] = drop["attack"].replace("-both", "-original")
    assert verdicts(results) == verdicts(perfect())
    table, words = scoreboard.scoreboard(results), "while substitutes compete"
    marked = table["about"].str.endswith(words)
    # a mean of two backbones says what it is of
    assert (marked == ((table["section"] == "5.6") & (table["backbone"] != "both"))).all()
    assert f"Replacing the last item ({words}) changes the base" in report.short_part(
        results | {"drops": [*results["drops"], drop_row(("beauty", "sasrec"), "adv_cas", -18.0,
                                                         0.0, exclude="original")]})


def test_numbers_of_the_paper_follow_from_its_tables():
    table = scoreboard.scoreboard(EMPTY).set_index(["claim", "dataset", "backbone"])["paper"]
    assert table["Any adversarial method improves the base", "clothing", "sasrec"] == "-15.9%"
    assert table["Both cascade terms help, and together most (Table 4)", "video", "sasrec"] \
        == "+3.9%"
    claim = "The second phase adds no more than 78% of the training time"
    assert table[claim, "ml-1m", "sasrec"] == "+78%"
    for text in ("+21.9%", "+15.32%"):
        assert text in table["The mean gain of adv_cas over the base", scoreboard.ALL_SETS,
                             "sasrec"]


def test_the_mean_gain_is_held_against_the_same_data_sets():
    table = scoreboard.scoreboard(perfect())
    row = table[(table["claim"] == "The mean gain of adv_cas over the base")
                & (table["backbone"] == "sasrec")].iloc[0]
    # Table 3: 21.21 and 17.32 on Beauty, 37.41 and 32.80 on Video
    assert "beauty, video; Table 3 on these: +27.2%" in row["about"]


def test_verdict():
    assert [scoreboard.verdict(found) for found in ([True], [True, False], [False], [])] == [
        "reproduced", "partly", "not", "undecided"]


def test_markdown_names_every_claim_with_its_rule_once():
    text = scoreboard.as_markdown(scoreboard.scoreboard(perfect()))
    for claim in scoreboard.CLAIMS:
        assert text.count(f"| {claim.text} ({claim.section}) |") == 1
        assert f"{claim.text} ({claim.section})*: {claim.rule}." in text
    assert "not run | " not in text and "| not run |" not in text
    assert "| not run |" in scoreboard.as_markdown(scoreboard.scoreboard(EMPTY))


def test_every_place_of_the_paper_is_there():
    table = scoreboard.scoreboard(EMPTY)
    for claim in ("Any adversarial method improves the base",
                  "adv_cas is better than every baseline",
                  "The gain of adv_cas survives against base+100"):
        rows = table[table["claim"] == claim]
        assert set(zip(rows["dataset"], rows["backbone"], strict=True)) == set(PLACES)


def test_parts_of_the_readme_are_those_of_the_stored_records():
    text = (repository_root() / "README.md").read_text(encoding="utf-8")
    assert report.with_parts(text, report.stored_results()) == text, (
        "write them anew: python -m casadv_lib figures --profile paper")


def test_parts_need_their_marks():
    with pytest.raises(ValueError, match="no part 'in short'"):
        report.with_parts("no marks at all", EMPTY)


def test_the_short_part_says_what_is_stored_and_no_more():
    results = perfect()
    results["drops"].append(drop_row(("beauty", "sasrec"), "adv_cas", -18.0, 0.0))
    text = report.short_part(results)
    [beauty] = [line for line in text.splitlines() if line.startswith("- **SASRec on Amazon Beaut")]
    assert "NDCG@10 of adv_cas: +30.0% [+29.0, +31.0] against the base; " in beauty
    assert ("changes the base by -23.0% [-24.0, -22.0], adv_cas by -18.0% [-19.0, -17.0], "
            "+5.0 points [+4.0, +6.0] apart") in beauty
    assert "norms over the batch: adv_global +20.0% [+19.0, +21.0], adv_cas +25.0%" in beauty
    assert "+4.2% [+3.2, +5.2] apart" in beauty
    assert ("adv_neighbour, which is ours: NDCG@10 +40.0% [+39.0, +41.0] against the base, +7.7% "
            "[+6.7, +8.7] against adv_cas; the last item changes it by -23.0% [-24.0, -22.0]."
            ) in beauty
    assert "Replacing" not in text.split("GRU4Rec on Amazon Beauty")[1].splitlines()[0]
    for words in ("beauty-sasrec 11 of 11", "sweep-gru4rec 8 of 8", "trade-off-video 0 of 18"):
        assert words in text
    empty = report.short_part(EMPTY)
    assert empty.startswith("Runs stored so far") and "values-video 0 of 4" in empty


def test_table3_part_shows_intervals_and_the_paper():
    text = report.table3_part(perfect())
    line = next(row for row in text.splitlines()
                if row.startswith("| Amazon Beauty | SASRec | adv_cas |"))
    assert line == ("| Amazon Beauty | SASRec | adv_cas | 0.0520 | +30.0% [+29.0, +31.0] | 0.0320 "
                    "| +21.2% | 0.1040 | +30.0% [+29.0, +31.0] | 0.0630 | +17.3% |")
    assert report.table3_part(EMPTY) == "Table 3: not run.\n"


def test_ours_in_words():
    row = {"ours": 12.34, "low": math.nan, "high": math.nan, "unit": "%", "about": "of it"}
    assert scoreboard.ours_in_words(row) == "+12.3% of it"
    row = {"ours": 0.00123, "low": -0.0001, "high": 0.003, "unit": "NDCG@10", "about": ""}
    assert scoreboard.ours_in_words(row) == "+0.0012 NDCG@10 [-0.0001, +0.0030]"
    row = {"ours": 1.26, "low": 1.0, "high": 2.0, "unit": "points", "about": "x"}
    assert scoreboard.ours_in_words(row) == "+1.3 points [+1.0, +2.0] x"
