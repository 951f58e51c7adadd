"""Fetching the published data sets, and proving that what came is what was meant.

A file gets its final name in the cache only after its check: the published MD5 where there is
one, and always the known counts (users, items, interactions after the 5-core filter). So a
broken, partial or newer file never stays behind. The transfer itself is in transfers.py.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pooch

from . import official
from .kcore import k_core
from .readers import DataError
from .transfers import transfer

PARTIAL = ".partial-"  # how folders of downloads under way begin
OLD_SECONDS = 24 * 3600
CORE = 5  # every published data set is filtered to its 5-core
_MOVIELENS = "https://files.grouplens.org/datasets/movielens"
_AMAZON = "http://snap.stanford.edu/data/amazon/productGraph/categoryFiles"


@dataclass(frozen=True)
class Source:
    """One published data set.

    url: the archive's official address
    read: archive or unpacked file -> (frame with user, item, timestamp; titles)
    counts: users, items, interactions after the 5-core filter
    md5: of the archive, or None where none is published
    unpacked: path of the unpacked file in a folder of the reader's own (CASADV_DATA)
    """

    name: str
    url: str
    read: Callable[[Path], tuple[pd.DataFrame, dict]]
    counts: tuple[int, int, int]
    md5: str | None = None
    unpacked: str = ""

    @property
    def file_name(self) -> str:
        return self.url.rsplit("/", 1)[-1]


def _amazon(name: str, category: str, counts: tuple[int, int, int]) -> Source:
    file = f"reviews_{category}_5.json"
    return Source(name, f"{_AMAZON}/{file}.gz", official.read_amazon, counts, unpacked=file)


SOURCES = {source.name: source for source in (
    Source("ml-1m", f"{_MOVIELENS}/ml-1m.zip", official.read_movielens_1m,
           (6_040, 3_416, 999_611), md5="c4d9eecfca2ab87c1945afe126590906",
           unpacked="ml-1m/ratings.dat"),
    _amazon("beauty", "Beauty", (22_363, 12_101, 198_502)),
    _amazon("video", "Video_Games", (24_303, 10_672, 231_780)),
    _amazon("clothing", "Clothing_Shoes_and_Jewelry", (39_387, 23_033, 278_677)),
    Source("ml-latest-small", f"{_MOVIELENS}/ml-latest-small.zip", official.read_movielens_small,
           (610, 3_650, 90_274), unpacked="ml-latest-small/ratings.csv"),
)}


class DownloadError(DataError):
    """A data set that could not be fetched, or that is not the published one."""


def default_cache() -> Path:
    """Return the user's cache folder for downloads (never inside the repository)."""
    return Path(pooch.os_cache("casadv"))


def download(source: Source, cache: Path | str | None = None) -> Path:
    """Return the path of the source's archive in `cache`, fetching it if it is not there yet.

    cache: a folder, made if need be; default `default_cache()`.
    Raises DownloadError, naming the address and what to do, if the server cannot be reached or
    refuses, the transfer breaks off, or the file fails its check. Then `cache` is as it was.
    """
    cache = Path(cache) if cache is not None else default_cache()
    final = cache / source.file_name
    if final.is_file():
        return final
    try:
        cache.mkdir(parents=True, exist_ok=True)
        _remove_old_partials(cache)
        with tempfile.TemporaryDirectory(dir=cache, prefix=PARTIAL) as folder:
            fetched = _fetch(source, Path(folder))
            check_counts(source, fetched)
            os.replace(fetched, final)
    except (OSError, ValueError) as error:
        raise DownloadError(
            f"{source.name}: no usable copy from {source.url} ({error}). Try again later, or "
            f"fetch it by other means, put it as {source.file_name} into a folder of your own "
            "and name that folder in the environment variable CASADV_DATA") from error
    return final


def _remove_old_partials(cache: Path) -> None:
    """Remove what downloads left that were killed; a younger one may be under way elsewhere."""
    for folder in cache.glob(f"{PARTIAL}*"):
        if time.time() - folder.stat().st_mtime > OLD_SECONDS:
            shutil.rmtree(folder, ignore_errors=True)


def _fetch(source: Source, folder: Path) -> Path:
    """Download into `folder` and compare the MD5, if one is published."""
    pooch.get_logger().setLevel("WARNING")  # its notes on unknown hashes would only puzzle
    known = f"md5:{source.md5}" if source.md5 else None
    return Path(pooch.retrieve(source.url, known, fname=source.file_name, path=folder,
                               downloader=transfer))


def check_counts(source: Source, path: Path):
    """Raise DownloadError unless the 5-core of `path` has the known counts."""
    frame = k_core(source.read(path)[0], CORE)
    found = (frame["user"].nunique(), frame["item"].nunique(), len(frame))
    if found != source.counts:
        raise DownloadError(f"its {CORE}-core has {describe(found)}, but the published "
                            f"data set has {describe(source.counts)}")


def describe(counts: tuple[int, int, int]) -> str:
    """Return counts as words."""
    return "{:,} users, {:,} items and {:,} interactions".format(*counts)
