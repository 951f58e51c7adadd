"""From a file or frame to interactions in order, with errors that name the file and the line.

layouts.py says what a file is. Every reader returns (notes, rows, user_ids, item_ids): sentences on
how it was read; a frame whose columns user and item point into the ids, the rows of a user
together, oldest first; and the ids in the order in which they are given out.
"""

import contextlib
import csv
import gzip
import io
import json
import re
import sys
import warnings
import zipfile
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pandas as pd

from ..support.checks import DataError, shown
from ..support.flat import blocks
from . import layouts
from .layouts import BLANKS, ROLES, Layout, is_whole_number

ID_RULE = "every row needs one, and this means none; leave such rows out"
NUMBER_RULE = "allowed are whole numbers, as no header says what the columns are; give columns"
TIME_RULE = ("allowed is a finite number, such as seconds since 1970, or, if no row has a number, "
             "a date such as 2014-05-25 22:19:04, with a time zone in every row or in none")
MISSING = ("", "na", "n/a", "nan", "none", "null", "<na>", "nat")  # in small letters
HEAD = 100_000  # characters from which the layout is found
BLOCK = 1 << 18  # characters, or rows, at a time
UNIT = b"\x1f"  # stands for '::', as pandas takes one character
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,6})?")
_ZONE = re.compile(r"(Z|UTC|[+-]\d\d:?\d\d)$")
UNFIT = pd.errors.ParserError, pd.errors.ParserWarning
_DAMAGE = (EOFError, OSError, RuntimeError, NotImplementedError, zlib.error, zipfile.BadZipFile)


def fail(path, message: str, line: int | None = None):
    raise DataError(f"{path}, line {line}: {message}" if line else f"{path}: {message}")


def read_file(path: Path, wanted: dict, separator: str | None = None, member: str = "",
              encoding: str = "utf-8-sig") -> tuple:
    """Read a file, plain or packed, in whatever layout. member: the end of its name in a zip."""
    def opened():
        return io.TextIOWrapper(_unpacked(path, member), encoding=encoding)

    try:
        with opened() as text:
            head = text.read(HEAD)
        if not head.strip("\ufeff \t\n"):
            fail(path, "the file is empty; it must hold at least one interaction")
        if len(head) == HEAD:  # the last line is not whole
            head = head.rpartition("\n")[0] or head
        layout = layouts.find_layout(path, head, wanted, separator)
        read = {"a table": _read_table, "JSON lines": _read_json, "histories": _read_histories}
        return read[layout.kind](path, opened, layout)
    except UnicodeDecodeError as error:
        fault = error
        with contextlib.suppress(*_DAMAGE), _unpacked(path, member) as raw:  # it may be both
            for number, line in enumerate(raw, start=1):
                with contextlib.suppress(UnicodeDecodeError):
                    line.decode()
                    continue
                fail(path, f"{shown(line)} is not UTF-8 text; save the file as UTF-8, or read it "
                     "with pandas and give the frame", number)
    except _DAMAGE as error:
        fault = error
    raise DataError(f"{path}: cannot be read, or is damaged ({fault}); allowed is a whole file "
                    "that you may read") from fault


def read_frame(frame: pd.DataFrame, wanted: dict) -> tuple:
    names = list(frame.columns)
    if not (columns := layouts.chosen(names, wanted)):
        unclear, guess = layouts.advice(names, wanted)
        raise DataError(f"data set is a frame with the columns {shown(names)}{unclear}; allowed is "
                        "one for each of user, item and timestamp: load_dataset(frame, "
                        f"columns={guess})")
    content = {role: frame.iloc[:, position] for role, position in columns.items()}
    return _in_order("the frame", Layout("a frame", names, columns), content)


def _unpacked(path: Path, member: str) -> BinaryIO:
    """Open a file, what a gzip holds, or the one file in a zip whose name ends in `member`."""
    with path.open("rb") as file:
        start = file.read(4)
    if start[:2] == b"\x1f\x8b":
        return gzip.open(path)
    if start != b"PK\x03\x04":
        return path.open("rb")
    archive = zipfile.ZipFile(path)
    names = [name for name in archive.namelist()
             if not name.startswith("__MACOSX") and not name.endswith("/")]
    meant = [name for name in names if name.endswith(member)]
    if len(meant) != 1:
        fail(path, f"holds the files {shown(names).strip('[]')}; allowed is a zip of one file "
             f"{member}. Unpack it and give the path of the one that is meant")
    return archive.open(meant[0])


