"""Figures of results: what is drawn equals what is stored; what is missing is named."""

from dataclasses import replace
from itertools import product

import matplotlib
import numpy as np
import pandas as pd
import pytest
from fabricated import without
from matplotlib import pyplot
from matplotlib.colors import to_hex

from casadv_lib.adversarial import METHOD_ORDER
from casadv_lib.evaluation import METRICS
from casadv_lib.figures.measured import (
    POSITIONS,
    figure3,
    figure4,
    figure5,
    figure6,
    forest,
    gains,
    ladder,
    trade_off,
)
from casadv_lib.figures.style import STYLES
from casadv_lib.results.frames import (
    MissingRecords,
    interval,
    main_run,
    score,
    select,
    with_role,
)
from casadv_lib.results.paper import PAPER_LAST_DROP_PERCENT, paper_change

BACKBONES = ("sasrec", "gru4rec")
FIGURE5 = ("base", "adv_linear", "adv_seq", "adv_global", "adv_cas", "adv_neighbour")
FIGURE6 = ("base", "adv_global", "adv_cas", "adv_neighbour")
FIGURES = {draw.__name__: draw for draw in (figure3, figure4, figure5, figure6)}


def titles(figure):
    return [axis.get_title() for axis in figure.axes]


def legend_texts(figure):
    return [text.get_text() for text in figure.legends[0].get_texts()]


def test_a_method_reads_without_colour_and_without_marker():
    assert set(STYLES) == {*METHOD_ORDER, "other"}
    for trait in ("color", "marker", "dashes", "hatch", "label"):
        values = [getattr(style, trait) for style in STYLES.values()]
        assert len(set(values)) == len(values), trait


def numbers(axis):
    """{method: its points (x, y), by colour}; under "" each coordinate of all else."""
    numbers = {method: set() for method in STYLES} | {"": set()}
    methods = {style.color: method for method, style in STYLES.items()}
    for line in axis.lines:
        points = np.round(np.transpose(line.get_data()).astype(float), 6).tolist()
        numbers.get(methods.get(to_hex(line.get_color()).upper()), set()).update(
            map(tuple, points))
        numbers[""].update(np.ravel(points))
    for bar in axis.patches:
        if (color := to_hex(bar.get_facecolor()).upper()) in methods and hasattr(bar, "get_height"):
            middle = bar.get_x() + bar.get_width() / 2
            numbers[methods[color]].add((round(middle), round(bar.get_height(), 6)))
    for collection in axis.collections:  # shades and error bars
        for path in collection.get_paths():
            numbers[""].update(path.vertices.round(6).ravel())
    return numbers


# What a figure should draw, read off the stored results: a row a point, with its panel (line of
# panels, backbone), method, x and y; low and high where its interval is drawn.

def main(results, dataset):
    return pd.DataFrame([(run, backbone, method) for backbone in BACKBONES for method, run in
                         results.main[dataset, backbone].items()],
                        columns=["run", "backbone", "method"])


def attacked(results, dataset, **options):
    bounds = select(results.intervals, kind="attack", exclude="both")
    attacks = select(results.attacks, surrogate="", exclude="both", **options)
    attacks = attacks[(attacks["pick"] != "gradient") | (attacks["step"] == 0.1)]
    return main(results, dataset).merge(attacks[["run", "attack", "positions", "k", "pick"]]).merge(
        bounds.drop(columns=["dataset", "backbone"])).rename(columns={"value": "y"})


def curves(results):
    rows = main(results, "synthetic").merge(results.curves)
    rows = rows[rows["method"].isin(["base", "base+100", "adv_cas"])]
    return rows.assign(line=0, x=rows["epoch"], y=rows["ndcg@10"])


def swept(results):
    parts = []
    for backbone in BACKBONES:
        base = main_run(results, "synthetic", backbone, "base")
        bounds = select(results.intervals, kind="pair", quantity="difference", versus=base,
                        which="last", versus_which="last")
        for line, metric in enumerate(METRICS):
            rows = with_role(results, "sweep", backbone=backbone).sort_values("epsilon")
            rows = rows[["run", "method", "epsilon", metric]]
            rows = rows.merge(select(bounds, metric=metric))
            level = score(results, base, metric)
            parts.append(rows.assign(line=line, x=rows["epsilon"], y=rows[metric],
                                     low=level + rows["low"], high=level + rows["high"]))
    return pd.concat(parts)


def drops(results):
    rows = select(attacked(results, "synthetic", pick="gradient", k=1), quantity="change")
    rows = rows[rows["method"].isin(FIGURE5)]
    return rows.assign(line=rows["metric"].map(list(METRICS).index), low=rows[["low", "y"]].min(
        axis=1), high=rows[["high", "y"]].max(axis=1), x=rows["positions"].map(POSITIONS.index))


