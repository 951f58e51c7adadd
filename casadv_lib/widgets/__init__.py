"""The sliders of notebooks 03 (Eq. 11), 04 and 07 (Eq. 6 and 7), 08 and 09 (5.6); and questions.

A panel is controls over the functions that draw the static figures. While the kernel works the
browser holds further moves back and then sends the newest alone.
"""

import base64
import html
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import cache, partial
from pathlib import Path

import anywidget
import ipywidgets
import numpy as np
import pandas as pd
import traitlets
from matplotlib.figure import Figure

from ..attacks import attack, excluded, most_replaced, neighbour_distance
from ..backbones import Backbone
from ..cascade import cascade_effects
from ..data import SequenceDataset, training_inputs
from ..evaluation import METRICS, scores_without, ten_best, user_vectors
from ..experiments.configuration import Configuration
from ..experiments.runs import Run, is_complete, run, runs_folder
from ..figures import style
from ..figures.attack_step import STEPS
from ..figures.sketches import PerturbedUser, figure2, stacked_terms
from ..results.frames import select
from ..settings import EXCLUDES, MOST_REPLACED, POSITIONS
from ..support.files import read_json

TABLE_LOOK = ("<style>.casadv-table.casadv-table :is(th, td) {padding: 1px 12px 1px 0; "
              "line-height: 1.35; text-align: left}</style>")
NEWEST, USERS = 8, 5  # items that a history shows, and the users that Figure 2 has room for
SAMPLE, PICKS = 300, ("gradient", "nearest", "random")  # users, attacks


class Panel(ipywidgets.VBox):
    """Controls, below them a line of words, below that what there is to see.

    show: from the controls' values (by keyword) it yields (name of a part, its HTML), the quick
    ones first, and last ("words", a sentence). What cannot be shown is said.
    """

    def __init__(self, controls: Mapping[str, ipywidgets.Widget],
                 show: Callable[..., Iterator[tuple[str, str]]]):
        self.controls, self.show, self.parts = dict(controls), show, {}
        look = {"flex_flow": "row wrap", "align_items": "center"}
        super().__init__([ipywidgets.Box([*self.controls.values()], layout=look)])
        self.follow()
        for control in self.controls.values():
            control.observe(self.follow, names="value")

    def follow(self, _change=None) -> None:
        """Bring all parts up to date with the controls."""
        self._put("words", "working...")
        try:
            values = {name: control.value for name, control in self.controls.items()}
            for name, content in self.show(**values):
                self._put(name, content)
        except Exception as error:  # a traceback would be seen by nobody
            kind = "Not possible" if isinstance(error, ValueError) else type(error).__name__
            self._put("words", f"{kind}: {error}. The last good picture stays.",
                      "border-left:4px solid #D55E00;padding-left:6px")

    def _put(self, name: str, content: str, look: str = "") -> None:
        if name not in self.parts:
            self.parts[name] = ipywidgets.HTML().add_class(f"casadv-{name}")
            self.children += (self.parts[name],)
        if name == "words":
            content = (f'<div role="status" style="line-height:1.4;{look}">'
                       f"{html.escape(content, quote=False)}</div>")
        self.parts[name].value = content


class Slider(anywidget.AnyWidget):
    """A slider named `description` over the numbers `options`; `value` is the chosen one. It is the
    browser's own: ipywidgets' have no name to read aloud."""

    _esm = Path(__file__).with_name("slider.js")
    description = traitlets.Unicode().tag(sync=True)
    options = traitlets.List().tag(sync=True)
    value = traitlets.Any().tag(sync=True)

    def __init__(self, description: str, options: Sequence[float], value: float | None = None):
        options = np.asarray(options).tolist()
        super().__init__(description=description, options=options,
                         value=options[0] if value is None else value)


def choice(words: str, options, **traits) -> ipywidgets.Dropdown:
    """A list to choose from."""
    return ipywidgets.Dropdown(description=words, options=options, layout={"width": "max-content"},
                               style={"description_width": "initial"}, **traits)


