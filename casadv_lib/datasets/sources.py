"""What is published: addresses, known counts, the layouts of MovieLens and Amazon, the download.

A reader takes the published archive, or the file unpacked from it, and returns (frame, titles): a
frame with the columns user, item, timestamp in file order, unfiltered, and a dict from item id to
film title (empty for Amazon). Archives are read in memory, so that no name in them can lead
anywhere, and up to a limit, so that a small file cannot fill the memory.

A download gets its final name in the cache only after its check: the published MD5 where there is
one, and always the known counts (users, items, interactions after the 5-core filter).
"""

import csv
import gzip
import io
import json
import time
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pooch
import requests
import urllib3
from filelock import FileLock

from ..support.checks import DataError, shown
from ..support.progress import long_work
from .kcore import k_core
from .layouts import COLUMNS, find_layout
from .readers import decode, fail, read_table

CORE = 5  # every published data set is filtered to its 5-core
MOST_MEMBER = 2**28  # bytes of a file in a zip; the largest published one has 25 million
MOST_UNPACKED = 2**30  # bytes in a gzip; the largest published one has 320 million
MOST_LINE = 2**22  # bytes of a review; the rest of a longer line counts as the next one
RETRIES = 2  # where the server is out of reach, busy or breaks off
CONNECT_SECONDS, READ_SECONDS = 10.0, 30.0  # without an answer, without a byte
SLOW_SECONDS, SLOW_BYTES = 60.0, 1_000  # from then on at least so many bytes a second on average
MOST_BYTES = 2**29  # the largest published archive has 47 million
CHUNK = 1 << 16
_MOVIELENS = "https://files.grouplens.org/datasets/movielens"
_AMAZON = "http://snap.stanford.edu/data/amazon/productGraph/categoryFiles"


class DownloadError(DataError):
    """A data set that could not be fetched, or that is not the published one."""


@dataclass(frozen=True)
class Source:
    """One published data set."""

    name: str
    url: str  # the archive's official address
    read: Callable[[Path], tuple[pd.DataFrame, dict]]  # archive or unpacked file
    counts: tuple[int, int, int]  # users, items, interactions after the 5-core filter
    unpacked: str  # path of the unpacked file in a folder of the reader's own (CASADV_DATA)
    md5: str | None = None  # "md5:..." of the archive, where one is published
    packed: Path | None = None  # an archive that comes with this package, so that none is fetched

    @property
    def file_name(self) -> str:
        return self.url.rsplit("/", 1)[-1]

    def fault(self, *counts: int) -> str:
        """Say how the counts of a 5-core (users, items, interactions) are others, or ""."""
        words = "{:,} users, {:,} items and {:,} interactions"
        return "" if counts == self.counts else (
            f"its {CORE}-core has {words.format(*counts)}, but the published data set has "
            f"{words.format(*self.counts)}")


def read_movielens(path: Path) -> tuple[pd.DataFrame, dict[int, str]]:
    """Read a zip of MovieLens, or an unpacked file of ratings with one of titles beside it.

    ratings.dat has latin-1 lines `UserID::MovieID::Rating::Timestamp`, ratings.csv is UTF-8 with a
    header. Raises DataError with the line of a bad one.
    """
    files = _files(path, "ratings")
    text, first = decode(path, files.get("ratings.csv", b"")), 1
    if "ratings.dat" in files:  # with a header on the line before the first
        lines = files["ratings.dat"].decode("latin-1").replace("::", ",")
        text, first = f"userId,movieId,rating,timestamp\n{lines}", 0
    if not text:
        fail(path, "holds no ratings.dat or ratings.csv, or an empty one; fetch it again")
    columns = {"user": "userId", "item": "movieId", "timestamp": "timestamp"}
    layout = find_layout(path, text[:10_000], columns, ",")
    frame = read_table(path, lambda: io.BytesIO(text.encode()), layout, first)
    return frame, read_titles(path)


def read_titles(path: Path) -> dict[int, str]:
    """Return the film titles by movie id, in a zip of MovieLens or beside `path`; {} if not there.

    movies.dat has latin-1 lines `MovieID::Title::Genres`, movies.csv is UTF-8 with a header.
    """
    titles = {}
    for name, raw in _files(path, "movies").items():
        if name == "movies.dat":
            rows = [line.split("::") for line in raw.decode("latin-1").split("\n")]
        else:
            header, *lines = decode(f"{path}, {name}", raw).split("\n")
            rows = [[], *csv.reader(lines)]
        for number, row in enumerate(rows, start=1):
            if len(row) > 1 and row[0].isdecimal():
                titles[int(row[0])] = row[1].strip()
            elif "".join(row).strip():
                fail(f"{path}, {name}", "allowed is a row of movie id, title, genres", number)
    return titles


