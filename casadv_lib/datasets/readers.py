"""From a reader's own file to plain tables, with errors that name the file and the line.

Two layouts: 'user item item ...' lines, and a CSV with user, item and timestamp. Both are read
fast, all at once. Only when that fails does a slow path walk the lines to find the one to blame.
Nothing is filtered, sorted or renumbered here: that is the work of data.py.
"""

from __future__ import annotations

import csv
import io
import re
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from ..data import DataError
from ..support.checks import shown

COLUMNS = ("user", "item", "timestamp")
TEXT_RULE = "allowed are lines 'user item item ...' of whole numbers, oldest first, items from 1"
_TEXT_BYTES = b"0123456789- \t\r\n"
_INTEGER = re.compile(r"-?[0-9]+")
_LINE_END, _BLANKS = re.compile("\r\n|\r|\n"), re.compile("[ \t]+")


def whole_number(token: str) -> int | None:
    """Return the number a token spells if it is a whole one of 64 bits, else None."""
    if len(token) > 20 or not _INTEGER.fullmatch(token):
        return None
    value = int(token)
    return value if abs(value) <= np.iinfo(np.int64).max else None


def fail(path, message: str, line: int | None = None):
    """Raise DataError for a place in a file."""
    place = f"{path}, line {line}" if line else f"{path}"
    raise DataError(f"{place}: {message}")


def read_bytes(path: Path) -> bytes:
    """Return the bytes of a file that exists and is not empty; raise DataError otherwise."""
    if path.is_dir():
        fail(path, "is a folder; allowed is a text or CSV file")
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        raise DataError(f"{path}: no such file; give the path of an existing file") from None
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from error
    if not raw.strip():
        fail(path, "the file is empty; it must hold at least one interaction")
    return raw


def decode(path: Path, raw: bytes) -> str:
    """Return the text of UTF-8 bytes (a leading byte order mark is dropped)."""
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        fail(path, f"byte {raw[error.start]:#04x} is not UTF-8 text; save the file as UTF-8", line)
    if not text.strip():
        fail(path, "the file is empty; it must hold at least one interaction")
    return text


