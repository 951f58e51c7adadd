"""From names, files and tables to data sets: what is wrong is named, what is dropped is noted."""

import gzip
import os
import warnings
from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from casadv_lib import datasets
from casadv_lib.data import DataError
from casadv_lib.datasets import load_dataset, readers
from casadv_lib.datasets.sources import SOURCES, k_core


def frame_of(rows):
    return pd.DataFrame(rows, columns=["user", "item", "timestamp"])


# ---------------------------------------------------------------- frames and the k-core


@pytest.mark.parametrize("frame, words", [
    (pd.DataFrame({"user": [1], "item": [1]}), "nothing is called 'timestamp'"),
    (frame_of([(1, 1, 1)])[["user", "item", "item", "timestamp"]], "item may be 'item' or 'item'"),
    (frame_of([]), "no interactions"),
    (frame_of([(1, 1, 1.0), (1, 2, np.nan)]), "row 2 has timestamp nan"),
    (frame_of([(None, 1, 1.0), ("a", 2, 2.0)]), "row 1 has user"),
    (frame_of([("a", "x", 1.0), ("a", " ", 2.0)]), "row 2 has item ' '; every row needs one"),
    (frame_of([(["a"], "x", 1.0)]), "unhashable type: 'list' where a user"),
])
def test_frames_need_the_columns_ids_and_times(frame, words):
    with pytest.raises(DataError, match=f"frame.*{words}"):
        load_dataset(frame)


def test_a_frame_with_any_index_and_dates_works():
    days = pd.to_datetime(["2014-03-01", "2014-01-01", "2014-02-01"])
    frame = pd.DataFrame({"who": "u", "item": ["c", "a", "b"], "timestamp": days},
                         index=[5, 5, 1])
    data = load_dataset(frame, columns={"user": "who"})
    assert [data.item_ids[item] for item in data.sequences[0]] == ["a", "b", "c"]
    frame["what"] = [2.0**53, 7, 7]
    data = load_dataset(frame, columns={"user": "who", "item": "what"})
    assert data.item_ids == ["", 7, 2**53]  # floats for no other reason than a NaN once
    frame["what"] = [2.0**63, 2.0**64, 7]  # too large for whole numbers
    assert load_dataset(frame, columns={"user": "who", "item": "what"}).n_items == 3


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
    frame = pd.DataFrame([*rows, (None, 1)], columns=["user", "item"])  # nobody's row goes
    assert k_core(frame, k).index.tolist() == sorted(largest)


# ---------------------------------------------------------------- files


def test_histories_keep_their_order_and_a_path_may_be_text(file, monkeypatch):
    monkeypatch.chdir(file("7 3 1 2\n4 2 5 4\n", "own").parent)
    data = load_dataset("own")
    assert [sequence.tolist() for sequence in data.sequences] == [[3, 1, 2], [2, 5, 4]]
    assert data.item_ids == ["", 1, 2, 3, 4, 5] and data.user_ids == [7, 4]
    assert data.notes[0] == "own: read as histories, one line 'user item item ...' each."


def test_csv_ids_sort_as_numbers_only_if_all_are_plain_numbers(file):
    rows = "".join(f"{user},{item},1\n" for user in ("10", "9") for item in ("10", "9", "0"))
    data = load_dataset(file("user,item,timestamp\n" + rows, "own.csv"))
    assert data.user_ids == [9, 10] and data.item_ids == ["", 0, 9, 10]
    data = load_dataset(file("user,item,timestamp\n" + rows + "9,07,2\n", "own.csv"))
    assert data.item_ids == ["", "0", "07", "10", "9"]


def test_csv_reads_quotes_spaces_other_columns_and_any_column_order(file):
    text = 'stars, timestamp , item,user\n5,3, "x, y",u\n\n4,1, b,u\n1,2.5,c ,u\n'
    data = load_dataset(file(text, "own.csv"))
    assert [data.item_ids[item] for item in data.sequences[0]] == ["b", "c", "x, y"]


