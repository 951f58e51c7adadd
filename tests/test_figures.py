"""Figures: what is drawn equals what the records hold; missing records are named."""

import json

import matplotlib
import numpy as np
import pytest
from _fake_results import (
    ADV_EPOCHS,
    EPOCHS,
    EPSILONS,
    MAIN_EPSILON,
    USERS,
    fake_record,
    fake_results,
    with_attacks,
    without,
)
from matplotlib import pyplot

from casadv_lib.attacks import EXCLUDES
from casadv_lib.figures import write as figures
from casadv_lib.figures.style import STYLES
from casadv_lib.results.records import METHOD_ORDER, find_attack, main_record, rule_of
from casadv_lib.results.tables import table3


@pytest.fixture(scope="module")
def results():
    return fake_results()


def line(axis, label):
    """The x and y values of the one line with this label."""
    (found,) = [drawn for drawn in axis.lines if drawn.get_label() == label]
    return list(found.get_xdata()), list(found.get_ydata())


def last(record, metric="ndcg@10"):
    return record["metrics"]["last"]["test"][metric]


def titles(figure):
    return [axis.get_title() for axis in figure.axes]


def legend_texts(figure):
    return [text.get_text() for text in figure.legends[0].get_texts()]


def test_a_method_reads_without_colour_and_without_marker():
    assert set(STYLES) == set(METHOD_ORDER)
    for trait in ("color", "marker", "line", "hatch", "label"):
        values = [getattr(style, trait) for style in STYLES.values()]
        assert len(set(values)) == len(values), trait


def test_figures_leave_no_global_state(results):
    before = dict(matplotlib.rcParams)
    figure = figures.figure3(results)
    assert pyplot.get_fignums() == []
    assert dict(matplotlib.rcParams) == before
    assert figure._repr_png_().startswith(b"\x89PNG")


@pytest.mark.parametrize("metric", ["ndcg@10", "hr@10"])
def test_figure3_draws_the_curves(results, metric):
    figure = figures.figure3(results, metric=metric)
    assert titles(figure) == ["SASRec, synthetic world", "GRU4Rec, synthetic world"]
    for axis, backbone in zip(figure.axes, ("sasrec", "gru4rec"), strict=True):
        base = main_record(results, "synthetic", backbone, "base")
        for split in ("test", "validation"):
            x, y = line(axis, f"base {split}")
            assert x == [p["epoch"] for p in base["curve"]]
            assert y == [p[split][metric] for p in base["curve"]]
            for method in ("adv_cas", "base+100"):
                record = main_record(results, "synthetic", backbone, method)
                points = [base["curve"][-1], *record["curve"]]
                x, y = line(axis, f"{method} {split}")
                assert (x[0], x[-1]) == (EPOCHS, EPOCHS + ADV_EPOCHS)
                assert y == [p[split][metric] for p in points]
        assert set(line(axis, "switch")[0]) == {EPOCHS}
        assert set(line(axis, "optimum")[1]) == {results["optimum"]["synthetic"][metric]}


def test_figure3_has_a_mark_at_every_epoch_that_was_evaluated(results):
    for axis in figures.figure3(results).axes:
        curves = [drawn for drawn in axis.lines if len(drawn.get_xdata()) > 2]
        assert len(curves) == 6  # three methods, two splits
        for curve in curves:
            assert curve.get_markevery() is None and curve.get_marker() in "os*"


def test_figure3_without_control_or_optimum():
    results = without(fake_results(["beauty"]), method="base+100")
    figure = figures.figure3(results, "beauty")
    labels = [drawn.get_label() for drawn in figure.axes[0].lines]
    assert "optimum" not in labels
    assert not [label for label in labels if label.startswith("base+100")]
    assert legend_texts(figure) == ["base", "adv_cas", "test", "validation", "end of phase 1"]


def test_figure3_starts_phase_two_alone_where_the_base_was_not_evaluated_at_its_end(results):
    results = json.loads(json.dumps(results))
    main_record(results, "synthetic", "sasrec", "base")["curve"].pop()
    x, _ = line(figures.figure3(results).axes[0], "adv_cas test")
    assert x[0] == EPOCHS + 2


