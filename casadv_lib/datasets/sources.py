"""What is published: addresses, known counts, and the layouts of MovieLens and Amazon reviews.

Each reader takes the published archive, or the file unpacked from it, and returns
(frame, titles): a frame with the columns user, item, timestamp in file order, unfiltered, and a
dict from item id to film title (empty for Amazon). Archives are read in memory and never unpacked
to the disk, so no name in them can lead anywhere, and what they unpack to is limited, so that a
small file cannot fill the memory.
"""

import csv
import gzip
import io
import json
import re
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pandas as pd

from ..data import DataError
from ..support.checks import shown
from .downloads import Source
from .readers import COLUMNS, decode, fail, parse_csv, read_bytes

MOST_MEMBER = 2**28  # bytes of a file in a zip; the largest published one has 25 million
MOST_UNPACKED = 2**30  # bytes in a gzip; the largest published one has 320 million
MOST_LINE = 2**22  # bytes of a review; the rest of a longer line counts as the next one
_RATING = re.compile(rb"\d{1,18}::\d{1,18}::\d{1,18}::\d{1,18}\s*")  # 18 digits fit into int64
_REVIEW = {"reviewerID": str, "asin": str, "unixReviewTime": (int, float)}
_MOVIELENS = "https://files.grouplens.org/datasets/movielens"
_AMAZON = "http://snap.stanford.edu/data/amazon/productGraph/categoryFiles"


def read_movielens_1m(path: Path) -> tuple[pd.DataFrame, dict[int, str]]:
    """Read ml-1m.zip, or an unpacked ratings.dat with movies.dat beside it (if it is there).

    Lines are `UserID::MovieID::Rating::Timestamp`. Raises DataError with the line of a bad one.
    """
    raw, titles = _ratings_and_titles(path, "ml-1m/ratings.dat", "ml-1m/movies.dat")
    for number, line in enumerate(raw.splitlines(), start=1):
        if not _RATING.fullmatch(line) and line.strip():
            fail(path, "allowed are lines UserID::MovieID::Rating::Timestamp of whole numbers",
                 number)
    numbers = np.fromstring(raw.replace(b"::", b" "), dtype=np.int64, sep=" ").reshape(-1, 4)
    return pd.DataFrame(numbers[:, [0, 1, 3]], columns=list(COLUMNS)), titles


def read_movielens_small(path: Path) -> tuple[pd.DataFrame, dict[int, str]]:
    """Read ml-latest-small.zip, or an unpacked ratings.csv with movies.csv beside it."""
    raw, titles = _ratings_and_titles(path, "ml-latest-small/ratings.csv",
                                      "ml-latest-small/movies.csv")
    return parse_csv(path, decode(path, raw), ("userId", "movieId", "timestamp")), titles


def _ratings_and_titles(path: Path, ratings: str, movies: str) -> tuple[bytes, dict[int, str]]:
    """Return the bytes of the ratings and the titles, from a zip or from unpacked files."""
    raw = read_bytes(path)
    if not raw.startswith(b"PK"):
        return raw, read_titles(path.parent)
    members = {}
    try:
        with zipfile.ZipFile(io.BytesIO(raw)) as archive:
            names = archive.namelist()
            for name in {ratings, movies}.intersection(names):
                with archive.open(name) as file:  # whatever size the zip claims
                    members[name] = file.read(MOST_MEMBER + 1)
    except Exception as error:  # a zip that is cut, changed or made to deceive may raise anything
        raise DataError(f"{path}: the zip is damaged ({error}); fetch it again") from error
    if ratings not in members:
        fail(path, f"the zip has no {ratings}; it holds {', '.join(names[:5])}")
    if max(map(len, members.values())) > MOST_MEMBER:
        fail(path, f"unpacks to more than {MOST_MEMBER:,} bytes; allowed is the published file. "
             "Fetch it again")
    titles = members.get(movies)
    return members[ratings], parse_titles(f"{path}:{movies}", titles) if titles else {}


def read_titles(folder: Path) -> dict[int, str]:
    """Return the film titles by movie id of movies.dat or movies.csv in `folder`; {} if none."""
    for path in (folder / "movies.dat", folder / "movies.csv"):
        if path.is_file():
            return parse_titles(path, read_bytes(path))
    return {}


def parse_titles(path, raw: bytes) -> dict[int, str]:
    """Return titles by movie id: latin-1 `MovieID::Title::Genres` lines, or UTF-8 CSV."""
    if str(path).endswith(".dat"):
        rows = [(number, line.split("::")) for number, line
                in enumerate(raw.decode("latin-1").split("\n"), start=1) if line.strip()]
    else:
        reader = csv.reader(io.StringIO(decode(path, raw), newline=""))
        next(reader, None)
        rows = [(reader.line_num, row) for row in reader if row]
    for number, row in rows:
        if len(row) < 2 or not row[0].isdecimal():
            fail(path, "allowed is a row of movie id, title, genres", number)
    return {int(row[0]): row[1].strip() for _, row in rows}


def read_amazon(path: Path) -> tuple[pd.DataFrame, dict]:
    """Read reviews_X_5.json.gz, or the same unpacked: one JSON object a line.

    Needed are reviewerID and asin (text) and unixReviewTime (a number, whole days in practice).
    Raises DataError with the line that lacks one, and for a gzip that ends early or is damaged.
    """
    rows = []
    try:
        with path.open("rb") as raw, (
                gzip.open(raw) if raw.peek(2).startswith(b"\x1f\x8b") else raw) as file:
            while line := file.readline(MOST_LINE):
                rows.append(_review(path, len(rows) + 1, line))
                if file.tell() > MOST_UNPACKED:
                    fail(path, f"unpacks to more than {MOST_UNPACKED:,} bytes; allowed is the "
                         "published file. Fetch it again", len(rows))
    except (EOFError, OSError, zlib.error) as error:
        raise DataError(f"{path}: cannot be read, ends early or is damaged after line {len(rows)} "
                        f"({error}); fetch it again") from error
    if not rows:
        fail(path, "the file is empty; it must hold at least one review")
    return pd.DataFrame(rows, columns=list(COLUMNS)), {}


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


def _amazon(name: str, category: str, counts: tuple[int, int, int]) -> Source:
    file = f"reviews_{category}_5.json"
    return Source(name, f"{_AMAZON}/{file}.gz", read_amazon, counts, unpacked=file)


SOURCES = {source.name: source for source in (
    Source("ml-1m", f"{_MOVIELENS}/ml-1m.zip", read_movielens_1m, (6_040, 3_416, 999_611),
           md5="c4d9eecfca2ab87c1945afe126590906", unpacked="ml-1m/ratings.dat"),
    _amazon("beauty", "Beauty", (22_363, 12_101, 198_502)),
    _amazon("video", "Video_Games", (24_303, 10_672, 231_780)),
    _amazon("clothing", "Clothing_Shoes_and_Jewelry", (39_387, 23_033, 278_677)),
    Source("ml-latest-small", f"{_MOVIELENS}/ml-latest-small.zip", read_movielens_small,
           (610, 3_650, 90_274), unpacked="ml-latest-small/ratings.csv",
           # the published ratings.csv and movies.csv; links.csv and tags.csv are left out
           packed=Path(__file__).with_name("ml-latest-small") / "ml-latest-small.zip"),
)}
