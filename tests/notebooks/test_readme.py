"""The README's Python runs as it stands, and its links lead somewhere."""

import re
import shutil
from itertools import product
from pathlib import Path

import pytest

from casadv_lib.experiments import notebooks as batch
from casadv_lib.results import readme
from casadv_lib.results.claims_robustness import LAST_ITEM
from casadv_lib.results.evidence import Evidence
from casadv_lib.results.paper import (
    MOST_REPLACED,
    PAPER_LAST_DROP_PERCENT,
    SMALL_PERCENT,
    paper_change,
    paper_numbers,
)
from casadv_lib.results.records import (
    METHOD_ORDER,
    METRICS,
    epsilon_sweep,
    load_results,
    main_record,
)
from casadv_lib.results.robustness import OURS
from casadv_lib.results.series import series
from casadv_lib.results.sweep import scores
from casadv_lib.support.files import read_json

ROOT = Path(__file__).resolve().parents[1]
TEXT = (ROOT / "README.md").read_text(encoding="utf-8")
SAID = " ".join(TEXT.split())  # whatever its lines are wrapped at
CITATION = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
RECORD = read_json(ROOT / readme.RECORD)
# the words are about what is committed, whatever this machine has made
QUICK, PAPER = (load_results(ROOT / "figures" / name) for name in ("quick", "paper"))
HERE = "https://github.com/somebody/casadv"
BLOCKS = re.findall(r"```python\n(.*?)```", TEXT, flags=re.DOTALL)


def test_the_code_runs(capsys):
    assert len(BLOCKS) >= 2
    names = {}
    for block in BLOCKS:  # one after the other, as a reader would type them
        exec(compile(block, "README.md", "exec"), names)
    own = next(value for key, value in names.items() if key == "RecentItems")
    assert len(re.search(r"class RecentItems.*?(?=\n\S)", TEXT, re.DOTALL)[0].splitlines()) <= 30
    assert issubclass(own, names["cas"].Backbone)
    assert "ndcg@10" in capsys.readouterr().out


@pytest.mark.parametrize("target", re.findall(r"\]\(([^)#]+)\)", TEXT))
def test_links_lead_somewhere(target):
    if not target.startswith("http"):
        assert (ROOT / target).exists(), f"README.md links to {target}, which does not exist"


def test_what_it_says_of_the_embedded_world_is_what_is_stored():
    evidence, place = Evidence(QUICK), ("synthetic", "sasrec")
    gain, longer = (evidence.pair(place, method, "base")["percent"]["value"]
                    for method in ("adv_cas", "base+100"))
    base, guided = (evidence.drop(place, method, "change")["value"]
                    for method in ("base", "adv_cas"))
    assert f"adv_cas gains {gain:.0f}% of NDCG@10 over the base" in SAID
    assert f"longer training alone loses {-longer:.0f}%" in SAID
    assert f"replacing the last item costs the base {-base:.0f}% and adv_cas {-guided:.0f}%" in SAID
    choices = [entry["chosen"] for entry in read_json(ROOT / "figures/quick/selection.json")
               if entry["family"] == "adv_global"]
    assert all(choice == {"epsilon": 10, "lambda1": 1} for choice in choices), "the paper's own"
    config = main_record(evidence.results, *place, "adv_cas")["config"]
    assert choices[0].items() <= config.items(), "it says that validation chose"
    equal = evidence.pair(place, "adv_cas", "adv_global")["difference"]
    assert equal["low"] < 0 < equal["high"], "it says that this is not settled"


def above_zero(bound):
    return bound["low"] > 0


def holds_zero(bound):
    return bound["low"] < 0 < bound["high"]


REAL, BEAUTY, VIDEO = Evidence(PAPER), ("beauty", "sasrec"), ("video", "sasrec")
BEAUTY_GRU, VIDEO_GRU = ("beauty", "gru4rec"), ("video", "gru4rec")
PLACES = (BEAUTY, BEAUTY_GRU, VIDEO, VIDEO_GRU)
LEVEL_2 = ("adv_linear", "adv_global", "adv_cas")


