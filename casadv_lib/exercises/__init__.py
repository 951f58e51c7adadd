"""The checks behind the exercises, one file a notebook; `common` runs a reader's answer."""
