"""Tables 3 and 4 as one picture: what each method gains, ours beside the paper's (Section 5.5)."""

from __future__ import annotations

from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ..results.paper import paper_change
from ..results.records import (
    METHOD_ORDER,
    METRICS,
    MissingRecords,
    choose_dataset,
    datasets,
    gather,
    main_record,
    methods,
)
from .style import STYLES, key_below, method_line, panel_title, panels, styled

PAPER_LOOK = {"marker": "d", "markersize": 6, "markerfacecolor": "white",
              "markeredgecolor": "0.2", "markeredgewidth": 1.1, "linestyle": ""}
INTERVAL_LOOK = {"color": "0.3", "linewidth": 1.4, "marker": "|", "markersize": 7}
ROOM = 0.62  # inches of a panel besides its rows
COLUMNS = 2


@styled
def gains(results: dict, dataset: str | None = None, metric: str = "ndcg@10") -> Figure:
    """Change of a metric against the base in percent, test, last epoch: one row a method.

    The line through a mark is the 95% bootstrap interval of the difference, divided by the base's
    score. A hollow diamond is the paper's change, from Table 3, or from Table 4 for the parts of
    the cascade. One panel a data set and backbone, all of them for dataset None.
    Needs the record of "base" and of at least one other method that holds its interval.
    """
    names = datasets(results) if dataset is None else [choose_dataset(results, dataset)]
    found, missing = {}, []
    for name in names:
        try:
            own, lacking = gather(results, name, lambda backbone, name=name: {
                "base": main_record(results, name, backbone, "base"),
                "others": _with_interval(results, name, backbone)})
        except MissingRecords as error:
            missing.append(str(error))
            continue
        missing += lacking
        found |= {(name, backbone): records for backbone, records in own.items()}
    if not found:
        raise MissingRecords("; ".join(missing) or "results hold no records at all")
    order = [m for m in METHOD_ORDER if any(m in of["others"] for of in found.values())]
    columns = min(COLUMNS, len(found))
    rows = -(-len(found) // columns)
    figure, axes = panels(rows, columns, height=ROOM + 0.22 * len(order), sharex=True, sharey=True)
    for axis, (place, records) in zip(axes.flat, found.items(), strict=False):
        _gain_panel(axis, place, records, order, metric)
    for axis in axes.flat[len(found):]:
        axis.remove()
    for axis in axes.flat[max(0, len(found) - columns):len(found)]:
        axis.set_xlabel(f"change of {METRICS[metric]} (% of the base)")
        axis.tick_params(labelbottom=True)
    handles = [Line2D([], [], color="0.3", marker="o", markersize=5.5, linewidth=1.4,
                      label="ours, 95% interval"),
               Line2D([], [], color="0.2", linestyle="--", linewidth=1, label="base")]
    if any(paper_change(*place, method, metric) is not None for place in found for method in order):
        handles.append(Line2D([], [], label="paper", **PAPER_LOOK))
    key_below(figure, handles, missing)
    return figure


def _with_interval(results: dict, dataset: str, backbone: str) -> dict:
    """{method: its record} for all but the base that hold their difference to it."""
    found = {}
    for method in methods(results, dataset, backbone):
        record = main_record(results, dataset, backbone, method)
        if method != "base" and record.get("versus_base"):
            found[method] = record
    if not found:
        raise MissingRecords(f"no method besides 'base' with an interval, backbone {backbone!r}, "
                             f"dataset {dataset!r}")
    return found


def _gain_panel(axis, place: tuple[str, str], records: dict, order: list[str], metric: str
                ) -> None:
    """One data set and backbone: ours as mark and line, the paper's as a diamond below it."""
    level = records["base"]["metrics"]["last"]["test"][metric]
    for row, method in enumerate(order):
        if method in records["others"]:
            bound = records["others"][method]["versus_base"]["test"][metric]
            middle, low, high = (100 * bound[end] / level for end in ("difference", "low", "high"))
            axis.plot([low, high], [row, row], label=f"{method} interval", **INTERVAL_LOOK)
            axis.plot([middle], [row], label=method, **method_line(method, markeredgecolor="0.2"))
        printed = paper_change(*place, method, metric)
        if printed is not None:
            axis.plot([printed], [row + 0.3], label=f"{method} paper", **PAPER_LOOK)
    axis.axvline(0, color="0.2", linestyle="--", linewidth=1, label="base")
    axis.set_yticks(range(len(order)), [STYLES[method].label for method in order])
    axis.set_ylim(len(order) - 0.4, -0.6)  # the first method on top
    axis.set_title(panel_title(place[1], place[0]))
