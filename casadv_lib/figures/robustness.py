"""Figures 5 and 6, and accuracy against robustness, from stored results (Section 5.6)."""

from __future__ import annotations

import textwrap

import pandas as pd
import seaborn
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.patheffects import withStroke

from ..evaluation import METRICS
from ..results import frames
from ..results.frames import Results, select
from ..results.paper import PAPER_LAST_DROP_PERCENT
from ..settings import MOST_REPLACED, POSITIONS
from ..support.checks import number, one_of
from . import style
from .animated import with_changing_part
from .style import COLORS, STYLES, styled

NEEDED = ("base", "adv_cas")
FIGURE5_METHODS = ("base", "adv_linear", "adv_seq", "adv_global", "adv_cas", "adv_neighbour")
FIGURE6_METHODS = ("base", "adv_global", "adv_cas", "adv_neighbour")
CONTROLS = {"nearest": "--", "random": ":"}
CONTROL_LOOK = {"linewidth": 1, "markersize": 4.5, "markerfacecolor": "white"}
RULES = {"both": "", "attacked": "\nleft out: the attacked history",
         "original": "\nleft out: the original history, substitutes compete"}
BESIDE = {"adv_linear": (-6, -3), "adv_global": (6, -3), "adv_cas": (2, -11)}  # points


@styled
def figure5(results: Results, dataset: str | None = None, pick: str = "gradient",
            step: float = 0.1, highlight: str | None = None, exclude: str | None = None
            ) -> Figure:
    """Change of NDCG@10 and HR@10 when the first, middle or last item is replaced, in percent.

    The change is relative to the same users' clean score, with its 95% interval; negative for a
    loss as in the paper. A diamond is the paper's mean drop of its two base models, which it prints
    for the last item on Video Games alone.
    pick, step, exclude: which attack, as in `casadv_lib.attack`; without a rule of exclusion, that
    by which the base's attacks are stored (see `rule_of`), named where it is not "both".
    highlight: a position to mark; the part of the figure that changes (see `animated`).
    Needs the three attacks with k = 1 for "base" and "adv_cas"; others are drawn where they are.
    """
    dataset = frames.choose_dataset(results, dataset)
    drops, missing = style.by_backbone(_drops, results, [dataset], exclude, pick, step)
    figure, axes = style.panels(len(METRICS), len(drops), sharex=True, sharey="row")
    for column, (title, rows) in enumerate(drops.items()):
        for axis, metric in zip(axes[:, column], METRICS, strict=True):
            _drop_panel(axis, select(rows, metric=metric))
            if dataset == "video":
                axis.plot([axis.patches[2].get_center()[0]], [-PAPER_LAST_DROP_PERCENT[metric]],
                          zorder=5, **style.PAPER_LOOK)
            axis.set(xlabel="position of the replaced item",
                     ylabel=f"change of {METRICS[metric]} (% of clean)")
            axis.label_outer()
        axes[0, column].set_title(title + _rule(rows))
    methods = pd.concat(drops.values())["method"].unique()
    keys = [Patch(label=STYLES[method].label, **style.bar_look(method))
            for method in FIGURE5_METHODS if method in methods]
    if dataset == "video":
        keys.append(Line2D([], [], label="paper: base, mean of both backbones",
                           **style.PAPER_LOOK))
    style.key_below(figure, keys, missing)

    def mark(position):
        at = POSITIONS.index(one_of("highlight", position, POSITIONS))
        return [axis.axvspan(at - 0.47, at + 0.47, facecolor="none", edgecolor="0.2", linewidth=1.2,
                             linestyle="--") for axis in axes.flat]

    return figure if highlight is None else with_changing_part(figure, mark, highlight)


def _attacked(results: Results, dataset: str, backbone: str, methods: tuple[str, ...],
              exclude: str | None, **options) -> pd.DataFrame:
    """Rows of `attacks` on main runs, one for each stored interval, in the order of `methods`."""
    runs = frames.main_runs(results, dataset, backbone)
    runs |= {method: frames.main_run(results, dataset, backbone, method) for method in NEEDED}
    rows = select(results.attacks, exclude=exclude or frames.rule_of(results, runs["base"]),
                  surrogate="", **options)
    rows = rows[rows["run"].isin(runs.values()) & rows["method"].isin(methods)]
    rows = rows.sort_values("method", key=lambda names: names.map(methods.index), kind="stable")
    stored = select(results.intervals, kind="attack").drop(columns=["dataset", "backbone"])
    return rows.merge(stored, on=["run", "attack", "exclude"])


