"""Figures of results: what is drawn equals what is stored; what is missing is named."""

import matplotlib
import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot
from matplotlib.colors import to_hex

from casadv_lib.figures.accuracy import figure3, figure4
from casadv_lib.figures.forest import forest, gains
from casadv_lib.figures.robustness import figure5, figure6, trade_off, traded_off
from casadv_lib.figures.style import STYLES
from casadv_lib.results.frames import (
    METHOD_ORDER,
    METRICS,
    MissingRecords,
    attack_on,
    attacks_on,
    interval,
    main_run,
    score,
    select,
    sweep,
)
from casadv_lib.results.paper import PAPER_LAST_DROP_PERCENT, paper_change

BACKBONES = ("sasrec", "gru4rec")
FIGURES = {"figure3": figure3, "figure4": figure4, "figure5": figure5, "figure6": figure6}


def lines(axis, method, **traits):
    """{x: y} of each line in a method's colour with these traits, in the order of drawing."""
    return [dict(zip(*map(np.ravel, line.get_data()), strict=True)) for line in axis.lines
            if to_hex(line.get_color()).upper() == STYLES[method].color
            and all(getattr(line, f"get_{name}")() == value for name, value in traits.items())]


def titles(figure):
    return [axis.get_title() for axis in figure.axes]


def legend_texts(figure):
    return [text.get_text() for text in figure.legends[0].get_texts()]


def test_a_method_reads_without_colour_and_without_marker():
    assert set(STYLES) == set(METHOD_ORDER)
    for trait in ("color", "marker", "dashes", "hatch", "label"):
        values = [getattr(style, trait) for style in STYLES.values()]
        assert len(set(values)) == len(values), trait


def test_neighbouring_bars_differ_in_grey_or_hatch():
    def grey(method):
        return np.dot(matplotlib.colors.to_rgb(STYLES[method].color), (0.299, 0.587, 0.114))

    for one, two in zip(METHOD_ORDER, METHOD_ORDER[1:], strict=False):
        assert abs(grey(one) - grey(two)) > 0.1 or STYLES[one].hatch != STYLES[two].hatch


@pytest.mark.parametrize("draw", [*FIGURES.values(), gains])
def test_figures_leave_no_global_state(results, draw):
    before = dict(matplotlib.rcParams)
    figure = draw(results)
    assert pyplot.get_fignums() == [] and dict(matplotlib.rcParams) == before
    assert figure._repr_png_().startswith(b"\x89PNG")


@pytest.mark.parametrize("metric", METRICS)
def test_figure3_draws_every_evaluation(results, metric):
    figure = figure3(results, metric=metric)
    assert titles(figure) == ["SASRec, synthetic world", "GRU4Rec, synthetic world"]
    for axis, backbone in zip(figure.axes, BACKBONES, strict=True):
        base = select(results.curves, run=main_run(results, "synthetic", backbone, "base"))
        for method in ("base", "base+100", "adv_cas"):
            run = main_run(results, "synthetic", backbone, method)
            for split, drawn in zip(("test", "validation"), lines(axis, method), strict=False):
                own = select(results.curves, run=run, split=split).set_index("epoch")[metric]
                end = select(base, split=split).iloc[-1]
                start = {} if method == "base" else {end["epoch"]: end[metric]}
                assert drawn == start | own.to_dict()
            marks = [line for line in axis.lines if line.get_marker() not in ("None", "")]
            assert len(marks) == 6 and all(line.get_markevery() is None for line in marks)
        best = select(results.datasets, dataset="synthetic")[f"optimum_{metric}"].iloc[0]
        assert best in [line.get_ydata()[0] for line in axis.lines]


def test_figure3_without_control_or_optimum(paper_results, without):
    figure = figure3(without(paper_results, method="base+100"), "video")
    assert legend_texts(figure) == ["base", "adv_cas", "test", "validation", "end of phase 1"]


def test_figure3_names_an_empty_curve(results):
    empty = results.but(curves=results.curves.iloc[:0])
    with pytest.raises(MissingRecords, match="no curve.*'base'.*'sasrec'.*'gru4rec'"):
        figure3(empty)


def test_figure4_draws_the_sweep_and_its_intervals(results):
    axes = np.array(figure4(results).axes).reshape(2, 2)
    for column, backbone in enumerate(BACKBONES):
        base = main_run(results, "synthetic", backbone, "base")
        runs = sweep(results, "synthetic", backbone)
        for axis, metric in zip(axes[:, column], METRICS, strict=True):
            level = score(results, base, metric)
            assert axis.get_xscale() == "log"
            [drawn] = lines(axis, "adv_cas")
            assert list(drawn) == pytest.approx(list(runs["epsilon"]))  # off the log scale
            assert list(drawn.values()) == list(runs[metric])
            assert level in lines(axis, "base")[0].values()
            corners = axis.collections[0].get_paths()[0].vertices
            for row in runs.itertuples():
                bound = interval(results, "pair", "difference", metric, run=row.run, versus=base,
                                 which="last", versus_which="last")
                ends = corners[np.isclose(corners[:, 0], row.epsilon), 1]
                assert [ends.min(), ends.max()] == pytest.approx(
                    [level + bound["low"], level + bound["high"]])
            assert axis.patches[0].get_x() == 10 and axis.patches[0].get_width() == 10