def predict(question: str, choices: Sequence, draw: Callable[..., Figure | str]) -> ipywidgets.VBox:
    """The question with its choices; the answer follows as soon as one is chosen.

    choices: texts, one of which is clicked, or numbers for a slider, which a button confirms.
    draw: draw(guess) gives the answer with the guess marked, as a figure or as text.
    It needs a kernel (tags skip-execution and nbval-skip); the cell below it shows `draw()`, and
    its output is folded until the reader opens it.
    """
    answer = ipywidgets.HTML().add_class("casadv-answer")

    def reveal(guess):
        try:
            shown = as_html(draw(guess), f"{question} Your guess: {guess}.")
        except Exception as error:  # inside a callback nobody else would hear of it
            shown = html.escape(f"{type(error).__name__}: {error}")
        said = f"<b>Your guess:</b> {html.escape(str(guess))}"
        answer.value = f'<div role="status">{said}{shown}</div>'

    if all(isinstance(choice, str) for choice in choices):
        control = ipywidgets.RadioButtons(options=choices, value=None,
                                          layout={"width": "max-content"})
        control.observe(lambda change: reveal(change.new), names="value")
    else:
        slider = Slider("your guess", choices)
        button = ipywidgets.Button(description="Show the answer")
        button.on_click(lambda _: reveal(slider.value))
        control = ipywidgets.HBox([slider, button])
    words = ipywidgets.HTML(f"<b>{html.escape(question)}</b>").add_class("casadv-question")
    return ipywidgets.VBox([words, control, answer])


def as_html(answer: Figure | str, words: str, dpi: int = 150) -> str:
    """A figure as an image, with words for who does not see it; a text as a paragraph."""
    if isinstance(answer, str):
        return f"<p>{html.escape(answer)}</p>"
    png = base64.b64encode(style.picture(answer, "png", dpi)).decode()
    return (f'<img alt="{html.escape(words)}" style="max-width:100%" '
            f'src="data:image/png;base64,{png}">')


picture = partial(as_html, dpi=80)  # few dots are drawn fast


def table(frame: pd.DataFrame, title: str) -> str:
    """A table as HTML, its names as plain text."""
    text = frame.reset_index().to_html(index=False, border=0, justify="left",
                                       classes="casadv-table")
    return (f'<div style="display:inline-block;vertical-align:top;margin-right:2em">{TABLE_LOOK}'
            f"<b>{html.escape(title)}</b>{text}</div>")


def find_user(name: str, data: SequenceDataset) -> int:
    """The index of a user's id, of the first one for ""; ValueError for one who is not there or
    has fewer than 4 items: two to train on, and the held-out ones."""
    users = {str(user): index for index, (user, items) in enumerate(
        zip(data.user_ids, data.sequences)) if len(items) >= 4}
    name = name.strip() or next(iter(users), "")
    if name not in users:
        raise ValueError(f"user is {name!r}; allowed are the {len(users):,} users of {data.name} "
                         f"with at least 4 items, such as {', '.join([*users][:3])}")
    return users[name]


def list_table(before: Sequence[int], after: Sequence[int], names, target: int) -> pd.DataFrame:
    """Two lists side by side, the next item marked, and where those of the second stood before."""
    named = [[names[item] + (" ← next" if item == target else "") for item in one]
             for one in (before, after)]
    stood = [[*before].index(item) + 1 if item in before else "new" for item in after]
    return pd.DataFrame({"before": named[0], "after": named[1], "stood at": stood},
                        index=pd.RangeIndex(1, len(stood) + 1, name="rank"))


def stored_like(config: Configuration) -> dict[tuple[str, str, str], Configuration]:
    """{(data set, backbone, method): configuration, on `config`'s device} of the complete runs here
    that can be read; of several with the same three, of the one with most settings as in `config`.
    """
    stored, wanted = [], config.everything().items()
    for path in sorted(runs_folder().glob("*-seed*/config.json")):
        with suppress(ValueError, KeyError, TypeError, OSError):
            if is_complete(path.parent):
                own = read_json(path) | {"device": config.training.device}
                stored.append(Configuration.of(own))
    stored.sort(key=lambda one: len(wanted & one.everything().items()))
    return {(one.dataset, one.backbone, one.method): one for one in stored}


class Choices:
    """Whose and which run's: a field for a user's id, and a list of the stored runs.

    A run is (data set, backbone, method). First come `user`, an index into data.sequences, and the
    run of `config`, on `data`, which is made where it is needed and not stored.
    """

    def __init__(self, config: Configuration, data: SequenceDataset, user: int):
        self.own, self.data = (config.dataset, config.backbone, config.method), data
        self.stored = stored_like(config) | {self.own: config}  # its file may have moved since
        named = [(", ".join((Path(one[0]).stem, *one[1:])), one) for one in sorted(self.stored)]
        self.controls = {
            "user": ipywidgets.Text(value=str(data.user_ids[user]), description="user",
                                    continuous_update=False),
            "run": choice("run", named, value=self.own)}

    def data_of(self, chosen: tuple[str, str, str]) -> SequenceDataset:
        return self.data if chosen[0] == self.own[0] else Run(self.stored[chosen]).data

    def models(self, chosen: tuple[str, str, str]) -> dict[str, Backbone]:
        """{"base": model, method: model} of a run, trained."""
        config, data = self.stored[chosen], self.data_of(chosen)
        made = run if chosen == self.own else Run  # another's base may be gone: it is not made
        return {one.method: made(one, data).model(device=config.training.device).eval()
                for one in (Run(config, data).base.config, config)}