def difference(place, better, worse, epoch="last"):
    return REAL.pair(place, better, worse, epoch)["difference"]


def changes_of_sweep(place):
    """{epsilon: what adv_cas changes of NDCG@10 against the base, in percent}."""
    base = REAL.run(place, "base")
    return {epsilon: REAL.of_runs(record["run"], base)["percent"]
            for epsilon, record in epsilon_sweep(REAL.results, *place).items()}


def test_gains_on_real_data_are_those_stored():
    beauty, video = (REAL.pair(place, "adv_cas", "base")["percent"]["value"]
                     for place in (BEAUTY, VIDEO))
    assert f"adv_cas gains {beauty:.0f}% of NDCG@10 over the base on Beauty and {video:.0f}%" in (
        SAID)
    for place in (BEAUTY, VIDEO):
        assert not above_zero(difference(place, "base+100", "base"))
        for method in LEVEL_2:  # "are each above"
            for rival in (("base", "last"), ("base+100", "last"), ("base", "best")):
                assert above_zero(difference(place, method, *rival)), (place, method)
        assert holds_zero(difference(place, "adv_cas", "adv_global"))  # "cannot be told apart"
    for method in ("adv_seq", "adv_random"):
        assert holds_zero(difference(BEAUTY, method, "base")), method
    random = REAL.pair(VIDEO, "adv_random", "base")["percent"]
    assert above_zero(random) and f"(adv_random) gain {random['value']:.0f}%" in SAID
    alone = REAL.pair(VIDEO, "adv_seq", "base")["percent"]
    assert above_zero(alone) and f"(adv_seq) gains {alone['value']:.0f}% on Video Games" in SAID
    score = {method: main_record(REAL.results, *VIDEO, method)["metrics"]["last"]["test"]["ndcg@10"]
             for method in ("adv_seq", "adv_linear")}
    assert score["adv_seq"] < score["adv_linear"]
    assert holds_zero(difference(BEAUTY, "adv_cas", "adv_linear"))
    ahead = REAL.pair(VIDEO, "adv_cas", "adv_linear")["percent"]
    assert above_zero(ahead) and (
        f"adv_cas is {ahead['value']:.1f}% ahead in NDCG@10 on Video Games, not in HR@10" in SAID)
    assert holds_zero(REAL.pair(VIDEO, "adv_cas", "adv_linear", metric="hr@10")["difference"])
    for place in (BEAUTY, VIDEO):
        assert not above_zero(difference(place, "adv_cas", "adv_cas_1"))  # "at least as well"
        behind = REAL.pair(place, "adv_cas", "adv_cas_2")["percent"]
        assert behind["high"] < 0 and round(behind["value"]) == -1


def test_what_the_paper_s_own_values_do_is_what_is_stored():
    ahead, gains, chosen = {}, {}, {}
    for place in (BEAUTY, VIDEO):
        (equal, guided), base = REAL.paper_values(place, "batch"), REAL.run(place, "base")
        ahead[place] = REAL.of_runs(guided, equal)["percent"]
        gains[place] = [REAL.of_runs(run, base)["percent"] for run in (guided, equal)]
        assert above_zero(ahead[place]) and all(map(above_zero, gains[place]))
        chosen[place] = sorted(REAL.pair(place, m, "base")["percent"]["value"]
                               for m in ("adv_global", "adv_cas"))
        assert gains[place][1]["value"] < gains[place][0]["value"] < chosen[place][0]
    assert (f"{ahead[BEAUTY]['value']:.1f}% on Beauty and {ahead[VIDEO]['value']:.1f}% on Video "
            "Games") in SAID
    assert (f"ahead, by {ahead[BEAUTY]['value']:.0f}% on Beauty and {ahead[VIDEO]['value']:.0f}% "
            "on Video Games") in SAID
    linear = REAL.pair(BEAUTY, "adv_linear", "base")["percent"]["value"]
    assert gains[BEAUTY][0]["value"] < linear
    own = {place: [f"{gain['value']:.1f}%" for gain in gains[place]] for place in gains}
    assert (f"gain {' and '.join(own[BEAUTY])} on Beauty, less than with the chosen values and "
            f"less than adv_linear's {linear:.1f}%; {' and '.join(own[VIDEO])} on Video Games, "
            f"where the chosen values give both {chosen[VIDEO][0]:.0f} to {chosen[VIDEO][1]:.0f}%"
            ) in SAID