def _checked(rows: pd.DataFrame, dataset: str, backbone: str, **options) -> pd.DataFrame:
    """The rows, where "base" and "adv_cas" are among them."""
    for method in NEEDED:
        if method not in set(rows["method"]):
            words = ", ".join(f"{name} {value!r}" for name, value in options.items())
            raise style.no_records(f"attacks with {words} on the run of method {method!r}",
                                   dataset, backbone)
    return rows


def _drops(results: Results, dataset: str, backbone: str, exclude: str | None, pick: str,
           step: float) -> pd.DataFrame:
    """The changes by the three attacks, for the methods that have them all."""
    rows = _attacked(results, dataset, backbone, FIGURE5_METHODS, exclude, k=1, pick=pick,
                     step=step if pick not in CONTROLS else 0.0)
    rows = select(rows, quantity="change")
    rows = rows.assign(positions=pd.Categorical(rows["positions"], POSITIONS))
    rows = rows.groupby("method", sort=False).filter(lambda own: own["positions"].nunique() == 3)
    return _checked(rows.sort_values("positions", kind="stable"), dataset, backbone,
                    positions=POSITIONS, pick=pick, step=step, exclude=exclude)


def _drop_panel(axis, rows: pd.DataFrame) -> None:
    """One backbone and metric of Figure 5: a group of bars for each position."""
    methods = list(rows["method"].unique())
    seaborn.barplot(rows, x="positions", y="value", hue="method", palette=COLORS, saturation=1,
                    errorbar=None, legend=False, ax=axis)
    for bars, method in zip(list(axis.containers), methods, strict=True):
        own = select(rows, method=method)
        ends = [(own["value"] - own["low"]).clip(0), (own["high"] - own["value"]).clip(0)]
        lines = axis.errorbar([bar.get_center()[0] for bar in bars], own["value"], ends, capsize=2,
                              fmt="none", elinewidth=1, ecolor="0.15")
        for artist in (*lines[1], *lines[2]):  # a light rim, to be seen on a dark bar
            artist.set_path_effects([withStroke(linewidth=2.4, foreground="white")])
        for bar in bars:
            bar.set(**style.bar_look(method))
    axis.axhline(0, color="0.2", linewidth=0.8)
    axis.grid(False, axis="x")


def _rule(rows: pd.DataFrame) -> str:
    """What a panel's title adds where the rule of exclusion is not the usual one."""
    return RULES[rows["exclude"].iloc[0]]


@styled
def figure6(results: Results, dataset: str | None = None, highlight: int | None = None,
            step: float = 0.1, exclude: str | None = None) -> Figure:
    """Test HR@10 after the last K items are replaced, K = 0 (clean) to 5, of one group of users.

    Above: the gradient attack, with 95% intervals as shades. Below: its controls for base and
    adv_cas, which put in the nearest or a random item. The group are those who can be attacked at
    every K; their number stands below. The level line is the base on clean data, which the paper's
    adv_cas stays above even at K = 5 on its three sparse data sets.
    highlight: a K to mark, from 0 to 5; the part of the figure that changes (see `animated`).
    step, exclude: which attacks, as in `figure5`.
    Needs attacks at the last position with pick "gradient" for "base" and "adv_cas".
    """
    dataset = frames.choose_dataset(results, dataset)
    curves, missing = style.by_backbone(_replaced, results, [dataset], exclude, step)
    users = int(select(results.attacks, dataset=dataset, positions="last")["users"].min())
    everything = pd.concat(curves.values())
    has_controls = everything["pick"].isin(CONTROLS).any()
    figure, axes = style.panels(1 + has_controls, len(curves), height=2.6, sharex=True, sharey=True)
    for column, (title, rows) in enumerate(curves.items()):
        gradient = select(rows, pick="gradient")
        style.method_lines(axes[0, column], gradient, "k", "value", linestyle="-")
        for method, own in gradient.groupby("method"):
            axes[0, column].fill_between(own["k"], own["low"], own["high"], alpha=0.12,
                                         color=COLORS[method], linewidth=0)
        for pick, line in CONTROLS.items():  # none where there is no second row
            style.method_lines(axes[-1, column], select(rows, pick=pick), "k", "value",
                               linestyle=line, **CONTROL_LOOK)
        for axis, label in zip(axes[:, column], ("by the gradient", "controls")):
            axis.axhline(gradient["value"].iloc[0], color="0.2", linewidth=0.8)
            axis.set(xlabel=f"K, last items replaced, of {users:,} users",
                     ylabel=f"{style.level_label('hr@10')}\n{label}",
                     xticks=range(MOST_REPLACED + 1))
            axis.label_outer()
        axes[0, column].set_title(title + _rule(rows))
    keys = [style.method_key(method, linestyle="-") for method in everything["method"].unique()]
    if has_controls:
        keys += [Line2D([], [], color="0.3", marker="o", linestyle=line, **CONTROL_LOOK,
                        label=f"control: {pick} item") for pick, line in CONTROLS.items()]
    keys.append(Line2D([], [], color="0.2", linewidth=0.8, label="base, clean"))
    style.key_below(figure, keys, missing)

    def mark(k):
        number("highlight", k, 0, MOST_REPLACED, kind=int)
        lines = [axis.axvline(k, color="0.2", linewidth=0.8) for axis in axes.flat]
        return lines + [axis.set_title(f"{title}{_rule(rows)}\n{_values_at(rows, k)}")
                        for axis, (title, rows) in zip(axes[0], curves.items(), strict=True)]

    return figure if highlight is None else with_changing_part(figure, mark, highlight)