def hit_ratios(results):
    rows = select(attacked(results, "synthetic", positions="last"), metric="hr@10")
    rows = rows[(rows["pick"] == "gradient") & rows["method"].isin(FIGURE6)
                | rows["pick"].isin(["nearest", "random"])
                & rows["method"].isin(["base", "adv_cas"])]
    rows = pd.concat([select(rows, quantity="able"),
                      select(rows, quantity="able_clean").assign(k=0)])
    controls = rows["pick"] != "gradient"
    bare = controls | ~rows["method"].isin(["base", "adv_cas"])  # without a shade
    return rows.assign(line=controls.astype(int), x=rows["k"], low=rows["low"].mask(bare),
                       high=rows["high"].mask(bare))


def traded(results):
    rows = select(results.attacks, dataset="video", backbone="sasrec", positions="last", k=1,
                  pick="gradient", step=0.1, exclude="both", surrogate="", seed=0)
    return rows.assign(line=0, x=rows["ndcg@10_clean"], y=rows["ndcg@10"])


@pytest.mark.parametrize("draw, profile, read, least", [
    (figure3, "results", curves, 60), (figure4, "results", swept, 20),
    (figure5, "results", drops, 72), (figure6, "results", hit_ratios, 60),
    (trade_off, "paper_results", traded, 10)])
def test_a_figure_draws_what_is_stored(request, draw, profile, read, least):
    results, before = request.getfixturevalue(profile), dict(matplotlib.rcParams)
    figure = draw(results, "synthetic" if profile == "results" else "video")
    assert pyplot.get_fignums() == [] and dict(matplotlib.rcParams) == before
    wide = len(figure.axes) > 1
    drawn = [numbers(axis) for axis in figure.axes]
    rows = read(results).reindex(columns=["line", "backbone", "method", "x", "y", "low", "high"])
    assert len(rows) >= least
    for row in rows.itertuples():
        panel = drawn[2 * row.line + BACKBONES.index(row.backbone)] if wide else drawn[0]
        assert (round(row.x, 6), round(row.y, 6)) in panel[row.method], row
        for end in (row.low, row.high):
            assert np.isnan(end) or np.nanmin(np.abs(np.array([*panel[""]]) - end)) < 2e-6, row


def test_figure3_with_the_optimum_of_another_metric_and_without_control_or_optimum(
        results, paper_results):
    best = results.datasets.set_index("dataset").loc["synthetic", "optimum_hr@10"]
    for axis in figure3(results, "synthetic", "hr@10").axes:
        assert [best, best] in [list(line.get_ydata()) for line in axis.lines]
    figure = figure3(without(paper_results, method="base+100"), "video")
    assert legend_texts(figure) == ["base", "adv_cas", "validation", "test", "end of phase 1"]


def test_highlights_are_told_in_words(results):
    run = with_role(results, "sweep", backbone="sasrec", epsilon=5.0)["run"].item()
    level = score(results, main_run(results, "synthetic", "sasrec", "base"))
    gain = 100 * (score(results, run) / level - 1)
    words = f"epsilon 5: {score(results, run):.4f} ({gain:+.1f}% against the base)"
    assert words in titles(figure4(results, "synthetic", 5))[0]
    marked = figure6(results, "synthetic", 2)
    last = select(results.attacks, dataset="synthetic", positions="last")
    assert f"{int(last['users'].min()):,} users" in marked.axes[2].get_xlabel()
    [base] = [line for line in marked.axes[0].lines if line.get_label() == "base"]
    assert f"K=2: base={base.get_ydata()[2]:.3f}" in titles(marked)[0]


def diamonds(figure):
    """{(panel, y): x} of the numbers that the paper prints."""
    return {(panel, y): x for panel, axis in enumerate(figure.axes) for line in axis.lines
            if line.get_marker() == "d" for x, y in zip(*line.get_data()) if np.isfinite(x)}


def test_the_papers_drop_stands_where_the_paper_has_it(results, paper_results):
    for others, dataset in ((results, "synthetic"), (paper_results, "beauty")):
        assert not diamonds(figure5(others, dataset))
    drawn = diamonds(figure5(paper_results, "video"))
    assert list(drawn) == [(panel, -PAPER_LAST_DROP_PERCENT[metric]) for panel, metric in
                           enumerate(("ndcg@10", "ndcg@10", "hr@10", "hr@10"))]


@pytest.mark.parametrize("draw, each", [(figure5, 3), (figure6, 6)])
def test_the_attack_that_is_asked_for(results, draw, each):
    drawn = numbers(draw(results, "synthetic").axes[0])
    assert {len(points) for method, points in drawn.items() if method and points} == {each}
    with pytest.raises(MissingRecords, match="step 0.7"):
        draw(results, "synthetic", step=0.7)
    slim = replace(results, attacks=results.attacks[results.attacks["positions"] != "last"])
    with pytest.raises(MissingRecords, match="on 'synthetic'.*base and adv_cas"):
        draw(slim, "synthetic")
    old = draw(results, "synthetic", exclude="original")
    assert "substitutes compete" in old.axes[-1].get_xlabel()


