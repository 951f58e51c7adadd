"""From a reader's own file to plain tables, with errors that name the file and the line.

Two layouts: 'user item item ...' lines, and a CSV with user, item and timestamp. Nothing is
filtered, sorted or renumbered here: that is the work of `datasets/__init__.py`.
"""

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
_INTEGER = re.compile("-?[0-9]+")
_INTEGERS = re.compile("[ \t]*-?[0-9]+([ \t]+-?[0-9]+)*[ \t]*")
_LINE_END, _BLANKS = re.compile("\r\n|\r|\n"), re.compile("[ \t]+")


def fail(path, message: str, line: int | None = None):
    """Raise DataError for a file, or for a line of it."""
    raise DataError(f"{path}, line {line}: {message}" if line else f"{path}: {message}")


def is_whole_number(token: str) -> bool:
    """Tell whether a token spells a whole number of 64 bits."""
    return len(token) <= 20 and bool(_INTEGER.fullmatch(token)) and abs(int(token)) < 2**63


def read_text(path: Path) -> str:
    """Return the text of a file; raise DataError where it cannot be read or is empty."""
    try:
        text = decode(path, path.read_bytes())
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}); allowed is a file that you "
                        "may read") from error
    if not text.strip():
        fail(path, "the file is empty; it must hold at least one interaction")
    return text


def decode(path, raw: bytes) -> str:
    """Return the text of UTF-8 bytes, without the mark that some editors begin it with."""
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        fail(path, f"byte {raw[error.start]:#04x} is not UTF-8 text; save the file as UTF-8", line)


def parse_sequences(path: Path, text: str) -> tuple[list[int], list[np.ndarray]]:
    """Read 'user item item ...' lines; blank lines are skipped.

    Returns the users and, aligned, the items of each, int64 (items,). Raises DataError for a token
    that is no whole number, an item below 1 and a user on two lines.
    """
    sequences, line_of = [], {}
    for number, line in enumerate(_LINE_END.split(text), start=1):
        if not (text := line.strip(" \t")):
            continue
        try:
            row = np.array(text.split() if _INTEGERS.fullmatch(text) else [text], dtype=np.int64)
        except (ValueError, OverflowError):
            token = next(one for one in _BLANKS.split(text) if not is_whole_number(one))
            fail(path, f"{shown(token)} is not a whole number of 64 bits; {TEXT_RULE}", number)
        user, items = int(row[0]), row[1:]
        if items.min(initial=1) < 1:
            fail(path, f"item {items[items < 1][0]} is below 1 (0 stands for padding); {TEXT_RULE}",
                 number)
        if user in line_of:
            fail(path, f"user {user} was already on line {line_of[user]}; allowed is one line "
                 "a user", number)
        line_of[user] = number
        sequences.append(items)
    return list(line_of), sequences


def looks_like_csv(path: Path, text: str) -> bool:
    """Tell a CSV from 'user item item ...' lines: by its name, or by a comma in its first line."""
    return path.suffix.lower() == ".csv" or "," in text[:10_000].partition("\n")[0]


def parse_csv(path, text: str, names: tuple[str, ...] = COLUMNS, first: int = 1,
              separator: str = ",") -> pd.DataFrame:
    """Read a CSV whose header has columns for user, item and timestamp (others are ignored).

    text: the content of `path` (a file, or a member of a zip), from line number `first`; names: how
    the header calls the three. Returns what `checked` returns. Raises DataError also for a row that
    does not fit the header.
    """
    try:
        with warnings.catch_warnings():
            # pandas only warns when every row is longer than the header, and then cuts the rows
            warnings.simplefilter("error", pd.errors.ParserWarning)
            frame = pd.read_csv(io.StringIO(text), dtype=str, keep_default_na=False,
                                skipinitialspace=True, index_col=False, sep=separator)
    except (pd.errors.ParserError, pd.errors.ParserWarning, pd.errors.EmptyDataError):
        records = list(_records(text, first)) or [(1, [])]
        width = len(records[0][1])
        # if no row is too long, a quote was opened and never closed: that is the last record
        line = next((line for line, fields in records if len(fields) > width), records[-1][0])
        fail(path, f"does not fit the header of {width} columns, or has a quote that is never "
             "closed", line)
    return checked(frame.rename(columns=str.strip), path, names,
                   lambda row: [line for line, _ in _records(text, first)][row + 1])


def _records(text: str, first: int) -> Iterator[tuple[int, list[str]]]:
    """Yield (line where it starts, fields) for the header and each row; blank lines are skipped."""
    lines = list(io.StringIO(text, newline=""))
    rows = csv.reader(lines, skipinitialspace=True)
    start = 0
    try:
        for fields in rows:
            if lines[start].strip(" \r\n"):
                yield first + start, fields
            start = rows.line_num
    except csv.Error:  # a field of more than 128 KiB: a quote that swallowed the rest of the file
        yield first + start, []


def checked(frame: pd.DataFrame, where, names: tuple[str, ...] = COLUMNS,
            line_of: Callable[[int], int | None] = lambda row: None) -> pd.DataFrame:
    """Return the columns user, item, timestamp of `frame`, in its order, as clean values.

    Ids become int64 if every id of the column is a plain whole number, else text; timestamps
    become numbers. `where` names the source in errors, `names` says how it calls the columns,
    `line_of` turns a row (-1 is the header) into its line. Raises DataError for a missing
    column, no rows, an empty id, a timestamp that is no finite number.
    """
    for name in names:
        if (count := (frame.columns == name).sum()) != 1:
            there = "is missing" if count == 0 else f"is there {count} times"
            columns = shown(list(frame.columns)).strip("[]")
            fail(where, f"the column {name!r} {there}; found are {columns}; needed are "
                 f"{', '.join(names)}", line_of(-1))
    if not len(frame):
        fail(where, "there are column names but no interactions; at least one is needed")
    users, items, times = (frame[name].reset_index(drop=True) for name in names)
    clean = pd.DataFrame({"user": _ids(users), "item": _ids(items),
                          "timestamp": pd.to_numeric(times, errors="coerce")})
    finite = np.isfinite(clean["timestamp"].to_numpy(dtype=float, na_value=np.nan))
    rule = "allowed is a finite number, such as seconds since 1970"
    for name, column, wrong, allowed in (
            (names[0], users, _is_empty(clean["user"]), "every row needs one"),
            (names[1], items, _is_empty(clean["item"]), "every row needs one"),
            (names[2], times, ~finite | times.isna().to_numpy(), rule)):
        if wrong.any():
            row = int(wrong.argmax())
            value = column.iloc[[row]].tolist()[0]
            fail(where, f"row {row + 1} has {name} {shown(value)}; {allowed}", line_of(row))
    return clean


def _is_empty(ids: pd.Series) -> np.ndarray:
    return (ids.isna() | (ids == "")).to_numpy(dtype=bool)


def _ids(column: pd.Series) -> pd.Series:
    """Return a column of ids as numbers if it holds plain whole numbers only, else as text.

    '007' or '1.0' leave the whole column text: read as numbers, '7' and '007' would be one id.
    """
    if pd.api.types.is_numeric_dtype(column) or column.isna().any():
        return column
    codes, texts = pd.factorize(column.astype(str))
    ids = [text.strip() for text in texts]
    if all(is_whole_number(text) and str(int(text)) == text for text in ids):
        return pd.Series(np.array(ids).astype(np.int64)[codes])
    return pd.Series(np.array(ids, object)[codes], dtype=object)