def test_what_the_letter_of_the_equations_does_is_what_is_stored():
    lost = {}
    for place in (BEAUTY, VIDEO):
        base = REAL.run(place, "base")
        found = [REAL.of_runs(run, base)["percent"] for run in REAL.paper_values(place, "literal")]
        assert all(bound["high"] < 0 for bound in found)
        lost[place] = [f"{-bound['value']:.0f}%" for bound in found]
    assert (f"leaves adv_global {lost[BEAUTY][0]} and adv_cas {lost[BEAUTY][1]} below the base on "
            f"Beauty, {' and '.join(lost[VIDEO])} on Video Games") in SAID


def test_no_gain_of_gru4rec_is_what_is_stored():
    place = BEAUTY_GRU
    printed = [paper_change(*place, method) for method in LEVEL_2]
    assert f"the paper has {min(printed):.0f} to {max(printed):.0f}%" in SAID
    for method in LEVEL_2:
        found = REAL.pair(place, method, "base")
        assert holds_zero(found["difference"]) and round(found["percent"]["value"]) == 4, method
    found = REAL.pair(place, "adv_seq", "base")
    assert holds_zero(found["difference"])
    assert f"adv_seq {found['percent']['value']:.0f}%" in SAID
    assert f"and {paper_change(*place, 'adv_seq'):.0f}% with adv_seq" in SAID
    others = [m for m in METHOD_ORDER if m not in ("base", "adv_cas_1", *OURS)]
    assert all(holds_zero(REAL.pair(place, m, "base")["difference"]) for m in others)
    part = REAL.pair(place, "adv_cas_1", "base")["percent"]
    assert (f"{part['value']:.0f}% in NDCG@10, from {part['low']:.1f}%, and in HR@10 its interval "
            "holds 0") in SAID and part["low"] > 0
    assert holds_zero(REAL.pair(place, "adv_cas_1", "base", metric="hr@10")["difference"])
    cost = {m: REAL.drop(place, m, "change")["value"] for m in ("base", "adv_cas")}
    assert (f"the last one costs the base {-cost['base']:.0f}% of NDCG@10 and adv_cas "
            f"{-cost['adv_cas']:.0f}%") in SAID
    base = main_record(REAL.results, *place, "base")["metrics"]["last"]["test"]["ndcg@10"]
    assert abs(base / paper_numbers()["table3"]["gru4rec"]["beauty"]["base"][0] - 1) < 0.02


