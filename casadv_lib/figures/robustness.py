"""Figures 5 and 6, and accuracy against robustness, from stored records (Section 5.6)."""

from __future__ import annotations

import textwrap

from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patheffects import withStroke

from ..results.paper import MOST_REPLACED, PAPER_LAST_DROP_PERCENT
from ..results.records import (
    METRICS,
    MissingRecords,
    attacks_by_k,
    choose_dataset,
    datasets,
    find_attack,
    gather,
    main_record,
    methods,
    records_of,
    rule_of,
)
from ..support.checks import number, one_of
from .moving import moves
from .style import (
    STYLES,
    bar_look,
    key_below,
    level_label,
    method_key,
    method_line,
    method_patch,
    panel_title,
    panels,
    styled,
)

PLACES = ("first", "middle", "last")
FIGURE5_METHODS = ("base", "adv_linear", "adv_seq", "adv_global", "adv_cas", "adv_neighbour")
FIGURE6_METHODS = ("base", "adv_global", "adv_cas", "adv_neighbour")
SAME_USERS = {"linewidth": 0.7, "linestyle": "-."}
PAPER_MARK = {"color": "0.1", "linewidth": 1.8,
              "path_effects": [withStroke(linewidth=4, foreground="white")]}
PICK_LOOK = {
    "gradient": {"linestyle": "-", "linewidth": 1.6},
    "nearest": {"linestyle": "--", "linewidth": 0.9, "markersize": 4, "markerfacecolor": "white"},
    "random": {"linestyle": ":", "linewidth": 0.9, "markersize": 4, "markerfacecolor": "white"},
}


@styled
def figure5(results: dict, dataset: str | None = None, pick: str = "gradient",
            step: float = 0.1, highlight: str | None = None, exclude: str | None = None
            ) -> Figure:
    """Change of NDCG@10 and HR@10 when the first, middle or last item is replaced, in percent.

    The change is relative to the same users' clean score, negative for a loss as in the paper.
    Error bars: the 95% bootstrap interval of the difference, divided by the clean score. The
    level marks are the paper's mean drops of its two base models on Video, last item.
    pick, step, exclude: which attack, as in `casadv_lib.attack`; without a rule of exclusion, that
    by which the base's attacks are stored (see `results.rule_of`), named where it is "original".
    highlight: a place to mark; the part of the figure that can move (see `moving`).
    Needs the three attacks with k = 1 for "base" and "adv_cas"; the generic methods are drawn
    where they are there.
    """
    dataset = choose_dataset(results, dataset)

    def collect(backbone):
        there = set(methods(results, dataset, backbone)) | {"base", "adv_cas"}
        needed, rule = {}, exclude or rule_of(main_record(results, dataset, backbone, "base"))
        for method in (name for name in FIGURE5_METHODS if name in there):
            record = main_record(results, dataset, backbone, method)
            try:
                needed[method] = [find_attack(record, place, 1, pick, step, rule)
                                  for place in PLACES]
            except MissingRecords:
                if method in ("base", "adv_cas"):
                    raise
        return needed

    found, missing = gather(results, dataset, collect)
    figure, axes = panels(len(METRICS), len(found), sharex=True, sharey="row")
    for column, (backbone, attacks) in enumerate(found.items()):
        for row, metric in enumerate(METRICS):
            _drop_panel(axes[row, column], attacks, metric)
            axes[row, column].label_outer()
        axes[0, column].set_title(_title(backbone, dataset, attacks["base"][0]))
    drawn = [method for method in FIGURE5_METHODS
             if any(method in attacks for attacks in found.values())]
    key_below(figure, [method_patch(method) for method in drawn] + [
        Line2D([], [], label="paper: base, Video (mean of both)", **PAPER_MARK)], missing)
    if highlight is None:
        return figure

    def mark(place):
        at = PLACES.index(one_of("highlight", place, PLACES))
        return [axis.axvspan(at - 0.47, at + 0.47, facecolor="none", edgecolor="0.2", linewidth=1.2,
                             linestyle="--", label="highlight") for axis in axes.flat]

    return moves(figure, mark, highlight)


def _title(backbone: str, dataset: str, attack: dict) -> str:
    """A panel's title, with the rule of exclusion where it is not the usual one."""
    words = {"both": "", "attacked": "\nleft out: the attacked history",
             "original": "\nleft out: the original history, substitutes compete"}
    return panel_title(backbone, dataset) + words[attack["exclude"]]


