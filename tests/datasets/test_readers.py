"""Reading text and CSV files: what is written comes back, what is wrong is named."""

import tempfile
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from casadv_lib.data import DataError
from casadv_lib.datasets import load_dataset

histories = st.dictionaries(st.integers(-5, 10**12),
                            st.lists(st.integers(1, 30), min_size=3, max_size=8),
                            min_size=1, max_size=6)


# ---------------------------------------------------------------- text files


@given(histories, st.sampled_from(["\n", "\r\n", "\r", "\n\n"]), st.sampled_from([" ", "\t", "  "]),
       st.booleans())
@settings(max_examples=60, deadline=None)
def test_text_lines_come_back_as_written(users, newline, blank, mark):
    lines = [blank.join(map(str, [user, *items])) for user, items in users.items()]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "own.txt")
        path.write_bytes(b"\xef\xbb\xbf" * mark + newline.join(lines).encode())
        data = load_dataset(path)
    catalogue = sorted({item for items in users.values() for item in items})
    assert data.item_ids == ["", *catalogue]
    assert data.n_items == len(catalogue)
    assert data.user_ids == list(users)
    assert [[data.item_ids[item] for item in sequence] for sequence in data.sequences] == list(
        users.values())
    assert all(sequence.dtype == np.int64 for sequence in data.sequences)
    assert data.name == "own" and data.item_names == ["", *map(str, catalogue)]


def test_ids_from_1_to_n_stay_unchanged_and_a_path_may_be_text(file):
    data = load_dataset(str(file("7 3 1 2\n4 2 5 4\n")))
    assert [sequence.tolist() for sequence in data.sequences] == [[3, 1, 2], [2, 5, 4]]
    assert data.item_ids == ["", 1, 2, 3, 4, 5]
    assert data.user_ids == [7, 4]
    assert data.notes == []


@pytest.mark.parametrize("content, line, words", [
    ("1 1 2 3\n2 1 x 3\n", 2, "'x' is not a whole number"),
    ("1 1 2 3\n\n2 1 2.0 3\n", 3, "'2.0' is not a whole number"),
    ("1 1 2 3\r\n2 1 2 0\r\n", 2, "item 0 is below 1"),
    ("1 1 -2 3\n", 1, "item -2 is below 1"),
    ("1 1 2 3\n2 4 5 6\n1 7 8 9\n", 3, "user 1 was already on line 1"),
    ("1 1 2 99999999999999999999\n", 1, "99999999999999999999"),
    ("1 1 2 " + "9" * 5000 + "\n", 1, "whole number"),
    ("1 1 2 3\n2 1_0 2 3\n", 2, "'1_0'"),
    ("1 1 2 3\n2 - 2 3\n", 2, "'-'"),
    ("1 1 2 3\n\u0663 1 2 3\n", 2, "whole number"),
    (b"1 1 2 3\n2 1 \xff 3\n", 2, "0xff is not UTF-8"),
    ("1 1 2 3\n2 1,2 3\n", 2, "'1,2'"),
    ("1 1 2 3\n2 1\x0b2 3\n", 2, "is not a whole number"),
    (f"1 1 2 3\n\n2 1 {2**63}\n", 3, f"'{2**63}' is not a whole number of 64 bits"),
])
def test_a_bad_text_line_is_named_with_its_number(file, content, line, words):
    path = file(content)
    with pytest.raises(DataError) as error:
        load_dataset(path)
    assert f"{path}, line {line}:" in str(error.value) and words in str(error.value)


@pytest.mark.parametrize("content", ["", "  \n \r\n", b"\xef\xbb\xbf", b"\xef\xbb\xbf \n"])
@pytest.mark.parametrize("name", ["own.txt", "own.csv"])
def test_an_empty_file_is_an_error(file, content, name):
    with pytest.raises(DataError, match="empty"):
        load_dataset(file(content, name))


# ---------------------------------------------------------------- CSV files


@given(st.lists(st.tuples(st.sampled_from(["ann", "bob", "007", "NA", "ünal"]),
                          st.sampled_from(["a", "b", "c", "nan", "10"]),
                          st.integers(0, 3)), min_size=15, max_size=30))