def test_what_gru4rec_gains_on_video_games_is_what_is_stored():
    place = VIDEO_GRU
    gain = {m: REAL.pair(place, m, "base")["percent"] for m in METHOD_ORDER
            if m not in ("base", *OURS)}
    printed = [f"{paper_change(*place, method):.0f}%" for method in ("adv_global", "adv_cas")]
    assert (f"adv_global gains {gain['adv_global']['value']:.0f}% and adv_cas "
            f"{gain['adv_cas']['value']:.0f}%, where the paper has {' and '.join(printed)}; "
            f"level 1 alone (adv_seq) gains {gain['adv_seq']['value']:.0f}%, level 2 alone "
            f"(adv_linear) {gain['adv_linear']['value']:.0f}%, and its interval holds 0, as that "
            f"of random directions ({gain['adv_random']['value']:.0f}%) does") in SAID
    assert all(above_zero(gain[method]) for method in ("adv_global", "adv_cas", "adv_seq"))
    assert holds_zero(gain["adv_linear"]) and holds_zero(gain["adv_random"])
    for method in ("adv_seq", "adv_linear", "adv_random"):  # "both levels together gain most"
        assert above_zero(difference(place, "adv_global", method))
        assert above_zero(difference(place, "adv_cas", method))
    best = {m: REAL.pair(place, m, "base", "best")["percent"] for m in gain}
    assert above_zero(best["adv_cas"])
    assert best["adv_linear"]["high"] < 0 and best["adv_seq"]["high"] < 0
    assert (f"adv_cas gains {best['adv_cas']['value']:.0f}%, while adv_seq is "
            f"{-best['adv_seq']['value']:.0f}% and adv_linear "
            f"{-best['adv_linear']['value']:.0f}% behind it") in SAID
    assert (f"With GRU4Rec adv_cas gains {gain['adv_cas']['value']:.0f}% on Video Games "
            f"({best['adv_cas']['value']:.0f}% over the base's best epoch)") in SAID
    base = main_record(REAL.results, *place, "base")["metrics"]
    assert f"best at epoch {base['best']['epoch']}" in SAID
    printed = paper_numbers()["table3"]["gru4rec"]["video"]["base"][0]
    last, early = (base[which]["test"]["ndcg@10"] for which in ("last", "best"))
    assert (f"(NDCG@10 {printed:.4f}; ours {last:.4f} and, at epoch {base['best']['epoch']}, "
            f"{early:.4f})") in SAID and printed > early > last
    curve = main_record(REAL.results, *place, "adv_cas")["curve"][-3:]  # "still rising"
    for split in ("validation", "test"):
        points = [point[split]["ndcg@10"] for point in curve]
        assert points == sorted(points), split


def test_cascade_weights_are_not_ahead_of_equal_ones_with_chosen_values():
    for place in PLACES:
        assert holds_zero(difference(place, "adv_cas", "adv_global")), place
    for place in (BEAUTY_GRU, VIDEO_GRU):  # "with GRU4Rec they are not apart"
        for part in ("adv_cas_1", "adv_cas_2"):
            assert holds_zero(difference(place, "adv_cas", part)), (place, part)
    for method in ("adv_global", "adv_cas"):  # "the very same values", and not ahead
        config = main_record(REAL.results, *VIDEO_GRU, method)["config"]
        assert (config["epsilon"], config["lambda1"], config["scope"]) == (10, 1, "batch")


def cost(place, method, **attack):
    """What an attack costs a method, in whole percent of NDCG@10."""
    return f"{-REAL.drop(place, method, 'change', **attack)['value']:.0f}%"


def test_losses_by_the_older_rule_are_those_stored():
    for place in (BEAUTY, BEAUTY_GRU, VIDEO_GRU):
        assert REAL.rule(place) == "original"  # "while substitutes compete"
    assert (f"the last item costs the base {cost(BEAUTY, 'base')} on Beauty with SASRec, "
            f"{cost(BEAUTY_GRU, 'base')} and {cost(VIDEO_GRU, 'base')} on Beauty and Video Games "
            "with GRU4Rec") in SAID
    older = [cost(VIDEO, "base", k=k, exclude="original") for k in (1, MOST_REPLACED)]
    assert (f"on Video Games {older[0]} and five items {older[1]}") in SAID
    for metric, k in product(METRICS, range(1, MOST_REPLACED + 1)):
        for place in (BEAUTY_GRU, VIDEO_GRU):  # "on either data set and at any K"
            assert holds_zero(REAL.drop(place, "base", "spared", metric, k=k)), (place, metric, k)


