"""A guess before the answer: nothing is drawn before it, and then with it."""

import pytest

from casadv_lib.figures import style
from casadv_lib.widgets.predict import predict


def asked(choices, draw):
    box = predict("How many < 3?", choices, draw)
    question, control, answer = box.children
    assert "How many &lt; 3?" in question.value and answer.value == ""
    return control, answer


def test_a_click_on_a_word_is_a_guess_and_another_click_another():
    control, answer = asked(["few", "many & more"], lambda guess=None: f"{guess} <- it is few")
    control.value = "many & more"
    assert "many &amp; more &lt;- it is few" in answer.value
    control.value = "few"
    assert "few &lt;- it is few" in answer.value and "many" not in answer.value


def test_a_slider_waits_for_its_button_and_the_picture_is_told_in_words():
    guesses = []

    def draw(guess=None):
        guesses.append(guess)
        figure, axes = style.panels(1, 1)
        axes[0, 0].axvline(guess)
        return figure

    control, answer = asked(range(0, 101, 10), draw)
    slider, button = control.children
    slider.value = 40
    assert answer.value == "" and guesses == []
    button.click()
    assert guesses == [40]
    assert 'alt="How many &lt; 3? Your guess: 40."' in answer.value and "base64" in answer.value


def test_what_fails_is_said():
    control, answer = asked(["a", "b"], lambda guess=None: {}[guess])
    control.value = "a"
    assert "KeyError" in answer.value
    for choices in ([], ["only"], ["twice", "twice"]):
        with pytest.raises(ValueError, match="choices is .* allowed are at least two"):
            predict("?", choices, str)