def _files(path: Path, stem: str) -> dict[str, bytes]:
    """Return the .dat and .csv of this stem in a zip, or beside an unpacked file, by name."""
    names, found = (f"{stem}.dat", f"{stem}.csv"), {}
    try:
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                for member in archive.namelist():
                    if (name := member.rpartition("/")[2]) in names:
                        with archive.open(member) as file:  # whatever size the zip claims
                            found[name] = file.read(MOST_MEMBER + 1)
        else:
            files = (path.with_name(name) for name in names)
            found = {file.name: file.read_bytes() for file in files if file.is_file()}
    except Exception as error:  # a zip that is cut, changed or made to deceive may raise anything
        raise DataError(f"{path}: cannot be read, or is damaged ({error}); fetch it again"
                        ) from error
    if any(len(raw) > MOST_MEMBER for raw in found.values()):
        fail(path, f"unpacks to more than {MOST_MEMBER:,} bytes; allowed is the published file. "
             "Fetch it again")
    return found


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
        user, item, when = (review[key] for key in ("reviewerID", "asin", "unixReviewTime"))
        if user and item and abs(when) < 2**63:  # not so for a NaN
            return f"{user}", f"{item}", when
    except (ValueError, TypeError, KeyError, RecursionError):
        pass
    fail(path, f"is {shown(line)}; allowed is a JSON object with reviewerID and asin (text) and "
         "unixReviewTime (a number)", number)


def download(source: Source) -> Path:
    """Return the path of the source's archive in the user's cache, fetched if it is not there yet.

    Raises DownloadError, naming the address and what to do, if the server cannot be reached or
    refuses, the transfer breaks off, or the file fails its check. Then no archive is left.
    """
    def fetch(url, target, _):
        transfer(url, target)
        check(source, target)

    cache, name = Path(pooch.os_cache("casadv")), source.file_name
    files = pooch.create(cache, "", registry={name: source.md5}, urls={name: source.url},
                         retry_if_failed=RETRIES)
    try:
        with FileLock(cache / ".lock"):  # a second process waits, and finds the file
            return Path(files.fetch(name, downloader=fetch))
    except (OSError, ValueError) as error:
        raise DownloadError(
            f"{source.name}: no usable copy from {source.url} ({error}). Try again later, or "
            f"fetch it by other means, put it as {name} into a folder of your own and name that "
            "folder in the environment variable CASADV_DATA") from error


def check(source: Source, path: str) -> None:
    """Raise OSError, after which pooch does not try again, unless the counts are the known ones."""
    try:
        frame = k_core(source.read(Path(path))[0], CORE)
    except DataError as error:
        raise OSError(str(error)) from error
    if fault := source.fault(frame["user"].nunique(), frame["item"].nunique(), len(frame)):
        raise OSError(fault)


def transfer(url: str, target: str) -> None:
    """Write what `url` gives to the file `target`.

    Raises OSError: as requests does, at which pooch tries again, for no or another answer and a
    transfer that breaks off or stalls; else for one that never ends, or for a web page.
    """
    total, start = 0, time.monotonic()
    with (requests.get(url, stream=True, timeout=(CONNECT_SECONDS, READ_SECONDS)) as answer,
          open(target, "wb") as file,
          long_work(desc=url, unit="B", unit_scale=True, leave=True,
                    total=int(answer.headers.get("Content-Length", 0)) or None) as bar):
        answer.raise_for_status()
        try:
            while piece := answer.raw.read1(CHUNK, decode_content=True):
                if total == 0 and piece.lstrip().startswith(b"<"):
                    raise OSError("the server sent a web page in place of the file")
                total += file.write(piece)
                bar.update(len(piece))
                seconds = time.monotonic() - start
                if total > MOST_BYTES:
                    raise OSError(f"more than {MOST_BYTES:,} bytes came; allowed is less")
                if seconds > SLOW_SECONDS and total < SLOW_BYTES * seconds:
                    raise requests.Timeout(f"stalled: {total:,} bytes in {seconds:.0f} s")
        except urllib3.exceptions.HTTPError as error:
            raise requests.ConnectionError(f"the transfer broke off: {error}") from error


def _amazon(name: str, category: str, counts: tuple[int, int, int]) -> Source:
    file = f"reviews_{category}_5.json"
    return Source(name, f"{_AMAZON}/{file}.gz", read_amazon, counts, unpacked=file)


SOURCES = {source.name: source for source in (
    Source("ml-1m", f"{_MOVIELENS}/ml-1m.zip", read_movielens, (6_040, 3_416, 999_611),
           unpacked="ml-1m/ratings.dat", md5="md5:c4d9eecfca2ab87c1945afe126590906"),
    _amazon("beauty", "Beauty", (22_363, 12_101, 198_502)),
    _amazon("video", "Video_Games", (24_303, 10_672, 231_780)),
    _amazon("clothing", "Clothing_Shoes_and_Jewelry", (39_387, 23_033, 278_677)),
    Source("ml-latest-small", f"{_MOVIELENS}/ml-latest-small.zip", read_movielens,
           (610, 3_650, 90_274), unpacked="ml-latest-small/ratings.csv",
           # the published ratings.csv and movies.csv; links.csv and tags.csv are left out
           packed=Path(__file__).with_name("ml-latest-small") / "ml-latest-small.zip"),
)}
