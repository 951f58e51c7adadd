"""The sliders of the notebooks."""