def test_figure3_names_an_empty_curve(results):
    results = json.loads(json.dumps(results))
    for backbone in ("sasrec", "gru4rec"):
        main_record(results, "synthetic", backbone, "base")["curve"] = []
    with pytest.raises(ValueError, match="no curve.*'base'.*'sasrec'.*'gru4rec'"):
        figures.figure3(results)


def test_figure4_draws_the_sweep(results):
    figure = figures.figure4(results)
    axes = np.array(figure.axes).reshape(2, 2)
    for column, backbone in enumerate(("sasrec", "gru4rec")):
        base = main_record(results, "synthetic", backbone, "base")
        for row, metric in enumerate(("ndcg@10", "hr@10")):
            axis = axes[row, column]
            assert axis.get_xscale() == "log"
            x, y = line(axis, "adv_cas")
            assert x == list(EPSILONS)
            assert y == [last(fake_record("synthetic", backbone, "adv_cas", e), metric) for e in x]
            assert set(line(axis, "base")[1]) == {last(base, metric)}
            (band,) = [patch for patch in axis.patches if patch.get_label() == "paper"]
            assert (band.get_x(), band.get_x() + band.get_width()) == (10, 20)
            (interval,) = [c for c in axis.collections if c.get_label() == "interval"]
            corners = interval.get_paths()[0].vertices
            top = corners[np.isclose(corners[:, 0], MAIN_EPSILON), 1].max()
            record = main_record(results, "synthetic", backbone, "adv_cas")
            assert top == pytest.approx(last(base, metric)
                                        + record["versus_base"]["test"][metric]["high"])
    assert not [text for text in titles(figure) if "epsilon" in text]


def test_figure4_highlight(results):
    figure = figures.figure4(results, highlight=5)
    axis = figure.axes[0]
    record = fake_record("synthetic", "sasrec", "adv_cas", 5.0)
    assert line(axis, "highlight") == ([5.0], [last(record)])
    gain = 100 * (last(record) / last(main_record(results, "synthetic", "sasrec", "base")) - 1)
    assert f"epsilon 5: {last(record):.4f} ({gain:+.1f}% against the base)" in axis.get_title()
    with pytest.raises(ValueError, match=r"highlight is 4; allowed .* 0.1, 1, 3, 5, 10"):
        figures.figure4(results, highlight=4)


def test_figure4_without_intervals(results):
    results = json.loads(json.dumps(results))
    for record in results["records"]:
        record["versus_base"] = None
    axis = figures.figure4(results).axes[0]
    assert line(axis, "adv_cas")[0] == list(EPSILONS)
    assert not [c for c in axis.collections if c.get_label() == "interval"]


def test_figure4_sweep_takes_runs_that_differ_in_epsilon_alone(results):
    other = fake_record("synthetic", "sasrec", "adv_cas", 2.0)
    other["config"]["lambda1"] = 1.0
    other["metrics"]["last"]["test"]["ndcg@10"] = 0.9
    results = results | {"records": [other, *results["records"]]}
    assert line(figures.figure4(results).axes[0], "adv_cas")[0] == list(EPSILONS)


def test_figure5_bars_are_percent_of_the_same_users_clean_score(results):
    figure = figures.figure5(results)
    axes = np.array(figure.axes).reshape(2, 2)
    drawn = ["base", "adv_linear", "adv_seq", "adv_global", "adv_cas", "adv_neighbour"]
    for column, backbone in enumerate(("sasrec", "gru4rec")):
        for row, metric in enumerate(("ndcg@10", "hr@10")):
            axis = axes[row, column]
            bars = {c.get_label(): c for c in axis.containers if hasattr(c, "patches")}
            assert list(bars) == drawn
            for method, container in bars.items():
                record = main_record(results, "synthetic", backbone, method)
                attacks = [find_attack(record, place, 1) for place in ("first", "middle", "last")]
                heights = [patch.get_height() for patch in container.patches]
                percent = [100 * (a["attacked"][metric] / a["clean"][metric] - 1) for a in attacks]
                assert heights == pytest.approx(percent)
                assert heights[2] < heights[1] < 0
                (segments,) = [c.get_segments() for c in container.errorbar.lines[2]]
                low = [100 * a["drop"][metric]["low"] / a["clean"][metric] for a in attacks]
                high = [100 * a["drop"][metric]["high"] / a["clean"][metric] for a in attacks]
                assert [s[0, 1] for s in segments] == pytest.approx(low)
                assert [s[1, 1] for s in segments] == pytest.approx(high)
            (mark,) = [c for c in axis.collections if c.get_label() == "paper"]
            assert mark.get_segments()[0][0, 1] == {"ndcg@10": -23.22, "hr@10": -11.04}[metric]
    assert legend_texts(figure)[:-1] == [STYLES[method].label for method in drawn]
    assert titles(figure)[:2] == ["SASRec, synthetic world", "GRU4Rec, synthetic world"]


