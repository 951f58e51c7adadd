"""Pictures with a part that changes: what stays is drawn once and kept as pixels.

A drawing function hands its finished figure to `with_changing_part`, with a function that draws
that part for a value. Saved or shown as usual the figure has both. `Animated` redraws the changing
part alone, which takes some milliseconds where the whole figure takes some hundred.
"""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
from matplotlib.artist import Artist
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from .style import styled


def with_changing_part(figure: Figure, draw: Callable[..., list[Artist]], *values) -> Figure:
    """Draw the changing part of a figure for its first values, and remember how.

    draw: takes values, returns the artists it added (or the titles it changed). The limits of all
        axes stay as they are now.
    """
    for axis in figure.axes:
        axis.autoscale(False)
    figure.draw_changing, figure.changing = draw, []
    return changed(figure, *values)


@styled
def changed(figure: Figure, *values) -> Figure:
    """The same figure with its changing part drawn for other values."""
    for artist in figure.changing:
        if artist.axes is None or artist is not artist.axes.title:
            artist.remove()
    figure.changing = figure.draw_changing(*values)
    for artist in figure.changing:
        artist.set_animated(True)  # left out of the background, kept in a saved file
    return figure


class Animated:
    """PNG pictures of one figure for value after value."""

    def __init__(self, figure: Figure, dpi: float = 80):
        figure.set_dpi(dpi)
        self.figure, self.canvas = figure, FigureCanvasAgg(figure)
        self.canvas.draw()
        self.background = self.canvas.copy_from_bbox(figure.bbox)

    def png(self, *values) -> bytes:
        """The picture for these values; without any, as it stands."""
        if values:
            changed(self.figure, *values)
        self.canvas.restore_region(self.background)
        for artist in self.figure.changing:
            artist.draw(self.canvas.get_renderer())
        buffer = io.BytesIO()
        pixels = np.asarray(self.canvas.buffer_rgba())[..., :3]
        Image.fromarray(pixels).save(buffer, format="png", compress_level=1)
        return buffer.getvalue()
