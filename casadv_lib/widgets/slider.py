"""A slider over a list of values, as the browser's own: named, moved by arrow keys, read aloud.

The sliders of ipywidgets have no name that a screen reader could say.
"""

from collections.abc import Sequence

import anywidget
import numpy as np
import traitlets

PAGE = """
function render({ model, el }) {
  // JupyterLab would take the arrow keys for itself
  el.innerHTML = `<label style="display:flex;align-items:center;gap:0.6em;
      margin:2px 1.2em 2px 4px;font-size:var(--jp-widgets-font-size,13px)"><span></span>
    <input type="range" min="0" step="1" style="width:14em" data-lm-suppress-shortcuts="true">
    <output style="min-width:3em"></output></label>`;
  const [name, input, output] = el.querySelectorAll("span, input, output");
  const options = model.get("options");
  const show = () => {
    input.value = options.indexOf(model.get("value"));
    output.textContent = Number(model.get("value").toPrecision(6));
    input.setAttribute("aria-valuetext", output.textContent);
  };
  name.textContent = model.get("description");
  input.setAttribute("aria-label", name.textContent);
  input.max = options.length - 1;
  input.addEventListener("input", () => {
    model.set("value", options[input.value]);
    model.save_changes();
  });
  model.on("change:value", show);
  show();
}
export default { render };
"""


class Slider(anywidget.AnyWidget):
    """A slider named `description` over the numbers `options`; `value` is the chosen one."""

    _esm = PAGE
    description = traitlets.Unicode().tag(sync=True)
    options = traitlets.List().tag(sync=True)
    value = traitlets.Any().tag(sync=True)

    def __init__(self, description: str, options: Sequence[float], value: float | None = None):
        options = np.asarray(options).tolist()
        super().__init__(description=description, options=options,
                         value=options[0] if value is None else value)

    @traitlets.validate("value")
    def _allowed(self, proposal):
        if proposal.value not in self.options:
            raise ValueError(f"{self.description} is {proposal.value!r}; allowed are "
                             f"{', '.join(f'{one:g}' for one in self.options)}")
        return proposal.value
