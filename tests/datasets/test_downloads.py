"""Fetching from servers on this machine that serve, cut off, stall, lie or send bombs.

What is wrong gives a clear error, nothing stays, and the next try works.
"""

import gzip
import hashlib
import json
import os
from dataclasses import replace

import pytest
from published import ARCHIVES, COUNTS, FILES, RATINGS, REVIEWS, zip_of

from casadv_lib import datasets
from casadv_lib.data import DataError
from casadv_lib.datasets import load_dataset, sources
from casadv_lib.datasets.sources import SOURCES, DownloadError, download

GOOD = ARCHIVES["beauty"]


def ok(content, length=True):
    head = b"Content-Length: %d\r\n" % len(content) if length else b""
    return b"HTTP/1.1 200 OK\r\n" + head + b"\r\n" + content


def error(code, reason, head=""):
    return f"HTTP/1.1 {code} {reason}\r\n{head}Content-Length: 0\r\n\r\n".encode()


def cached(tmp_path):
    return {path.name for path in (tmp_path / "cache").iterdir()} - {".lock"}


def refused(source, tmp_path, *words):
    """Assert that the download fails with these words and leaves nothing behind."""
    with pytest.raises(DownloadError) as caught:
        download(source)
    for word in (source.name, source.url, "CASADV_DATA", source.file_name, *words):
        assert word in str(caught.value)
    assert cached(tmp_path) == set()


@pytest.mark.parametrize("name", ARCHIVES)
def test_a_published_data_set_is_fetched_once_checked_and_sorted(
        name, serve, file, tmp_path, monkeypatch):
    content = ARCHIVES[name]
    source, asked = serve(name, [ok(content)], md5=f"md5:{hashlib.md5(content).hexdigest()}")
    data = load_dataset(name)
    assert cached(tmp_path) == {source.file_name}
    assert (data.n_users, data.n_items, data.n_interactions) == COUNTS
    assert [sequence.tolist() for sequence in data.sequences] == [[5, 4, 3, 2, 1]] * 6
    if name == "beauty":
        assert data.item_names == data.item_ids == ["", "B1", "B2", "B3", "B4", "B5"]
        assert data.user_ids == ["A10", "A3", "A4", "A5", "A6", "A9"]
    else:
        assert data.item_ids == ["", 1, 2, 3, 4, 5] and data.user_ids == [3, 4, 5, 6, 9, 10]
        assert data.item_names[1].startswith("Am\xe9lie")
        assert data.item_names[2:] == ["Heat (1995)", "3", "4", "5"]
    assert data.notes[0] == (f"{name}: the 5-core keeps 30 of 32 interactions, 6 of 7 users and 5 "
                             "of 6 items.")
    again = [load_dataset(name)]
    # a copy of one's own, packed or not, needs neither server nor cache
    monkeypatch.setattr(datasets, "download", None)
    monkeypatch.setenv("CASADV_DATA", str(tmp_path))
    archive = file(content, source.file_name)
    again.append(load_dataset(name))
    archive.unlink()
    for member, unpacked in FILES[name].items():
        file(unpacked, member)
    again.append(load_dataset(name))
    assert {one.fingerprint for one in again} == {data.fingerprint}
    assert all(one.item_names == data.item_names for one in again)
    assert asked == [f"GET /{source.file_name} HTTP/1.1"]


@pytest.mark.parametrize("name", ARCHIVES)
def test_other_counts_and_a_wrong_hash_are_refused_and_both_are_named(name, serve, tmp_path):
    content = ARCHIVES[name]
    source, _ = serve(name, [ok(content)])
    for counts in ((6, 5, 1_234), (5, 5, 30), (6, 4, 30)):
        refused(replace(source, counts=counts), tmp_path, "6 users, 5 items and 30 interactions",
                "{} users, {} items and {:,} interactions".format(*counts))
    refused(replace(source, md5="md5:" + "0" * 32), tmp_path, "0" * 32,
            hashlib.md5(content).hexdigest())


BOMB = {"ml-1m/ratings.dat": b"1::2::3::4\n" * 500_000}