@pytest.mark.parametrize("rule, stored, asked", [
    ("original", ("original",), None),  # as older code stored them
    ("original", EXCLUDES, "original"), ("attacked", EXCLUDES, "attacked")])
def test_figures_5_and_6_draw_the_rule_there_is_or_that_is_asked_for(results, rule, stored, asked):
    some = with_attacks(results, lambda attack: attack["exclude"] in stored)
    base = main_record(some, "synthetic", "sasrec", "base")
    assert rule_of(base) == ("both" if asked else rule)
    five, six = (draw(some, exclude=asked) for draw in (figures.figure5, figures.figure6))
    height = five.axes[0].containers[1].patches[2].get_height()
    last_item = find_attack(base, "last", 1, exclude=rule)
    assert height == pytest.approx(
        100 * (last_item["attacked"]["ndcg@10"] / last_item["clean"]["ndcg@10"] - 1))
    assert line(six.axes[0], "base gradient")[1][1] == last_item["attacked"]["hr@10"]
    mark = {"original": "the original history, substitutes compete",
            "attacked": "the attacked history"}[rule]
    for figure in (five, six):
        assert titles(figure)[0] == f"SASRec, synthetic world\nleft out: {mark}"
    assert mark in titles(figures.figure6(some, exclude=asked, highlight=2))[0]
    if not asked:
        for draw in (figures.figure5, figures.figure6):
            with pytest.raises(ValueError, match="exclude 'both'"):
                draw(some, exclude="both")


def test_records_without_attacks_are_of_the_usual_rule():
    assert [rule_of({"attacks": [{"exclude": rule} for rule in rules]}) for rules in (
        (), EXCLUDES, ("attacked",), ("original", "attacked"))] == ["both"] * 3 + ["original"]


def test_figures_5_and_6_take_the_attack_that_was_asked_for(results):
    results = json.loads(json.dumps(results))
    for record in results["records"]:
        others = json.loads(json.dumps(record["attacks"]))
        for attack in others:
            attack["step"] = 1.0
            for value in (attack["drop"]["ndcg@10"], attack["attacked"]):
                value.update({name: 2 * number for name, number in value.items()})
        greedy = [attack | {"step": 0.1, "joint": False} for attack in others]
        own_choice = [attack | {"step": 0.1, "loss": "first_choice"} for attack in others]
        record["attacks"] = others + greedy + own_choice + record["attacks"]

    def first_bars(step):
        container = figures.figure5(results, step=step).axes[0].containers[1]
        return np.array([patch.get_height() for patch in container.patches])

    assert np.allclose(first_bars(1.0), 2 * first_bars(0.1))
    usual, doubled = (np.array(line(figures.figure6(results, step=step).axes[0],
                                    "adv_cas gradient")[1]) for step in (0.1, 1.0))
    assert usual[0] == doubled[0] and np.allclose(2 * usual[1:], doubled[1:])
    for draw in (figures.figure5, figures.figure6):
        with pytest.raises(ValueError, match="step 0.5"):
            draw(results, step=0.5)


