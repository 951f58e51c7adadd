"""Two lists side by side."""

from casadv_lib.figures.lists import GOES, STAYS, two_lists

NAMES = ["", "one", "two $3", "three", "four"]


def test_lines_join_what_stands_in_both_lists():
    figure = two_lists([1, 2, 3], [3, 4, 1], NAMES, ("then", "now"), guess=3)
    axis, = figure.axes
    assert axis.get_title() == "2 of 3 stay (your guess: 3)"
    ends = sorted(tuple(map(int, line.get_ydata())) for line in axis.lines)
    assert ends == [(1, 3), (3, 1)]
    colors = {text.get_text(): text.get_color() for text in axis.texts}
    assert colors["one  1"] == colors["3  one"] == STAYS
    assert colors["two \\$3  2"] == colors["2  four"] == GOES
    assert two_lists([1], [2], NAMES).axes[0].get_title() == "0 of 1 stay"
    figure.savefig("/dev/null", format="png")
