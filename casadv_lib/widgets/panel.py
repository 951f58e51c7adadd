"""Controls over the functions that draw the static figures, and questions before their answers.

While the kernel works the browser holds further moves back and then sends the newest alone.
"""

import base64
import html
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import anywidget
import ipywidgets
import numpy as np
import pandas as pd
import traitlets
from matplotlib.figure import Figure

from ..data import SequenceDataset
from ..figures import style

TABLE_LOOK = ("<style>.casadv-table th, .casadv-table td {padding: 1px 12px 1px 0; "
              "line-height: 1.35; text-align: left}</style>")
BAD_LOOK = "border-left:4px solid #D55E00;padding-left:6px"


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
            self._put("words", f"{kind}: {error}. The last good picture stays.", BAD_LOOK)

    def _put(self, name: str, content: str, look: str = "") -> None:
        if name not in self.parts:
            self.parts[name] = ipywidgets.HTML().add_class(f"casadv-{name}")
            self.children += (self.parts[name],)
        if name == "words":
            content = (f'<div role="status" style="line-height:1.4;{look}">'
                       f"{html.escape(content, quote=False)}</div>")
        self.parts[name].value = content


class Slider(anywidget.AnyWidget):
    """A slider named `description` over the numbers `options`; `value` is the chosen one.

    It is the browser's own: ipywidgets' have no name to read aloud.
    """

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


def predict(question: str, choices: Sequence, draw: Callable[..., Figure | str]
            ) -> ipywidgets.VBox:
    """The question with its choices; the answer follows as soon as one is chosen.

    choices: texts, one of which is clicked, or numbers for a slider, which a button confirms.
    draw: draw(guess) gives the answer with the guess marked, as a figure or as text.
    It needs a kernel (tags skip-execution and nbval-skip); the cell below it shows `draw()`.
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


def table(frame: pd.DataFrame, title: str) -> str:
    """A table as HTML, its names as plain text."""
    text = frame.reset_index().to_html(index=False, border=0, justify="left",
                                       classes="casadv-table")
    return (f'<div style="display:inline-block;vertical-align:top;margin-right:2em">{TABLE_LOOK}'
            f"<b>{html.escape(title)}</b>{text}</div>")


def find_user(name: str, data: SequenceDataset) -> int:
    """The index of a user's id, of the first user for ""; ValueError for one who is not there or
    has fewer than 4 items: two to train on, and the held-out ones."""
    ids = [str(user) for user in data.user_ids]
    name = name.strip() or ids[0]
    if name not in ids:
        raise ValueError(f"user is {name!r}; allowed are the {len(ids):,} users of {data.name}, "
                         f"such as {', '.join(ids[:3])} or {ids[-1]}")
    user = ids.index(name)
    if len(data.sequences[user]) < 4:
        raise ValueError(f"user is {name!r} with {len(data.sequences[user])} items; allowed are "
                         "users with at least 4")
    return user


def list_table(before: Sequence[int], after: Sequence[int], names, target: int,
               word: str = "held out") -> pd.DataFrame:
    """Two lists side by side, and where each item of the second stood in the first.

    word: what is written at the target.
    """
    named = [[names[item] + (f" ← {word}" if item == target else "") for item in one]
             for one in (before, after)]
    stood = [[*before].index(item) + 1 if item in before else "new" for item in after]
    return pd.DataFrame({"before": named[0], "after": named[1], "stood at": stood},
                        index=pd.RangeIndex(1, len(stood) + 1, name="rank"))
