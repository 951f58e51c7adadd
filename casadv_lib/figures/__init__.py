"""The figures, one function each."""
