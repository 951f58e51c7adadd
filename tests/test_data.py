"""The data set and its split into what is learned from and what is held out."""

import numpy as np
import pytest

from casadv_lib import data as cas
from casadv_lib.data import DataError
from casadv_lib.datasets import load_dataset


@pytest.fixture
def file(tmp_path):
    """Return a function that writes a file of this text (or bytes) and gives its path."""
    def write(content, name="own.txt"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path
    return write


def test_leave_one_out(file):
    data = load_dataset(file("1 1 2 3\n2 4 3 2 1 5\n"))
    histories, targets = cas.held_out(data, "test")
    assert [history.tolist() for history in histories] == [[1, 2], [4, 3, 2, 1]]
    assert targets.tolist() == [3, 5] and targets.dtype == np.int64
    histories, targets = cas.held_out(data, "validation")
    assert [history.tolist() for history in histories] == [[1], [4, 3, 2]]
    assert targets.tolist() == [2, 1]
    assert [seen.tolist() for seen in cas.training_sequences(data)] == [[1], [4, 3, 2]]
    with pytest.raises(ValueError, match="split is 'train'"):
        cas.held_out(data, "train")


def test_statistics_are_those_of_table_2(file):
    data = load_dataset(file("1 1 2 3\n2 4 3 2 1 5\n"))
    assert data.statistics() == {"users": 2, "items": 5, "interactions": 8,
                                 "density_percent": 80.0, "mean_length": 4.0}


def test_the_fingerprint_sees_order_and_boundaries(file):
    texts = ["1 1 2 3 4\n2 1 2 3\n", "1 1 2 4 3\n2 1 2 3\n", "1 1 2 3\n2 4 1 2 3\n"]
    prints = [load_dataset(file(text)).fingerprint for text in texts]
    assert len(set(prints)) == 3
    assert prints[0] == load_dataset(file("8 1 2 3 4\n9 1 2 3\n", "other.txt")).fingerprint


@pytest.mark.parametrize("change, words", [
    ({"n_items": 2}, "item_ids has 4 entries; allowed are 3"),
    ({"sequences": [np.array([1, 2, 4])]}, "allowed are 1 to 3"),
    ({"sequences": [np.array([0, 2, 3])]}, "allowed are 1 to 3"),
    ({"sequences": [np.array([1, 2])]}, "needs 3 items"),
    ({"user_ids": [1, 2]}, "user_ids has 2 entries; allowed are 1"),
    ({"item_names": [""]}, "item_names has 1 entries; allowed are 4"),
])
def test_a_data_set_that_does_not_fit_together_is_refused(change, words):
    parts = {"name": "mine", "sequences": [np.array([1, 2, 3])], "n_items": 3,
             "item_ids": ["", 1, 2, 3], "item_names": ["", "1", "2", "3"], "user_ids": [1]}
    assert cas.SequenceDataset(**parts).n_interactions == 3
    with pytest.raises(DataError, match=words):
        cas.SequenceDataset(**(parts | change))
