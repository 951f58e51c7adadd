"""From a reader's own file to plain tables, with errors that name the file and the line.

layouts.py says what a file is. Nothing is filtered, sorted or renumbered here: that is the work of
`datasets/__init__.py`.
"""

import csv
import gzip
import io
import itertools
import json
import re
import sys
import warnings
import zipfile
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pandas as pd
from pandas.api.types import union_categoricals

from ..support.checks import DataError, shown
from .layouts import (
    BLANKS,
    COLUMNS,
    LINE_END,
    Layout,
    chosen,
    find_columns,
    find_layout,
    guess,
    is_whole_number,
    unclear,
)

ID_RULE = "every row needs one, and this means none; leave such rows out"
TIME_RULE = ("allowed is a finite number, such as seconds since 1970, or, if no row has a number, "
             "a date such as 2014-05-25 22:19:04, with a time zone in every row or in none")
MISSING = ("", "na", "n/a", "nan", "none", "null", "<na>", "nat")  # in small letters
HEAD = 100_000  # characters from which the layout is found
PIECE = 1_000_000  # read at a time
UNIT = "\x1f"  # stands for '::'
_INTEGERS = re.compile("[ \t]*-?[0-9]+([ \t]+-?[0-9]+)*[ \t]*")
_NUMBER = re.compile(r"\s*[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,6})?\s*")
_DATE = re.compile(r"\s*\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d([.,]\d{1,9})?)?)?"
                   r"\s*(Z|UTC|[+-]\d\d:?\d\d)?\s*", re.ASCII)
_DAMAGE = (EOFError, OSError, RuntimeError, NotImplementedError, zlib.error, zipfile.BadZipFile)


def fail(path, message: str, line: int | None = None):
    """Raise DataError for a file, or for a line of it."""
    raise DataError(f"{path}, line {line}: {message}" if line else f"{path}: {message}")


def read_file(path: Path, wanted: dict, separator: str | None = None) -> tuple:
    """Read a file of one's own, in whatever layout; returns (layout, content).

    content: what `parse_sequences` gives for histories, else what `checked` gives.
    """
    def opened():
        return _opened(path)

    try:
        with opened() as raw, _text(raw) as text:
            head = text.read(HEAD)
        if not head.strip("\ufeff \t\r\n"):
            fail(path, "the file is empty; it must hold at least one interaction")
        if len(head) == HEAD:  # the last line is not whole
            head = head.rpartition("\n")[0] or head
        layout = find_layout(path, head, wanted, separator)
        if layout.kind == "histories":
            with opened() as raw:
                return layout, parse_sequences(path, decode(path, raw.read()))
        read = read_table if layout.kind == "table" else _read_json
        return layout, read(path, opened, layout)
    except UnicodeDecodeError:
        with opened() as raw:
            for number, line in enumerate(raw, start=1):
                decode(path, line, number)
    except _DAMAGE as error:
        raise DataError(f"{path}: cannot be read, or is damaged ({error}); allowed is a whole "
                        "file that you may read") from error


def read_frame(frame: pd.DataFrame, wanted: dict) -> tuple[Layout, pd.DataFrame]:
    """Return the layout of a frame, and what `checked` gives for it."""
    names = list(frame.columns)
    if not (columns := chosen(find_columns(names, wanted))):
        raise DataError(f"data set is a frame with the columns {shown(names)}"
                        f"{unclear(names, wanted)}; allowed are one for each of user, item and "
                        f"timestamp: load_dataset(frame, columns={guess(names, wanted)})")
    frame = frame.iloc[:, list(columns.values())].set_axis(list(columns), axis=1)
    return Layout("frame", names, columns), checked(frame, "the frame")


def _opened(path: Path) -> BinaryIO:
    """Open a file, what a gzip holds, or the one file in a zip."""
    with path.open("rb") as file:
        start = file.read(4)
    if start[:2] == b"\x1f\x8b":
        return gzip.open(path)
    if start != b"PK\x03\x04":
        return path.open("rb")
    archive = zipfile.ZipFile(path)
    members = [name for name in archive.namelist()
               if not name.endswith("/") and not name.startswith("__MACOSX")]
    if len(members) != 1:
        fail(path, f"holds the files {shown(members).strip('[]')}; allowed is a zip of one file. "
             "Unpack it and give the path of the one that is meant")
    return archive.open(members[0])


