"""Controls over the functions that draw the static figures: change one, and the picture follows.

A `Panel` has controls, a line of words and views. A view is a function from the controls' values
to HTML. While a view works, further moves do not queue up: when it is done, the newest values are
shown, and those in between are not. What cannot be shown is said, and the last good view stays.
Nothing here computes or draws: the panels of the notebooks are in the `widgets_` modules.
"""

from __future__ import annotations

import asyncio
import base64
import html
import threading
from collections.abc import Callable, Mapping

import ipywidgets
import pandas as pd

from ..data import SequenceDataset

TABLE_LOOK = ("<style>.casadv-table th, .casadv-table td {padding: 1px 12px 1px 0; "
              "line-height: 1.35; text-align: left}</style>")
PAUSE = 0.002  # seconds in which the kernel may take in newer moves


class Panel(ipywidgets.VBox):
    """Controls above views.

    controls: {name: widget}. views: {name: function of the controls' values (by keyword) that
        returns HTML}, the quick ones first. said: a function of the values that returns the
        sentence shown when all views are done.
    """

    def __init__(self, controls: Mapping[str, ipywidgets.Widget],
                 views: Mapping[str, Callable[..., str]], said: Callable[..., str]):
        self.controls, self.views, self.said = dict(controls), dict(views), said
        self.shown = {name: ipywidgets.HTML() for name in views}
        self.words = ipywidgets.HTML()
        for name, shown in self.shown.items():
            shown.add_class(f"casadv-{name}")
        self.words.add_class("casadv-words")
        self._newer, self._busy = False, False
        self._lock = threading.Lock()
        boxes = ipywidgets.Box(list(self.controls.values()),
                               layout={"flex_flow": "row wrap", "align_items": "center"})
        super().__init__([boxes, self.words, *self.shown.values()])
        self._follow_now()
        for control in self.controls.values():
            control.observe(self._moved, names="value")

    def values(self) -> dict:
        """What the controls say now."""
        return {name: control.value for name, control in self.controls.items()}

    def _moved(self, _change) -> None:
        with self._lock:
            self._newer = True
            if self._busy:
                return  # whoever is at work will see it
            self._busy = True
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:  # no kernel: a script or a test
            self._follow_now()
        else:
            # the loop keeps only a weak reference to its tasks
            self._task = loop.create_task(self._follow())

    def _follow_now(self) -> None:
        self._newer = self._busy = True
        while self._go_on():
            for _ in self._steps():
                pass

    async def _follow(self) -> None:
        while self._go_on():
            await asyncio.sleep(PAUSE)
            for _ in self._steps():
                await asyncio.sleep(PAUSE)
                if self._newer:
                    break

    def _go_on(self) -> bool:
        with self._lock:
            self._busy = self._newer
            return self._newer

    def _steps(self):
        """Bring the views up to date, one after the other; yields after each."""
        self._newer = False
        values = self.values()
        self._say("working...")
        try:
            for name, view in self.views.items():
                self.shown[name].value = view(**values)
                yield
            self._say(self.said(**values))
        except ValueError as error:
            self._say(f"Not possible: {error}. The last good picture stays.", bad=True)
        except Exception as error:  # inside a task nobody else would hear of it
            self._say(f"{type(error).__name__}: {error}. The last good picture stays.", bad=True)

    def _say(self, words: str, bad: bool = False) -> None:
        look = "border-left:4px solid #D55E00;padding-left:6px" if bad else ""
        self.words.value = (f'<div role="status" style="line-height:1.4;{look}">'
                            f"{html.escape(words, quote=False)}</div>")


def find_user(name: str, data: SequenceDataset) -> int:
    """The index of a user's id, of the first user for ""; ValueError for one who is not there."""
    name, ids = name.strip(), [str(user) for user in data.user_ids]
    if name and name not in ids:
        raise ValueError(f"user is {name!r}; allowed are the {len(ids):,} users of {data.name}, "
                         f"such as {', '.join(ids[:3])} or {ids[-1]}")
    return ids.index(name) if name else 0


def picture(png: bytes, words: str) -> str:
    """A PNG as HTML, with words for those who do not see it."""
    return (f'<img alt="{html.escape(words)}" style="max-width:100%" '
            f'src="data:image/png;base64,{base64.b64encode(png).decode()}">')


def table(frame: pd.DataFrame, title: str) -> str:
    """A table as HTML, its names as plain text."""
    text = frame.rename_axis(None).to_html(border=0, justify="left", classes="casadv-table")
    text = text.replace("<th></th>", f"<th>{html.escape(str(frame.index.name or ''))}</th>", 1)
    return (f'<div style="display:inline-block;vertical-align:top;margin-right:2em">{TABLE_LOOK}'
            f"<b>{html.escape(title)}</b>{text}</div>")


def choice(words: str, options, **traits) -> ipywidgets.Dropdown:
    """A list to choose from."""
    return ipywidgets.Dropdown(description=words, options=options,
                               style={"description_width": "initial"},
                               layout={"width": "max-content", "margin": "2px 1.2em 2px 0"},
                               **traits)


def entry(words: str, value: str) -> ipywidgets.Text:
    """A field to write into; it takes effect with Enter or on leaving it."""
    return ipywidgets.Text(value=value, description=words, continuous_update=False,
                           style={"description_width": "initial"},
                           layout={"width": "14em", "margin": "2px 1.2em 2px 0"})