def _read_histories(path: Path, opened: Callable, layout: Layout) -> tuple:
    """Read 'user item item ...' lines; users keep the order of their lines."""
    sequences, line_of = [], {}
    with opened() as text:
        for number, line in enumerate(text, start=1):
            if not (line := line.strip(" \t\n")) or line[0] == "#" and not line_of:
                continue
            user, *items = BLANKS.split(line)
            if wrong := [one for one in (user, *items) if not is_whole_number(one)]:
                problem = f"{shown(wrong[0])} is not a whole number of 64 bits"
            elif (row := np.array(items, np.int64)).min(initial=1) < 1:
                problem = f"item {row[row < 1][0]} is below 1 (0 stands for padding)"
            elif int(user) in line_of:
                problem = f"user {user} was already on line {line_of[int(user)]}"
            else:
                line_of[int(user)] = number
                sequences.append(row)
                continue
            columns = dict(zip(ROLES, (0, 1, len(items))[:len(items) + 1]))
            fail(path, f"{problem}; allowed are lines 'user item item ...' of whole numbers, "
                 "oldest first, items from 1, one line a user. For one interaction a line, "
                 f"{layouts.call(path, columns, ' ')}", number)
    items, item_ids = pd.factorize(np.concatenate(sequences), sort=True)
    users = np.repeat(np.arange(len(sequences)), [len(sequence) for sequence in sequences])
    rows = pd.DataFrame({"user": users, "item": items})
    return [f"read as {layout}."], rows, pd.Index(list(line_of)), item_ids


class Lines:
    """The rows of a table for pandas to read: whole lines, as many as `size` characters hold.

    `number` counts the lines given so far if `size` is 0.
    """

    __iter__ = None  # pandas looks for it, and then calls `read`

    def __init__(self, text: io.TextIOBase, layout: Layout, size: int = BLOCK):
        self.text, self.layout, self.size, self.number = text, layout, size, layout.skip
        head = [text.readline() for _ in range(layout.skip)]
        # whether pandas would read the same: a quote in a line that it leaves out may hide others
        self.as_they_are = layout.separator != "::" and '"' not in "".join(head)

    def read(self, _=-1) -> bytes:
        block = (self.text.read(self.size) + self.text.readline()).encode()
        self.number += bool(block)
        return block.replace(b"::", UNIT) if self.layout.separator == "::" else block


def _read_table(path: Path, opened: Callable, layout: Layout) -> tuple:
    """Read rows of whole numbers as such, others as text."""
    places = list(layout.columns.values())
    separator = {"::": UNIT.decode(), " ": r"\s+"}.get(layout.separator, layout.separator)
    options = {"header": None, "names": range(len(layout.names)), "index_col": False,
               "na_filter": False, "sep": separator,
               "quoting": csv.QUOTE_NONE if layout.separator == "::" else csv.QUOTE_MINIMAL}
    texts = options | {"dtype": object, "skipinitialspace": True}

    def refuse_padded() -> None:
        """Raise ValueError where a number begins with 0 or +: '007' and '7' would be one id."""
        with opened() as text:
            file = text.buffer  # bytes: text would take as long as all the rest
            for _ in range(layout.skip):
                file.readline()
            while block := file.read(BLOCK) + file.readline():
                code = np.frombuffer(b"\n" + block, np.uint8)
                digit = code - np.uint8(48) < 10
                padded = (code[1:-1] == 48) & digit[2:] & ~digit[:-2] & (code[:-2] != 46)
                if padded.any() or b"+" in block:
                    raise ValueError

    def line_of(row: int | None) -> int:
        """Return the line of a row; None: of the first one that pandas does not take."""
        with opened() as text, contextlib.suppress(*UNFIT):
            lines = Lines(text, layout, size=0)
            pd.read_csv(lines, nrows=None if row is None else row + 1, **texts)
        return lines.number

    with warnings.catch_warnings():
        # pandas only warns when every row is longer than the header, and then cuts the rows
        warnings.simplefilter("error", pd.errors.ParserWarning)
        warnings.simplefilter("ignore", pd.errors.DtypeWarning)
        try:
            frame = None
            with (opened() as text, contextlib.suppress(ValueError, *UNFIT),
                  ThreadPoolExecutor(1) as aside):
                checked, lines = aside.submit(refuse_padded), Lines(text, layout)
                # a plain file by its path: pandas reads parts of it at the same time
                if isinstance(text.buffer, io.BufferedReader) and lines.as_they_are:
                    whole = pd.read_csv(path, skiprows=layout.skip, compression=None, **options)
                else:
                    whole = pd.read_csv(lines, **options)
                checked.result()  # raises what it did
                frame = whole
            if frame is None or (frame.dtypes[places] != np.int64).any():
                with opened() as text:
                    frame = pd.read_csv(Lines(text, layout), **texts)
        except UNFIT as error:
            opens = re.search(r"string starting at row (\d+)", str(error))
            line = layout.skip + 1 + int(opens[1]) if opens else line_of(
                None if isinstance(error, pd.errors.ParserError) else 0)
            fail(path, f"does not fit the header of {len(layout.names)} columns, or has a quote "
                 "that is never closed", line)
    content = {role: frame[position] for role, position in layout.columns.items()}
    return _in_order(path, layout, content, line_of)