def _text(raw: BinaryIO) -> io.TextIOWrapper:
    return io.TextIOWrapper(raw, encoding="utf-8-sig", newline="")


def decode(path, raw: bytes, first: int = 1) -> str:
    """Return the text of UTF-8 bytes, without the mark that some editors begin it with."""
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + first
        fail(path, f"byte {raw[error.start]:#04x} is not UTF-8 text; save the file as UTF-8, or "
             "read it with pandas and give the frame", line)


def parse_sequences(path: Path, text: str) -> tuple[list[int], list[np.ndarray]]:
    """Read 'user item item ...' lines; blank lines are skipped.

    Returns the users and, aligned, the items of each, int64 (items,). Raises DataError for a token
    that is no whole number, an item below 1 and a user on two lines.
    """
    sequences, line_of = [], {}
    for number, line in enumerate(LINE_END.split(text), start=1):
        if not (text := line.strip(" \t")) or text[0] == "#" and not line_of:
            continue
        try:
            row = np.array(text.split() if _INTEGERS.fullmatch(text) else [text], dtype=np.int64)
        except (ValueError, OverflowError):
            token = next(one for one in BLANKS.split(text) if not is_whole_number(one))
            _no_history(path, number, text, f"{shown(token)} is not a whole number of 64 bits")
        user, items = int(row[0]), row[1:]
        if items.min(initial=1) < 1:
            _no_history(path, number, text,
                        f"item {items[items < 1][0]} is below 1 (0 stands for padding)")
        if user in line_of:
            _no_history(path, number, text, f"user {user} was already on line {line_of[user]}")
        line_of[user] = number
        sequences.append(items)
    return list(line_of), sequences


def _no_history(path, number: int, line: str, problem: str):
    width = len(BLANKS.split(line))
    columns = dict(zip(COLUMNS, (0, 1, width - 1)[:width]))
    fail(path, f"{problem}; allowed are lines 'user item item ...' of whole numbers, oldest first, "
         "items from 1, one line a user. For one interaction a line, call "
         f"load_dataset({shown(str(path))}, columns={columns}, separator=' ')", number)


def read_table(path, opened: Callable[[], BinaryIO], layout: Layout, first: int = 1
               ) -> pd.DataFrame:
    """Read the rows of a table; returns what `checked` returns. first: the number of line 1.

    Plain whole numbers are read as such; else all is read as text, a piece at a time: pandas would
    take '007' and '7' for one id, and times for floats where one has a point.
    """
    places = list(layout.columns.values())
    options = {"header": None, "names": range(len(layout.names)), "index_col": False,
               "na_filter": False, "skipinitialspace": True,
               "sep": {"::": UNIT, " ": r"\s+"}.get(layout.separator, layout.separator),
               "quoting": csv.QUOTE_NONE if layout.separator == "::" else csv.QUOTE_MINIMAL}

    def parse(**more):
        with opened() as raw, _text(raw) as text:
            for _ in range(layout.skip):
                text.readline()
            if layout.separator == "::":  # pandas takes one character
                text = io.StringIO(text.read().replace("::", UNIT), newline="")
            read = pd.read_csv(text, **options, **more)
            return read if isinstance(read, pd.DataFrame) else _joined(read, places)

    try:
        with warnings.catch_warnings():
            # pandas only warns when every row is longer than the header, and then cuts the rows
            warnings.simplefilter("error", pd.errors.ParserWarning)
            warnings.simplefilter("ignore", pd.errors.DtypeWarning)
            with ThreadPoolExecutor(1) as pool:
                plain = pool.submit(is_plain, opened)
                frame = parse()[places]
            if not plain.result() or (frame.dtypes != np.int64).any():
                frame = parse(dtype=object, chunksize=PIECE, low_memory=False)
    except (pd.errors.ParserError, pd.errors.ParserWarning):
        records = list(_records(opened, layout, first))
        # if no row is too long, a quote was opened and never closed: that is the last record
        line = next((line for line, fields in records if len(fields) > len(layout.names)),
                    records[-1][0])
        fail(path, f"does not fit the header of {len(layout.names)} columns, or has a quote that "
             "is never closed", line)

    def line_of(row):
        return next(itertools.islice(_records(opened, layout, first), row, None))[0]

    frame = frame[places].set_axis(list(layout.columns), axis=1)
    return checked(frame, path, line_of, layout.numbers)