@settings(max_examples=40, deadline=None)
def test_a_csv_is_sorted_by_time_with_ties_in_file_order(rows):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "own.csv")
        table = pd.DataFrame(rows, columns=["user", "item", "timestamp"])
        table.to_csv(path, index=False)
        expected = {}
        for user, item, _ in sorted(rows, key=lambda row: row[2]):  # Python's sort is stable
            expected.setdefault(user, []).append(item)
        expected = {user: expected[user] for user in sorted(expected) if len(expected[user]) >= 3}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # users with too few items
            data = load_dataset(path)
    # a column of plain whole numbers only would be numbers: undo that for the comparison
    assert list(map(str, data.user_ids)) == list(expected)
    assert [[str(data.item_ids[item]) for item in sequence]
            for sequence in data.sequences] == list(expected.values())


def test_csv_ids_sort_as_numbers_only_if_all_are_plain_numbers(file):
    rows = "".join(f"{user},{item},1\n" for user in ("10", "9") for item in ("10", "9", "0"))
    data = load_dataset(file("user,item,timestamp\n" + rows, "own.csv"))
    assert data.user_ids == [9, 10] and data.item_ids == ["", 0, 9, 10]
    data = load_dataset(file("user,item,timestamp\n" + rows + "9,07,2\n", "own.csv"))
    assert data.item_ids == ["", "0", "07", "10", "9"]


def test_csv_reads_quotes_spaces_other_columns_and_any_column_order(file):
    text = 'stars, timestamp , item,user\n5,3,"x, y",u\n\n4,1, b,u\n1,2.5,c ,u\n'
    data = load_dataset(file(text, "own.csv"))
    assert [data.item_ids[item] for item in data.sequences[0]] == ["b", "c", "x, y"]


def test_a_file_of_another_name_counts_as_csv_by_its_commas(file):
    data = load_dataset(file("user,item,timestamp\n1,5,1\n1,6,2\n1,7,3\n", "own.dat"))
    assert data.item_ids == ["", 5, 6, 7]


@pytest.mark.parametrize("content, line, words", [
    ("user,product,timestamp\n1,2,3\n", 1, "the column 'item' is missing; found are 'user', "),
    ("\nuser;item;timestamp\n1;2;3\n", 2, "the column 'user' is missing"),
    ("user,item,timestamp\n1,2,3\n1,2,soon\n", 3, "timestamp 'soon'"),
    ("user,item,timestamp\n1,2,3\n\n \n1,2,\n", 5, "timestamp ''"),
    ("user,item,timestamp\n1,2,nan\n", 2, "timestamp 'nan'"),
    ("user,item,timestamp\n1,2,3\n1,2,inf\n", 3, "timestamp 'inf'"),
    ("user,item,timestamp\n1,2,3\n1,2\n", 3, "timestamp"),
    ('user,item,timestamp\n"a\nb",2,3\n1,,3\n', 4, "item ''"),
    ("user,item,timestamp\n ,2,3\n", 2, "user ''"),
    ("user,item,timestamp\n1,2,3\n1,2,3,4\n", 3, "does not fit the header of 3 columns"),
    ("user,item,timestamp\n1,2,3,4\n1,2,3,4\n", 2, "does not fit the header of 3 columns"),
    ('user,item,timestamp\n1,2,3\n1,"2,3\n1,2,3\n', 3, "a quote that is never closed"),
    ('user,item,timestamp\n1,"2,3\n' + "1,2,3\n" * 30_000, 2, "a quote that is never closed"),
    ('"', 1, "a quote that is never closed"),
    (b"user,item,timestamp\n1,2,3\n1,caf\xe9,3\n", 3, "0xe9 is not UTF-8"),
])
def test_a_bad_csv_row_is_named_with_its_line(file, content, line, words):
    path = file(content, "own.csv")
    with pytest.raises(DataError) as error:
        load_dataset(path)
    assert f"{path}, line {line}:" in str(error.value) and words in str(error.value)


def test_a_csv_without_rows_is_an_error(file):
    with pytest.raises(DataError, match="no interactions"):
        load_dataset(file("user,item,timestamp\n", "own.csv"))
