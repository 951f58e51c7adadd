"""Figures 5 and 6, and accuracy against robustness, from stored results (Section 5.6)."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke

from ..evaluation import METRICS
from ..results import frames
from ..results.frames import MissingRecords, Results, select
from ..results.paper import PAPER_LAST_DROP_PERCENT
from ..settings import MOST_REPLACED, POSITIONS
from ..support.checks import number
from . import style
from .style import COLORS, STYLES, styled

NEEDED = ("base", "adv_cas")
FIGURE5_METHODS = ("base", "adv_linear", "adv_seq", "adv_global", "adv_cas", "adv_neighbour")
FIGURE6_METHODS = ("base", "adv_global", "adv_cas", "adv_neighbour")
CONTROLS = {"nearest": "--", "random": ":"}  # and their lines
CONTROL_LOOK = {"linewidth": 1, "markersize": 4.5, "markerfacecolor": "white"}
RULES = {"both": "", "attacked": "\nleft out: the attacked history",
         "original": "\nleft out: the original history, substitutes compete"}
BESIDE = {"adv_linear": (-6, -3), "adv_global": (6, -3), "adv_cas": (2, -11)}  # points


@styled
def figure5(results: Results, dataset: str | None = None, step: float = 0.1,
            exclude: str | None = None) -> Figure:
    """Change of NDCG@10 and HR@10 when the first, middle or last item is replaced, in percent.

    The change is relative to the same users' clean score, with its 95% interval. A diamond is what
    the paper prints, for the last item on Video Games alone. step, exclude: which attack, as in
    `casadv_lib.attack`; exclude None: see `rule_of`.
    Needs the three attacks with k = 1 for "base" and "adv_cas"; others are drawn where they are.
    """
    dataset = frames.choose_dataset(results, dataset)
    drops, missing = style.by_backbone(
        _drops, results, [dataset], exclude, step, needed=NEEDED,
        what=f"attacks at positions {POSITIONS} with step {step!r}, exclude {exclude!r}")
    figure, panels = style.grid(drops, METRICS, sharex=True, sharey="row")
    for axis, metric, rows in panels:
        _drop_bars(axis, select(rows, metric=metric))
        if dataset == "video":
            at = max(bar.get_center()[0] for bar in axis.patches[:3])  # the base's
            # as error bars without a length the legend lists it after the bars
            axis.errorbar([at], [-PAPER_LAST_DROP_PERCENT[metric]], zorder=5,
                          label="paper: base, mean of both backbones", **style.PAPER_LOOK)
        axis.set_xticks(range(3), POSITIONS)
        axis.set(xlabel=f"position of the replaced item{RULES[rows['exclude'].iloc[0]]}",
                 ylabel=f"change of {METRICS[metric]} (% of clean)")
        axis.label_outer()
    style.key_below(figure, missing=missing)
    return figure


def _drop_bars(axis, rows: pd.DataFrame) -> None:
    methods = list(rows.groupby("method", sort=False))
    width = 0.8 / len(methods)
    for place, (method, own) in enumerate(methods):
        ends = [(own["value"] - own["low"]).clip(0), (own["high"] - own["value"]).clip(0)]
        at = own["positions"].map(POSITIONS.index) + (place + 0.5) * width - 0.4
        bars = axis.bar(at, own["value"], width, yerr=ends, capsize=2, ecolor="0.15",
                        error_kw={"elinewidth": 1}, label=STYLES[method].label,
                        **style.bar_look(method))
        _, caps, lines = bars.errorbar
        for artist in (*caps, *lines):  # a light rim, to be seen on a dark bar
            artist.set_path_effects([withStroke(linewidth=2.4, foreground="white")])
    axis.axhline(0, color="0.2", linewidth=0.8)
    axis.grid(False, axis="x")


def _attacked(results: Results, dataset: str, backbone: str, methods: tuple[str, ...],
              exclude: str | None, step: float) -> pd.DataFrame:
    """A row for each interval of attacks on main runs, by the gradient with this step and by the
    controls, in the order of `methods`."""
    rule = exclude or frames.rule_of(results, frames.main_run(results, dataset, backbone, "base"))
    runs = pd.Series(results.main.get((dataset, backbone), {}), name="run", dtype=object)
    own = runs.reindex(methods).dropna().rename_axis("method").reset_index()
    rows = select(results.attacks, surrogate="", exclude=rule).drop(columns="method")
    rows = rows[(rows["pick"] == "gradient") & (rows["step"] == step) | rows["pick"].isin(CONTROLS)]
    stored = select(results.intervals, kind="attack").drop(columns=["dataset", "backbone"])
    return own.merge(rows, on="run").merge(stored, on=["run", "attack", "exclude"])


def _drops(results: Results, dataset: str, backbone: str, exclude: str | None, step: float
           ) -> pd.DataFrame:
    rows = _attacked(results, dataset, backbone, FIGURE5_METHODS, exclude, step)
    rows = select(rows, quantity="change", k=1, pick="gradient")
    return rows.groupby("method", sort=False).filter(lambda own: own["positions"].nunique() == 3)


@styled
def figure6(results: Results, dataset: str | None = None, highlight: int | None = None,
            step: float = 0.1, exclude: str | None = None) -> Figure:
    """Test HR@10 after the last K items are replaced, K = 0 (clean) to 5, of one group of users.

    Above: the gradient attack, with 95% intervals as shades. Below: its controls for base and
    adv_cas, which put in the nearest or a random item. The group are those who can be attacked at
    every K. highlight: a K to mark, from 0 to 5. step, exclude: which attacks, as in `figure5`.
    Needs attacks at the last position with pick "gradient" for "base" and "adv_cas".
    """
    dataset = frames.choose_dataset(results, dataset)
    if highlight is not None:
        number("highlight", highlight, 0, MOST_REPLACED, kind=int)
    curves, missing = style.by_backbone(
        _replaced, results, [dataset], exclude, step, needed=NEEDED,
        what=f"attacks at position 'last' with step {step!r}, exclude {exclude!r}")
    users = int(select(results.attacks, dataset=dataset, positions="last")["users"].min())
    lines = ["by the gradient", *(["controls"] if curves["pick"].isin(CONTROLS).any() else [])]
    figure, panels = style.grid(curves, lines, height=2.6, sharex=True, sharey=True)
    for axis, line, rows in panels:
        gradient, rule = select(rows, pick="gradient"), RULES[rows["exclude"].iloc[0]]
        if line == "controls":
            for pick, dashes in CONTROLS.items():
                look = {"linestyle": dashes, **CONTROL_LOOK}
                style.method_lines(axis, select(rows, pick=pick), "k", "value", label="", **look)
                axis.plot([], [], color="0.3", marker="o", label=f"control: {pick} item", **look)
        else:
            style.method_lines(axis, gradient, "k", "value", band="", linestyle="-")
            if highlight is not None:
                there = select(gradient, k=highlight)
                words = [f"{row.method}={row.value:.3f}" for row in there.itertuples()]
                style.mark(axis, highlight, there["value"],
                           f"K={highlight}: {', '.join(words) or 'not attacked'}")
        axis.axhline(gradient["value"].iloc[0], color="0.2", linewidth=0.8, label="base, clean")
        axis.set(xlabel=f"K, last items replaced, of {users:,} users{rule}",
                 ylabel=f"{style.level_label('hr@10')}\n{line}", xticks=range(MOST_REPLACED + 1))
        axis.label_outer()
    style.key_below(figure, missing=missing)
    return figure


def _replaced(results: Results, dataset: str, backbone: str, exclude: str | None, step: float
              ) -> pd.DataFrame:
    rows = _attacked(results, dataset, backbone, FIGURE6_METHODS, exclude, step)
    rows = select(rows[rows["k"] <= MOST_REPLACED], metric="hr@10", positions="last")
    rows = rows[(rows["pick"] == "gradient") | rows["method"].isin(NEEDED)]
    rows = rows.groupby("method", sort=False).filter(lambda own: "gradient" in set(own["pick"]))
    clean = select(rows, quantity="able_clean").drop_duplicates(["method", "pick"]).assign(k=0)
    return pd.concat([clean, select(rows, quantity="able").sort_values("k", kind="stable")])


def traded_off(results: Results) -> list[str]:
    """The data sets that have what `trade_off` draws."""
    return list(frames.with_role(results, "trade-off")["dataset"].unique())


@styled
def trade_off(results: Results, dataset: str) -> Figure:
    """NDCG@10 after the last item is replaced against NDCG@10 before it: a curve a method.

    Small marks are short runs (role "trade-off"), the number beside them epsilon, or the chance of
    a replacement; large hollow marks are the methods' own runs. Attacked users alone, test split.
    """
    runs = frames.with_role(results, "trade-off", dataset=dataset)
    if runs.empty:
        raise MissingRecords(f"no runs of role 'trade-off', dataset {dataset!r}")
    backbone = runs["backbone"].iloc[0]
    runs = runs.assign(setting=runs["epsilon"].fillna(runs["replace_probability"]))
    last = select(results.attacks, positions="last", k=1, pick="gradient", step=0.1,
                  exclude="both", surrogate="")
    last = last.assign(clean=last["ndcg@10_clean"], attacked=last["ndcg@10"])
    short = runs[["run", "setting"]].merge(last, on="run").sort_values("setting")
    own = last[last["run"].isin(results.main.get((dataset, backbone), {}).values())]
    figure, ((axis,),) = style.panels(1, 1, width=6.2, height=4.4)
    style.method_lines(axis, own, "clean", "attacked", linestyle="", markerfacecolor="none",
                       markersize=10)
    style.method_lines(axis, short, "clean", "attacked", linestyle="-", markersize=4)
    for row in short.itertuples():
        x, y = BESIDE.get(row.method, (-6, 3))  # curves lie close to each other
        axis.annotate(f"{row.setting:g}", (row.clean, row.attacked), (x, y), fontsize=7,
                      textcoords="offset points", color=COLORS[row.method],
                      ha="left" if x > 0 else "right")
    low, high = axis.get_xlim()
    axis.plot([low, high], [low, high], color="0.5", linestyle="--", linewidth=0.8)
    axis.set(title=style.panel_title(backbone, dataset), xlim=(low, high),
             xlabel="test NDCG@10, clean", ylabel="test NDCG@10, last item replaced")
    style.key_below(figure)
    return figure