# The cascade effect of an interaction (Eq. 11)

def reaches(data: SequenceDataset, max_len: int) -> pd.DataFrame:
    """What each training input reaches, a row an input: "user" (an index into data.sequences),
    "item", "reaches" (1 + T - t) and "across", what the item reaches with all other users."""
    users, inputs = training_inputs(data, max_len)
    lengths = [len(row) for row in inputs]
    # the second term is proportional to b: once for all batch sizes
    cross = np.concatenate(cascade_effects(inputs, max_len, 1, "cross")) - 1
    return pd.DataFrame({
        "user": np.repeat(users, lengths), "item": np.concatenate(inputs),
        "reaches": np.concatenate([np.arange(n, 0, -1) for n in lengths]),
        "across": len(users) * cross})


def cascade_panel(config: Configuration, data: SequenceDataset, user: int,
                  batch_sizes: Sequence[int]) -> Panel:
    """Batch size (of those given) and interaction, for a user, an index into data.sequences."""
    choices, most = Choices(config, data, user), max(batch_sizes)
    reach_of = cache(lambda run: reaches(choices.data_of(run),
                                         choices.stored[run].model["max_len"]))

    def show(run, user, back, batch_size):
        own, reach = choices.data_of(run), reach_of(run)
        index, m = find_user(user, own), reach["user"].nunique()

        def newest(one):
            return select(reach, user=one).tail(NEWEST).reset_index(drop=True)

        recent = newest(index)
        mark = max(0, len(recent) - 1 - back)  # the oldest of a short history
        _, item, steps, across = recent.loc[mark]
        others = select(reach, item=item)
        others = others[others["user"] != index].sort_values("reaches", ascending=False)
        C = steps + batch_size / m * across
        words = (f"User {own.user_ids[index]}, {own.item_names[int(item)]} at step T-{steps - 1:g},"
                 f" b = {batch_size}: C = {steps:g} + {C - steps:.4g} = {C:.4g}. "
                 f"{others['user'].nunique():,} other users met it, where it reaches "
                 f"{others['reaches'].sum():,} interactions.")
        highest = (recent["reaches"] + most / m * recent["across"]).max()
        yield "user", picture(stacked_terms(recent, batch_size / m, mark, 1.05 * highest), words)
        # besides the user those who met it among what the figure shows, the longest ago first
        seen = [index, *others[others["reaches"] <= NEWEST]["user"].unique()[:USERS - 1]]
        yield "boxes", picture(
            figure2([newest(one)["item"] for one in seen], (0, mark), batch_size,
                    [str(own.user_ids[one])[:10] for one in seen], (m, across)),
            "Figure 2 on this interaction")
        yield "words", words

    return Panel({
        "batch_size": Slider("batch size b", batch_sizes, min(config.training.batch_size, most)),
        "back": Slider("interaction (steps from the end)", range(NEWEST)), **choices.controls},
        show)


# An epsilon (Eq. 6 and 7)

def epsilon_panel(config: Configuration, data: SequenceDataset, user: int,
                  epsilons: Sequence[float], epsilon: float,
                  marked: Callable[[float], Figure] | None = None, seed: int = 0) -> Panel:
    """Epsilon for one user, an index into data.sequences.

    config: of the run that is shown first, of `data`. epsilons: what the slider offers; epsilon:
    where it begins. marked: draws stored runs with an epsilon marked, to stand below.
    """
    choices, epsilons = Choices(config, data, user), np.union1d(epsilons, [epsilon])

    @cache
    def perturbed(run, user):
        own = choices.data_of(run)
        return PerturbedUser(choices.models(run)[run[-1]], own, find_user(user, own), epsilons,
                             choices.stored[run].training.batch_size, seed)

    def show(epsilon, run, user):
        one, own = perturbed(run, user), choices.data_of(run)
        parts = [f"{kind}: ‖ŵ - w‖ {moved['distance'][epsilon]:.3f}, rank of the next item "
                 f"{moved['rank'][0]:g} → {moved['rank'][epsilon]:g}"
                 for kind, moved in one.moved.items()]
        name = own.user_ids[find_user(user, own)]
        words = f"User {name}, epsilon {epsilon:g}. {'; '.join(parts)}."
        yield "user", picture(one.picture(epsilon), words)
        yield "tables", "".join(
            table(list_table(moved["best"][0], moved["best"][epsilon], own.item_names, one.target),
                  f"The ten best items, {kind}")
            for kind, moved in one.moved.items())
        if marked is not None:
            yield "stored", picture(marked(epsilon), f"The stored sweep at epsilon {epsilon:g}")
        yield "words", words

    return Panel({"epsilon": Slider("epsilon", epsilons, epsilon), **choices.controls}, show)


