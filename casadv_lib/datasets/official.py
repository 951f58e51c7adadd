"""The layouts in which MovieLens and the Amazon reviews are published, read as they come.

Each reader takes the published archive, or the file unpacked from it, and returns
(frame, titles): a frame with the columns user, item, timestamp in file order, unfiltered, and a
dict from item id to film title (empty for Amazon). Archives are read in memory and never unpacked
to the disk, so no name in them can lead anywhere, and what they unpack to is limited, so that a
small file cannot fill the memory.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import re
import struct
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import numpy as np
import pandas as pd

from ..support.checks import shown
from .readers import COLUMNS, DataError, decode, fail, parse_csv, read_bytes

MOST_MEMBER = 2**28  # bytes of a file in a zip; the largest published one has 25 million
MOST_UNPACKED = 2**30  # bytes in a gzip; the largest published one has 320 million
MOST_LINE = 2**22  # bytes of a review
# all that Python's reader raises for a zip that is cut, changed or made to deceive
_BAD_ZIP = (zipfile.BadZipFile, zipfile.LargeZipFile, zlib.error, EOFError, ValueError, KeyError,
            RuntimeError, NotImplementedError, OverflowError, struct.error, OSError)

_RATING = re.compile(rb"\d+::\d+::\d+::\d+\s*")
_SMALL_NAMES = {"user": "userId", "item": "movieId"}
_REVIEW = {"reviewerID": str, "asin": str, "unixReviewTime": (int, float)}


def read_movielens_1m(path: Path) -> tuple[pd.DataFrame, dict[int, str]]:
    """Read ml-1m.zip, or an unpacked ratings.dat with movies.dat beside it (if it is there).

    Lines are `UserID::MovieID::Rating::Timestamp`. Raises DataError with the line of a bad one.
    """
    raw, titles = _ratings_and_titles(path, "ml-1m/ratings.dat", "ml-1m/movies.dat")
    # one character between fields lets the fast reader do it; the count finds lines too long
    lines = [line.rstrip() for line in raw.splitlines() if line.strip()]
    clean = b"\n".join(lines)
    whole = clean.count(b"::") == 3 * len(lines) and not clean.translate(None, b"0123456789:\n")
    if whole:
        try:
            frame = pd.read_csv(io.BytesIO(clean.replace(b"::", b",")), header=None, dtype=np.int64,
                                names=["user", "item", "rating", "timestamp"], index_col=False)
        except (ValueError, OverflowError):
            whole = False
    if not whole:
        bad = next((number for number, line in enumerate(raw.splitlines(), start=1)
                    if line.strip() and not _RATING.fullmatch(line)), None)
        fail(path, "allowed are lines UserID::MovieID::Rating::Timestamp of whole numbers", bad)
    return frame[list(COLUMNS)], titles


def read_movielens_small(path: Path) -> tuple[pd.DataFrame, dict[int, str]]:
    """Read ml-latest-small.zip, or an unpacked ratings.csv with movies.csv beside it."""
    raw, titles = _ratings_and_titles(path, "ml-latest-small/ratings.csv",
                                      "ml-latest-small/movies.csv")
    return parse_csv(path, decode(path, raw), _SMALL_NAMES), titles


def _ratings_and_titles(path: Path, ratings: str, movies: str) -> tuple[bytes, dict[int, str]]:
    """Return the bytes of the ratings and the titles, from a zip or from unpacked files."""
    raw = read_bytes(path)
    if not raw.startswith(b"PK"):
        return raw, read_titles(path.parent)
    try:
        with zipfile.ZipFile(io.BytesIO(raw)) as archive:
            members = archive.namelist()
            if ratings not in members:
                fail(path, f"the zip has no {ratings}; it holds {', '.join(members[:5])}")
            films = _member(path, archive, movies) if movies in members else None
            found = _member(path, archive, ratings)
    except DataError:
        raise
    except _BAD_ZIP as error:
        raise DataError(f"{path}: the zip is damaged ({error}); fetch it again") from error
    titles = parse_titles(f"{path}:{movies}", films, Path(movies).suffix) if films else {}
    return found, titles


def _member(path: Path, archive: zipfile.ZipFile, name: str) -> bytes:
    """The bytes of a file in a zip, at most MOST_MEMBER, whatever size the zip claims."""
    with archive.open(name) as file:
        content = file.read(MOST_MEMBER + 1)
    if len(content) > MOST_MEMBER:
        fail(path, f"{name} unpacks to more than {MOST_MEMBER:,} bytes; allowed is the published "
             "file. Fetch it again")
    return content


def read_titles(folder: Path) -> dict[int, str]:
    """Return the film titles by movie id of movies.dat or movies.csv in `folder`; {} if none."""
    for path in (folder / "movies.dat", folder / "movies.csv"):
        if path.is_file():
            return parse_titles(path, read_bytes(path), path.suffix)
    return {}


def parse_titles(path, raw: bytes, suffix: str) -> dict[int, str]:
    """Return titles by movie id: latin-1 `MovieID::Title::Genres` lines, or UTF-8 CSV."""
    if suffix == ".dat":
        rows = [(number, line.split("::")) for number, line
                in enumerate(raw.decode("latin-1").split("\n"), start=1) if line.strip()]
    else:
        reader = csv.reader(io.StringIO(decode(path, raw), newline=""))
        next(reader, None)
        rows = [(reader.line_num, row) for row in reader if row]
    titles = {}
    for number, row in rows:
        if len(row) < 2 or not row[0].isdecimal():
            fail(path, "allowed is a row of movie id, title, genres", number)
        titles[int(row[0])] = row[1].strip()
    return titles


def read_amazon(path: Path) -> tuple[pd.DataFrame, dict]:
    """Read reviews_X_5.json.gz, or the same unpacked: one JSON object a line.

    Needed are reviewerID and asin (text) and unixReviewTime (a number, whole days in practice).
    Raises DataError with the line that lacks one, and for a gzip that ends early or is damaged.
    """
    if not path.is_file():
        fail(path, "no such file; give the path of an existing file")
    with path.open("rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
    rows = []
    try:
        with gzip.open(path) if packed else path.open("rb") as file:
            for number, line in enumerate(_lines(path, file), start=1):
                rows.append(_review(path, number, line))
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise DataError(f"{path}: the gzip ends early or is damaged after line {len(rows)} "
                        f"({error}); fetch it again") from error
    if not rows:
        fail(path, "the file is empty; it must hold at least one review")
    return pd.DataFrame(rows, columns=list(COLUMNS)), {}


def _lines(path: Path, file: IO[bytes]) -> Iterator[bytes]:
    """The lines of a file; raises DataError beyond MOST_LINE for one or MOST_UNPACKED for all."""
    number, total = 0, 0
    while line := file.readline(MOST_LINE + 1):
        number, total = number + 1, total + len(line)
        if len(line) > MOST_LINE:
            fail(path, f"is longer than {MOST_LINE:,} bytes; allowed is a review a line", number)
        if total > MOST_UNPACKED:
            fail(path, f"unpacks to more than {MOST_UNPACKED:,} bytes; allowed is the published "
                 "file. Fetch it again", number)
        yield line


def _review(path: Path, number: int, line: bytes) -> tuple[str, str, float]:
    """Return (reviewerID, asin, unixReviewTime) of one line."""
    try:
        review = json.loads(line)
    except (ValueError, RecursionError) as error:
        fail(path, f"is not a JSON object ({error})", number)
    for key, kind in _REVIEW.items():
        value = review.get(key) if isinstance(review, dict) else None
        fits = isinstance(value, kind) and not isinstance(value, bool) and value != ""
        if not fits or (kind is not str and not abs(value) < 2**63):  # also for a NaN
            fail(path, f"{key} is {shown(value)}; each line needs reviewerID and asin (text) and "
                 "unixReviewTime (a number)", number)
    return tuple(review[key] for key in _REVIEW)