def test_figure4_highlight(results):
    figure = figure4(results, highlight=5)
    run = sweep(results, "synthetic", "sasrec").set_index("epsilon").loc[5.0, "run"]
    level = score(results, main_run(results, "synthetic", "sasrec", "base"))
    gain = 100 * (score(results, run) / level - 1)
    words = f"epsilon 5: {score(results, run):.4f} ({gain:+.1f}% against the base)"
    assert words in figure.axes[0].get_title()
    with pytest.raises(ValueError, match="highlight is 4; allowed .* 0.1, 1, 3, 5, 10"):
        figure4(results, highlight=4)


@pytest.mark.parametrize("rule", ["both", "attacked", "original"])
def test_figure5_draws_stored_changes_and_their_intervals(results, rule):
    figure = figure5(results, exclude=rule)
    axes = np.array(figure.axes).reshape(2, 2)
    methods = ("base", "adv_linear", "adv_seq", "adv_global", "adv_cas", "adv_neighbour")
    for column, backbone in enumerate(BACKBONES):
        for axis, metric in zip(axes[:, column], METRICS, strict=True):
            bars = [c for c in axis.containers if hasattr(c, "patches")]
            errors = [c for c in axis.containers if not hasattr(c, "patches")]
            for method, container, error in zip(methods, bars, errors, strict=True):
                run = main_run(results, "synthetic", backbone, method)
                attacks = [attack_on(results, run, positions=position, exclude=rule)
                           for position in ("first", "middle", "last")]
                stored = [interval(results, "attack", "change", metric, run=run,
                                   attack=attack["attack"], exclude=rule) for attack in attacks]
                assert [bar.get_height() for bar in container] == pytest.approx(
                    [100 * (a[metric] / a[f"{metric}_clean"] - 1) for a in attacks], 1e-4)
                ends = [segment[:, 1] for segment in error.lines[2][0].get_segments()]
                assert ends == [pytest.approx([min(s["low"], s["value"]), max(s["high"],
                                                                             s["value"])])
                                for s in stored]
    assert legend_texts(figure) == [STYLES[method].label for method in methods]
    assert ("left out" in titles(figure)[0]) == (rule != "both")


def test_the_papers_drop_stands_where_the_paper_has_it(results, paper_results):
    def diamonds(figure):
        return [line for axis in figure.axes for line in axis.lines if line.get_marker() == "d"]

    assert not diamonds(figure5(results)) and not diamonds(figure5(paper_results, "beauty"))
    drawn = diamonds(figure5(paper_results, "video"))
    assert sorted({float(mark.get_ydata()[0]) for mark in drawn}) == sorted(
        -drop for drop in PAPER_LAST_DROP_PERCENT.values())
    assert len(drawn) == 4


@pytest.mark.parametrize("draw", [figure5, figure6])
def test_the_attack_that_is_asked_for(results, draw):
    with pytest.raises(MissingRecords, match="step 0.7"):
        draw(results, step=0.7)
    slim = results.but(attacks=results.attacks[results.attacks["positions"] != "last"])
    with pytest.raises(MissingRecords, match="'last'.*'base'"):
        draw(slim)
    old = results.but(attacks=select(results.attacks, exclude="original"))
    assert "substitutes compete" in titles(draw(old))[0]


def test_figure6_is_about_one_group_of_users(results):
    axes = np.array(figure6(results).axes).reshape(2, 2)
    last = select(results.attacks, dataset="synthetic", positions="last")
    for column, backbone in enumerate(BACKBONES):
        for method in ("base", "adv_global", "adv_cas", "adv_neighbour"):
            run = main_run(results, "synthetic", backbone, method)
            for row, pick in ((0, "gradient"), (1, "nearest"), (1, "random")):
                attacks = attacks_on(results, run, pick=pick)
                assert list(attacks["k"]) == [1, 2, 3, 4, 5]
                stored = {row.k: interval(results, "attack", "able", "hr@10", run=run,
                                          attack=row.attack, exclude="both")["value"]
                          for row in attacks.itertuples()}
                clean = interval(results, "attack", "able_clean", "hr@10", run=run,
                                 attack=attacks["attack"].iloc[0], exclude="both")["value"]
                drawn = [line for line in lines(axes[row, column], method) if len(line) > 2]
                wanted = pick == "gradient" or method in ("base", "adv_cas")
                assert ({0: clean} | stored in drawn) == wanted
                # whoever can be attacked at K = 5 is the group: there the whole column agrees
                assert stored[5] == pytest.approx(attacks.set_index("k").loc[5, "hr@10"],
                                                  1e-4)
        words = axes[1, column].get_xlabel()
        assert f"{int(last['users'].min()):,} users" in words


