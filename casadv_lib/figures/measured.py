"""Figures from stored results (Sections 5.5 and 5.6), and the batch that writes all to files."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from ..adversarial import METHOD_ORDER
from ..evaluation import METRICS
from ..results import frames
from ..results.frames import MissingRecords, Results, select
from ..results.paper import PAPER_BEST_EPSILON, PAPER_LAST_DROP_PERCENT, paper_beside
from ..results.tables import TABLES, compared, markdown
from ..settings import MOST_REPLACED, POSITIONS
from ..support.files import make_folder, write_bytes
from . import style
from .sketches import FIGURE2_TOY, figure1, figure2
from .style import STYLES, method_line, method_lines, styled

NEEDED = ("base", "adv_cas")
SPLIT_LOOK = {"validation": {"linewidth": 0.8, "markersize": 3, "markerfacecolor": "white"},
              "test": {"linewidth": 1.6, "markersize": 3.5}}
CONTROLS = {"nearest": "--", "random": ":"}  # and their lines
CONTROL_LOOK = {"linewidth": 1, "markersize": 4.5, "markerfacecolor": "white"}
RULES = {"both": "\nleft out: the original and the attacked history",
         "attacked": "\nleft out: the attacked history",
         "original": "\nleft out: the original history, substitutes compete"}
BESIDE = {"adv_linear": (-4, -10), "adv_global": (6, -3), "adv_cas": (2, -11)}  # points
OPTIONAL = {"panel": "", "method": "", "reference": np.nan, "low_all": np.nan, "high_all": np.nan}


def with_needed(rows: pd.DataFrame, what: str) -> pd.DataFrame:
    """The rows of the backbones that have the methods NEEDED."""
    found = rows.groupby("backbone").filter(lambda own: {*NEEDED} <= {*own["method"]})
    if found.empty:
        raise MissingRecords(f"no backbone has {what} of both methods {' and '.join(NEEDED)}")
    return found


def grid(frame: pd.DataFrame, lines=("",), **options) -> tuple[Figure, list[tuple]]:
    """A figure with a column for each backbone and a row for each of these lines, and (axis, line,
    rows) of each panel. options: of `style.panels`."""
    columns = list(frame.groupby(["backbone", "dataset", "loss"], sort=False))
    figure, axes = style.panels(len(lines), len(columns), **options)
    for axis, (setting, _) in zip(axes[0], columns):
        axis.set_title(frames.setting_name(*setting), parse_math=False)
    return figure, [(axis, line, rows) for line, row in zip(lines, axes)
                    for axis, (_, rows) in zip(row, columns)]


@styled
def figure3(results: Results, dataset: str, metric: str = "ndcg@10") -> Figure:
    """Learning curves over both phases: phase 1 is the base, phase 2 adv_cas and the control.

    The synthetic world has an optimum, the best mean. Needs the curves of "base" and "adv_cas".
    """
    runs = frames.with_role(results, "main", dataset=dataset, method=[*NEEDED, "base+100"])
    curves = runs[["run", "dataset", "backbone", "loss", "method"]].merge(
        results.curves.drop(columns="loss"), on="run")  # theirs is a number
    base = select(curves, method="base")
    ends = base[base["epoch"] == base.groupby("backbone")["epoch"].transform("max")]
    second = curves[curves["method"] != "base"].drop_duplicates("run")  # begins where phase 1 ends
    starts = second[["backbone", "method"]].merge(ends.drop(columns="method"), on="backbone")
    curves = pd.concat([starts, curves]).sort_values("epoch", kind="stable")
    figure, panels = grid(with_needed(curves, f"curves on {dataset!r}"), sharey=True)
    optimum = select(results.datasets, dataset=dataset)[f"optimum_{metric}"]
    for axis, _, rows in panels:
        for split, look in SPLIT_LOOK.items():
            method_lines(axis, select(rows, split=split), "epoch", metric,
                         markevery=0.015, **look)  # of the diagonal: phase 2 may be narrow
            axis.plot([], [], color="0.3", marker="o", label=split, **look | {"linestyle": ""})
        axis.axvline(select(rows, method="base")["epoch"].max(), color=style.PAPER_GREY,
                     linewidth=1, label="end of phase 1")
        for level in optimum.dropna():
            axis.axhline(level, color="#0072B2", linewidth=1.2, linestyle=(0, (2, 2)),
                         label="optimum of the world")
        axis.set(xlabel="epoch (passes over the training data)",
                 ylabel=f"{METRICS[metric]} (from 0 to 1)")
        axis.label_outer()
    return style.key_below(figure)


@styled
def figure4(results: Results, dataset: str, highlight: float | None = None) -> Figure:
    """Test NDCG@10 and HR@10 of adv_cas against epsilon, last epoch; the base as a level line.

    highlight: an epsilon of the sweep to mark, with its values. Needs "base" and at least two
    values of epsilon for "adv_cas".
    """
    base = frames.with_role(results, "main", dataset=dataset, method="base").rename(
        columns={"run": "versus"})
    base = base.melt(["versus", "dataset", "backbone"], list(METRICS), "metric", "base")
    runs = frames.with_role(results, "sweep", dataset=dataset, method="adv_cas").sort_values(
        "epsilon", kind="stable").groupby("backbone").filter(lambda own: len(own) > 1)
    swept = runs.melt(["run", "dataset", "backbone", "loss", "method", "epsilon"], list(METRICS),
                      "metric", "score").merge(base, on=["dataset", "backbone", "metric"])
    if swept.empty:
        raise MissingRecords("no backbone has a base and a sweep of adv_cas over two or more "
                             f"values of epsilon on {dataset!r}")
    differences = select(results.intervals, kind="pair", quantity="difference", which="last",
                         versus_which="last")[["run", "versus", "metric", "low", "high"]]
    swept = swept.merge(differences, "left", on=["run", "versus", "metric"])
    swept[["low", "high"]] = swept[["low", "high"]].add(swept["base"], axis=0).clip(0)
    epsilons = sorted(set(swept["epsilon"]))
    figure, panels = grid(swept, METRICS, height=2.5, sharex=True, sharey="row")
    for axis, metric, rows in panels:
        rows = select(rows, metric=metric)
        method_lines(axis, rows, "epsilon", "score", "95% interval of the difference to base")
        axis.axhline(rows["base"].iloc[0], label="base", **method_line("base", marker=""))
        axis.axvspan(*PAPER_BEST_EPSILON, facecolor="0.85", zorder=0,
                     label="paper: best from 10 to 20")
        axis.set(xscale="log", ylabel=f"{METRICS[metric]} (from 0 to 1)")
        axis.set_xticks(epsilons, [f"{epsilon:g}" for epsilon in epsilons])
        axis.minorticks_off()
        if axis.get_subplotspec().is_last_row():
            axis.set_xlabel("epsilon (size over a batch, log scale)")
        if highlight is not None:
            there = rows[np.isclose(rows["epsilon"], highlight)]
            words = [f"{row.score:.4f} ({100 * (row.score / row.base - 1):+.1f}% against the base)"
                     for row in there.itertuples()] or ["not run"]
            style.mark(axis, highlight, there["score"], f"epsilon {highlight:g}: {words[0]}")
    return style.key_below(figure)


def _attacked(results: Results, dataset: str, shown: str, exclude: str, step: float
              ) -> pd.DataFrame:
    """Intervals of attacks by a gradient step of this size, and by the controls, on the runs of
    the methods with a yes in this column of `methods.csv`."""
    runs = frames.with_role(results, "main", dataset=dataset)
    runs = runs.loc[[getattr(STYLES[method], shown) for method in runs["method"]]]
    rows = select(results.attacks, surrogate="", run=list(runs["run"]), exclude=exclude)
    rows = rows[(rows["pick"] == "gradient") & (rows["step"] == step)
                | rows["pick"].isin(CONTROLS)]
    stored = select(results.intervals, kind="attack").drop(columns=["dataset", "backbone"])
    return rows.merge(stored, on=["run", "attack", "exclude"])


@styled
def figure5(results: Results, dataset: str, step: float = 0.1, exclude: str = "both") -> Figure:
    """Change of NDCG@10 and HR@10 when the first, middle or last item is replaced, in percent.

    A diamond is what the paper prints, for Video Games alone. step, exclude: which attack, as in
    `casadv_lib.attack`. Needs the three attacks for "base" and "adv_cas".
    """
    drops = select(_attacked(results, dataset, "in_figure5", exclude, step),
                   quantity="change", k=1, pick="gradient")
    drops = drops.groupby("run", sort=False).filter(lambda own: own["positions"].nunique() == 3)
    drops = with_needed(drops, f"three attacks on {dataset!r} with step {step}, exclude {exclude}")
    figure, panels = grid(drops, METRICS, sharex=True, sharey="row")
    for axis, metric, rows in panels:
        own = select(rows, metric=metric).groupby("method", sort=False)
        for place, (method, bars) in enumerate(own, start=1):
            ends = [(bars["value"] - bars["low"]).clip(0), (bars["high"] - bars["value"]).clip(0)]
            at = bars["positions"].map(POSITIONS.index) + 0.8 * ((place - 0.5) / len(own) - 0.5)
            axis.bar(at, bars["value"], 0.74 / len(own), yerr=ends, capsize=2, ecolor="0.15",
                     error_kw={"elinewidth": 1, "path_effects": style.RIM},
                     label=STYLES[method].label, **style.bar_look(method))
        axis.errorbar([], [], [], color="0.15", capsize=2, linestyle="", label="95% interval")
        axis.axhline(0, color="0.2", linewidth=0.8)
        axis.grid(False, axis="x")
        if tuple(rows[["dataset", "loss"]].iloc[0]) == ("video", "bce"):
            at = max(bar.get_center()[0] for bar in axis.patches[:3])  # the base's
            # as error bars without a length the legend lists it after the bars
            axis.errorbar([at], [-PAPER_LAST_DROP_PERCENT[metric]], zorder=5,
                          label="paper: base, mean of both backbones", **style.PAPER_LOOK)
        axis.set_xticks(range(3), POSITIONS)
        axis.set(xlabel=f"position of the replaced item{RULES[rows['exclude'].iloc[0]]}",
                 ylabel=f"change of {METRICS[metric]} (% of clean)")
        axis.label_outer()
    return style.key_below(figure)


@styled
def figure6(results: Results, dataset: str, highlight: int | None = None, step: float = 0.1,
            exclude: str = "both") -> Figure:
    """Test HR@10 after the last K items are replaced, K = 0 (clean) to 5, of one group of users.

    Above: the gradient attack. Below: its controls, the nearest or a random
    item. All can be attacked at every K. highlight: a K to mark. step, exclude: as in `figure5`.
    """
    rows = select(_attacked(results, dataset, "in_figure6", exclude, step), metric="hr@10",
                  positions="last")
    rows = rows[(rows["k"] <= MOST_REPLACED)
                & ((rows["pick"] == "gradient") | rows["method"].isin(NEEDED))]
    rows = rows.groupby("run", sort=False).filter(lambda own: "gradient" in set(own["pick"]))
    rows = with_needed(rows, f"attacks on {dataset!r} at 'last' with step {step}, "
                             f"exclude {exclude}")
    clean = select(rows, quantity="able_clean").drop_duplicates(["run", "pick"]).assign(k=0)
    curves = pd.concat([clean, select(rows, quantity="able").sort_values("k", kind="stable")])
    users = int(select(results.attacks, dataset=rows["dataset"].iloc[0], positions="last")[
        "users"].min())
    lines = ["by the gradient", *(["controls"] if curves["pick"].isin(CONTROLS).any() else [])]
    figure, panels = grid(curves, lines, height=2.6, sharex=True, sharey=True)
    for axis, line, rows in panels:
        gradient, rule = select(rows, pick="gradient"), RULES[rows["exclude"].iloc[0]]
        if line == "controls":
            for pick, dashes in CONTROLS.items():
                own, look = select(rows, pick=pick), {"linestyle": dashes, **CONTROL_LOOK}
                method_lines(axis, own, "k", "value", label="", **look)
                if not own.empty:
                    axis.plot([], [], color="0.3", marker="o", label=f"control: {pick} item",
                              **look)
        else:
            # more shades would hide each other
            ends = gradient[["low", "high"]].where(gradient["method"].isin(NEEDED))
            method_lines(axis, gradient.assign(**ends), "k", "value", "95%, base and adv_cas")
            if highlight is not None:
                there = select(gradient, k=highlight)
                words = [f"{row.method}={row.value:.3f}" for row in there.itertuples()]
                style.mark(axis, highlight, there["value"],
                           f"K={highlight}: {', '.join(words) or 'not attacked'}")
        axis.axhline(gradient["value"].iloc[0], color="0.2", linewidth=0.8, label="base, clean")
        axis.set(xlabel=f"K, last items replaced, of {users:,} users{rule}",
                 ylabel=f"HR@10 (from 0 to 1)\n{line}", xticks=range(MOST_REPLACED + 1))
        axis.label_outer()
    return style.key_below(figure)


@styled
def trade_off(results: Results, dataset: str) -> Figure:
    """NDCG@10 after the last item is replaced against NDCG@10 before it: a curve a method.

    Small marks are trials of other values (role "trade-off"), with their epsilon, or the chance of
    a replacement; large ones are the methods' own runs. Along a broken line the attack costs the
    same share. Attacked users alone, test split. Needs two such runs of a method, attacked.
    """
    last = select(results.attacks, positions="last", k=1, pick="gradient", step=0.1,
                  exclude="both", surrogate="")[["run", "ndcg@10_clean", "ndcg@10"]]
    last = last.rename(columns={"ndcg@10_clean": "clean", "ndcg@10": "attacked"})
    tried, main = (frames.with_role(results, role, dataset=dataset).merge(last, on="run")
                   for role in ("trade-off", "main"))
    tried = tried.groupby(["backbone", "method"]).filter(lambda own: len(own) > 1)
    if tried.empty:
        raise MissingRecords("no method has two attacked runs of role 'trade-off', "
                             f"dataset {dataset!r}")
    tried["setting"] = tried["epsilon"].fillna(tried["replace_probability"])
    figure, panels = grid(tried.sort_values("setting", kind="stable"), width=6.2, height=4.4)
    for axis, _, rows in panels:
        method_lines(axis, select(main, backbone=rows["backbone"].iloc[0]), "clean", "attacked",
                     linestyle="", alpha=0.6, markersize=11, markeredgecolor="0.2")
        method_lines(axis, rows, "clean", "attacked", label="", linestyle="-", markersize=4)
        for row in rows.itertuples():
            x, y = BESIDE.get(row.method, (-6, 3))  # curves lie close to each other
            axis.annotate(f"{row.setting:g}", (row.clean, row.attacked), (x, y), fontsize=8,
                          textcoords="offset points", color=STYLES[row.method].color,
                          ha="left" if x > 0 else "right", path_effects=style.RIM)
        for size, words in ((11, "large: a method's own run"),
                            (4, "small: a trial of an epsilon (neighbour: a chance)")):
            axis.plot([], [], "o", color="0.5", markersize=size, label=words)
        axis.margins(0.1)
    spans = [np.ptp([axis.get_xlim(), axis.get_ylim()], axis=1) for axis, *_ in panels]
    for axis, *_ in panels:  # all panels have one scale: what is small in one looks small
        (left, low), (right, high) = (
            np.mean([axis.get_xlim(), axis.get_ylim()], axis=1) + half * np.max(spans, axis=0)
            for half in (-0.5, 0.5))
        for lost in range(0, 100, 10):
            left_over = 1 - lost / 100
            axis.plot([left, right], [left * left_over, right * left_over], color="0.6",
                      linestyle="--", linewidth=0.8, zorder=0, label="equal share lost")
            end = min(right, high / left_over)  # where the line leaves the picture
            if left < end and low < end * left_over:
                axis.annotate(f"{-lost}%", (end, end * left_over), ha="right", va="top", fontsize=8,
                              xytext=(-4, -4), color="0.3", textcoords="offset points",
                              path_effects=style.RIM)
        axis.set(xlim=(left, right), ylim=(low, high),
                 xlabel="test NDCG@10 of attacked users, clean",
                 ylabel="test NDCG@10, last item replaced")
    return style.key_below(figure)


@styled
def forest(frame: pd.DataFrame, xlabel: str = "", zero: str = "no difference",
           ours: str = "ours, 95% interval", reference: str = "paper", columns: int = 2,
           width: float = 4.2) -> Figure:
    """A mark at "value" and a line from "low" to "high" for each row; 0 as a broken line.

    frame: columns "value", "low", "high", and "row", its label, or "method", whose name, place,
    colour and mark it takes; where it has them "panel", the title of its panel, "reference", a
    hollow diamond, "low_all" and "high_all", a thin line. zero, ours, reference: what the legend
    calls the broken line, the marks and the diamonds. columns: of panels, at most; width: of each.
    """
    if "method" in frame:
        frame = frame.assign(row=[STYLES[method].label for method in frame["method"]])
    frame = frame.assign(**{name: value for name, value in OPTIONAL.items() if name not in frame})
    titles = list(frame["panel"].unique())
    in_order = frame.sort_values("method", kind="stable", key=lambda names: names.map(
        ["", *METHOD_ORDER].index))
    labels = list(in_order["row"].unique())
    columns = min(columns, len(titles))
    figure, axes = style.panels(-(-len(titles) // columns), columns, width, sharex=True,
                                sharey=True, height=0.62 + 0.22 * len(labels))
    for axis, title in zip(axes.flat, titles):
        rows = select(frame, panel=title)
        at = np.array([labels.index(row) for row in rows["row"]])
        axis.plot(rows[["low_all", "high_all"]].T, [at, at], color="0.5", linewidth=0.7)
        axis.plot(rows[["low", "high"]].T, [at, at], color="0.3", linewidth=1.4, marker="|",
                  markersize=7)
        for place, value, method in zip(at, rows["value"], rows["method"]):
            axis.plot([value], [place], **style.method_line(method, markeredgecolor="0.2"))
        look = {"color": "0.3", "marker": "o"} if frame["method"].nunique() > 1 else (
            style.method_line(frame["method"].iloc[0]))
        axis.plot([], [], **look | {"linestyle": "-", "linewidth": 1.4}, label=ours)
        axis.axvline(0, color="0.2", linestyle="--", linewidth=1, label=zero)
        axis.plot(rows["reference"], at + 0.3, **style.PAPER_LOOK,
                  label=reference if rows["reference"].notna().any() else "")
        axis.set_yticks(range(len(labels)), labels)
        axis.set_ylim(len(labels) - 0.4, -0.6)  # first row on top
        axis.set_title(title, parse_math=False)
        axis.tick_params(labelbottom=True)
    for axis in axes.flat[len(titles):]:
        axis.remove()
    for axis in axes.flat[max(0, len(titles) - columns):len(titles)]:
        axis.set_xlabel(xlabel)
    return style.key_below(figure)


def gains(results: Results, dataset: str | None = None, attacked: bool = False) -> Figure:
    """Tables 3 and 4 as a picture: the change of NDCG@10 on test against the base in percent, and
    the paper's as a diamond; a panel a data set and backbone, all of them for None. attacked:
    instead how many points of it less than by the base are lost when the last item is replaced."""
    quantity, label = (("change difference", "NDCG@10 lost less than by the base (points)")
                       if attacked else ("percent", "change of NDCG@10 (% of the base)"))
    stored = select(results.intervals, kind="pair", quantity=quantity, metric="ndcg@10",
                    which="last", versus_which="last")[["run", "versus", "value", "low", "high"]]
    rows = compared(results, dataset)
    rows = rows.merge(stored, left_on=["run", "base run"], right_on=["run", "versus"])
    settings = rows[["backbone", "dataset", "loss"]].itertuples(index=False)
    if rows.empty:
        raise MissingRecords(f"no interval of a {quantity} of a method and its base")
    rows = rows.assign(panel=[frames.setting_name(*setting) for setting in settings],
                       reference=np.nan if attacked else paper_beside(rows)["ndcg@10 change"])
    return forest(rows, label, zero="base")


def ladder(rows: pd.DataFrame) -> Figure:
    """Rows of `comparisons.ladder`: a row of panels a loss, a column a measure."""
    rows = rows.sort_values(["loss", "measure"], key=lambda names: pd.factorize(names)[0])
    units = rows["measure"].str.startswith("accuracy").map({True: " (%)", False: " (points)"})
    return forest(rows.assign(panel=rows["loss"] + units + "\n" + rows["measure"]), "gain",
                  zero="no gain", columns=rows["measure"].nunique(), width=2.6)


def write_all(results: Results, folder: Path) -> list[Path]:
    """Write every figure (.png at 150 dpi, .svg) and table (.csv, .md) that the results allow, the
    same results as the same bytes. What lacks its records is printed; its old file stays."""
    make_folder(folder)  # what cannot be written shows before the work
    written, tables = [], {name: partial(make, results) for name, make in TABLES.items()}
    for name, make in (figure_makers(results) | tables).items():
        try:
            made = make()
        except MissingRecords as error:
            print(f"{name} is not written: {error}")
            continue
        if isinstance(made, Figure):
            files = {kind: style.picture(made, kind) for kind in ("png", "svg")}
        else:
            text = made.to_csv(index=False, float_format="%.6g", lineterminator="\n")
            files = {"csv": text.encode(), "md": markdown(made).encode()}
        written += [write_bytes(folder / f"{name}.{kind}", file) for kind, file in files.items()]
    return written


def figure_makers(results: Results) -> dict[str, Callable[[], Figure]]:
    """{file name: what draws it}: figure3 and so on, for a second data set figure3_<dataset>."""
    makers = {"figure1": partial(figure1, **results.figure1)} if results.figure1 else {}
    makers["figure2"] = partial(figure2, **FIGURE2_TOY)
    for position, dataset in enumerate(results.runs["dataset"].unique()):
        for draw in (figure3, figure4, figure5, figure6):
            name = draw.__name__ + (f"_{dataset}" if position else "")
            makers[name] = partial(draw, results, dataset=dataset)
    for dataset in frames.with_role(results, "trade-off")["dataset"].unique():
        makers[f"trade_off_{dataset}"] = partial(trade_off, results, dataset)
    return makers | {"gains": partial(gains, results),
                     "gains_attacked": partial(gains, results, attacked=True)}
