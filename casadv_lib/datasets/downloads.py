"""Fetching the published data sets, and proving that what came is what was meant.

A file gets its final name in the cache only after its check: the published MD5 where there is
one, and always the known counts (users, items, interactions after the 5-core filter). So a
broken, partial or newer file is never taken for the published one.
"""

import time
from pathlib import Path

import pooch
import requests
import urllib3
from filelock import FileLock

from ..data import DataError
from ..support.progress import long_work
from .kcore import k_core
from .sources import CORE, Source

RETRIES = 2  # where the server is out of reach, busy or breaks off
CONNECT_SECONDS, READ_SECONDS = 10.0, 30.0  # without an answer, without a byte
SLOW_SECONDS, SLOW_BYTES = 60.0, 1_000  # from then on at least so many bytes a second on average
MOST_BYTES = 2**29  # the largest published archive has 47 million
CHUNK = 1 << 16


class DownloadError(DataError):
    """A data set that could not be fetched, or that is not the published one."""


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