def read_sequences(path: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Read 'user item item ...' lines; blank lines are skipped.

    Returns three int64 arrays: users (n,), lengths (n,) and the items of all users in one row
    (sum of lengths,). Raises DataError for a token that is no whole number, an item below 1,
    a user on two lines, bytes that are no text, and an empty or missing file.
    """
    raw = read_bytes(path)
    text = decode(path, raw)
    lines = text.splitlines()
    clean = not raw.removeprefix(b"\xef\xbb\xbf").translate(None, _TEXT_BYTES)
    try:
        rows = [np.array(line.split(), dtype=np.int64) for line in lines if line.strip()]
    except (ValueError, OverflowError):
        clean, rows = False, []
    if clean:
        users = np.array([row[0] for row in rows])
        items = np.concatenate([row[1:] for row in rows])
        clean = len(np.unique(users)) == len(users) and bool((items > 0).all())
    if not clean:
        _blame_line(path, text)
    return users, np.array([len(row) - 1 for row in rows]), items


def _blame_line(path: Path, text: str):
    """Raise DataError for the first line of a text file that breaks the rules."""
    seen: dict[int, int] = {}
    for number, line in enumerate(_LINE_END.split(text), start=1):
        tokens = [token for token in _BLANKS.split(line) if token]
        for place, token in enumerate(tokens):
            value = whole_number(token)
            if value is None:
                fail(path, f"{shown(token)} is not a whole number of 64 bits; {TEXT_RULE}", number)
            if place > 0 and value < 1:
                fail(path, f"item {token} is below 1 (0 stands for padding); {TEXT_RULE}", number)
        if tokens:
            user = int(tokens[0])
            if user in seen:
                fail(path, f"user {user} was already on line {seen[user]}; allowed is one line "
                     "a user", number)
            seen[user] = number
    fail(path, f"holds a character other than digits and blanks; {TEXT_RULE}")


def looks_like_csv(path: Path) -> bool:
    """Tell a CSV from 'user item item ...' lines: by its name, or by a comma in its first line."""
    if path.suffix.lower() == ".csv" or not path.is_file():
        return path.suffix.lower() == ".csv"
    with path.open("rb") as file:
        return b"," in file.readline(10_000)


def read_csv(path: Path, names: dict[str, str] | None = None) -> pd.DataFrame:
    """Read a CSV whose header has the columns user, item and timestamp (others are ignored).

    `names` says what the header calls these three, where it calls them otherwise. Returns what
    `checked` returns. Raises DataError also for a row that does not fit the header, bytes that
    are no text, and an empty or missing file.
    """
    return parse_csv(path, decode(path, read_bytes(path)), names)


def parse_csv(path, text: str, names: dict[str, str] | None = None) -> pd.DataFrame:
    """Do the work of `read_csv` on text that came from `path` (a file, or a member of a zip)."""
    try:
        with warnings.catch_warnings():
            # pandas only warns when every row is longer than the header, and then cuts the rows
            warnings.simplefilter("error", pd.errors.ParserWarning)
            frame = pd.read_csv(io.StringIO(text), dtype=str, keep_default_na=False,
                                skipinitialspace=True, index_col=False)
    except (pd.errors.ParserError, pd.errors.ParserWarning):
        records = list(_records(text)) or [(1, [])]
        width = len(records[0][1])
        # if no row is too long, a quote was opened and never closed: that is the last record
        line = next((line for line, fields in records if len(fields) > width), records[-1][0])
        fail(path, f"does not fit the header of {width} columns, or has a quote that is never "
             "closed", line)
    return checked(frame.rename(columns=str.strip), path, names,
                   lambda row: next((line for place, (line, _) in enumerate(_records(text), -1)
                                     if place == row), None))


def _records(text: str) -> Iterator[tuple[int, list[str]]]:
    """Yield (line where it starts, fields) for the header and each row; blank lines are skipped."""
    lines = list(io.StringIO(text, newline=""))
    rows = csv.reader(lines, skipinitialspace=True)
    start = 1
    try:
        for fields in rows:
            if lines[start - 1].strip(" \r\n"):
                yield start, fields
            start = rows.line_num + 1
    except csv.Error:  # a field of more than 128 KiB: a quote that swallowed the rest of the file
        yield start, []


def checked(frame: pd.DataFrame, where, names: dict[str, str] | None = None,
            line_of: Callable[[int], int] | None = None) -> pd.DataFrame:
    """Return the columns user, item, timestamp of `frame`, in its order, as clean values.

    Ids become int64 if every id of the column is a plain whole number, else text; timestamps
    become numbers. `where` names the source in errors, `names` says how it calls the columns,
    `line_of` turns a row (-1 is the header) into its line. Raises DataError for a missing
    column, no rows, an empty id, a timestamp that is no finite number.
    """
    names = {column: column for column in COLUMNS} | (names or {})
    line_of = line_of or (lambda row: None)

    def blame(wrong: np.ndarray, column: str, rule: str):
        row = int(wrong.argmax())
        value = frame[names[column]].iloc[[row]].tolist()[0]
        fail(where, f"row {row + 1} has {names[column]} {shown(value)}; {rule}", line_of(row))

    for name in names.values():
        if (count := (frame.columns == name).sum()) != 1:
            there = "is missing" if count == 0 else f"is there {count} times"
            columns = shown(list(frame.columns)).strip("[]")
            fail(where, f"the column {name!r} {there}; found are {columns}; needed are "
                 f"{', '.join(names.values())}", line_of(-1))
    if not len(frame):
        fail(where, "there are column names but no interactions; at least one is needed")
    clean = {}
    for column in ("user", "item"):
        clean[column] = _ids(frame[names[column]])
        empty = (clean[column].isna() | (clean[column] == "")).to_numpy(dtype=bool)
        if empty.any():
            blame(empty, column, "every row needs one")
    stamps = frame[names["timestamp"]]
    clean["timestamp"] = pd.to_numeric(stamps, errors="coerce").reset_index(drop=True)
    values = clean["timestamp"].to_numpy(dtype=float, na_value=np.nan)
    wrong = ~np.isfinite(values) | stamps.isna().to_numpy()
    if wrong.any():
        blame(wrong, "timestamp", "allowed is a finite number, such as seconds since 1970")
    return pd.DataFrame(clean)


def _ids(column: pd.Series) -> pd.Series:
    """Return a column of ids as numbers if it holds plain whole numbers only, else as text.

    '007' or '1.0' keep the whole column text: read as numbers, '7' and '007' would be one id.
    """
    column = column.reset_index(drop=True)
    if pd.api.types.is_numeric_dtype(column) or column.isna().any():
        return column
    codes, found = pd.factorize(column.astype(str))
    ids = [text.strip() for text in found]
    values = [whole_number(text) for text in ids]
    if all(value is not None and str(value) == text
           for value, text in zip(values, ids, strict=True)):
        return pd.Series(np.array(values, np.int64)[codes])
    return pd.Series(np.array(ids, object)[codes], dtype=object)
