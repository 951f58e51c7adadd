"""From names, files and tables to data sets: filtering, renumbering, and notes that add up."""

import os
import re
import warnings
from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from casadv_lib import datasets
from casadv_lib.data import DataError
from casadv_lib.datasets import from_interactions, load_dataset
from casadv_lib.datasets.kcore import k_core
from casadv_lib.datasets.sources import SOURCES


def frame_of(rows):
    return pd.DataFrame(rows, columns=["user", "item", "timestamp"])


# ---------------------------------------------------------------- frames and the k-core


@pytest.mark.parametrize("frame, words", [
    (pd.DataFrame({"user": [1], "item": [1]}), "the column 'timestamp' is missing"),
    (frame_of([(1, 1, 1)])[["user", "item", "item", "timestamp"]], "'item' is there 2 times"),
    (frame_of([]), "no interactions"),
    (frame_of([(1, 1, 1.0), (1, 2, np.nan)]), "row 2 has timestamp nan"),
    (frame_of([(1, 1, 1.0), (1, 2, -np.inf)]), "row 2 has timestamp -inf"),
    (frame_of([(None, 1, 1.0), ("a", 2, 2.0)]), "row 1 has user"),
    (frame_of([("a", "x", 1.0), ("a", " ", 2.0)]), "row 2 has item ' '; every row needs one"),
])
def test_frames_need_the_columns_ids_and_times(frame, words):
    with pytest.raises(DataError, match=f"^mine: .*{words}"):
        from_interactions(frame, "mine")


def test_a_frame_with_any_index_and_dates_works():
    days = pd.to_datetime(["2014-03-01", "2014-01-01", "2014-02-01"])
    frame = pd.DataFrame({"user": "u", "item": ["c", "a", "b"], "timestamp": days},
                         index=[5, 5, 1])
    data = from_interactions(frame, titles={"a": "Heat", "x": "Ran"})
    assert [data.item_ids[item] for item in data.sequences[0]] == ["a", "b", "c"]
    assert data.item_names == ["", "Heat", "b", "c"] and data.name == "interactions"


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
    core = k_core(pd.DataFrame(rows, columns=["user", "item"]), k)
    assert core.index.tolist() == sorted(largest)
    assert core.to_numpy().tolist() == [list(rows[row]) for row in sorted(largest)]


def test_k_core_takes_out_rows_without_an_id():
    frame = pd.DataFrame({"user": [None, 1, 1], "item": [5, 5, 6]}, index=[7, 8, 9])
    assert k_core(frame, 1).index.tolist() == [8, 9]
    with pytest.raises(ValueError, match="columns .*'user'.*; allowed is a table with one column"):
        k_core(frame[["user"]], 1)


# ---------------------------------------------------------------- notes


NOTED = [  # lines, min_count, users left, catalogue, notes
    ("1 10 20 30\n2 40 50\n3\n4 10 20 60\n", None, [1, 4], [10, 20, 30, 40, 50, 60],
     ["dropped 2 of 4 users, who have fewer than 3 items, with their 2 interactions."]),
    ("1 5 6 5 5\n2 5 6 7\n", None, [1, 2], [5, 6, 7],
     ["2 interactions repeat an item of the same user; kept."]),
    # item 9 is rare; without it user 3 is too short, and then item 4 is rare too
    ("1 1 2 3 4\n2 1 2 3\n3 1 4 9\n4 1 2 3\n", 3, [1, 2, 4], [1, 2, 3],
     ["the 3-core keeps 9 of 13 interactions, 3 of 4 users and 3 of 5 items."]),
    ("5\n1 1 2 3\n2 1 2\n4 1 3\n3 1 9\n", 2, [1], [1, 2, 3],
     ["the 2-core keeps 7 of 9 interactions, 3 of 5 users and 3 of 4 items.",
      "dropped 2 of 3 users, who have fewer than 3 items, with their 4 interactions."]),
    ("5\n1 1 2 3\n", 1, [1], [1, 2, 3],
     ["dropped 1 of 2 users, who have fewer than 3 items, with their 0 interactions."]),
    ("7 3 1 2\n4 2 5 4\n", None, [7, 4], [1, 2, 3, 4, 5], []),
]


@pytest.mark.parametrize("lines, min_count, users, items, notes", NOTED)
def test_what_is_dropped_or_odd_is_noted_and_short_users_items_stay(
        file, lines, min_count, users, items, notes):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        data = load_dataset(file(lines), min_count)
    assert data.notes == [f"own: {note}" for note in notes]
    assert data.user_ids == users and data.item_ids == ["", *items]
    wanted = [f"own: {note}" for note in notes if "dropped" in note]
    assert [str(one.message) for one in caught] == wanted
    assert all(one.filename == __file__ for one in caught)  # the caller's line is shown
    lengths = {int(line.split()[0]): len(line.split()) - 1 for line in lines.splitlines()}
    assert data.n_interactions == sum(lengths[user] for user in users) - (min_count == 3)


interaction = st.tuples(st.integers(1, 6), st.integers(1, 6))


@given(st.lists(interaction, min_size=8, max_size=40), st.sampled_from([None, 1, 2, 3]))
@settings(max_examples=80, deadline=None)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_the_notes_account_for_every_row_and_user_of_a_table(rows, min_count):
    frame = frame_of([(user, item, time) for time, (user, item) in enumerate(rows)])
    try:
        data = from_interactions(frame, "mine", min_count)
    except DataError as error:
        assert "none of" in str(error) or "leaves nothing of" in str(error)
        return
    left, users = len(rows), frame["user"].nunique()
    for note in data.notes:
        numbers = [int(number) for number in re.findall(r"(?<![-\d])\d+(?!-core)", note)]
        if "-core keeps" in note:
            assert numbers[1] == left and numbers[3] == users
            left, users = numbers[0], numbers[2]
        elif "dropped" in note:
            assert numbers[1] == users
            left, users = left - numbers[3], users - numbers[0]
    assert (left, users) == (data.n_interactions, data.n_users)


