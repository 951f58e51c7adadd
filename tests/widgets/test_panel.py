"""The panel itself, its slider and tables, and a guess before the answer."""

import numpy as np
import pytest

from casadv_lib.figures import style
from casadv_lib.widgets import Panel, Slider, find_user, list_table, predict, table


def test_what_fails_is_said_and_the_last_view_stays():
    def show(n):
        if n > 7:
            raise {8: ValueError("n is 8; allowed is another"), 9: KeyError(5)}[n]
        yield "part", f"<p>{n}</p>"
        yield "words", f"at {n} < 9"

    panel = Panel({"n": Slider("n", range(10))}, show)
    assert panel.parts["words"].value.endswith(">at 0 &lt; 9</div>")
    for n, said in ((8, "Not possible: n is 8; allowed is another"), (9, "KeyError: 5")):
        panel.controls["n"].value = 3
        panel.controls["n"].value = n
        assert f"{said}. The last good picture stays." in panel.parts["words"].value
        assert panel.parts["part"].value == "<p>3</p>"


def test_slider_offers_plain_numbers_and_begins_at_the_first():
    slider = Slider("epsilon", np.array([0.5, 1.0, 2.0]), 1.0)
    assert slider.get_state(["options", "value"]) == {"options": [0.5, 1.0, 2.0], "value": 1.0}
    assert Slider("n", range(3)).value == 0


def test_a_list_says_where_each_item_stood_with_names_as_plain_text():
    frame = list_table(np.array([3, 1, 2]), np.array([1, 4, 2]), ["", "<b>x", "y & z", "c", "d"], 2)
    assert frame["before"].tolist() == ["c", "<b>x", "y & z ← next"]
    assert frame["after"].tolist() == ["<b>x", "d", "y & z ← next"]
    assert frame["stood at"].tolist() == [2, "new", 3]
    text = table(frame, "a < b")
    assert "<b>x" not in text and "&lt;b&gt;x" in text and "a &lt; b" in text


def test_a_user_with_one_training_item_is_refused(toy):
    name = next(str(u) for u, s in zip(toy.user_ids, toy.sequences) if len(s) == 3)
    with pytest.raises(ValueError, match=f"user is '{name}'; allowed are .* with at least 4 items"):
        find_user(name, toy)


def asked(choices, draw):
    box = predict("How many < 3?", choices, draw)
    question, control, answer = box.children
    assert "How many &lt; 3?" in question.value and answer.value == ""
    return control, answer


def test_a_click_on_a_word_is_a_guess_and_what_fails_is_said():
    control, answer = asked(["few", "a & b"], lambda guess: {"a & b": "1 < 2"}[guess])
    control.value = "a & b"
    assert "a &amp; b" in answer.value and "1 &lt; 2" in answer.value
    control.value = "few"
    assert "KeyError" in answer.value and "1 &lt; 2" not in answer.value


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
