"""Servers that cut off, stall, lie or send bombs: a clear error, nothing stays, the next try works.

Every server is a real one on this machine.
"""

import contextlib
import gzip
import io
import os
import socket
import struct
import threading
import time
import zipfile

import pytest
from test_downloads import ARCHIVES, COUNTS, SOURCES, reviews, serve, server  # noqa: F401

from casadv_lib.datasets import downloads, load_dataset, official, transfers
from casadv_lib.datasets.downloads import DownloadError, download

FILE = "/" + SOURCES["beauty"].file_name
GOOD = ARCHIVES["beauty"]()
OK = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(GOOD)


@pytest.fixture
def rude(serve):  # noqa: F811
    """Set what a raw server does, connection by connection; returns the Source and the log.

    Each entry is a list of pieces to send: bytes, or seconds to wait; then the connection closes.
    The last entry stands for all later connections.
    """
    listener = socket.create_server(("127.0.0.1", 0))
    log, ended = [], threading.Event()

    def answer(connection, pieces):
        with connection, contextlib.suppress(OSError):  # the other side may leave
            for piece in pieces:
                if isinstance(piece, bytes):
                    connection.sendall(piece)
                elif ended.wait(piece):
                    return

    def listen(script):
        with contextlib.suppress(OSError):  # when the test is over
            while True:
                connection, _ = listener.accept()
                log.append(connection.recv(65536).split(b"\r\n")[0].decode())
                pieces = script[min(len(log), len(script)) - 1]
                threading.Thread(target=answer, args=(connection, pieces), daemon=True).start()

    def set_up(*script):
        address = f"http://127.0.0.1:{listener.getsockname()[1]}{FILE}"
        source = serve("beauty", b"", url=address)
        threading.Thread(target=listen, args=(script,), daemon=True).start()
        return source, log

    yield set_up
    ended.set()
    listener.close()


def refused(source, tmp_path, *words):
    with pytest.raises(DownloadError) as error:
        download(source, tmp_path / "cache")
    for word in (source.name, source.url, "CASADV_DATA", *words):
        assert word in str(error.value)
    assert list((tmp_path / "cache").iterdir()) == []