def _joined(pieces: Iterator[pd.DataFrame], places: list[int]) -> pd.DataFrame:
    """Join tables of text, with each different text held once."""
    kept = [piece[places].astype("category") for piece in pieces]
    return pd.DataFrame({place: union_categoricals([piece[place] for piece in kept])
                         for place in places})


def is_plain(opened: Callable[[], BinaryIO]) -> bool:
    """Tell whether no number begins with 0, -0 or +: whole numbers are as they are written."""
    with opened() as raw:
        while block := raw.read(1 << 18) + raw.readline():
            code = np.frombuffer(b"\n" + block + b"\n", np.uint8)
            digit, zero, before = (code - np.uint8(48)) < 10, code == 48, code[:-2]
            begins = zero[1:-1] & ~digit[:-2] & (digit[2:] | (before == 45))
            if (before[begins] != 46).any() or b"+" in block:
                return False
    return True


def _records(opened: Callable[[], BinaryIO], layout: Layout, first: int
             ) -> Iterator[tuple[int, list[str]]]:
    """Yield (line where it starts, fields) for each row; blank lines are skipped."""
    with opened() as raw, _text(raw) as text:
        for _ in range(layout.skip):
            text.readline()
        lines, separator = text, layout.separator
        if separator == " ":
            lines = (BLANKS.sub(" ", line.strip(" \t\r\n")) + "\n" for line in text)
        elif separator == "::":
            lines, separator = (line.replace("::", UNIT) for line in text), UNIT
        rows = csv.reader(lines, delimiter=separator, skipinitialspace=True,
                          quoting=csv.QUOTE_NONE if separator == UNIT else csv.QUOTE_MINIMAL)
        start = first + layout.skip
        line = start
        try:
            for fields in rows:
                if len(fields) > 1 or "".join(fields).strip():
                    yield line, fields
                line = start + rows.line_num
        except csv.Error:  # a field of more than 128 KiB: a quote that swallowed the rest
            yield line, []


def _read_json(path, opened: Callable[[], BinaryIO], layout: Layout) -> pd.DataFrame:
    """Read a JSON object a line; returns what `checked` returns."""
    names = [layout.names[place] for place in layout.columns.values()]
    rows, line_of = [], []
    with opened() as raw, _text(raw) as lines:
        for number, line in enumerate(lines, start=1):
            if number <= layout.skip or not line.strip():
                continue
            try:  # numbers stay the text that they are
                row = json.loads(line, parse_int=str, parse_float=str)
                rows.append([sys.intern(row.get(name) or "") for name in names])
            except (ValueError, RecursionError, TypeError, AttributeError):
                fail(path, f"is {shown(line)}; allowed is a JSON object with "
                     f"{', '.join(names)}, each a text or a number", number)
            line_of.append(number)
    return checked(pd.DataFrame(rows, columns=list(layout.columns)), path, line_of.__getitem__)


