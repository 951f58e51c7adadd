"""The glossary: what it names is there, in the code and in the notebooks, in reading order."""

import dataclasses
from importlib import import_module

import pandas as pd

import casadv_lib as cas
from casadv_lib.experiments import notebooks
from casadv_lib.support.repository import root

TABLE = pd.read_csv(root() / "casadv_lib" / "glossary.csv", dtype=str)


def owner_of(name):
    if name == "Backbone":
        return cas.SASRec(3, dim=4)
    for module in (cas, *map(import_module, ("casadv_lib.batching", "casadv_lib.settings"))):
        if hasattr(module, name):
            return getattr(module, name)
    return import_module(f"casadv_lib.{name}")


def test_what_the_glossary_names_is_there():
    for name in TABLE["in the code"]:
        owner, _, member = name.partition(".")
        there = owner_of(owner)
        fields = dataclasses.fields(there) if dataclasses.is_dataclass(there) else ()
        assert not member or hasattr(there, member) or member in {f.name for f in fields}, name


def test_symbols_stand_in_the_order_in_which_a_reader_meets_them():
    assert TABLE.notna().all(axis=None) and TABLE["symbol"].is_unique
    assert TABLE["notebook"].is_monotonic_increasing
    assert set(TABLE["notebook"]) <= {path.stem[:2] for path in notebooks.committed()}
    assert len(TABLE.columns) == 6
