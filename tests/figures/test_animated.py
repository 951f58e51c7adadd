"""An animated figure is the figure: pixel by pixel what a fresh drawing gives."""

import io

import matplotlib.image
import numpy as np
import pytest

from casadv_lib.figures.accuracy import figure4
from casadv_lib.figures.animated import Animated
from casadv_lib.figures.robustness import figure5, figure6


def pixels(png):
    return matplotlib.image.imread(io.BytesIO(png))[..., :3]


CASES = {
    "figure6": (lambda r, k: figure6(r, highlight=k), (0, 3)),
    "figure5": (lambda r, place: figure5(r, highlight=place), ("first", "last")),
    "figure4": (lambda r, e: figure4(r, highlight=e), (1.0, 10.0)),
}


@pytest.mark.parametrize("name", CASES)
def test_an_animated_figure_shows_what_the_figure_would(results, name):
    draw, (first, second) = CASES[name]
    animated = Animated(draw(results, first), dpi=60)
    before = pixels(animated.png())
    after = pixels(animated.png(second))
    fresh = pixels(Animated(draw(results, second), dpi=60).png())
    assert after.shape == before.shape and np.abs(after - before).max() > 0.5
    assert (after == fresh).all()
    assert (pixels(animated.png(first)) == before).all()