def test_the_edge_of_epsilon_is_what_is_stored():
    sweep, change = epsilon_sweep(REAL.results, *VIDEO), changes_of_sweep(VIDEO)
    gains = [change[epsilon] for epsilon in (1.0, 3.0, 5.0, 10.0)]
    each = [f"{gain['value']:.0f}" for gain in gains]
    assert f"({', '.join(each[:-1])} and {each[-1]}% at epsilon 1, 3, 5 and 10; 0.1 is" in SAID
    assert holds_zero(change[0.1])
    assert all(above_zero(gain) for gain in gains)
    assert sorted(gains, key=lambda gain: gain["value"]) == gains  # "more with every step"
    assert f"at 20 it is {-change[20.0]['value']:.0f}% below the base" in SAID
    assert change[20.0]["high"] < 0
    lost = [sweep[epsilon]["metrics"]["last"]["test"]["ndcg@10"] for epsilon in (30.0, 50.0)]
    assert f"all users get one list (NDCG@10 {lost[0]:.4f} and {lost[1]:.4f})" in SAID
    validation = scores(REAL.results, *VIDEO, "validation")
    assert max(validation, key=validation.get) == 10.0  # "the best value here, too"


def test_the_sweep_with_gru4rec_is_what_is_stored():
    sweep, change = epsilon_sweep(REAL.results, *VIDEO_GRU), changes_of_sweep(VIDEO_GRU)
    rising = (1.0, 3.0, 5.0, 10.0, 20.0)
    assert set(change) == {0.1, *rising, 30.0, 50.0}
    *each, most = (f"{change[epsilon]['value']:.0f}" for epsilon in rising)
    assert (f"{', '.join(each)} and {most}% above the base at 1, 3, 5, 10 and 20 "
            f"({-change[0.1]['value']:.0f}% below it at 0.1)") in SAID
    assert all(above_zero(change[epsilon]) for epsilon in rising) and change[0.1]["high"] < 0
    for good, other in product((10.0, 20.0), (0.1, 1.0, 3.0, 5.0, 30.0, 50.0)):
        pair = REAL.of_runs(sweep[good]["run"], sweep[other]["run"])
        assert above_zero(pair["difference"]), (good, other)
    apart = REAL.of_runs(sweep[20.0]["run"], sweep[10.0]["run"])
    assert holds_zero(apart["difference"])  # "the two not apart"
    validation = scores(REAL.results, *VIDEO_GRU, "validation")
    assert max(validation, key=validation.get) == 20.0
    [entry] = [one for one in REAL.results["selection"] if one["family"] == "adv_global"
               and (one["dataset"], one["backbone"]) == VIDEO_GRU]
    assert 20.0 not in {trial["epsilon"] for trial in entry["tried"]}
    assert (f"30 and 50 end {-change[30.0]['value']:.0f}% and {-change[50.0]['value']:.0f}% below "
            "the base") in SAID and change[50.0]["high"] < 0
    curve = {one["epoch"]: one["validation"]["ndcg@10"] for one in sweep[30.0]["curve"]}
    assert max(curve, key=curve.get) == 540 and curve[520] < curve[540] > 2 * curve[580]
    start = main_record(REAL.results, *VIDEO_GRU, "base")["metrics"]["last"]
    assert start["validation"]["ndcg@10"] < curve[520]


def test_other_seeds_are_what_is_stored():
    runs = {method: REAL.with_role(VIDEO, method, "main") | REAL.with_role(VIDEO, method, "seed")
            for method in ("base", "adv_global", "adv_cas")}
    assert list(map(sorted, runs.values())) == [[0, 1, 2], [0, 1], [0, 1]]
    ends = {record["run"]: record["metrics"]["last"]["test"]["ndcg@10"]
            for record in REAL.results["records"]}
    bases = [ends[runs["base"][seed]] for seed in (0, 1, 2)]
    assert f"{bases[0]:.4f}, {bases[1]:.4f} and {bases[2]:.4f} (seeds 0, 1, 2)" in SAID
    assert f"the least {100 * (1 - min(bases) / max(bases)):.0f}% below the best" in SAID
    gains = [REAL.of_runs(runs[method][1], runs["base"][1]) for method in ("adv_global", "adv_cas")]
    assert all(above_zero(gain["difference"]) for gain in gains)
    equal, guided = (f"{gain['percent']['value']:.0f}%" for gain in gains)
    assert f"With seed 1 adv_global gains {equal} and adv_cas {guided}" in SAID
    between = REAL.of_runs(runs["adv_cas"][1], runs["adv_global"][1])["difference"]
    assert holds_zero(between)


