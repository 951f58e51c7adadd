"""A slider over a list of values, as the browser's own: named, moved by arrow keys, read aloud.

The sliders of ipywidgets have no name that a screen reader could say.
"""

from __future__ import annotations

from collections.abc import Sequence

import anywidget
import traitlets

PAGE = """
function render({ model, el }) {
  const row = document.createElement("label");
  const name = document.createElement("span");
  const input = document.createElement("input");
  const output = document.createElement("output");
  input.type = "range";
  input.min = 0;
  input.step = 1;
  row.style.cssText = "display:flex;align-items:center;gap:0.6em;margin:2px 1.2em 2px 4px;" +
    "font-size:var(--jp-widgets-font-size,13px)";
  input.style.width = "14em";
  // JupyterLab would take the arrow keys for itself
  input.dataset.lmSuppressShortcuts = "true";
  output.style.minWidth = "3em";
  row.append(name, input, output);
  el.append(row);
  const show = () => {
    const texts = model.get("texts"), place = model.get("place");
    name.textContent = model.get("description");
    input.setAttribute("aria-label", model.get("description"));
    input.max = texts.length - 1;
    input.value = place;
    input.setAttribute("aria-valuetext", texts[place]);
    output.textContent = texts[place];
  };
  input.addEventListener("input", () => {
    model.set("place", Number(input.value));
    show();
    model.save_changes();
  });
  for (const changed of ["place", "texts", "description"]) model.on(`change:${changed}`, show);
  show();
}
export default { render };
"""


class Slider(anywidget.AnyWidget):
    """A slider over `options`; `value` is the chosen one.

    description: its name. texts: what stands beside the slider for each option, by default the
    option itself.
    """

    _esm = PAGE
    description = traitlets.Unicode().tag(sync=True)
    texts = traitlets.List(traitlets.Unicode()).tag(sync=True)
    place = traitlets.Int(0).tag(sync=True)
    value = traitlets.Any()

    def __init__(self, description: str, options: Sequence, value=None,
                 texts: Sequence[str] | None = None):
        self.options = list(options)
        value = self.options[0] if value is None else value
        super().__init__(description=description, texts=_texts(self.options, texts),
                         place=self._place(value, description), value=value)
        self.observe(self._placed, names="place")
        self.observe(self._valued, names="value")

    def _place(self, value, description: str) -> int:
        if value not in self.options:
            words = ", ".join(_texts(self.options, None))
            raise ValueError(f"{description} is {value!r}; allowed are {words}")
        return self.options.index(value)

    def _placed(self, change) -> None:
        self.value = self.options[change.new]

    def _valued(self, change) -> None:
        self.place = self._place(change.new, self.description)

    def offer(self, options: Sequence, value, texts: Sequence[str] | None = None) -> None:
        """Other options, and which of them is chosen."""
        options = list(options)
        with self.hold_trait_notifications():
            self.options = options
            self.place = self._place(value, self.description)
            self.texts, self.value = _texts(options, texts), value


def _texts(options: Sequence, texts: Sequence[str] | None) -> list[str]:
    found = [f"{o:g}" if isinstance(o, float) else str(o) for o in options]
    return found if texts is None else list(texts)