def test_figure5_needs_the_attacks_of_base_and_adv_cas_only(results):
    slim = json.loads(json.dumps(without(results, method="adv_seq")))
    for backbone in ("sasrec", "gru4rec"):
        main_record(slim, "synthetic", backbone, "adv_linear")["attacks"] = []
    assert legend_texts(figures.figure5(slim))[:-1] == ["base", "adv_global", "adv_cas",
                                                        "adv_neighbour (ours)"]
    with pytest.raises(ValueError, match="no attack with positions 'middle', k 1"):
        figures.figure5(with_attacks(slim, lambda attack: attack["positions"] != "middle"))


def test_gains_are_those_of_the_table_and_of_the_paper():
    results = fake_results(["synthetic", "beauty"])
    figure = figures.gains(results)
    assert titles(figure) == ["SASRec, synthetic world", "GRU4Rec, synthetic world",
                              "SASRec, Amazon Beauty", "GRU4Rec, Amazon Beauty"]
    rows = table3(results, "beauty").set_index(["backbone", "method"])
    names = [label.get_text() for label in figure.axes[2].get_yticklabels()]
    for axis, backbone in zip(figure.axes[2:], ("sasrec", "gru4rec"), strict=True):
        row = rows.loc[backbone, "adv_cas"]
        [ours], [height] = line(axis, "adv_cas")
        assert names[height] == "adv_cas" and ours == pytest.approx(row["NDCG@10 vs base %"])
        ends, _ = line(axis, "adv_cas interval")
        level = rows.loc[backbone, "base"]["NDCG@10"]
        assert ends == pytest.approx([100 * row[f"NDCG@10 difference {end}"] / level
                                      for end in ("low", "high")])
        [printed], _ = line(axis, "adv_cas paper")
        assert printed == pytest.approx(row["NDCG@10 paper vs base %"])
    [of_part], _ = line(figure.axes[2], "adv_cas_1 paper")  # Table 4, which has SASRec alone
    assert of_part == pytest.approx(100 * (0.0309 / 0.0264 - 1))
    assert "adv_cas_1 paper" not in [drawn.get_label() for drawn in figure.axes[3].lines]
    assert "paper" in legend_texts(figure)


def test_gains_take_a_metric_and_say_what_is_missing(results):
    figure = figures.gains(results, "synthetic", "hr@10")
    [ours], _ = line(figure.axes[0], "adv_seq")
    rows = table3(results, "synthetic").set_index(["backbone", "method"])
    assert ours == pytest.approx(rows.loc["sasrec", "adv_seq"]["HR@10 vs base %"])
    assert "paper" not in legend_texts(figure)
    half = figures.gains(without(results, backbone="gru4rec", method="base"))
    assert titles(half) == ["SASRec, synthetic world"]
    assert "gru4rec" in half.legends[0].get_title().get_text()
    with pytest.raises(figures.MissingRecords, match="base"):
        figures.gains(without(results, method="base"))


def test_figure6_draws_clean_and_attacked(results):
    figure = figures.figure6(results)
    for axis, backbone in zip(figure.axes, ("sasrec", "gru4rec"), strict=True):
        for method in ("base", "adv_global", "adv_cas", "adv_neighbour"):
            record = main_record(results, "synthetic", backbone, method)
            for pick in ("gradient", "nearest", "random"):
                if pick != "gradient" and method not in ("base", "adv_cas"):
                    continue
                x, y = line(axis, f"{method} {pick}")
                assert x == [0, 1, 2, 3, 4, 5]
                assert y[0] == last(record, "hr@10")
                assert y[1:] == [find_attack(record, "last", k, pick)["attacked"]["hr@10"]
                                 for k in range(1, 6)]
            assert line(axis, f"{method} same users")[1] == [
                find_attack(record, "last", k)["clean"]["hr@10"] for k in range(1, 6)]
        base = main_record(results, "synthetic", backbone, "base")
        assert set(line(axis, "base clean")[1]) == {last(base, "hr@10")}
        ticks = [label.get_text() for label in axis.get_xticklabels()]
        assert ticks == ["0\n", *(f"{k}\n{USERS[k]:,}" for k in range(1, 6))]


