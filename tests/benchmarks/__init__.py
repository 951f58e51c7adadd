"""The benchmarks behind `make bench`: what the library costs, beside what people use today.

A benchmark is a module here with a function `main(**sizes)` that returns a dict:

    title   what is measured, one line
    rows    made by `rows.faster`, `rows.dearer` and `rows.measured`
    notes   sentences on what is compared, and how
    data    optional: the fingerprint of the data set
    others  optional: versions of other implementations
    curves  optional: what the growth figure draws

`suite.BENCHMARKS` lists them. Nothing here is timed by `make test`, which only runs every
benchmark once on a tiny world.
"""