def test_losses_under_attack_on_real_data_are_those_stored():
    place, lost = VIDEO, {k: cost(VIDEO, "base", k=k) for k in (1, MOST_REPLACED)}
    assert REAL.rule(place) == "both"
    assert (f"it costs the base {lost[1]} of NDCG@10, where the paper has "
            f"{PAPER_LAST_DROP_PERCENT['ndcg@10']:.0f}% in the mean of both backbones, and five "
            f"items cost {lost[MOST_REPLACED]}") in SAID
    early = [REAL.drop(place, "base", "change", positions=position)
             for position in ("first", "middle")]
    assert all(bound["high"] < -SMALL_PERCENT for bound in early)
    assert " and ".join(f"{-bound['value']:.0f}%" for bound in early) + ", more than its" in SAID
    for metric, k in product(METRICS, range(1, MOST_REPLACED + 1)):  # "at every K"
        assert above_zero(REAL.drop(place, "base", "spared", metric, k=k)), (metric, k)
        assert above_zero(REAL.drop(place, "base", "above", metric, k=k)), (metric, k)
    assert (f"{cost(place, 'adv_cas')} with the last item, "
            f"{cost(place, 'adv_cas', k=MOST_REPLACED)} with five") in SAID
    for metric in METRICS:
        assert holds_zero(REAL.drop(place, "base", "above clean", metric))  # "level with"
        found = REAL.drop(place, "base", "above clean", metric, k=MOST_REPLACED)
        assert found["high"] < 0  # "below it"


def test_what_protects_is_what_is_stored():
    linear, equal = (REAL.drop(VIDEO, m, "spared") for m in ("adv_linear", "adv_global"))
    assert linear["high"] < 0 and holds_zero(equal)
    assert (f"{cost(VIDEO, 'adv_linear')}, {-linear['value']:.1f} points less than adv_cas, which "
            f"loses {equal['value']:.1f} points less than adv_global") in SAID
    far = [cost(VIDEO, method, step=1.0) for method in ("base", "adv_cas")]
    assert f"which loses {far[0]} at a step of 1, adv_cas {far[1]}" in SAID
    gain = [REAL.pair(VIDEO, "adv_neighbour", rival)["percent"] for rival in ("base", "adv_cas")]
    assert all(map(above_zero, gain))
    assert f"gains {gain[0]['value']:.0f}% over the base, {gain[1]['value']:.1f}% more than" in SAID
    assert (f"the last item costs it {cost(VIDEO, 'adv_neighbour')}, five items "
            f"{cost(VIDEO, 'adv_neighbour', k=MOST_REPLACED)}") in SAID
    assert len(LAST_ITEM) == 8  # "in eight ways"
    for attack, what in product(LAST_ITEM.values(), ("above", "spared")):  # of adv_cas against it
        assert REAL.drop(VIDEO, "adv_neighbour", what, **attack)["high"] < 0, (attack, what)
    world, place = Evidence(load_results(ROOT / "figures/quick")), ("synthetic", "sasrec")
    assert not above_zero(world.pair(place, "adv_neighbour", "base")["difference"])
    lost = [world.drop(place, method, "change") for method in ("base", "adv_neighbour")]
    assert lost[0]["low"] < lost[1]["value"] < lost[0]["high"]  # "protects nothing"


def test_pictures_are_described():
    assert all(words.strip() for words in re.findall(r"!\[([^\]]*)\]", TEXT))


def test_the_table_of_notebooks_is_what_was_measured():
    names = [path.stem for path in batch.committed()]
    assert [row[1] for row in readme.ROW.findall(TEXT)] == names == sorted(RECORD)
    assert readme.refreshed(TEXT, RECORD, readme.repository_of(CITATION)) == TEXT, \
        "run `python -m casadv_lib.results.readme`"


