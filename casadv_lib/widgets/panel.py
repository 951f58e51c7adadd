"""Controls over the functions that draw the static figures: change one, and the picture follows.

While one picture is drawn, further moves do not queue up: afterwards the newest values are shown,
and those in between are not. What cannot be shown is said, and the last good picture stays.
"""

import asyncio
import base64
import html
from collections.abc import Callable, Iterator, Mapping

import ipywidgets
import numpy as np
import pandas as pd

from ..data import SequenceDataset
from ..figures.animated import Animated

TABLE_LOOK = ("<style>.casadv-table th, .casadv-table td {padding: 1px 12px 1px 0; "
              "line-height: 1.35; text-align: left}</style>")
BAD_LOOK = "border-left:4px solid #D55E00;padding-left:6px"
PAUSE = 0.002  # seconds in which the kernel may take in newer moves


class Panel(ipywidgets.VBox):
    """Controls, below them a line of words, below that what there is to see.

    controls: {name: widget}. show: from the controls' values (by keyword) it yields (name of a
        part, its HTML), the quick ones first, and last ("words", a sentence).
    """

    def __init__(self, controls: Mapping[str, ipywidgets.Widget],
                 show: Callable[..., Iterator[tuple[str, str]]]):
        row = ipywidgets.Box(list(controls.values()),
                             layout={"flex_flow": "row wrap", "align_items": "center"})
        super().__init__([row])
        self.controls, self.show, self.parts, self._task = dict(controls), show, {}, None
        self._follow_now()
        for control in self.controls.values():
            control.observe(self._moved, names="value")

    def _moved(self, _change) -> None:
        self._newer = True
        if self._task is None or self._task.done():  # else: whoever is at work will see it
            try:
                self._task = asyncio.get_running_loop().create_task(self._follow())
            except RuntimeError:  # no kernel: a script or a test
                self._follow_now()

    def _follow_now(self) -> None:
        for _ in self._steps():
            pass

    async def _follow(self) -> None:
        while self._newer:
            await asyncio.sleep(PAUSE)
            for _ in self._steps():
                await asyncio.sleep(PAUSE)
                if self._newer:
                    break

    def _steps(self):
        """Bring the parts up to date, one after the other; yields after each."""
        self._newer = False
        self._put("words", "working...")
        try:
            values = {name: control.value for name, control in self.controls.items()}
            for name, content in self.show(**values):
                self._put(name, content)
                yield
        except Exception as error:  # inside a task nobody else would hear of it
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


def find_user(name: str, data: SequenceDataset) -> int:
    """The index of a user's id, of the first user for ""; ValueError for one who is not there."""
    name, ids = name.strip(), [str(user) for user in data.user_ids]
    if name and name not in ids:
        raise ValueError(f"user is {name!r}; allowed are the {len(ids):,} users of {data.name}, "
                         f"such as {', '.join(ids[:3])} or {ids[-1]}")
    return ids.index(name) if name else 0


def picture(animated: Animated, words: str, *values) -> str:
    """A figure with its changing part for these values, and words for who does not see it."""
    png = base64.b64encode(animated.png(*values)).decode()
    return (f'<img alt="{html.escape(words)}" style="max-width:100%" '
            f'src="data:image/png;base64,{png}">')


def table(frame: pd.DataFrame, title: str) -> str:
    """A table as HTML, its names as plain text."""
    text = frame.rename_axis(None).to_html(border=0, justify="left", classes="casadv-table")
    text = text.replace("<th></th>", f"<th>{html.escape(str(frame.index.name or ''))}</th>", 1)
    return (f'<div style="display:inline-block;vertical-align:top;margin-right:2em">{TABLE_LOOK}'
            f"<b>{html.escape(title)}</b>{text}</div>")


def choice(words: str, options, **traits) -> ipywidgets.Dropdown:
    """A list to choose from."""
    return ipywidgets.Dropdown(description=words, options=options, **traits,
                               style={"description_width": "initial"},
                               layout={"width": "max-content", "margin": "2px 1.2em 2px 0"})


def user_entry(data: SequenceDataset, user: int, datasets: ipywidgets.Dropdown
               ) -> ipywidgets.Text:
    """A field for a user's id, which takes effect with Enter or on leaving it.

    Another data set in `datasets` empties it, which stands for the first user.
    """
    field = ipywidgets.Text(value=str(data.user_ids[user]), description="user",
                            continuous_update=False, style={"description_width": "initial"},
                            layout={"width": "14em", "margin": "2px 1.2em 2px 0"})

    def empty(change):
        if change.old[0] != change.new[0]:
            field.value = ""

    datasets.observe(empty, "value")
    return field


def list_table(before: np.ndarray, after: np.ndarray, names, target: int,
               word: str = "held out") -> pd.DataFrame:
    """Two lists side by side; words say where each item of the second stood in the first.

    word: what is written at the target.
    """
    def named(item):
        return names[item] + (f" ← {word}" if item == target else "")

    old, changes = {int(item): rank for rank, item in enumerate(before, start=1)}, []
    for rank, item in enumerate(after, start=1):
        was = old.get(int(item))
        changes.append("new" if was is None else "same place" if was == rank
                       else f"up from {was}" if was > rank else f"down from {was}")
    leaves = ["" if item in after else " (leaves)" for item in before]
    return pd.DataFrame({"before": [named(item) + word for item, word in zip(before, leaves)],
                         "after": [named(item) for item in after], "change": changes},
                        index=pd.RangeIndex(1, len(before) + 1, name="rank"))