@pytest.mark.parametrize("name, content, words", [
    ("beauty", gzip.compress(b"", mtime=0), "the file is empty"),
    ("beauty", GOOD[:-60], "ends early"),
    ("ml-1m", b"PK not really a zip", "holds no ratings.dat"),
    ("ml-1m", ARCHIVES["ml-1m"].replace(b"ratings.dat", b"r\x00tings.dat", 1), "is damaged"),
    ("ml-1m", zip_of({"ml-1m/README": b"x"}), "holds no ratings.dat"),
    ("ml-latest-small", zip_of({"ml-latest-small/ratings.csv": b"userId,rating\n1,2\n"}),
     "nothing is called 'movieId'"),
    ("ml-latest-small", zip_of({"ml-latest-small/ratings.csv": b"\n"}), "leaves open"),
    ("ml-1m", zip_of(BOMB), "unpacks to more than 1,000,000"),
    # one that understates its size is cut there by Python, and fails its checksum
    ("ml-1m", zip_of(BOMB, claim=100), "is damaged"),
    ("beauty", gzip.compress(b"x" * 30_000_000), "line 1"),
    ("beauty", gzip.compress(REVIEWS * 400), "unpacks to more than 1,000,000"),
])
def test_content_of_another_kind_and_bombs_are_refused(
        serve, tmp_path, monkeypatch, name, content, words):
    monkeypatch.setattr(sources, "MOST_MEMBER", 1_000_000)
    monkeypatch.setattr(sources, "MOST_UNPACKED", 1_000_000)
    source, _ = serve(name, [ok(content)])
    refused(source, tmp_path, words)


def test_members_that_point_elsewhere_write_nothing(serve, tmp_path):
    evil = ("../../escaped", "/tmp/casadv-escaped", "ml-1m/../../../escaped", "..\\escaped",
            "ml-1m/movies.dat/../../escaped", "C:\\escaped")
    members = {"ml-1m/ratings.dat": RATINGS} | dict.fromkeys(evil, b"evil")
    source, _ = serve("ml-1m", [ok(zip_of(members))])
    load_dataset("ml-1m")
    assert cached(tmp_path) == {source.file_name}
    assert {path.name for path in tmp_path.iterdir()} == {"cache"}
    assert not os.path.exists("/tmp/casadv-escaped") and not list(tmp_path.parent.glob("escaped"))


# ---------------------------------------------------------------- servers