# Replaced items (Section 5.6)

def history_table(before: np.ndarray, after: np.ndarray, names) -> pd.DataFrame:
    """The newest items of a history and all that were replaced, newest last."""
    replaced = before != after
    frame = pd.DataFrame({"before": [names[item] for item in before],
                          "after": [names[item] for item in after],
                          "change": np.where(replaced, "replaced", "")},
                         index=pd.RangeIndex(len(before) - 1, -1, -1, name="steps from the end"))
    return frame[replaced | (frame.index < NEWEST)]


def replacement_panel(config: Configuration, data: SequenceDataset, user: int, k: int = 1,
                      step: float = 0.1, marked: Callable[[int], Figure] | None = None,
                      seed: int = 0) -> Panel:
    """The attack's options, for a user (an index into data.sequences) and the mean of a sample.

    config: of the run that is shown first, of `data`. k, step: where they begin. marked: draws
    stored attacks with K marked. seed: as in `attack`. The average is that of SAMPLE users, drawn
    among those who can be attacked at every K, so that each K has the same.
    """
    choices = Choices(config, data, user)
    stored = cache(lambda k: picture(marked(k), f"Attacks on all users, with K = {k} marked"))

    @cache
    def models_of(run):
        """{method: (model, its neighbour distance)}"""
        return {method: (model, neighbour_distance(model.item_table()))
                for method, model in choices.models(run).items()}

    def attacked(run, method, users, **asked):
        model, unit = models_of(run)[method]
        return attack(model, choices.data_of(run), users=users, unit=unit, seed=seed, **asked)

    @cache
    def average(run, **asked):
        most = most_replaced(choices.data_of(run), models_of(run)["base"][0].max_len)
        able = np.flatnonzero(most >= min(MOST_REPLACED, most.max()))
        users = np.sort(np.random.default_rng(seed).permutation(able)[:SAMPLE])
        results = {method: attacked(run, method, users, **asked) for method in models_of(run)}
        frame = pd.DataFrame([
            {"method": method, "mean of": name, "clean": result["clean"][metric],
             "attacked": result[metric]}
            for metric, name in METRICS.items() for method, result in results.items()])
        frame["change (%)"] = 100 * (frame["attacked"] / frame["clean"] - 1)
        frame = frame.round({"clean": 4, "attacked": 4, "change (%)": 1}).set_index("method")
        return table(frame, f"A sample of {len(users)} users")

    def show(run, user, **asked):
        own, method = choices.data_of(run), run[-1]
        index, names = find_user(user, own), own.item_names
        result = attacked(run, method, [index], **asked)
        before, target = own.sequences[index][:-1], own.sequences[index][-1]
        after = result["histories"][0]
        met = [before, *excluded([before], [after], asked["exclude"])]
        model, _ = models_of(run)[method]
        lists = ten_best(scores_without(model, user_vectors(model, [before, after]), met))
        yield "user", (
            table(history_table(before, after, names), "History")
            + table(list_table(*lists, names, target), "The ten best items"))
        yield "average", average(run, **asked)
        if marked is not None:
            yield "stored", stored(asked["k"])
        named = ", ".join(f"{name} {value}" for name, value in asked.items())
        yield "words", (
            f"User {own.user_ids[index]}, {method}, {named}: the held-out item {names[target]} "
            f"goes from rank {result['clean']['ranks'][0]:g} to {result['ranks'][0]:g}; the new "
            f"items lie {result['distance'].mean() / result['unit']:.2f} neighbour distances off.")

    return Panel({
        "step": Slider("step (neighbour distances)", np.union1d(STEPS, [step]), step),
        "k": Slider("K", range(1, MOST_REPLACED + 1), k),
        "positions": choice("position", POSITIONS, value="last"),
        "pick": choice("attack", PICKS), "exclude": choice("left out", EXCLUDES),
        **choices.controls}, show)