def _replaced(results: Results, dataset: str, backbone: str, exclude: str | None, step: float
              ) -> pd.DataFrame:
    """HR@10 as value, low and high for each K, of those who can be attacked at every K."""
    rows = _attacked(results, dataset, backbone, FIGURE6_METHODS, exclude, positions="last")
    rows = select(rows[rows["k"] <= MOST_REPLACED], metric="hr@10")
    gradient = select(rows, pick="gradient", step=step)
    _checked(gradient, dataset, backbone, positions="last", step=step, exclude=exclude)
    controls = rows[rows["pick"].isin(CONTROLS) & rows["method"].isin(NEEDED)]
    rows = pd.concat([gradient, controls])
    clean = select(rows, quantity="able_clean").drop_duplicates(["method", "pick"]).assign(k=0)
    rows = pd.concat([clean, select(rows, quantity="able")]).sort_values("k", kind="stable")
    return rows.sort_values("method", key=lambda names: names.map(FIGURE6_METHODS.index),
                            kind="stable")


def _values_at(rows: pd.DataFrame, k: int) -> str:
    """K, and what the gradient lines of a panel read there."""
    words = [f"{row.method}\N{NO-BREAK SPACE}{row.value:.3f}"
             for row in select(rows, pick="gradient", k=k).itertuples()]
    text = f"K\N{NO-BREAK SPACE}=\N{NO-BREAK SPACE}{k}: {', '.join(words) or 'not attacked'}"
    return textwrap.fill(text, 46).replace("\N{NO-BREAK SPACE}", " ")  # as wide as a panel


def traded_off(results: Results) -> list[str]:
    """The data sets that have what `trade_off` draws."""
    return [name for name in frames.datasets(results)
            if len(frames.with_role(results, "trade-off", dataset=name))]


@styled
def trade_off(results: Results, dataset: str, backbone: str = "sasrec", metric: str = "ndcg@10"
              ) -> Figure:
    """Accuracy after the last item is replaced against accuracy before it: a curve a method.

    Small marks are short runs (role "trade-off"), the number beside them epsilon, or the chance of
    a replacement for "neighbour"; large hollow marks are the methods' own runs. On the broken line
    an attack costs nothing. Both axes hold the attacked users alone, test split.
    """
    runs = frames.with_role(results, "trade-off", dataset=dataset, backbone=backbone)
    if runs.empty:
        raise style.no_records("runs of role 'trade-off'", dataset, backbone)
    runs = runs.assign(setting=runs["epsilon"].fillna(runs["replace_probability"]))
    last = select(results.attacks, positions="last", k=1, pick="gradient", step=0.1,
                  exclude="both", surrogate="")
    last = last.assign(clean=last[f"{metric}_clean"], attacked=last[metric])
    short = runs[["run", "setting"]].merge(last, on="run").sort_values("setting")
    own = last[last["run"].isin(frames.main_runs(results, dataset, backbone).values())]
    figure, ((axis,),) = style.panels(1, 1, width=6.2, height=4.4)
    style.method_lines(axis, short, "clean", "attacked", linestyle="-", markersize=4)
    for row in short.itertuples():
        x, y = BESIDE.get(row.method, (-6, 3))  # curves lie close to each other
        axis.annotate(f"{row.setting:g}", (row.clean, row.attacked), (x, y), fontsize=7,
                      textcoords="offset points", color=COLORS[row.method],
                      ha="left" if x > 0 else "right")
    for row in own.itertuples():
        axis.plot([row.clean], [row.attacked], **style.method_line(
            row.method, linestyle="", markerfacecolor="none", markersize=11))
    low, high = axis.get_xlim()
    axis.plot([low, high], [low, high], color="0.5", linestyle="--", linewidth=0.8)
    axis.set(title=style.panel_title(backbone, dataset), xlim=(low, high),
             xlabel=f"test {METRICS[metric]}, clean",
             ylabel=f"test {METRICS[metric]}, last item replaced")
    style.key_below(figure, [style.method_key(method, linestyle="-")
                             for method in own["method"].unique()])
    return figure
