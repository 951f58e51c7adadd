"""The checks behind the exercises of the notebooks."""