@pytest.mark.parametrize("draw", [figure5, figure6])
def test_a_method_of_one_s_own_is_drawn_without_a_look_of_its_own(results, draw):
    own = {name: getattr(results, name).replace({"method": {"adv_seq": "own"}})
           for name in ("runs", "attacks")}
    figure, before = draw(replace(results, **own), "synthetic"), draw(results, "synthetic")
    drawn, theirs = numbers(figure.axes[0]), numbers(before.axes[0])
    assert "own" in legend_texts(figure) and drawn["other"]
    assert drawn["adv_cas"] == theirs["adv_cas"] and not theirs["other"]
    if draw is figure5:  # the other leaves out the paper's adv_seq, but nobody's own
        assert drawn["other"] == theirs["adv_seq"]


def test_gains_stand_beside_those_of_the_paper(paper_results):
    figure = gains(paper_results, "video")
    assert titles(figure) == ["SASRec, Amazon Video Games", "GRU4Rec, Amazon Video Games"]
    names = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    for panel, backbone in enumerate(BACKBONES):
        runs, drawn = paper_results.main["video", backbone], numbers(figure.axes[panel])
        for method in {"adv_seq", "adv_cas_1", "adv_cas"} & set(runs):
            row = interval(paper_results, "pair", "percent", run=runs[method], which="last",
                           versus=runs["base"], versus_which="last")
            at = names.index(STYLES[method].label)
            assert drawn[method] == {(round(row["value"], 6), at)}
            assert {round(row["low"], 6), round(row["high"], 6)} <= drawn[""]
            printed = paper_change("video", backbone, method, "ndcg@10")
            assert diamonds(figure).get((panel, at + 0.3)) == printed
    kept = gains(paper_results, "video", attacked=True)
    run, base = (paper_results.main["video", "sasrec"][name] for name in ("adv_cas", "base"))
    row = interval(paper_results, "pair", "change difference", run=run, versus=base)
    assert numbers(kept.axes[0])["adv_cas"].pop()[0] == round(row["value"], 6)
    slim = replace(paper_results, intervals=select(paper_results.intervals, quantity="percent"))
    with pytest.raises(MissingRecords, match="change difference"):
        gains(slim, attacked=True)


def test_forest_draws_any_rows():
    frame = pd.DataFrame({"row": ["a", "b"], "value": [1.0, -2.0], "low": [0.5, -3.0],
                          "high": [1.5, np.nan], "low_all": [0.1, -4.0], "high_all": [2.0, 0.0]})
    drawn = [list(line.get_xdata()) for line in forest(frame, "difference").axes[0].lines]
    for wanted in ([1.0], [0.5, 1.5], [0.1, 2.0], [-2.0], [-4.0, 0.0]):
        assert wanted in drawn


@pytest.mark.parametrize("draw", FIGURES.values(), ids=FIGURES)
def test_what_lacks_its_runs_is_left_out_and_nothing_is_cut(results, draw):
    for method in ("base", "adv_cas"):
        with pytest.raises(MissingRecords, match=f"no backbone has .*{method}"):
            draw(without(results, method=method), "synthetic")
    with pytest.raises(MissingRecords, match="on 'video'"):
        draw(results, "video")
    with pytest.raises(MissingRecords, match="role 'trade-off', dataset 'synthetic'"):
        trade_off(results, "synthetic")
    half = draw(without(results, method="adv_cas", backbone="gru4rec"), "synthetic")
    assert [title for title in titles(half) if title] == ["SASRec, synthetic world"]
    for figure in (half, draw(results, "synthetic")):
        figure.draw_without_rendering()
        box, page = figure.get_tightbbox(), figure.get_size_inches()
        assert min(box.x0, box.y0) > -0.02
        assert box.x1 < page[0] + 0.02 and box.y1 < page[1] + 0.02


def test_a_sweep_of_one_value_is_none_whatever_another_data_set_has(results):
    rows = results.runs.assign(dataset="video", run="video-" + results.runs["run"])
    rows = rows[rows["roles"].str.contains("main")]  # the chosen epsilon alone is of the sweep
    both = replace(results, runs=pd.concat([results.runs, rows]))
    assert len(titles(figure4(both, dataset="synthetic"))) == 4
    with pytest.raises(MissingRecords, match="a sweep of adv_cas over two or more"):
        figure4(both, dataset="video")


def test_the_ladder_draws_each_interval_in_the_row_of_its_method():
    methods, losses = ["adv_linear", "adv_cas", "neighbour"], ["BCE", "cross-entropy"]
    units = {"accuracy over base+more": "(%)", "robustness over base+more": "(points)"}
    rows = pd.DataFrame([{"loss": loss, "measure": measure, "method": method}
                         for loss in losses for method in methods
                         for measure in units])
    rows["value"] = np.arange(len(rows), dtype=float)
    figure = ladder(rows.assign(low=rows["value"] - 1, high=rows["value"] + 1))
    panels = [*product(losses, units)]
    assert titles(figure) == [f"{loss} {units[measure]}\n{measure}" for loss, measure in panels]
    for axis, (loss, measure) in zip(figure.axes, panels, strict=True):
        drawn = numbers(axis)
        for place, method in enumerate(methods):
            value = select(rows, loss=loss, measure=measure, method=method)["value"].item()
            assert drawn[method] == {(value, place)}