@pytest.mark.parametrize("content, line, words", [
    ("1 1 2 3\n2 1 x 3\n", 2, "'x' is not a whole number"),
    ("1 1 2 3\r\n2 1 2 0\r\n", 2, "item 0 is below 1"),
    ("1 1 2 " + "9" * 5000 + "\n", 1, "whole number"),
    (b"1 1 2 3\n2 1 \xff 3\n", 2, "is not UTF-8"),
    (f"1 1 2 3\n\n2 1 {2**63}\n", 3, f"'{2**63}' is not a whole number of 64 bits"),
    ("\nuser;thing;timestamp\n1;2;3\n", 2, "columns={'user': 'user', 'item': 'thing', 'timestamp'"),
    ("user,item,timestamp\n1,2,3\n\n \n1,2,\n", 5, "timestamp ''"),
    ('user,item,timestamp\n"a\nb",2,3\n1,,3\n', 4, "item ''"),
    ("user,item,timestamp\n1,2,3\n1,2,3,4\n", 3, "does not fit the header of 3 columns"),
    ("user,item,timestamp\n1,2,3,4\n1,2,3,4\n", 2, "does not fit the header of 3 columns"),
    ('user,item,timestamp\n1,2,3\n1,"2,3\n1,2,3\n', 3, "a quote that is never closed"),
    ('user,item,timestamp\n1,"2,3\n' + "1,2,3\n" * 30_000, 2, "a quote that is never closed"),
    ("#\nsep=;\nuser;item;timestamp\n1;NA;3\n", 4, "item 'NA'; every row needs one"),
    ("user|item|time\n1|2|2014-05-25\n1|2|2014-05-25Z\n", 2, "a time zone in every row"),
    ("user,item,time\n1,2,2014-05-25\n1,3,20140526\n", 2, "timestamp '2014-05-25'"),
    ("1\t2\t978300001\n" * 99 + "1\tx\t978300002\n", 100, "item 'x'; allowed are whole numbers"),
    ('{"user": 1, "item": 2, "ts": 3}\n{"user": 1, "item": [2], "ts": 3}\n', 2, "JSON object"),
    (b"user,item,timestamp\n1,2,3\n1,caf\xe9,3\n", 3, "is not UTF-8"),
])
def test_a_bad_line_is_named_with_its_number(file, monkeypatch, content, line, words):
    monkeypatch.setattr(readers, "HEAD", 1_000)
    start = content[:20] if isinstance(content, bytes) else content[:20].encode()
    path = file(content, "own.csv" if b"user" in start else "own.txt")
    with pytest.raises(DataError) as error:
        load_dataset(path)
    assert f"{path}, line {line}:" in str(error.value) and words in str(error.value)


def test_a_large_file_that_pandas_reads_in_parts_is_the_same_packed_shuffled_and_as_a_frame(file):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"user": rng.integers(1, 9_000, 270_000),
                          "item": rng.integers(1, 2_000, 270_000),
                          "time": rng.integers(10**9, 10**9 + 10**5, 270_000)})
    text = frame.to_csv(index=False)
    plain = load_dataset(path := file(text, "own.csv"))
    assert path.stat().st_size > 5 * 2**20  # from here on pandas does
    users = frame.sort_values(["user", "time"], kind="stable").drop_duplicates()
    users = users.groupby("user")["item"].agg(list)
    assert [[plain.item_ids[item] for item in own] for own in plain.sequences] == users.tolist()
    packed = file("", "own.csv.gz")
    packed.write_bytes(gzip.compress(text.encode(), 1))
    before = frame.copy()
    late = frame.assign(time=frame["time"] * 10**12 - 2**62)  # too wide for a key of 64 bits
    quoted = file('# what a 1" tape held\n' + text, "quoted.csv")
    others = [load_dataset(one) for one in (packed, frame, late, quoted)]
    assert {one.fingerprint for one in others} == {plain.fingerprint}
    pd.testing.assert_frame_equal(frame, before)
    named = load_dataset(file(text + "007,1,5\n007,2,6\n007,3,7\n", "padded.csv"))
    assert "007" in named.user_ids
    with pytest.raises(DataError, match="line 270002"):
        load_dataset(file(text + "1,2,3,4\n", "long.csv"))


def test_a_file_that_is_empty_or_may_not_be_read_is_an_error(file, monkeypatch):
    for content in ("", "  \n \r\n", b"\xef\xbb\xbf \n"):
        with pytest.raises(DataError, match="empty"):
            load_dataset(file(content))
    with pytest.raises(DataError, match="no interactions"):
        load_dataset(file("user,item,timestamp\n"))
    path = file("1 1 2 3\n")
    monkeypatch.setattr("pathlib.Path.open", lambda *_, **__: open("/"))
    with pytest.raises(DataError, match="own.txt: cannot be read.*allowed"):
        load_dataset(path)


# ---------------------------------------------------------------- notes