@pytest.mark.parametrize("name", sorted(RECORD))
def test_measured_notebooks_fit_binder_and_a_reader(name):
    entry = RECORD[name]
    assert {"profile": "quick"}.items() <= entry["parameters"].items()
    assert not {"dataset", "backbone"} & entry["parameters"].keys() and entry["new_runs"] == 0
    assert 100 < entry["peak_megabytes"] < 2000
    assert 1 < entry["provenance"]["wall_seconds"] <= 90
    header = series().set_index("file")["run time"][f"{name}.ipynb"]
    said = int(re.search(r"about (\d+) seconds", header, re.I)[1])
    assert entry["provenance"]["wall_seconds"] < said


def test_memory_in_words():
    most = max(entry["peak_megabytes"] for entry in RECORD.values())
    said = int(re.search(r"no kernel held more than (\d+) MB", TEXT)[1])
    assert 0 <= said - most < 100


def test_badges_lead_to_the_notebook_in_the_repository_that_is_named(tmp_path):
    for name in ("README.md", "CITATION.cff"):
        shutil.copy(ROOT / name, tmp_path)
    (tmp_path / readme.RECORD).parent.mkdir(parents=True)
    shutil.copy(ROOT / readme.RECORD, tmp_path / readme.RECORD)
    assert readme.main(["--repository", HERE], tmp_path) == 0
    text = (tmp_path / "README.md").read_text(encoding="utf-8")
    for path in batch.committed():
        place = f"notebooks/{path.name}"
        assert f"/github/somebody/casadv/blob/main/{place})" in text
        assert f"/gh/somebody/casadv/main?urlpath=lab/tree/{place})" in text
    assert readme.repository_of((tmp_path / "CITATION.cff").read_text(encoding="utf-8")) == HERE
    assert readme.main([], tmp_path) == 0  # again, with the address that is stored now
    assert (tmp_path / "README.md").read_text(encoding="utf-8") == text
    other = HERE.replace("somebody", "else")
    assert readme.main(["--repository", other], tmp_path) == 0
    text = (tmp_path / "README.md").read_text(encoding="utf-8")
    assert "somebody" not in text and text.count("/github/else/casadv/") == 12


def test_a_badge_without_an_address_is_refused(tmp_path, capsys):
    shutil.copy(ROOT / "CITATION.cff", tmp_path)
    shutil.copy(ROOT / "README.md", tmp_path)
    for wrong in ("https://example.org/a/b", "somebody/casadv", HERE + "/tree/main"):
        assert readme.main(["--repository", wrong], tmp_path) == 2
        assert repr(wrong) in capsys.readouterr().err
    assert (tmp_path / "README.md").read_text(encoding="utf-8") == TEXT
    assert (tmp_path / "CITATION.cff").read_text(encoding="utf-8") == CITATION
    with pytest.raises(ValueError, match="00_start_here"):
        readme.refreshed(TEXT, {})


def test_both_services_are_offered_and_no_owner_is_made_up():
    assert "](https://colab.research.google.com/github/)" in TEXT
    assert "](https://mybinder.org)" in TEXT
    named = set(re.findall(r"(?:/github|/gh)/([\w.-]+/[\w.-]+)/", TEXT))
    address = readme.repository_of(CITATION)
    assert named == ({readme.ADDRESS.fullmatch(address)[1]} if address else set())


def test_binder_finds_its_environment():
    lines = (ROOT / "environment.yml").read_text(encoding="utf-8").split()
    assert "requirements.txt" in lines and (ROOT / "requirements.txt").is_file()
    assert not any((ROOT / name).exists() for name in ("binder", ".binder", "Dockerfile"))
    assert {"jupyterlab", "ipykernel"} <= {
        line.split("==")[0] for line in (ROOT / "requirements.txt").read_text().splitlines()}