BAD_ANSWERS = {
    "cut off": ([OK + GOOD[:50]], "broke off", 3),
    "cut off inside the head": ([b"HTTP/1.1 200 OK\r\nContent-Le"], "empty", 1),
    "silent": ([5.0], "tried 3 times", 3),
    "stalls": ([OK + GOOD[:50], 5.0], "stalled", 3),
    "drips": ([OK, *[b"x", 0.1] * 60], "stalled", 3),
    "error 500": ([b"HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n"], "500 Oops; tried 3", 3),
    "busy": ([b"HTTP/1.1 503 Busy\r\nRetry-After: x\r\nContent-Length: 0\r\n\r\n"], "503", 3),
    "error 404": ([b"HTTP/1.1 404 Gone\r\nContent-Length: 0\r\n\r\n"], "answered 404 Gone", 1),
    # it says that it closes: a client that went on at the same connection would race with that
    "redirects to itself": ([b"HTTP/1.1 302 Found\r\nConnection: close\r\nLocation: "
                             + FILE.encode() + b"\r\nContent-Length: 0\r\n\r\n"], "redirects", 6),
    "redirects to a file": ([b"HTTP/1.1 302 Found\r\nLocation: file:///etc/passwd\r\n"
                             b"Connection: close\r\nContent-Length: 0\r\n\r\n"],
                            "file:///etc/passwd", 1),
    "a web page": ([b"HTTP/1.1 200 OK\r\nContent-Length: 21\r\n\r\n  <html>Log in</html>"],
                   "web page", 1),
    "announces too much": ([b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n"],
                           "announces 99,999,999,999 bytes", 1),
    "a gzip cut short": ([b"HTTP/1.1 200 OK\r\n\r\n" + GOOD[:-40]], "the gzip ends early", 1),
    "nothing": ([b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"], "empty", 1),
    "not HTTP": ([b"\x00\x01\x02 hello\r\n\r\n"], "tried 3 times", 3),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD_ANSWERS)
def test_a_bad_server_is_named_and_nothing_stays_and_the_next_try_works(
        rude, tmp_path, monkeypatch, name):
    monkeypatch.setattr(transfers, "READ_SECONDS", 0.3)
    monkeypatch.setattr(transfers, "SLOW_SECONDS", 0.5)
    pieces, words, asked = BAD_ANSWERS[name]
    source, log = rude(*[pieces] * asked, [OK + GOOD])
    refused(source, tmp_path, words)
    assert len(log) == asked
    assert download(source, tmp_path / "cache").read_bytes() == GOOD
    assert load_dataset("beauty").n_users == COUNTS[0]


def test_a_passing_fault_is_tried_again_and_heals(rude, tmp_path):
    source, log = rude([OK + GOOD[:50]], [b"HTTP/1.1 502 Bad\r\nContent-Length: 0\r\n\r\n"],
                       [OK + GOOD])
    assert download(source, tmp_path / "cache").read_bytes() == GOOD
    assert len(log) == 3


def test_a_server_may_ask_for_a_pause_but_not_for_a_day(rude, tmp_path, monkeypatch):
    monkeypatch.setattr(transfers, "LONGEST_PAUSE", 0.7)
    busy = [b"HTTP/1.1 503 Busy\r\nRetry-After: 86400\r\nContent-Length: 0\r\n\r\n"]
    source, _ = rude(busy, [OK + GOOD])
    started = time.monotonic()
    download(source, tmp_path / "cache")
    assert 0.7 <= time.monotonic() - started < 10


def test_a_file_without_end_is_left(rude, tmp_path, monkeypatch):
    monkeypatch.setattr(transfers, "MOST_BYTES", 3_000_000)
    source, _ = rude([b"HTTP/1.1 200 OK\r\n\r\n", *[b"x" * 500_000] * 200])
    refused(source, tmp_path, "more than 3,000,000 bytes")


def test_a_killed_download_leaves_nothing_for_ever(serve, tmp_path):  # noqa: F811
    cache = tmp_path / "cache"
    for name, age in (("old", 2 * downloads.OLD_SECONDS), ("new", 60)):
        (cache / f".partial-{name}").mkdir(parents=True)
        (cache / f".partial-{name}" / "half").write_bytes(b"x")
        os.utime(cache / f".partial-{name}", (time.time() - age,) * 2)
    source = serve("beauty", GOOD)
    download(source, cache)
    assert {path.name for path in cache.iterdir()} == {source.file_name, ".partial-new"}


# ------------------------------------------------------------------ archives that mean harm


def archive(members, claim=None):
    """A zip with these members; `claim` overwrites the unpacked size that it states."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in members.items():
            file.writestr(name, content)
    raw = bytearray(made.getvalue())
    if claim is not None:
        for signature, offset in ((b"PK\x01\x02", 24), (b"PK\x03\x04", 22)):
            struct.pack_into("<I", raw, raw.index(signature) + offset, claim)
    return bytes(raw)


RATINGS = zipfile.ZipFile(io.BytesIO(ARCHIVES["ml-1m"]())).read("ml-1m/ratings.dat")
EVIL_NAMES = ("../../escaped", "/tmp/casadv-escaped", "ml-1m/../../../escaped", "..\\escaped",
              "ml-1m/movies.dat/../../escaped", "C:\\escaped")


def test_members_that_point_elsewhere_write_nothing(serve, tmp_path):  # noqa: F811
    members = {"ml-1m/ratings.dat": RATINGS} | {name: b"evil" for name in EVIL_NAMES}
    source = serve("ml-1m", archive(members))
    before = {path for path in tmp_path.rglob("*")}
    load_dataset("ml-1m")
    made = {path for path in tmp_path.rglob("*")} - before
    assert made == {tmp_path / "cache", tmp_path / "cache" / source.file_name}
    assert not os.path.exists("/tmp/casadv-escaped") and not list(tmp_path.parent.glob("escaped"))


@pytest.mark.parametrize("claim", [None, 100])
def test_a_zip_bomb_is_refused_whatever_size_it_claims(
        serve, tmp_path, monkeypatch, claim):  # noqa: F811
    monkeypatch.setattr(official, "MOST_MEMBER", 1_000_000)
    bomb = archive({"ml-1m/ratings.dat": b"1::2::3::4\n" * 500_000}, claim)
    assert len(bomb) < 20_000
    # one that understates its size is cut there by Python, and fails its checksum
    refused(serve("ml-1m", bomb), tmp_path,
            "unpacks to more than 1,000,000" if claim is None else "the zip is damaged")


@pytest.mark.parametrize("content", [b"x" * 30_000_000, b'{"reviewerID": "A", "asin": "B", '
                                     b'"unixReviewTime": 1}\n' * 40_000])
def test_a_gzip_bomb_is_refused(serve, tmp_path, monkeypatch, content):  # noqa: F811
    monkeypatch.setattr(official, "MOST_UNPACKED", 1_000_000)
    refused(serve("beauty", gzip.compress(content)), tmp_path, "line ", "allowed is")


def test_the_limits_leave_room_for_the_published_files():
    assert official.MOST_MEMBER > 8 * 24_594_131  # ml-1m's ratings.dat
    assert official.MOST_UNPACKED > 3 * 318_000_000 and transfers.MOST_BYTES > 8 * 47_000_000
    assert official.MOST_LINE > 50 * len(max(reviews().splitlines(), key=len))
