"""A question before its answer: first the reader's guess, then the picture, with the guess in it.

`predict` needs a kernel (tags skip-execution and nbval-skip); the cell below it shows `draw()`.
"""

import html
from collections.abc import Callable, Sequence

import ipywidgets
from matplotlib.figure import Figure

from .panel import Slider, picture


def predict(question: str, choices: Sequence, draw: Callable[..., Figure | str]
            ) -> ipywidgets.VBox:
    """The question with its choices; the answer follows as soon as one is chosen.

    choices: texts, one of which is clicked, or numbers for a slider, which a button confirms.
    draw: draw(guess) gives the answer with the guess marked, as a figure or as text.
    """
    choices = list(choices)
    if len(choices) < 2 or len(set(choices)) < len(choices):
        raise ValueError(f"choices is {choices!r}; allowed are at least two different ones")
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
        controls = [control]
    else:
        control = Slider("your guess", choices)
        button = ipywidgets.Button(description="Show the answer")
        button.on_click(lambda _: reveal(control.value))
        controls = [ipywidgets.HBox([control, button])]
    words = ipywidgets.HTML(f"<b>{html.escape(question)}</b>").add_class("casadv-question")
    return ipywidgets.VBox([words, *controls, answer])


def as_html(answer: Figure | str, words: str) -> str:
    """A figure as an image, with words for who does not see it; a text as a paragraph."""
    return (picture(answer, words, dpi=150) if isinstance(answer, Figure)
            else f"<p>{html.escape(answer)}</p>")