def _drop_panel(axis, attacks: dict, metric: str) -> None:
    """One backbone and metric of Figure 5: a group of bars for each place."""
    width = 0.8 / len(attacks)
    for index, (method, three) in enumerate(attacks.items()):
        at = [place + (index - (len(attacks) - 1) / 2) * width for place in range(len(PLACES))]
        clean = [attack["clean"][metric] for attack in three]
        change, low, high = ([100 * attack["drop"][metric][name] / score if score else 0.0
                              for attack, score in zip(three, clean, strict=True)]
                             for name in ("difference", "low", "high"))
        # A bootstrap interval can miss its own estimate; matplotlib wants lengths of 0 or more.
        below = [max(0.0, c - bound) for c, bound in zip(change, low, strict=True)]
        above = [max(0.0, bound - c) for c, bound in zip(change, high, strict=True)]
        bars = axis.bar(at, change, width * 0.92, yerr=[below, above], label=method,
                        error_kw={"elinewidth": 1, "capsize": 2, "ecolor": "0.15"},
                        **bar_look(method))
        _, caps, lines = bars.errorbar.lines
        for artist in (*caps, *lines):  # a light rim, to be seen on a dark bar
            artist.set_path_effects([withStroke(linewidth=2.4, foreground="white")])
    drop = PAPER_LAST_DROP_PERCENT[metric]
    axis.hlines(-drop, 1.55, 2.45, label="paper", **PAPER_MARK)
    axis.annotate(f"paper\n\N{MINUS SIGN}{drop:.1f}", (1.52, -drop), ha="right", va="center",
                  fontsize=8, color="0.2")
    axis.axhline(0, color="0.2", linewidth=0.8)
    axis.set(xticks=range(len(PLACES)), xticklabels=PLACES, xlabel="place of the replaced item",
             ylabel=f"change of {METRICS[metric]} (% of clean)")
    axis.grid(False, axis="x")


@styled
def figure6(results: dict, dataset: str | None = None, highlight: int | None = None,
            step: float = 0.1, exclude: str | None = None) -> Figure:
    """Test HR@10 after the last K items are replaced, K = 0 (clean) to 5.

    Full lines: the gradient attack, with filled marks; broken and dotted lines with hollow marks:
    the nearest and a random item, for base and adv_cas, as references. The level line is the base
    on clean data, which the paper's adv_cas stays above even at K = 5 on its three sparse data
    sets. Users with too short a history are not attacked: under each K stands how many are, and
    where the number varies thin dash-dotted lines give the same users' clean score.
    highlight: a K to mark, from 0 to 5; the part of the figure that can move (see `moving`).
    step, exclude: which attacks, as in `figure5`.
    Needs attacks at the last position with pick "gradient" for "base" and "adv_cas".
    """
    dataset = choose_dataset(results, dataset)

    def collect(backbone):
        there = set(methods(results, dataset, backbone)) | {"base", "adv_cas"}
        needed, rule = {}, exclude or rule_of(main_record(results, dataset, backbone, "base"))
        for method in (name for name in FIGURE6_METHODS if name in there):
            record = main_record(results, dataset, backbone, method)
            if method in ("base", "adv_cas"):
                find_attack(record, "last", 1, "gradient", step, rule)  # names what is missing
            attacks = {pick: _last_attacks(record, pick, step, rule) for pick in PICK_LOOK}
            if attacks["gradient"]:
                needed[method] = record | {"attacks": attacks}
        return needed

    found, missing = gather(results, dataset, collect)
    figure, axes = panels(1, len(found), height=3.4, sharey=True)
    picks = set()  # and "same users", where a line of that kind is drawn
    for axis, (backbone, records) in zip(axes[0], found.items(), strict=True):
        users = {}
        for method, record in records.items():
            picks |= _replacement_lines(axis, method, record, users)
        axis.axhline(records["base"]["metrics"]["last"]["test"]["hr@10"], color="0.2",
                     linewidth=0.8, label="base clean")
        first = next(iter(records["base"]["attacks"]["gradient"].values()))
        axis.set(title=_title(backbone, dataset, first), ylabel=level_label("hr@10"),
                 xlabel="K, number of last items replaced\n(below: users attacked)",
                 xticks=range(MOST_REPLACED + 1))
        axis.set_xticklabels([f"{k}\n{users[k]:,}" if k in users else f"{k}\n"
                              for k in range(MOST_REPLACED + 1)])
        axis.label_outer()
        axis.xaxis.grid(False)
    drawn = [m for m in FIGURE6_METHODS if any(m in records for records in found.values())]
    handles = [method_key(method, linestyle="-") for method in drawn]
    handles += [Line2D([], [], color="0.3", marker="o", label=f"pick: {pick}",
                       **({"markersize": 5} | look))
                for pick, look in PICK_LOOK.items() if pick in picks]
    handles.append(Line2D([], [], color="0.2", linewidth=0.8, label="base, clean"))
    if "same users" in picks:
        handles.append(Line2D([], [], color="0.3", label="clean, the same users", **SAME_USERS))
    key_below(figure, handles, missing)
    if highlight is None:
        return figure

    def mark(k):
        number("highlight", k, 0, MOST_REPLACED, kind=int)
        drawn = []
        for axis, (backbone, records) in zip(axes[0], found.items(), strict=True):
            drawn.append(axis.axvline(k, color="0.2", linewidth=0.8, label="highlight"))
            first = next(iter(records["base"]["attacks"]["gradient"].values()))
            title = f"{_title(backbone, dataset, first)}\n{_values_at(records, k)}"
            drawn.append(axis.set_title(title))
        return drawn

    return moves(figure, mark, highlight)


