"""One file over HTTP from a server that may do anything: patient, polite and bounded.

A broken or slow transfer and a server's own fault are tried again, a few times and with pauses;
what will not change by asking again is not.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

import requests
import urllib3
from tqdm import tqdm

ATTEMPTS = 3
PAUSES = (2.0, 10.0)  # seconds before the second and the third attempt
LONGEST_PAUSE = 60.0  # however long a server asks to wait
CONNECT_SECONDS, READ_SECONDS = 10.0, 30.0  # without an answer, without a byte
SLOW_SECONDS, SLOW_BYTES = 60.0, 60_000  # give up on less than so many bytes in so many seconds
MOST_BYTES = 2**29  # the largest published archive has 47 million
MOST_REDIRECTS = 5
CHUNK = 1 << 16
PASSING = {429, 500, 502, 503, 504}  # answers that may be different soon


class TransferError(OSError):
    """A file that did not come; the message says why."""


class _Passing(TransferError):
    """The same, worth another attempt; pause: seconds the server asks for."""

    def __init__(self, message: str, pause: float = 0.0):
        super().__init__(message)
        self.pause = pause


def transfer(url: str, target: Path | str, _=None) -> None:
    """Write what `url` gives to the file `target`; the third argument is for pooch.

    Raises TransferError for no or another answer, a transfer that breaks off, stalls or never
    ends, more than MOST_REDIRECTS redirects, and a web page in place of a file.
    """
    for attempt in range(1, ATTEMPTS + 1):
        try:
            return _attempt(url, Path(target))
        except _Passing as error:
            if attempt == ATTEMPTS:
                raise TransferError(f"{error}; tried {ATTEMPTS} times") from error
            time.sleep(max(PAUSES[attempt - 1], min(error.pause, LONGEST_PAUSE)))


def _attempt(url: str, target: Path) -> None:
    try:
        with requests.Session() as session:
            session.max_redirects = MOST_REDIRECTS
            wait = (CONNECT_SECONDS, READ_SECONDS)
            with session.get(url, stream=True, timeout=wait) as answer:
                _check_status(answer)
                _copy(answer, target)
    except requests.TooManyRedirects as error:
        raise TransferError(f"more than {MOST_REDIRECTS} redirects, or in a circle") from error
    except (requests.ConnectionError, requests.Timeout) as error:
        raise _Passing(f"no connection: {error}") from error
    except requests.RequestException as error:  # an address that is none, a scheme not allowed
        raise TransferError(str(error)) from error
    except urllib3.exceptions.ReadTimeoutError as error:
        raise _Passing(f"the transfer stalled: no byte in {READ_SECONDS:g} s") from error
    except urllib3.exceptions.HTTPError as error:
        raise _Passing(f"the transfer broke off: {error}") from error
    with target.open("rb") as file:
        if file.read(100).lstrip().startswith(b"<"):
            raise TransferError("the server sent a web page in place of the file")


def _check_status(answer: requests.Response) -> None:
    if answer.status_code == 200:
        return
    words = f"the server answered {answer.status_code} {answer.reason}"
    if answer.status_code in PASSING:
        asked = answer.headers.get("Retry-After", "")
        raise _Passing(words, float(asked) if asked.isdecimal() and len(asked) < 9 else 0.0)
    raise TransferError(words)


def _copy(answer: requests.Response, target: Path) -> None:
    """Write the body to `target` piece by piece."""
    length = answer.headers.get("Content-Length", "")
    length = int(length) if length.isdecimal() and len(length) < 19 else None
    if length is not None and length > MOST_BYTES:
        raise TransferError(f"the server announces {length:,} bytes; allowed are {MOST_BYTES:,}")
    total, since, then = 0, time.monotonic(), 0
    bar = tqdm(total=length, unit="B", unit_scale=True, desc=target.name,
               disable=bool(os.environ.get("CI")))
    with bar, target.open("wb") as file:
        while piece := answer.raw.read1(CHUNK, decode_content=True):
            file.write(piece)
            total += len(piece)
            bar.update(len(piece))
            if total > MOST_BYTES:
                raise TransferError(f"more than {MOST_BYTES:,} bytes came; allowed is less")
            if time.monotonic() - since > SLOW_SECONDS:
                if total - then < SLOW_BYTES:
                    raise _Passing(f"the transfer stalled: {total - then:,} bytes in "
                                   f"{SLOW_SECONDS:g} s")
                since, then = time.monotonic(), total
    if length is not None and answer.raw.tell() != length:
        raise _Passing(f"the transfer broke off: {answer.raw.tell():,} of {length:,} bytes came")