def _read_json(path: Path, opened: Callable, layout: Layout) -> tuple:
    names = [layout.names[position] for position in layout.columns.values()]
    rows, line_of = [], []
    with opened() as text:
        for number, line in enumerate(text, start=1):
            if number <= layout.skip or not line.strip():
                continue
            try:  # numbers stay the text that they are
                row = json.loads(line, parse_int=str, parse_float=str)
                rows.append([sys.intern(row.get(name) or "") for name in names])
            except (ValueError, RecursionError, TypeError, AttributeError):
                fail(path, f"is {shown(line)}; allowed is a JSON object with "
                     f"{', '.join(names)}, each a text or a number", number)
            line_of.append(number)
    content = pd.DataFrame(rows, columns=list(layout.columns))
    return _in_order(path, layout, content, line_of.__getitem__)


def _in_order(where, layout: Layout, content, line_of: Callable = lambda row: None) -> tuple:
    """Check columns by role, and sort them by user and time; equal times keep their order.

    `where` names the source in errors, `line_of` turns a row into its line. Raises DataError for
    no rows, an id that is missing, and a timestamp that is neither a finite number nor an ISO date.
    """
    if not len(content["user"]):
        fail(where, "there are column names but no interactions; at least one is needed")
    codes, found = {}, {}
    for role, column in content.items():
        if role == "timestamp":
            rule, (codes[role], wrong) = TIME_RULE, times(column)
        else:
            rule, (codes[role], found[role], wrong) = ID_RULE, ids(column)
            if layout.numbers and not wrong.any() and found[role].dtype != np.int64:
                wrong = ~column.astype(str).str.fullmatch(r"\s*-?[0-9]+\s*").to_numpy(bool)
                rule = NUMBER_RULE
        if wrong.any():
            row = int(wrong.argmax())
            fail(where, f"row {row + 1} has {role} {shown(column.iloc[[row]].tolist()[0])}; {rule} "
                 f"({wrong.sum():,} such rows)", line_of(row))
    notes = [f"read as {layout}."]
    users, items, when = codes["user"], codes["item"], codes.get("timestamp", np.empty(0, int))
    if not pd.Index(users, copy=False).is_monotonic_increasing:
        order = np.argsort(users, kind="stable")
        users, items, when = users[order], items[order], when[order[:len(when)]]
    if len(when):
        near = _sort_times(users, items, when)
        near = np.union1d(near, near + 1)
        twice = near[pd.DataFrame({0: users[near], 1: items[near], 2: when[near]}).duplicated()]
        if len(twice):
            users, items = np.delete(users, twice), np.delete(items, twice)
            notes.append(f"merged {len(twice):,} interactions with others of the same user, item "
                         "and time.")
    rows = pd.DataFrame({"user": users, "item": items}, copy=False)
    return notes, rows, found["user"], found["item"]