def checked(frame: pd.DataFrame, where, line_of: Callable[[int], int | None] = lambda row: None,
            numbers: bool = False) -> pd.DataFrame:
    """Return the columns user, item, timestamp of `frame`, in its order, as clean values.

    Ids become int64 if every id of the column is a plain whole number, else text; timestamps
    become numbers that sort as the times do, to the last digit; without any, rows are in order.
    `where` names the source in errors, `line_of` turns a row into its line. Raises DataError for
    no rows, an id that is missing (or, if `numbers`, no plain whole number), and a timestamp that
    is neither a finite number nor an ISO date.
    """
    if not len(frame):
        fail(where, "there are column names but no interactions; at least one is needed")
    clean = {"timestamp": np.arange(len(frame))}
    for role, column in frame.items():
        clean[role], wrong = times(column) if role == "timestamp" else ids(column)
        rule = TIME_RULE if role == "timestamp" else ID_RULE
        if numbers and clean[role].dtype == "category" and not wrong.any():
            wrong = ~column.astype(str).str.fullmatch(r"\s*-?[0-9]+\s*").to_numpy(bool)
            rule = "allowed are whole numbers, as no header says what the columns are; give columns"
        if wrong.any():
            row = int(wrong.argmax())
            fail(where, f"row {row + 1} has {role} {shown(column.iloc[[row]].tolist()[0])}; {rule} "
                 f"({wrong.sum():,} such rows)", line_of(row))
    return pd.DataFrame(clean, columns=list(COLUMNS))


def _is_plain_number(text: str) -> bool:
    return is_whole_number(text) and str(int(text)) == text


def ids(column: pd.Series) -> tuple[pd.Series, np.ndarray]:
    """Return a column of ids, and which are missing: as numbers if all are plain whole numbers.

    '007' or '1.0' leave the whole column text: read as numbers, '7' and '007' would be one id.
    Numbers of a frame stay what they are; floats that are whole had NaN among them, and are ints.
    """
    column = column.reset_index(drop=True)
    if pd.api.types.is_numeric_dtype(column):
        missing = column.isna().to_numpy(bool)
        whole = not missing.any() and column.dtype.kind == "f" and (column % 1 == 0).all()
        return column.astype(np.int64) if whole else column, missing
    codes, found = pd.factorize(column if column.dtype == "category" else column.astype(str))
    texts = [str(one).strip() for one in found]
    missing = np.array([text.casefold() in MISSING for text in texts] + [True])[codes]
    values = np.array(texts, object)
    if all(map(_is_plain_number, texts)):
        values = values.astype(np.int64)
    again, values = pd.factorize(values, sort=True)  # ' a' and 'a' are one
    made = pd.Categorical.from_codes(np.append(again, -1)[codes], values)
    return pd.Series(made), missing


def times(column: pd.Series) -> tuple[np.ndarray, np.ndarray]:
    """Return numbers that sort as a column of times does, and which rows have no time.

    float64 holds no nanoseconds since 1970 and would take two times for one. As it never changes
    their order, it is enough to compare exactly those that it takes for equal.
    """
    if isinstance(column.dtype, np.dtype) and column.dtype.kind in "iuf":
        return column.to_numpy(), ~np.isfinite(column.to_numpy())
    if isinstance(column.dtype, np.dtype) and column.dtype.kind == "M":
        return column.to_numpy().astype(np.int64), column.isna().to_numpy()
    codes, found = pd.factorize(column if column.dtype == "category" else column.astype(str))
    texts = [str(one).strip() for one in found]
    number = np.array([bool(_NUMBER.fullmatch(text)) for text in texts] + [False])
    values = np.array([float(text) if fits else np.nan for text, fits in zip(texts, number)]
                      + [np.nan])
    if number.any():
        wrong = ~np.isfinite(values)
        tied = pd.Series(values).duplicated(keep=False).to_numpy() & ~wrong
        exact = np.zeros(len(values), int)
        exact[tied] = pd.factorize(np.array([Decimal(texts[place]) for place in
                                             np.flatnonzero(tied)], object), sort=True)[0]
        values = pd.factorize(values, sort=True)[0] * (exact.max() + 1) + exact
    else:
        dates = [_DATE.fullmatch(text) for text in texts]
        zones = {bool(date and date[4]) for date in dates}
        values = pd.to_datetime(pd.Series([text if date and bool(date[4]) == max(zones) else None
                                           for text, date in zip(texts, dates)] + [None]),
                                errors="coerce", utc=True, format="ISO8601")
        wrong, values = values.isna().to_numpy(), values.astype(np.int64).to_numpy()
    return values[codes], wrong[codes]
