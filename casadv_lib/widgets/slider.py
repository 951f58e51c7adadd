"""A slider over a list of values, as the browser's own: ipywidgets' have no name to read aloud."""

from collections.abc import Sequence
from pathlib import Path

import anywidget
import numpy as np
import traitlets


class Slider(anywidget.AnyWidget):
    """A slider named `description` over the numbers `options`; `value` is the chosen one."""

    _esm = Path(__file__).with_name("slider.js")
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
