"""A slider over a list of values, as the browser's own: named, moved by arrow keys, read aloud.

The sliders of ipywidgets have no name that a screen reader could say.
"""

from collections.abc import Sequence

import anywidget
import traitlets

PAGE = """
function render({ model, el }) {
  // JupyterLab would take the arrow keys for itself
  el.innerHTML = `<label style="display:flex;align-items:center;gap:0.6em;
      margin:2px 1.2em 2px 4px;font-size:var(--jp-widgets-font-size,13px)"><span></span>
    <input type="range" min="0" step="1" style="width:14em" data-lm-suppress-shortcuts="true">
    <output style="min-width:3em"></output></label>`;
  const [name, input, output] = el.querySelectorAll("span, input, output");
  const show = () => {
    const texts = model.get("texts"), position = model.get("position");
    name.textContent = model.get("description");
    output.textContent = texts[position];
    input.setAttribute("aria-label", name.textContent);
    input.setAttribute("aria-valuetext", texts[position]);
    input.max = texts.length - 1;
    input.value = position;
  };
  input.addEventListener("input", () => {
    model.set("position", Number(input.value));
    show();
    model.save_changes();
  });
  model.on("change:position", show);
  show();
}
export default { render };
"""


class Slider(anywidget.AnyWidget):
    """A slider named `description` over `options`; `value` is the chosen one."""

    _esm = PAGE
    description = traitlets.Unicode().tag(sync=True)
    texts = traitlets.List(traitlets.Unicode()).tag(sync=True)
    position = traitlets.Int(0).tag(sync=True)
    value = traitlets.Any()

    def __init__(self, description: str, options: Sequence, value=None):
        self.options = list(options)
        texts = [f"{o:g}" if isinstance(o, float) else str(o) for o in options]
        super().__init__(description=description, texts=texts)
        self.value = self.options[0] if value is None else value

    @traitlets.validate("value")
    def _allowed(self, proposal):
        if proposal.value not in self.options:
            raise ValueError(f"{self.description} is {proposal.value!r}; allowed are "
                             f"{', '.join(self.texts)}")
        return proposal.value

    @traitlets.observe("position", "value")
    def _follow(self, change):
        if change.name == "position":
            self.value = self.options[change.new]
        else:
            self.position = self.options.index(change.new)
