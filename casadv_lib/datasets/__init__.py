"""Data sets: official sources, files of one's own, the embedded world."""