def test_no_user_left_is_an_error(file):
    for lines in ("1 1 2\n2 3 4\n", "1\n2\n"):
        with pytest.raises(DataError, match="own: none of 2 users has 3 items"):
            load_dataset(file(lines))
    with pytest.raises(DataError, match="min_count 5 leaves nothing of 3 interactions"):
        load_dataset(file("1 1 2 3\n"), min_count=5)


@pytest.mark.parametrize("value", [0, -1, 2.5, "5", True])
def test_min_count_is_checked(file, value):
    for load in (lambda: load_dataset(file("1 1 2 3\n"), min_count=value),
                 lambda: from_interactions(frame_of([(1, 1, 1)]), min_count=value)):
        with pytest.raises(ValueError, match="min_count is .*; allowed is a whole number"):
            load()


# ---------------------------------------------------------------- names and folders


def five_core_lines(first_item=1):
    """Six users with the same five items: a 5-core."""
    items = " ".join(str(item) for item in range(first_item, first_item + 5))
    return "".join(f"{user} {items}\n" for user in range(1, 7))


@pytest.mark.parametrize("name", [
    "beautyy", "Beauty", "", "ml-20m", None, 3, "a\0b", "x" * 5000, "~nobody-of-that-name/x.txt",
    "gone.csv", "/tmp"])
def test_an_unknown_name_a_missing_file_and_a_folder_list_the_known_names(name):
    with pytest.raises(DataError, match="data set is .*synthetic, ml-1m.*ml-latest-small.*path"):
        load_dataset(name)


def test_a_file_that_may_not_be_read_is_named(file, monkeypatch):
    monkeypatch.setattr("pathlib.Path.read_bytes", lambda _: open("/"))
    with pytest.raises(DataError, match=r"own.txt: cannot be read \(.*allowed"):
        load_dataset(file("1 1 2 3\n"))


def test_a_file_without_an_ending_is_found_by_its_bare_name(file, monkeypatch):
    monkeypatch.chdir(file("1 1 2 3\n", "mine").parent)
    assert load_dataset("mine").n_items == 3


def test_casadv_data_is_looked_into_first_and_filtered(file, monkeypatch):
    path = file(five_core_lines() + "9 1 2 3 4 77\n", "beauty.txt")
    monkeypatch.setenv("CASADV_DATA", str(path.parent))
    with pytest.warns(UserWarning, match="beauty: .* has 6 users, 5 items and 30 interactions, "
                                         "but the published data set has 22,363 users"):
        data = load_dataset("beauty")
    assert (data.name, data.n_users, data.n_items) == ("beauty", 6, 5)
    assert "published" in data.notes[-1]
    assert load_dataset("beauty", min_count=1).n_items == 6  # and no word on other counts
    monkeypatch.setenv("CASADV_DATA", str(path))
    with pytest.raises(DataError, match="CASADV_DATA is .*beauty.txt'; allowed"):
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


def test_the_synthetic_data_are_those_of_the_stored_results_and_take_no_filter():
    assert load_dataset("synthetic").fingerprint.startswith("e8da6a50162b1bec")
    assert load_dataset("synthetic", seed=1).fingerprint.startswith("ed10e93c2c7634f4")
    with pytest.raises(DataError, match="min_count is 5; allowed for 'synthetic' is only None"):
        load_dataset("synthetic", min_count=5)
    with pytest.raises(ValueError, match="seed is -1"):
        load_dataset("synthetic", seed=-1)


def test_the_films_come_with_the_package_and_casadv_data_goes_first(file, monkeypatch, recwarn):
    monkeypatch.delenv("CASADV_DATA", raising=False)
    monkeypatch.setattr(datasets, "download", None)
    data = load_dataset("ml-latest-small")
    assert (data.n_users, data.n_items, data.n_interactions) == (610, 3_650, 90_274)
    # of the unpacked official files, as stored with the results
    assert data.fingerprint.startswith("257d827e33a86ee4") and not recwarn
    assert data.item_names[1] == "Toy Story (1995)" and not any(map(str.isdigit, data.item_names))
    archive = SOURCES["ml-latest-small"].packed
    assert archive.stat().st_size < 1_000_000
    assert "redistribute" in archive.with_name("README.txt").read_text()
    path = file(five_core_lines(), "ml-latest-small.txt")
    monkeypatch.setenv("CASADV_DATA", str(path.parent))
    with pytest.warns(UserWarning, match="ml-latest-small.txt is not the published"):
        assert load_dataset("ml-latest-small").n_users == 6


@pytest.mark.real_data
@pytest.mark.skipif(not os.environ.get("CASADV_DATA"), reason="CASADV_DATA names no folder")
@pytest.mark.parametrize("name", SOURCES)
def test_the_published_data_sets_have_the_counts_of_table_2(name):
    data = load_dataset(name)
    assert (data.n_users, data.n_items, data.n_interactions) == SOURCES[name].counts
    assert min(map(len, data.sequences)) >= 5
    assert np.unique(np.concatenate(data.sequences)).tolist() == list(range(1, data.n_items + 1))
    known = {"beauty": "9e5db2b7", "video": "8788c8fc"}
    assert data.fingerprint.startswith(known.get(name, ""))
