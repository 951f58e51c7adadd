"""What is published: addresses, layouts, known counts, the download, the k-core filter."""

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pooch
from filelock import FileLock

from ..support.checks import DataError
from .readers import read_file

CORE = 5  # every published data set is filtered to its 5-core
RETRIES = 2  # where the server is out of reach, busy, breaks off or sends another file
SECONDS = 10.0, 30.0  # without an answer, without a byte
_MOVIELENS = "https://files.grouplens.org/datasets/movielens"
_AMAZON = "http://snap.stanford.edu/data/amazon/productGraph/categoryFiles"


@dataclass(frozen=True)
class Source:
    """One published data set."""

    name: str
    url: str  # the archive's official address
    counts: tuple[int, int, int]  # users, items, interactions after the 5-core filter
    unpacked: str  # path of the table in the zip, and in a folder of the reader's own (CASADV_DATA)
    columns: dict  # one at least, as `load_dataset` takes them, so that it is no histories' file
    titles: str = ""  # path of the table of film titles there
    film: dict | None = None  # columns of item and title, called user and item
    encoding: str = "utf-8-sig"
    md5: str | None = None  # "md5:..." of the archive, where one is published
    packed: Path | None = None  # an archive that comes with this package, so that none is fetched

    def read(self, path: Path) -> tuple:
        """Read the archive, or the table unpacked from it; returns what `read_file` does."""
        return read_file(path, self.columns, None, self.unpacked, self.encoding)

    def read_titles(self, path: Path) -> dict:
        """Return film titles by item id, from the archive or the table of titles itself."""
        _, rows, films, titles = read_file(path, self.film, None, self.titles, self.encoding)
        return dict(zip(films[rows["user"]].tolist(), titles[rows["item"]]))

    def fault(self, *counts: int) -> str:
        """Say how the counts of a 5-core (users, items, interactions) are others, or ""."""
        words = "{:,} users, {:,} items and {:,} interactions"
        return "" if counts == self.counts else (
            f"its {CORE}-core has {words.format(*counts)}, but the published data set has "
            f"{words.format(*self.counts)}")


def k_core(frame: pd.DataFrame, k: int) -> pd.DataFrame:
    """Return the largest part of `frame` where each user and each item has at least k rows.

    frame: columns user and item; other columns, the index and the order of rows stay as they are.
    k: from 1 (leaves everything), not checked. May return a frame without rows.

    Taking out a rare item can make a user too short, and taking out that user another item rare. So
    repeat until nothing goes. The end is the same whatever the order in which rows are taken out.
    """
    codes = np.stack([pd.factorize(frame[name])[0] for name in ("user", "item")])
    rows = np.flatnonzero((codes >= 0).all(axis=0))  # a missing id belongs to nobody
    while len(rows):
        users, items = codes[:, rows]
        stays = (np.bincount(users)[users] >= k) & (np.bincount(items)[items] >= k)
        if stays.all():
            break
        rows = rows[stays]
    return frame if len(rows) == len(frame) else frame.iloc[rows]


def download(source: Source) -> Path:
    """Return the path of the source's archive in the user's cache, fetched if it is not there yet.

    Raises DataError if the server cannot be reached or refuses, the transfer breaks off, or the
    file fails its check: the published MD5, if any, and the known counts. Then no archive is left.
    """
    fetch = pooch.HTTPDownloader(progressbar=not os.environ.get("CI"), timeout=SECONDS)

    def fetch_and_check(url, target, files):
        fetch(url, target, files)
        core = k_core(source.read(Path(target))[1], CORE)
        if fault := source.fault(*core.nunique(), len(core)):
            raise DataError(fault)

    cache, name = Path(pooch.os_cache("casadv")), Path(source.url).name
    files = pooch.create(cache, "", registry={name: source.md5}, urls={name: source.url},
                         retry_if_failed=RETRIES)
    try:
        with FileLock(cache / ".lock"):  # a second process waits, and finds the file
            return Path(files.fetch(name, downloader=fetch_and_check))
    except (OSError, ValueError) as error:
        raise DataError(
            f"{source.name}: no usable copy from {source.url} ({error}). Try again later, or "
            f"fetch it by other means, put it as {name} into a folder of your own and name that "
            "folder in the environment variable CASADV_DATA") from error


def _amazon(name: str, category: str, counts: tuple[int, int, int]) -> Source:
    file = f"reviews_{category}_5.json"
    return Source(name, f"{_AMAZON}/{file}.gz", counts, file, {"user": "reviewerID"})


SOURCES = {source.name: source for source in (
    Source("ml-1m", f"{_MOVIELENS}/ml-1m.zip", (6_040, 3_416, 999_611), "ml-1m/ratings.dat",
           {"user": 0, "item": 1, "timestamp": 3}, "ml-1m/movies.dat", {"user": 0, "item": 1},
           "latin-1", md5="md5:c4d9eecfca2ab87c1945afe126590906"),
    _amazon("beauty", "Beauty", (22_363, 12_101, 198_502)),
    _amazon("video", "Video_Games", (24_303, 10_672, 231_780)),
    _amazon("clothing", "Clothing_Shoes_and_Jewelry", (39_387, 23_033, 278_677)),
    Source("ml-latest-small", f"{_MOVIELENS}/ml-latest-small.zip", (610, 3_650, 90_274),
           "ml-latest-small/ratings.csv", {"user": "userId"}, "ml-latest-small/movies.csv",
           {"user": "movieId", "item": "title"},
           # the published ratings.csv and movies.csv; links.csv and tags.csv are left out
           packed=Path(__file__).with_name("ml-latest-small") / "ml-latest-small.zip"),
)}
