"""Bad arguments of public functions: an error that names the parameter, its value, what is allowed.

What each takes is in `_parameters`.
"""

import inspect
import warnings

import pytest
from _parameters import CALLS, PAIRS
from hypothesis import HealthCheck, given, settings

import casadv_lib as cas
from casadv_lib.support import checks

CASES = 12  # values of a parameter


@pytest.mark.parametrize(("name", "parameter"), PAIRS)
def test_a_bad_value_is_named(name, parameter):
    call = CALLS[name]

    @settings(max_examples=CASES, deadline=None, derandomize=True, database=None,
              suppress_health_check=list(HealthCheck))
    @given(call.rules[parameter])
    def refused(value):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            with pytest.raises(ValueError) as error:
                call.function(**call.good | {parameter: value})
        said = str(error.value)
        named = {"name": "data set", "frame": ""}.get(parameter, parameter)
        assert named in said, said
        assert "allowed" in said or "needed" in said or "known" in said or "at least" in said, said
        assert len(said) < 1500, said

    refused()


def test_every_public_function_and_parameter_is_in_the_table():
    public = {name for name in vars(cas) if name[0] != "_" and callable(getattr(cas, name))}
    # training_loss works inside a step, on tensors; SequenceDataset is tested in test_data
    missing = public - set(CALLS) - {"Backbone", "SequenceDataset", "training_loss"}
    assert missing == set()
    for name, call in CALLS.items():
        known = set(inspect.signature(call.function).parameters) - {
            "settings", "overrides", "titles", "name", "device"}
        if name not in ("load_dataset", "pack"):
            assert known <= set(call.rules), name


def test_the_good_arguments_work():
    for call in CALLS.values():
        call.function(**call.good)


def test_a_fault_in_a_repr_does_not_hide_the_message():
    class Odd:
        def __repr__(self):
            raise RuntimeError("no")

    with pytest.raises(ValueError, match="epochs is a Odd whose repr fails"):
        checks.number("epochs", Odd())
