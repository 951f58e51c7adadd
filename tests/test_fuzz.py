"""2,000 pieces of made-up data for all parsers, and what must hold for each of them.

A case is data or an error: `DataError` with the file in its message, and the line where the
content can be blamed on one. Whatever is loaded must account for every interaction: kept, or
dropped with a note that says how many and why. FUZZ maps names to (strategy, check); `make soak`
runs CASADV_FUZZ_CASES of them, 50,000 by default.
"""

import csv
import io
import os
import re
import tempfile
import warnings
import zipfile
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from published import ARCHIVES, FILES, REVIEWS, zip_of

from casadv_lib.data import DataError
from casadv_lib.datasets import load_dataset
from casadv_lib.datasets.sources import SOURCES

QUIET = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]


def loaded(content: bytes, name: str, read, **options):
    """What `read` makes of a file with this content; a DataError is returned, others raise."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, name)
        path.write_bytes(content)
        try:
            return read(path, **options)
        except DataError as error:
            # what is found after reading names the data set, which is called like the file
            assert str(path) in str(error) or path.stem.split(".")[0] in str(error), error
            assert len(str(error)) < 1500, "a message must not be as long as the data"
            return error


def line_of(error: DataError) -> int | None:
    found = re.search(r", line (\d+): ", str(error))
    return int(found[1]) if found else None


def accounted(data, interactions: int) -> None:
    """Assert that notes explain every interaction that is not in the data set."""
    missing = interactions - data.n_interactions
    told = 0
    for note in data.notes:
        if found := re.search(r"-core keeps ([\d,]+) of ([\d,]+) interactions", note):
            kept, all_of_them = (int(text.replace(",", "")) for text in found.groups())
            told += all_of_them - kept
        if found := re.search(r"merged ([\d,]+) interactions", note):
            told += int(found[1].replace(",", ""))
        if found := re.search(r"dropped .* with their ([\d,]+) interactions?", note):
            told += int(found[1].replace(",", ""))
    assert told == missing, (data.notes, missing)


def fits_together(data) -> None:
    """Assert what every loaded data set promises."""
    assert min(map(len, data.sequences)) >= 3
    items = np.concatenate(data.sequences)
    assert items.dtype == np.int64 and items.min() >= 1 and items.max() <= data.n_items
    assert len(set(data.item_ids[1:])) == data.n_items == len(data.item_names) - 1
    assert len(set(data.user_ids)) == data.n_users
    assert all(isinstance(name, str) for name in data.item_names)


# ------------------------------------------------------------------ 'user item item ...' lines

good = st.integers(1, 12).map(str)
odd = st.sampled_from(["0", "-1", "-0", "+3", "1.0", "1e3", "x", "nan", "inf", "1_0", "٣", "0x1",
                       "9223372036854775807", "9223372036854775808", "-9223372036854775808",
                       "007", "9" * 40, "1,2", "\x00", "\u2028", "\x0b", "\x1c", "\ufeff", "--1"])
rare_odd = st.integers(0, 29).flatmap(lambda n: odd if n == 0 else good)
text_case = st.fixed_dictionaries({
    "users": st.lists(st.tuples(st.integers(-3, 40), st.lists(rare_odd, max_size=9)), max_size=7),
    "blank": st.sampled_from([" ", "\t", "   ", " \t "]),
    "newline": st.sampled_from(["\n", "\n", "\r\n", "\r", "\n\n"]),
    "encoding": st.sampled_from(["utf-8"] * 6 + ["utf-8-sig", "utf-16"]),
    "unique": st.booleans(),
    "min_count": st.sampled_from([None, None, None, 1, 2, 5]),
})


def check_text(case) -> None:
    users = list(dict(case["users"]).items()) if case["unique"] else case["users"]
    if len(dict(users)) < len(users) and all(len(items) == 1 for _, items in users):
        return  # lines 'user item' of one interaction each
    text = case["newline"].join(case["blank"].join([str(user), *items]) for user, items in users)
    content = text.encode(case["encoding"], errors="replace")
    found = loaded(content, "own.txt", load_dataset, min_count=case["min_count"])
    names = [user for user, _ in users]
    bad = [n for n, (user, items) in enumerate(users) if user in names[:n] or not all(
        re.fullmatch("-?[0-9]+", item) and 1 <= int(item) < 2**63 for item in items)]
    if case["encoding"] == "utf-16":
        assert isinstance(found, DataError)
    elif bad:
        line = 1 + bad[0] * (2 if case["newline"] == "\n\n" else 1)
        assert isinstance(found, DataError) and line_of(found) == line, (found, line, text)
    elif isinstance(found, DataError):
        assert case["min_count"] or not any(len(items) > 2 for _, items in users), found
    else:
        fits_together(found)
        accounted(found, sum(len(items) for _, items in users))
        if case["min_count"] in (None, 1):
            kept = {user: list(map(int, items)) for user, items in users if len(items) >= 3}
            assert found.user_ids == list(kept)
            assert [[found.item_ids[i] for i in s] for s in found.sequences] == [*kept.values()]


# ------------------------------------------------------------------ CSV

ids = st.one_of(st.integers(-3, 9).map(str),
                st.sampled_from(["ann", "007", "1.0", "ü", "a,b", 'q"q', "x" * 50, "<b>",
                                 "=1+1", "9" * 25, "True", "-"]))
bad_ids = st.sampled_from(["", " ", "NA", "nan", "None", " null"])
stamps = st.one_of(st.integers(-5, 5).map(str), st.sampled_from(
    ["1e9", "-0", "0.5", "1.5e3", "1400000000", "-2208988800"]))
bad_stamps = st.sampled_from(["", "nan", "NaN", "inf", "-inf", "1e400", "soon", "2014-01-01",
                              "0x10", "1_000", "1 000", "None", "--3"])
csv_case = st.fixed_dictionaries({
    "rows": st.lists(st.tuples(
        st.integers(0, 59).flatmap(lambda n: bad_ids if n == 0 else ids),
        st.integers(0, 59).flatmap(lambda n: bad_ids if n == 0 else ids),
        st.integers(0, 29).flatmap(lambda n: bad_stamps if n == 0 else stamps)), max_size=25),
    "order": st.permutations(["user", "item", "timestamp", "stars"]),
    "crowd": st.booleans(),  # few users, so that some have three items
    "newline": st.sampled_from(["\n", "\r\n"]),
    "mark": st.booleans(),
    "min_count": st.sampled_from([None, None, 2, 5]),
})


def check_csv(case) -> None:
    rows = [("u" if case["crowd"] and user.strip() else user, item, stamp)
            for user, item, stamp in case["rows"]]
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator=case["newline"])
    writer.writerow(case["order"])
    for user, item, stamp in rows:
        value = {"user": user, "item": item, "timestamp": stamp, "stars": "5"}
        writer.writerow([value[name] for name in case["order"]])
    content = b"\xef\xbb\xbf" * case["mark"] + text.getvalue().encode()
    found = loaded(content, "own.csv", load_dataset, min_count=case["min_count"])
    day = None if any(is_number(row[2]) for row in rows) else "2014-01-01"  # all are dates, or none
    missing = ("", "na", "nan", "none", "null")
    bad = [number for number, (user, item, stamp) in enumerate(rows, start=2)
           if user.strip().lower() in missing or item.strip().lower() in missing
           or not (is_number(stamp) or stamp == day)]
    if bad:
        assert isinstance(found, DataError) and line_of(found) in bad, (found, bad)
        return
    once = dict.fromkeys((user.strip(), item.strip(), 0 if day else float(stamp))
                         for user, item, stamp in rows)
    counts = Counter(user for user, *_ in once)
    if isinstance(found, DataError):
        assert case["min_count"] or max(counts.values(), default=0) < 3, found
        return
    fits_together(found)
    accounted(found, len(rows))
    if case["min_count"] is None:
        wanted = {}
        for user, item, _ in sorted(once, key=lambda row: row[2]):  # Python's sort is stable
            wanted.setdefault(user, []).append(item)
        given = {str(user): [str(found.item_ids[i]) for i in s]
                 for user, s in zip(found.user_ids, found.sequences)}
        assert given == {user: items for user, items in wanted.items() if len(items) >= 3}


def is_number(text: str) -> bool:
    try:
        return bool(np.isfinite(float(text))) and "_" not in text
    except ValueError:
        return False


# ------------------------------------------------------------------ any bytes, and damage

TEXT = b"".join(b"%d 1 2 3 %d\n" % (user, 3 + user) for user in range(1, 6))
CSV = b"user,item,timestamp\n" + b"".join(
    b"u%d,i%d,%d\n" % (user, item, item) for user in range(4) for item in range(4))
DAT, SMALL = FILES["ml-1m"], FILES["ml-latest-small"]
KINDS = {  # name of the file: (whole content, reader)
    "own.txt": (TEXT, load_dataset),
    "own.csv": (CSV, load_dataset),
    "ratings.dat": (DAT["ml-1m/ratings.dat"], SOURCES["ml-1m"].read),
    "movies.dat": (DAT["ml-1m/movies.dat"], SOURCES["ml-1m"].read_titles),
    "ratings.csv": (SMALL["ml-latest-small/ratings.csv"], SOURCES["ml-latest-small"].read),
    "movies.csv": (SMALL["ml-latest-small/movies.csv"], SOURCES["ml-latest-small"].read_titles),
    "ml-1m.zip": (ARCHIVES["ml-1m"], SOURCES["ml-1m"].read),
    "plain.zip": (zip_of(DAT, pack=zipfile.ZIP_STORED), SOURCES["ml-1m"].read),
    "ml-latest-small.zip": (ARCHIVES["ml-latest-small"], SOURCES["ml-latest-small"].read),
    "reviews.json": (REVIEWS, SOURCES["beauty"].read),
    "reviews.json.gz": (ARCHIVES["beauty"], SOURCES["beauty"].read),
}
# at which share of the content, how much is lost there, and what stands in its place
edit = st.tuples(st.floats(0, 1, exclude_max=True),
                 st.one_of(st.integers(0, 12), st.just(10**6)), st.binary(max_size=4))
junk = st.one_of(
    st.binary(max_size=80),
    st.text('0123456789,;:-."\' \t\r\n\x00{}[]<>&ue', max_size=60).map(str.encode),
    st.binary(max_size=40).map(lambda end: b"PK\x03\x04" + end),
    st.binary(max_size=40).map(lambda end: b"\x1f\x8b\x08" + end))
damage_case = st.tuples(st.sampled_from(list(KINDS)),
                        st.one_of(st.lists(edit, min_size=1, max_size=3), junk))


def damaged(content: bytes, edits) -> bytes:
    for share, lost, extra in edits:
        at = int(share * (len(content) + 1))
        content = content[:at] + extra + content[at + lost :]
    return content


def check_damage(case) -> None:
    name, edits = case
    content, read = KINDS[name]
    found = loaded(edits if isinstance(edits, bytes) else damaged(content, edits), name, read)
    if isinstance(found, tuple):
        _, rows, user_ids, item_ids = found
        assert len(rows) > 0 and rows.min().min() >= 0
        assert (rows.max() < [len(user_ids), len(item_ids)]).all()
    elif not isinstance(found, (DataError, dict)):
        fits_together(found)


# ------------------------------------------------------------------ frames

cell = st.one_of(st.integers(-2, 5), st.sampled_from(["a", "b", "", " ", None, float("nan"), 1.5,
                                                      True, pd.NaT, pd.NA, 2**70, b"x", ()]))
frame_case = st.fixed_dictionaries({
    "rows": st.lists(st.tuples(cell, cell, cell), max_size=12),
    "few": st.booleans(),  # users, so that some have three items
    "columns": st.sampled_from([["user", "item", "timestamp"]] * 6 + [
        ["user", "item", "item"], ["user", "timestamp", "item"]]),
    "dtype": st.sampled_from([object, object, "category", "string", "float64"]),
    "min_count": st.sampled_from([None, None, 2]),
})


def check_frame(case) -> None:
    rows = [(place % 2, item, place) if case["few"] else (user, item, time)
            for place, (user, item, time) in enumerate(case["rows"])]
    frame = pd.DataFrame(rows, columns=case["columns"], dtype=object)
    try:
        frame = frame.astype({"user": case["dtype"]})
    except (TypeError, ValueError):
        return  # pandas itself cannot make such a frame
    try:
        data = load_dataset(frame, case["min_count"])
    except DataError as error:
        assert "frame" in str(error)
        return
    fits_together(data)
    accounted(data, len(frame))


FUZZ = {
    "text": (text_case, check_text),
    "csv": (csv_case, check_csv),
    "damage": (damage_case, check_damage),
    "frame": (frame_case, check_frame),
}


@pytest.mark.parametrize("cases", [
    2000, pytest.param(int(os.environ.get("CASADV_FUZZ_CASES", 50_000)), marks=pytest.mark.soak)])
@pytest.mark.parametrize("name", FUZZ)
def test_data_or_a_clear_error(name, cases):
    strategy, check = FUZZ[name]

    @settings(max_examples=cases // len(FUZZ), deadline=None, derandomize=True, database=None,
              suppress_health_check=QUIET)
    @given(strategy)
    def run(case):
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # a RuntimeWarning of numpy is a mistake, too
            warnings.simplefilter("ignore", UserWarning)  # what was dropped is told by warnings
            check(case)

    run()
