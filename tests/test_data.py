"""From names and tables to data sets: filtering, renumbering, splitting."""

import os
import time
from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from casadv_lib import data as cas
from casadv_lib import datasets
from casadv_lib.data import DataError
from casadv_lib.datasets import load_dataset

COUNTS = {  # users, items, interactions of the published 5-core data sets
    "ml-1m": (6_040, 3_416, 999_611),
    "beauty": (22_363, 12_101, 198_502),
    "video": (24_303, 10_672, 231_780),
    "clothing": (39_387, 23_033, 278_677),
    "ml-latest-small": (610, 3_650, 90_274),
}

@pytest.fixture
def file(tmp_path):
    """Return a function that writes a file of this text (or bytes) and gives its path."""
    def write(content, name="own.txt"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path
    return write


def frame_of(rows):
    return pd.DataFrame(rows, columns=["user", "item", "timestamp"])


# ---------------------------------------------------------------- frames and the k-core


def test_frames_need_the_columns_ids_and_times():
    with pytest.raises(DataError, match="the column 'timestamp' is missing"):
        datasets.from_interactions(pd.DataFrame({"user": [1], "item": [1]}))
    with pytest.raises(DataError, match="row 2 has timestamp nan"):
        datasets.from_interactions(frame_of([(1, 1, 1.0), (1, 2, np.nan)]))
    with pytest.raises(DataError, match="row 1 has user"):
        datasets.from_interactions(frame_of([(None, 1, 1.0), ("a", 2, 2.0)]))


def test_a_frame_with_any_index_and_dates_works():
    days = pd.to_datetime(["2014-03-01", "2014-01-01", "2014-02-01"])
    frame = pd.DataFrame({"user": "u", "item": ["c", "a", "b"], "timestamp": days},
                         index=[5, 5, 1])
    data = datasets.from_interactions(frame)
    assert [data.item_ids[item] for item in data.sequences[0]] == ["a", "b", "c"]


@given(st.lists(st.tuples(st.integers(1, 4), st.integers(1, 4)), max_size=9), st.integers(1, 4))
@settings(max_examples=80, deadline=None)
def test_k_core_is_the_union_of_all_sets_of_rows_that_satisfy_it(rows, k):
    def fits(chosen):
        users = [rows[row][0] for row in chosen]
        items = [rows[row][1] for row in chosen]
        return all(users.count(user) >= k for user in users) and all(
            items.count(item) >= k for item in items)

    subsets = (chosen for size in range(len(rows) + 1)
               for chosen in combinations(range(len(rows)), size))
    largest = set().union(*(chosen for chosen in subsets if fits(chosen)))
    core = datasets.k_core(pd.DataFrame(rows, columns=["user", "item"]), k)
    assert core.index.tolist() == sorted(largest)
    assert core.to_numpy().tolist() == [list(rows[row]) for row in sorted(largest)]


def test_min_count_filters_own_files_only_on_request(file):
    # item 9 is rare; without it user 3 is too short, and then item 4 is rare too
    path = file("1 1 2 3 4\n2 1 2 3\n3 1 4 9\n4 1 2 3\n")
    assert load_dataset(path).n_items == 5
    data = load_dataset(path, min_count=3)
    assert data.item_ids == ["", 1, 2, 3] and data.user_ids == [1, 2, 4]
    assert "the 3-core keeps 9 of 13 interactions, 3 of 4 users and 3 of 5 items" in data.notes[0]
    with pytest.raises(DataError, match="min_count 5 leaves nothing of 13"):
        load_dataset(path, min_count=5)


@pytest.mark.parametrize("value", [0, -1, 2.5, "5", True])
def test_min_count_is_checked(file, value):
    with pytest.raises(ValueError, match="min_count"):
        load_dataset(file("1 1 2 3\n"), min_count=value)


# ---------------------------------------------------------------- names and folders


def five_core_lines(first_item=1):
    """Six users with the same five items: a 5-core."""
    items = " ".join(str(item) for item in range(first_item, first_item + 5))
    return "".join(f"{user} {items}\n" for user in range(1, 7))


@pytest.mark.parametrize("name", ["beautyy", "Beauty", "", "ml-20m", None, 3])
def test_an_unknown_name_lists_the_known_ones(name):
    with pytest.raises(DataError, match="ml-latest-small.*path"):
        load_dataset(name)


def test_a_missing_file_and_a_folder_are_errors(tmp_path):
    with pytest.raises(DataError, match="gone.txt: no such file"):
        load_dataset(tmp_path / "gone.txt")
    with pytest.raises(DataError, match="gone.csv: no such file"):
        load_dataset(str(tmp_path / "gone.csv"))
    with pytest.raises(DataError, match="is a folder"):
        load_dataset(tmp_path)


def test_casadv_data_is_looked_into_first_and_filtered(file, monkeypatch):
    path = file(five_core_lines() + "9 1 2 3 4 77\n", "beauty.txt")
    monkeypatch.setenv("CASADV_DATA", str(path.parent))
    with pytest.warns(UserWarning, match="published data set has 22,363 users"):
        data = load_dataset("beauty")
    assert (data.name, data.n_users, data.n_items) == ("beauty", 6, 5)
    assert load_dataset("beauty", min_count=1).n_items == 6


def test_casadv_data_must_be_a_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("CASADV_DATA", str(tmp_path / "gone"))
    with pytest.raises(DataError, match="CASADV_DATA is .*gone"):
        load_dataset("beauty")


@pytest.mark.filterwarnings("ignore:ml-1m")
def test_ml_1m_lines_take_titles_that_lie_beside(file, monkeypatch):
    path = file(five_core_lines(first_item=3), "ml-1m.txt")
    monkeypatch.setenv("CASADV_DATA", str(path.parent))
    assert load_dataset("ml-1m").item_names == ["", "3", "4", "5", "6", "7"]
    file("3::Am\xe9lie (2001)::Comedy\n5::Heat (1995)::Crime\n".encode("latin-1"),
         "ml-1m/movies.dat")
    data = load_dataset("ml-1m")
    assert data.item_names == ["", "Am\xe9lie (2001)", "4", "Heat (1995)", "6", "7"]
    assert data.item_ids == ["", 3, 4, 5, 6, 7]


def test_the_synthetic_data_follow_the_seed_and_take_no_filter():
    assert load_dataset("synthetic", seed=1).fingerprint == load_dataset(
        "synthetic", seed=1).fingerprint
    assert load_dataset("synthetic", seed=1).fingerprint != load_dataset("synthetic").fingerprint
    with pytest.raises(DataError, match="min_count"):
        load_dataset("synthetic", min_count=5)


# ---------------------------------------------------------------- the object and the split


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


@pytest.mark.real_data
@pytest.mark.skipif(not os.environ.get("CASADV_DATA"), reason="CASADV_DATA names no folder")
@pytest.mark.parametrize("name", COUNTS)
def test_the_published_data_sets_have_the_counts_of_table_2(name):
    start = time.perf_counter()
    data = load_dataset(name)
    seconds = time.perf_counter() - start
    assert (data.n_users, data.n_items, data.n_interactions) == COUNTS[name]
    assert min(map(len, data.sequences)) >= 5
    assert np.unique(np.concatenate(data.sequences)).tolist() == list(range(1, data.n_items + 1))
    assert seconds < 10  # about half a second; the slow path would take far longer
