"""A film of a figure is the figure: pixel by pixel what a fresh drawing gives."""

import io

import matplotlib.image
import numpy as np
import pytest
from _fake_results import fake_results

from casadv_lib.figures import write as figures
from casadv_lib.figures.moving import Film, moved


@pytest.fixture
def results():
    return fake_results()


def pixels(png):
    return matplotlib.image.imread(io.BytesIO(png))[..., :3]


CASES = {
    "figure6": (lambda r, k: figures.figure6(r, highlight=k), (0, 3)),
    "figure5": (lambda r, place: figures.figure5(r, highlight=place), ("first", "last")),
    "figure4": (lambda r, e: figures.figure4(r, highlight=e), (1.0, 10.0)),
}


@pytest.mark.parametrize("name", CASES)
def test_a_film_shows_what_the_figure_would(results, name):
    draw, (first, second) = CASES[name]
    film = Film(draw(results, first), dpi=60)
    before = pixels(film.png())
    after = pixels(film.png(second))
    fresh = pixels(Film(draw(results, second), dpi=60).png())
    assert after.shape == before.shape and np.abs(after - before).max() > 0.5
    assert (after == fresh).all()
    again = pixels(film.png(first))
    assert (again == before).all()


def test_a_saved_figure_has_its_moving_part(results):
    figure = figures.figure6(results, highlight=2)
    with_two = figure._repr_png_()
    assert with_two != moved(figure, 4)._repr_png_()
    assert "K = 4" in figure.axes[0].get_title()