NOTED = [  # lines, min_count, users left, catalogue, notes
    ("1 10 20 30\n2 40 50\n3\n4 10 20 60\n", None, [1, 4], [10, 20, 30, 40, 50, 60],
     ["dropped 2 of 4 users, who have fewer than 3 items, with their 2 interactions."]),
    ("1 5 6 5 5\n2 5 6 7\n", None, [1, 2], [5, 6, 7],
     ["1 interactions repeat the same user's item just before, which is easy to predict; kept."]),
    # item 9 is rare; without it user 3 is too short, and then item 4 is rare too
    ("1 1 2 3 4\n2 1 2 3\n3 1 4 9\n4 1 2 3\n", 3, [1, 2, 4], [1, 2, 3],
     ["the 3-core keeps 9 of 13 interactions, 3 of 4 users and 3 of 5 items."]),
    ("5\n1 1 2 3\n2 1 2\n4 1 3\n3 1 9\n", 2, [1], [1, 2, 3],
     ["the 2-core keeps 7 of 9 interactions, 3 of 5 users and 3 of 4 items.",
      "dropped 2 of 3 users, who have fewer than 3 items, with their 4 interactions."]),
    ("5\n1 1 2 3\n", 1, [1], [1, 2, 3],
     ["dropped 1 of 2 users, who have fewer than 3 items, with their 0 interactions."]),
]


@pytest.mark.parametrize("lines, min_count, users, items, notes", NOTED)
def test_what_is_dropped_or_odd_is_noted_and_short_users_items_stay(
        file, lines, min_count, users, items, notes):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        data = load_dataset(file(lines), min_count)
    assert data.notes[1 : len(notes) + 1] == [f"own: {note}" for note in notes]
    assert data.user_ids == users and data.item_ids == ["", *items]
    wanted = [f"own: {note}" for note in notes if "dropped" in note]
    assert [str(one.message) for one in caught][: len(wanted)] == wanted
    assert all(one.filename == __file__ for one in caught)  # the caller's line is shown
    lengths = {int(line.split()[0]): len(line.split()) - 1 for line in lines.splitlines()}
    assert data.n_interactions == sum(lengths[user] for user in users) - (min_count == 3)


def test_no_user_left_is_an_error(file):
    with pytest.raises(DataError, match="own: none of 2 users has 3 items.*read as his"):
        load_dataset(file("1\n2\n"))
    with pytest.raises(DataError, match="min_count 5 leaves nothing of 3 interactions"):
        load_dataset(file("1 1 2 3\n"), min_count=5)


# ---------------------------------------------------------------- names and folders


FIVE_CORE = "".join(f"{user} 3 4 5 6 7\n" for user in range(1, 7))


@pytest.mark.parametrize("name", [
    "beautyy", "Beauty", "", "ml-20m", None, 3, "a\0b", "x" * 5000, "~nobody-of-that-name/x.txt",
    "gone.csv", "/tmp"])
def test_an_unknown_name_a_missing_file_and_a_folder_list_the_known_names(name):
    with pytest.raises(DataError, match="data set is .*synthetic, ml-1m.*ml-latest-small.*path"):
        load_dataset(name)


def test_casadv_data_is_looked_into_first_and_filtered(file, monkeypatch):
    path = file(FIVE_CORE + "9 3 4 5 6 77\n", "beauty.txt")
    monkeypatch.setenv("CASADV_DATA", str(path.parent))
    with pytest.warns(UserWarning, match="beauty: .* has 6 users, 5 items and 30 interactions, "
                                         "but the published data set has 22,363 users"):
        data = load_dataset("beauty")
    assert (data.name, data.n_users, data.n_items) == ("beauty", 6, 5)
    assert "published" in data.notes[-1]
    unfiltered = load_dataset("beauty", min_count=1)  # and no word on other counts
    assert unfiltered.n_items == 6 and len(unfiltered.notes) == 1
    monkeypatch.setenv("CASADV_DATA", str(path))
    with pytest.raises(DataError, match="CASADV_DATA is .*beauty.txt'; allowed"):
        load_dataset("beauty")


@pytest.mark.filterwarnings("ignore:ml-1m")
def test_ml_1m_lines_take_titles_that_lie_beside(file, monkeypatch):
    path = file(FIVE_CORE, "ml-1m.txt")
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


def test_the_films_come_with_the_package(monkeypatch, recwarn):
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


@pytest.mark.skipif(not os.environ.get("CASADV_DATA"), reason="CASADV_DATA names no folder")
@pytest.mark.parametrize("name", SOURCES)
def test_the_published_data_sets_have_the_counts_of_table_2(name):
    data = load_dataset(name)
    assert (data.n_users, data.n_items, data.n_interactions) == SOURCES[name].counts
    assert min(map(len, data.sequences)) >= 5
    assert np.unique(np.concatenate(data.sequences)).tolist() == list(range(1, data.n_items + 1))
    known = {"beauty": "9e5db2b7", "video": "8788c8fc"}
    assert data.fingerprint.startswith(known.get(name, ""))