def test_figure6_highlight_and_its_bounds(results):
    figure = figures.figure6(results, highlight=2)
    record = main_record(results, "synthetic", "sasrec", "adv_cas")
    value = find_attack(record, "last", 2)["attacked"]["hr@10"]
    assert "K = 2: base" in titles(figure)[0] and f"adv_cas {value:.3f}" in titles(figure)[0]
    assert set(line(figure.axes[0], "highlight")[0]) == {2}
    with pytest.raises(ValueError, match="highlight is 6"):
        figures.figure6(results, highlight=6)


def test_figure6_hides_the_same_users_line_where_nobody_drops_out(results):
    results = json.loads(json.dumps(results))
    for record in results["records"]:
        for attack in record["attacks"]:
            attack["users"] = 1500
    figure = figures.figure6(results)
    assert "clean, the same users" not in legend_texts(figure)
    assert "base same users" not in [drawn.get_label() for drawn in figure.axes[0].lines]


def test_trade_off_draws_short_runs_as_curves_and_the_methods_own_beside(results):
    short = [fake_record("synthetic", "sasrec", method, epsilon, attacked=True) | {
        "roles": ["trade-off"]} for epsilon in (20.0, 3.0) for method in ("adv_cas", "adv_linear")]
    own = [record | {"roles": ["main"]} for record in results["records"]]
    some = results | {"records": [*short, *own]}
    assert figures.traded_off(some) == ["synthetic"] and figures.traded_off(results) == []
    axis = figures.trade_off(some, "synthetic", metric="hr@10").axes[0]

    def place(record):
        found = find_attack(record, "last", 1)
        return found["clean"]["hr@10"], found["attacked"]["hr@10"]

    drawn = [list(zip(*one.get_data(), strict=True)) for one in axis.lines]
    assert [place(short[2]), place(short[0])] in drawn  # adv_cas, epsilon rising
    for method in ("base", "adv_cas", "adv_neighbour"):
        assert [place(main_record(some, "synthetic", "sasrec", method))] in drawn
    numbers = [text.get_text() for text in axis.texts]
    assert numbers == ["3", "20"] * 2
    with pytest.raises(figures.MissingRecords, match="role 'trade-off', backbone 'gru4rec'"):
        figures.trade_off(some, "synthetic", "gru4rec")


BY_RECORDS = {"figure3": figures.figure3, "figure4": figures.figure4, "figure5": figures.figure5,
              "figure6": figures.figure6}


@pytest.mark.parametrize("draw", BY_RECORDS.values(), ids=BY_RECORDS)
@pytest.mark.parametrize("method", ["base", "adv_cas"])
def test_missing_records_are_named(results, draw, method):
    with pytest.raises(figures.MissingRecords) as error:
        draw(without(results, method=method))
    for name in (f"'{method}'", "'sasrec'", "'gru4rec'", "'synthetic'"):
        assert name in str(error.value)
    with pytest.raises(figures.MissingRecords, match="no records"):
        draw(results | {"records": []})
    with pytest.raises(figures.MissingRecords, match="'video'.*synthetic"):
        draw(results, dataset="video")


@pytest.mark.parametrize("draw", BY_RECORDS.values(), ids=BY_RECORDS)
def test_a_backbone_without_records_is_left_out_and_named(results, draw):
    figure = draw(without(results, method="adv_cas", backbone="gru4rec"))
    assert [title for title in titles(figure) if title] == ["SASRec, synthetic world"]
    said = " ".join(figure.legends[0].get_title().get_text().split())
    assert said.startswith("not drawn: ") and "'gru4rec'" in said
    assert draw(results).legends[0].get_title().get_text() == ""


def test_no_label_is_cut(results):
    """Everything a figure draws lies inside the picture."""
    for draw in (lambda r: figures.figure2(**figures.FIGURE2_TOY), *BY_RECORDS.values()):
        for some in (results, without(results, backbone="gru4rec")):
            figure = draw(some)
            figure.draw_without_rendering()
            box, page = figure.get_tightbbox(), figure.get_size_inches()
            assert box.x0 > -0.02 and box.y0 > -0.02
            assert box.x1 < page[0] + 0.02 and box.y1 < page[1] + 0.02
