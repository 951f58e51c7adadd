"""Fetching the published data sets, and proving that what came is what was meant.

A file gets its final name in the cache only after its check: the published MD5 where there is
one, and always the known counts (users, items, interactions after the 5-core filter). So a
broken, partial or newer file never stays behind.
"""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pooch
import requests
import urllib3
from filelock import FileLock

from ..data import DataError
from ..support.progress import long_work
from .kcore import k_core

CORE = 5  # every published data set is filtered to its 5-core
PAUSES = (2.0, 10.0)  # seconds before the second and the third attempt
LONGEST_PAUSE = 60.0  # however long a server asks to wait
CONNECT_SECONDS, READ_SECONDS = 10.0, 30.0  # without an answer, without a byte
SLOW_SECONDS, SLOW_BYTES = 60.0, 1_000  # from then on at least so many bytes a second on average
MOST_BYTES = 2**29  # the largest published archive has 47 million
CHUNK = 1 << 16
PASSING = {429, 500, 502, 503, 504}  # answers that may be different soon


class DownloadError(DataError):
    """A data set that could not be fetched, or that is not the published one."""


@dataclass(frozen=True)
class Source:
    """One published data set."""

    name: str
    url: str  # the archive's official address
    read: Callable[[Path], tuple[pd.DataFrame, dict]]  # archive or unpacked file
    counts: tuple[int, int, int]  # users, items, interactions after the 5-core filter
    md5: str | None = None  # of the archive, where one is published
    unpacked: str = ""  # path of the unpacked file in a folder of the reader's own (CASADV_DATA)
    packed: Path | None = None  # an archive that comes with this package, so that none is fetched

    @property
    def file_name(self) -> str:
        return self.url.rsplit("/", 1)[-1]


def describe(counts: tuple[int, int, int]) -> str:
    """Return counts as words."""
    return "{:,} users, {:,} items and {:,} interactions".format(*counts)


def default_cache() -> Path:
    """Return the user's cache folder for downloads (never inside the repository)."""
    return Path(pooch.os_cache("casadv"))


def download(source: Source, cache: Path | str | None = None) -> Path:
    """Return the path of the source's archive in `cache`, fetching it if it is not there yet.

    cache: a folder, made if need be; default `default_cache()`.
    Raises DownloadError, naming the address and what to do, if the server cannot be reached or
    refuses, the transfer breaks off, or the file fails its check. Then no archive is left.
    """
    cache = Path(cache) if cache is not None else default_cache()
    final = cache / source.file_name
    partial = cache / f".partial-{source.file_name}"
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with FileLock(cache / ".lock"):  # a second process waits, and finds the file
            if not final.is_file():
                try:
                    transfer(source.url, partial)
                    check(source, partial)
                    os.replace(partial, final)
                finally:  # also after Ctrl-C; what a kill left is overwritten
                    partial.unlink(missing_ok=True)
    except (OSError, ValueError) as error:
        raise DownloadError(
            f"{source.name}: no usable copy from {source.url} ({error}). Try again later, or "
            f"fetch it by other means, put it as {source.file_name} into a folder of your own "
            "and name that folder in the environment variable CASADV_DATA") from error
    return final


def check(source: Source, path: Path) -> None:
    """Raise DownloadError unless `path` has the published MD5, and its 5-core the known counts."""
    if source.md5 and (md5 := pooch.file_hash(str(path), alg="md5")) != source.md5:
        raise DownloadError(f"its MD5 is {md5}, but the published one is {source.md5}")
    frame = k_core(source.read(path)[0], CORE)
    counts = (frame["user"].nunique(), frame["item"].nunique(), len(frame))
    if counts != source.counts:
        raise DownloadError(f"its {CORE}-core has {describe(counts)}, but the published "
                            f"data set has {describe(source.counts)}")


def transfer(url: str, target: Path) -> None:
    """Write what `url` gives to `target`, with three attempts where another may help.

    Raises OSError (all errors of requests are): no or another answer, a transfer that breaks off,
    stalls or never ends, redirects in a circle, a web page in place of a file.
    """
    for pause in (*PAUSES, None):
        try:
            return _attempt(url, target)
        except requests.HTTPError as error:
            if pause is None or error.response.status_code not in PASSING:
                raise
            asked = error.response.headers.get("Retry-After", "")
            pause = max(pause, min(float(asked), LONGEST_PAUSE) if asked.isdecimal() else 0)
        except (requests.ConnectionError, requests.Timeout):
            if pause is None:
                raise
        time.sleep(pause)


def _attempt(url: str, target: Path) -> None:
    with requests.get(url, stream=True, timeout=(CONNECT_SECONDS, READ_SECONDS)) as answer:
        answer.raise_for_status()
        try:
            _copy(answer, target)
        except urllib3.exceptions.HTTPError as error:
            raise requests.ConnectionError(f"the transfer broke off: {error}") from error
    with target.open("rb") as file:
        if file.read(100).lstrip().startswith(b"<"):
            raise OSError("the server sent a web page in place of the file")


def _copy(answer: requests.Response, target: Path) -> None:
    """Write the body to `target` piece by piece."""
    length = int(answer.headers.get("Content-Length", 0)) or None
    total, start = 0, time.monotonic()
    bar = long_work(desc=target.name, unit="B", unit_scale=True, total=length, leave=True)
    with bar, target.open("wb") as file:
        while piece := answer.raw.read1(CHUNK, decode_content=True):
            total += file.write(piece)
            bar.update(len(piece))
            seconds = time.monotonic() - start
            if total > MOST_BYTES:
                raise OSError(f"more than {MOST_BYTES:,} bytes came; allowed is less")
            if seconds > SLOW_SECONDS and total < SLOW_BYTES * seconds:
                raise requests.Timeout(f"stalled: {total:,} bytes in {seconds:.0f} s")