# they say that they close: a client that went on at the same connection would race with that
AWAY = "Connection: close\r\nLocation: "
BAD_ANSWERS = {  # what is sent, what the error says, requests until it is raised
    "cut off": ([ok(GOOD)[:-50]], "broke off", 3),
    "cut off inside the head": ([b"HTTP/1.1 200 OK\r\nContent-Le"], "empty", 1),
    "silent": ([5.0], "timed out", 3),
    "stalls": ([ok(GOOD)[:-50], 5.0], "timed out", 3),
    "drips": ([ok(GOOD)[:-len(GOOD)], *[b"x", 0.1] * 60], "stalled", 3),
    "error 500": ([error(500, "Oops")], "500 Server Error: Oops", 3),
    "error 404": ([error(404, "Gone")], "404", 3),
    "redirects to itself": ([error(302, "Found", f"{AWAY}/{SOURCES['beauty'].file_name}\r\n")],
                            "redirects", 93),
    "redirects to a file": ([error(302, "Found", f"{AWAY}file:///etc/passwd\r\n")],
                            "file:///etc/passwd", 3),
    "a web page": ([ok(b"  <html>Log in</html>")], "web page", 1),
    "announces more": ([b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n"], "broke off", 3),
    "a gzip cut short": ([ok(GOOD[:-40], length=False)], "ends early", 1),
    "nothing": ([ok(b"")], "empty", 1),
    "not HTTP": ([b"\x00\x01\x02 hello\r\n\r\n"], "aborted", 3),
    "never ends": ([ok(b"", length=False), *[b"x" * 50_000] * 200], "more than 3,000,000", 1),
}


@pytest.mark.parametrize("name", BAD_ANSWERS)
def test_a_bad_server_is_named_and_nothing_stays_and_the_next_try_works(
        serve, tmp_path, monkeypatch, name):
    for limit, value in (("READ_SECONDS", 0.3), ("SLOW_SECONDS", 0.5), ("MOST_BYTES", 3_000_000)):
        monkeypatch.setattr(sources, limit, value)
    pieces, words, attempts = BAD_ANSWERS[name]
    # afterwards one more fault that passes, and then it works
    source, asked = serve("beauty", *[pieces] * attempts, [error(502, "Bad")], [ok(GOOD)])
    refused(source, tmp_path, words)
    assert len(asked) == attempts
    assert download(source).read_bytes() == GOOD
    assert load_dataset("beauty").n_users == COUNTS[0] and len(asked) == attempts + 2


def test_a_server_out_of_reach_is_refused(serve, tmp_path):
    source, _ = serve("beauty", [b""])
    refused(replace(source, url=f"http://127.0.0.1:1/{source.file_name}"), tmp_path)


def test_an_interrupt_leaves_nothing(serve, tmp_path, monkeypatch):
    source, _ = serve("beauty", [ok(GOOD)])
    with monkeypatch.context() as patch:
        patch.setattr(sources, "check", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            download(source)
    assert cached(tmp_path) == set()
    assert download(source).read_bytes() == GOOD


# ---------------------------------------------------------------- the layouts


@pytest.mark.parametrize("line, bad", [
    (2, b"1::2::3"), (1, b"1::2::3::4::5"), (2, b"1:2::3::4"), (1, b"1E100"), (3, b"1::::3::4"),
    (4, b"1::2::3::1e400"), (2, b"1::2::3::4::5\n1::2::3"),  # too long and too short in turn
])
def test_a_bad_rating_is_named_with_its_line(file, line, bad):
    lines = [b"1::2::3::4"] * 4
    lines[line - 1] = bad
    path = file(b"\n".join(lines), "ratings.dat")
    with pytest.raises(DataError, match=f"ratings.dat, line {line}: "):
        sources.read_movielens(path)
    long = 10**18 - 1  # no float holds it
    file(f"{long}::7::4::{long}\r\n\n".encode(), "ratings.dat")
    assert sources.read_movielens(path)[0].to_numpy().tolist() == [[long, 7, long]]


def review(**change):
    return json.dumps({"reviewerID": "A", "asin": "B", "unixReviewTime": 3} | change).encode()


@pytest.mark.parametrize("bad", [
    b"{'reviewerID': 'A'}", b"__import__('os').getcwd()", b"\xff\xfe", b"", b"[" * 100_000, b"[1]",
    review(reviewerID=None), review(asin=""), review(unixReviewTime="3"),
    review(unixReviewTime=2**63), review(unixReviewTime=float("nan"))])
def test_a_bad_review_is_named_with_its_line(file, bad):
    path = file(gzip.compress(review() + b"\n" + bad + b"\n" + review() + b"\n"), "x.json.gz")
    with pytest.raises(DataError, match="x.json.gz, line 2: .*allowed.*reviewerID") as caught:
        sources.read_amazon(path)
    assert repr(bad + b"\n")[:200] in str(caught.value)


def test_reviews_of_one_day_stay_in_the_order_of_the_file(file):
    days = [("D", 2), ("C", 1), ("A", 1), ("B", 1)]
    lines = b"".join(review(asin=asin, unixReviewTime=day) + b"\n" for asin, day in days)
    path = file(lines, "reviews_X_5.json")  # some servers unpack the gzip on the way
    data = load_dataset(sources.read_amazon(path)[0])
    assert [data.item_ids[item] for item in data.sequences[0]] == ["C", "A", "B", "D"]


@pytest.mark.parametrize("name, content, line", [
    ("movies.dat", "1::Heat::Crime\n\nnonsense\n", 3), ("movies.dat", "x::Heat::Crime\n", 1),
    ("movies.csv", "movieId,title,genres\n1,Heat,Crime\n2\n", 3)])
def test_a_bad_title_is_named_with_its_line(file, name, content, line):
    path = file(content, name)
    with pytest.raises(DataError, match=f"{name}, line {line}: "):
        sources.read_titles(path.with_name("ratings.csv"))
    assert sources.read_titles(path.parent / "elsewhere" / name) == {}