def test_figure6_highlight_and_its_bounds(results):
    figure = figure6(results, highlight=2)
    assert "K = 2: base" in titles(figure)[0]
    with pytest.raises(ValueError, match="highlight is 6"):
        figure6(results, highlight=6)


def test_trade_off_draws_short_runs_as_curves_and_the_methods_own_beside(paper_results, results):
    assert traded_off(paper_results) == ["video"] and traded_off(results) == []
    axis = trade_off(paper_results, "video").axes[0]
    last = select(paper_results.attacks, dataset="video", backbone="sasrec", positions="last", k=1,
                  pick="gradient", step=0.1, exclude="both", surrogate="")
    for method, own in last.groupby("method"):
        short = select(own, roles="trade-off")
        points = set(zip(short["ndcg@10_clean"], short["ndcg@10"], strict=True))
        drawn = lines(axis, method)
        if points:
            assert set(drawn[0].items()) == points
        [(x, y)] = own[own["roles"] != "trade-off"][["ndcg@10_clean", "ndcg@10"]].to_numpy()
        assert {x: y} in drawn
    with pytest.raises(MissingRecords, match="role 'trade-off', backbone 'gru4rec'"):
        trade_off(paper_results, "video", "gru4rec")


@pytest.mark.parametrize("metric", METRICS)
def test_gains_are_the_stored_changes_and_those_of_the_paper(paper_results, metric):
    figure = gains(paper_results, metric=metric)
    assert titles(figure) == ["SASRec, Amazon Beauty", "GRU4Rec, Amazon Beauty",
                              "SASRec, Amazon Video Games", "GRU4Rec, Amazon Video Games"]
    places = [(d, b) for d in ("beauty", "video") for b in BACKBONES]
    names = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    for axis, (dataset, backbone) in zip(figure.axes, places, strict=True):
        base = main_run(paper_results, dataset, backbone, "base")
        for method in ("adv_seq", "adv_cas_1", "adv_cas"):
            at = names.index(STYLES[method].label)
            bound = interval(paper_results, "pair", "percent", metric, versus=base,
                             run=main_run(paper_results, dataset, backbone, method),
                             which="last", versus_which="last")
            drawn = [list(line.get_xdata()) for line in axis.lines
                     if at in list(line.get_ydata())]
            assert [bound["low"], bound["high"]] in drawn and [bound["value"]] in drawn
            printed = paper_change(dataset, backbone, method, metric)
            below = [line.get_xdata()[0] for line in axis.lines
                     if line.get_marker() == "d" and line.get_ydata()[0] == at + 0.3]
            assert below == [printed] or printed is None and np.isnan(below).all()
    assert "paper" in legend_texts(figure)


def test_gains_say_what_is_missing(results, without):
    half = gains(without(results, backbone="gru4rec", method="base"))
    assert titles(half) == ["SASRec, synthetic world"]
    assert "gru4rec" in half.legends[0].get_title().get_text()
    assert "paper" not in legend_texts(half)
    with pytest.raises(MissingRecords, match="base"):
        gains(without(results, method="base"))


def test_forest_draws_any_rows(results):
    frame = pd.DataFrame({"switch": ["a", "b"], "value": [1.0, -2.0], "low": [0.5, -3.0],
                          "high": [1.5, np.nan], "low_all": [0.1, -4.0], "high_all": [2.0, 0.0]})
    axis = forest(frame, "difference", row="switch").axes[0]
    drawn = [list(line.get_xdata()) for line in axis.lines]
    for wanted in ([1.0], [0.5, 1.5], [0.1, 2.0], [-2.0], [-4.0, 0.0]):
        assert wanted in drawn
    assert [label.get_text() for label in axis.get_yticklabels()] == ["a", "b"]


@pytest.mark.parametrize("draw", FIGURES.values(), ids=FIGURES)
@pytest.mark.parametrize("method", ["base", "adv_cas"])
def test_missing_runs_are_named(results, without, draw, method):
    with pytest.raises(MissingRecords) as error:
        draw(without(results, method=method))
    for name in (f"'{method}'", "'sasrec'", "'gru4rec'", "'synthetic'"):
        assert name in str(error.value)
    with pytest.raises(MissingRecords, match="no runs"):
        draw(results.but(runs=results.runs.iloc[:0]))
    with pytest.raises(MissingRecords, match="'video'.*synthetic"):
        draw(results, dataset="video")


@pytest.mark.parametrize("draw", FIGURES.values(), ids=FIGURES)
def test_a_backbone_without_runs_is_left_out_and_named_and_nothing_is_cut(results, without, draw):
    half = draw(without(results, method="adv_cas", backbone="gru4rec"))
    assert [title for title in titles(half) if title] == ["SASRec, synthetic world"]
    said = " ".join(half.legends[0].get_title().get_text().split())
    assert said.startswith("not drawn: ") and "'gru4rec'" in said
    for figure in (half, draw(results)):
        figure.draw_without_rendering()
        box, page = figure.get_tightbbox(), figure.get_size_inches()
        assert min(box.x0, box.y0) > -0.02
        assert box.x1 < page[0] + 0.02 and box.y1 < page[1] + 0.02