def _last_attacks(record: dict, pick: str, step: float, exclude: str) -> dict[int, dict]:
    """`{k: attack}` on the last k items, k up to MOST_REPLACED."""
    found = attacks_by_k(record, "last", pick, step, exclude)
    return {k: attack for k, attack in found.items() if k <= MOST_REPLACED}


def _values_at(records: dict, k: int) -> str:
    """K, and what the gradient lines of a panel read there.

    records: {method: record}, its "attacks" sorted as {pick: {k: attack}}.
    """
    read = {}
    for method, record in records.items():
        attacks = record["attacks"]["gradient"]
        if k == 0:
            read[method] = record["metrics"]["last"]["test"]["hr@10"]
        elif k in attacks:
            read[method] = attacks[k]["attacked"]["hr@10"]
    words = [f"{method}\N{NO-BREAK SPACE}{value:.3f}" for method, value in read.items()]
    text = f"K\N{NO-BREAK SPACE}=\N{NO-BREAK SPACE}{k}: {', '.join(words) or 'not attacked'}"
    return textwrap.fill(text, 46).replace("\N{NO-BREAK SPACE}", " ")  # as wide as a panel


def _replacement_lines(axis, method: str, record: dict, users: dict) -> set[str]:
    """One method's lines in a panel of Figure 6; fills `users`, returns the kinds of lines."""
    clean = record["metrics"]["last"]["test"]["hr@10"]
    drawn = set()
    for pick, look in PICK_LOOK.items():
        attacks = record["attacks"][pick]
        if not attacks or (pick != "gradient" and method not in ("base", "adv_cas")):
            continue
        drawn.add(pick)
        users.update({k: attack["users"] for k, attack in attacks.items()})
        axis.plot([0, *attacks], [clean, *(a["attacked"]["hr@10"] for a in attacks.values())],
                  label=f"{method} {pick}", **method_line(method, **look))
        if pick == "gradient" and len({a["users"] for a in attacks.values()}) > 1:
            axis.plot(list(attacks), [a["clean"]["hr@10"] for a in attacks.values()],
                      label=f"{method} same users", color=method_line(method)["color"],
                      **SAME_USERS)
            drawn.add("same users")
    return drawn


def traded_off(results: dict) -> list[str]:
    """The data sets that have what `trade_off` draws."""
    return [name for name in datasets(results) if any(
        "trade-off" in record.get("roles", ()) and record["config"]["dataset"] == name
        for record in results["records"])]


@styled
def trade_off(results: dict, dataset: str, backbone: str = "sasrec", metric: str = "ndcg@10"
              ) -> Figure:
    """Accuracy after the last item is replaced against accuracy before it: a curve a method.

    Small marks are short runs (role "trade-off"), the number beside them epsilon, or the chance of
    a replacement for "neighbour"; large hollow marks are the methods' own runs. On the broken line
    an attack costs nothing. Both axes hold the attacked users alone, test split.
    """
    own = [r for r in records_of(results, dataset, backbone) if "trade-off" in r.get("roles", ())]
    if not own:
        raise MissingRecords(f"no runs of role 'trade-off', backbone {backbone!r}, dataset "
                             f"{dataset!r}")
    figure, axes = panels(1, 1, width=6.2, height=4.4)
    axis, drawn = axes[0, 0], []
    for method in (m for m in STYLES if m in methods(results, dataset, backbone)):
        dial = "replace_probability" if method == "neighbour" else "epsilon"
        curve = sorted((r["config"][dial], *_clean_and_attacked(r, metric)) for r in own
                       if r["config"]["method"] == method)
        look = method_line(method, linestyle="-")
        if curve:
            axis.plot([x for _, x, _ in curve], [y for *_, y in curve], **look | {"markersize": 4})
            for value, x, y in curve:
                axis.annotate(f"{value:g}", (x, y), (4, -8), textcoords="offset points", fontsize=7)
        try:
            point = _clean_and_attacked(main_record(results, dataset, backbone, method), metric)
        except MissingRecords:
            continue
        axis.plot(*point, **look | {"markerfacecolor": "none", "markersize": 11, "linestyle": ""})
        drawn.append(method)
    low, high = axis.get_xlim()
    axis.plot([low, high], [low, high], color="0.5", linestyle="--", linewidth=0.8)
    axis.set(title=panel_title(backbone, dataset), xlim=(low, high),
             xlabel=f"test {METRICS[metric]}, clean",
             ylabel=f"test {METRICS[metric]}, last item replaced")
    key_below(figure, [method_key(method, linestyle="-") for method in drawn])
    return figure


def _clean_and_attacked(record: dict, metric: str) -> tuple[float, float]:
    """A metric of the attacked users before and after the last item is replaced."""
    attack = find_attack(record, "last", 1)
    return attack["clean"][metric], attack["attacked"][metric]