def _sort_times(users: np.ndarray, items: np.ndarray, when: np.ndarray) -> np.ndarray:
    """Sort items and times in place within each user, whose rows are together; equal times keep
    their order. Returns the rows after which the same user has a row of the same time."""
    low = int(when.min())
    shifts = range(0, (int(when.max()) - low).bit_length(), 16)

    def sort(block: tuple[int, int, np.ndarray]) -> np.ndarray:
        first, end, _ = block
        user, item, time = users[first:end], items[first:end], when[first:end]
        same = user[1:] == user[:-1]
        if (same & (time[1:] < time[:-1])).any():
            keys = [time]
            if time.dtype == np.int64:
                # numpy counts numbers of 16 bits where it compares longer ones, in half the time;
                # a block has fewer users than 2 ** 16
                since = (time - low).view(np.uint64)
                keys = [(since >> shift).astype(np.uint16) for shift in shifts]
                user = (user - user[0]).astype(np.uint16)
            order = np.lexsort([*keys, user])
            item[:], time[:] = item[order], time[order]
        return first + np.flatnonzero(same & (time[1:] == time[:-1]))

    offsets = np.flatnonzero(np.r_[True, users[1:] != users[:-1], True])
    with ThreadPoolExecutor() as threads:
        return np.concatenate(list(threads.map(sort, blocks(offsets))))


def _texts(column: pd.Series) -> tuple[np.ndarray, list[str]]:
    """Return which of the different values a row has, and these as text without blanks around."""
    try:
        codes, found = pd.factorize(column, use_na_sentinel=False)
    except TypeError as error:  # of a frame
        raise DataError(f"the frame holds a value of an {error} where a user, an item or a time "
                        "stands; allowed is one number or text in a row") from error
    return codes, [str(one).strip() for one in found]


def ids(column: pd.Series) -> tuple[np.ndarray, pd.Index, np.ndarray]:
    """Return a column of ids as indices into the sorted ids, these, and which rows have none.

    They are numbers if all are plain whole numbers: '007' or '1.0' leave the whole column text, as
    '7' and '007' would be one id. Numbers of a frame stay as they are, but whole floats are ints.
    """
    if pd.api.types.is_numeric_dtype(column):
        missing = column.isna().to_numpy(bool)
        if column.dtype.kind == "f" and not missing.any() and (
                column % 1 == 0).all() and column.abs().max() < 2**63:
            column = column.astype(np.int64)
        return *pd.factorize(column, sort=True), missing
    codes, texts = _texts(column)
    missing = np.array([text.casefold() in MISSING for text in texts])
    plain = all(is_whole_number(text) and str(int(text)) == text for text in texts)
    again, found = pd.factorize(pd.Index(texts, dtype=np.int64 if plain else object), sort=True)
    return again[codes], found, missing[codes]  # ' a' and 'a' are one


def times(column: pd.Series) -> tuple[np.ndarray, np.ndarray]:
    """Return numbers that sort as a column of times does, and which rows have no time. Text is
    compared exactly, as float64 would take two nanoseconds since 1970 for one."""
    if isinstance(column.dtype, np.dtype) and column.dtype.kind in "iufM":
        values = column.to_numpy(copy=True)
        return values.astype(np.int64) if values.dtype.kind == "M" else values, ~np.isfinite(values)
    codes, texts = _texts(column)
    wrong = np.array([not _NUMBER.fullmatch(text) or np.isinf(float(text)) for text in texts])
    if any(map(_NUMBER.fullmatch, texts)):
        exact = [Decimal(0 if bad else text) for text, bad in zip(texts, wrong)]
        values = pd.factorize(np.array(exact, object), sort=True)[0]
    else:
        zoned = np.array([bool(_ZONE.search(text)) for text in texts])
        values = pd.to_datetime(pd.Series(texts), errors="coerce", utc=True, format="ISO8601")
        wrong = values.isna().to_numpy() | zoned.any() & ~zoned
        values = values.astype(np.int64).to_numpy()
    return values[codes], wrong[codes]
