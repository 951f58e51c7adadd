"""The data set as an object, and its split: what is learnt from, what is held out."""

import numpy as np
import pytest
from oracles import dataset

from casadv_lib.data import (
    DataError,
    SequenceDataset,
    held_out,
    training_inputs,
    training_sequences,
)

TWO = [[1, 2, 3], [4, 3, 2, 1, 5]]


def test_leave_one_out():
    histories, targets = held_out(dataset(TWO), "test")
    assert [history.tolist() for history in histories] == [[1, 2], [4, 3, 2, 1]]
    assert targets.tolist() == [3, 5] and targets.dtype == np.int64
    histories, targets = held_out(dataset(TWO), "validation")
    assert [history.tolist() for history in histories] == [[1], [4, 3, 2]]
    assert targets.tolist() == [2, 1]
    assert [seen.tolist() for seen in training_sequences(dataset(TWO))] == [[1], [4, 3, 2]]


def test_who_has_an_input_and_which():
    data = dataset([[1, 2, 3], [1, 2, 3, 4], [6, 5, 4, 3, 2, 1], [3, 2, 1]])
    for max_len, expected in ((9, [[1], [6, 5, 4]]), (2, [[1], [5, 4]]), (1, [[1], [4]])):
        users, inputs = training_inputs(data, max_len)
        assert users.tolist() == [1, 2] and users.dtype == np.int64
        assert [one.tolist() for one in inputs] == expected


def test_statistics_are_those_of_table_2():
    assert dataset(TWO).statistics() == {"users": 2, "items": 5, "interactions": 8,
                                         "density_percent": 80.0, "mean_length": 4.0}
    assert repr(dataset(TWO)) == "SequenceDataset('toy', 2 users, 5 items, 8 interactions)"


def test_the_fingerprint_sees_order_boundaries_and_the_catalogue():
    variants = [dataset(s, n).fingerprint for s, n in (
        ([[1, 2, 3, 4], [1, 2, 3]], 4), ([[1, 2, 4, 3], [1, 2, 3]], 4),
        ([[1, 2, 3], [4, 1, 2, 3]], 4), ([[1, 2, 3, 4], [1, 2, 3]], 5))]
    assert len(set(variants)) == 4
    assert variants[0] == dataset([[1, 2, 3, 4], [1, 2, 3]], 4, "other").fingerprint
    assert dataset(TWO).fingerprint == (  # stored runs carry such texts
        "6d2031a61938c9e01ff0ae012e0c61f245c4822dd62a458fea4554e656a59c95")


@pytest.mark.parametrize("change, words", [
    ({"n_items": 2}, "item_ids has 4 entries; allowed are 3"),
    ({"sequences": [np.array([1, 2, 4])]}, "from 1 to 4; allowed are 1 to 3"),
    ({"sequences": [np.array([0, 2, 3])]}, "allowed are 1 to 3"),
    ({"sequences": [np.array([1, 2])]}, "needs 3 items"),
    ({"sequences": [], "user_ids": []}, "needs 3 items"),
    *[({"sequences": [bad]}, r"sequences\[0\] is .*allowed is a one-dimensional int64 array")
      for bad in ([1, 2, 3], np.array([1.0, 2, 3]), np.array([[1, 2, 3]]))],
    ({"user_ids": [1, 2]}, "user_ids has 2 entries; allowed are 1"),
    ({"item_names": [""]}, "item_names has 1 entries; allowed are 4"),
])
def test_a_data_set_that_does_not_fit_together_is_refused(change, words):
    parts = {"name": "mine", "sequences": [np.array([1, 2, 3])], "n_items": 3,
             "item_ids": ["", 1, 2, 3], "item_names": ["", "1", "2", "3"], "user_ids": [1]}
    assert SequenceDataset(**parts).n_interactions == 3
    with pytest.raises(DataError, match=words):
        SequenceDataset(**(parts | change))
