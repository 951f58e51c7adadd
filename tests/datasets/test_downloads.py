"""Published data sets: fetched from servers on this machine that serve, cut off, stall or lie.

What is wrong gives a clear error, nothing stays, and the next try works.
"""

import gzip
import hashlib
import json
from dataclasses import replace
from pathlib import Path

import pooch
import pytest
from published import ARCHIVES, COUNTS, FILES, REVIEWS, zip_of

from casadv_lib import datasets
from casadv_lib.data import DataError
from casadv_lib.datasets import load_dataset, sources
from casadv_lib.datasets.sources import SOURCES, download

GOOD = ARCHIVES["beauty"]


def ok(content, length=True):
    head = b"Content-Length: %d\r\n" % len(content) if length else b""
    return b"HTTP/1.1 200 OK\r\n" + head + b"\r\n" + content


def error(code, reason):
    return f"HTTP/1.1 {code} {reason}\r\nContent-Length: 0\r\n\r\n".encode()


def cached(tmp_path):
    return {path.name for path in (tmp_path / "cache").iterdir()} - {".lock"}


def refused(source, tmp_path, *words):
    """Assert that the download fails with these words and leaves nothing behind."""
    with pytest.raises(DataError) as caught:
        download(source)
    for word in (source.name, source.url, "CASADV_DATA", Path(source.url).name, *words):
        assert word in str(caught.value)
    assert cached(tmp_path) == set()


@pytest.mark.parametrize("name", ARCHIVES)
def test_a_published_data_set_is_fetched_once_checked_and_sorted(
        name, serve, file, tmp_path, monkeypatch):
    content = ARCHIVES[name]
    source, asked = serve(name, ok(content), md5=f"md5:{hashlib.md5(content).hexdigest()}")
    data = load_dataset(name)
    assert cached(tmp_path) == {Path(source.url).name}
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
    archive = file(content, Path(source.url).name)
    again.append(load_dataset(name))
    archive.unlink()
    for member, unpacked in FILES[name].items():
        file(unpacked, member)
    again.append(load_dataset(name))
    assert {one.fingerprint for one in again} == {data.fingerprint}
    assert all(one.item_names == data.item_names for one in again)
    assert asked == [f"GET /{Path(source.url).name} HTTP/1.1"]


@pytest.mark.parametrize("name", ARCHIVES)
def test_other_counts_and_a_wrong_hash_are_refused_and_both_are_named(name, serve, tmp_path):
    content = ARCHIVES[name]
    source, _ = serve(name, ok(content))
    for counts in ((6, 5, 1_234), (5, 5, 30), (6, 4, 30)):
        refused(replace(source, counts=counts), tmp_path, "6 users, 5 items and 30 interactions",
                "{} users, {} items and {:,} interactions".format(*counts))
    refused(replace(source, md5="md5:" + "0" * 32), tmp_path, "0" * 32,
            hashlib.md5(content).hexdigest())


BAD_ANSWERS = {  # what is sent, what the error says
    "cut off": (ok(GOOD)[:-50], "IncompleteRead"),
    "silent": (0.6, "timed out"),
    "error 500": (error(500, "Oops"), "500 Server Error: Oops"),
    "not HTTP": (b"\x00\x01\x02 hello\r\n\r\n", "aborted"),
    "a web page": (ok(b"  <html>Log in</html>"), "'  <html>Log in</html>' leaves open"),
    "a gzip cut short": (ok(GOOD[:-40], length=False), "damaged"),
    "other reviews": (ok(gzip.compress(REVIEWS[:999])), "but the published data set has 6 users"),
}


@pytest.mark.parametrize("name", BAD_ANSWERS)
def test_a_bad_server_is_named_and_nothing_stays_and_the_next_try_works(
        serve, tmp_path, monkeypatch, name):
    monkeypatch.setattr(sources, "SECONDS", (0.5, 0.5))
    answer, words = BAD_ANSWERS[name]
    # afterwards one more fault that passes, and then it works
    source, asked = serve("beauty", *[answer] * 3, error(502, "Bad"), ok(GOOD))
    refused(source, tmp_path, words)
    assert len(asked) == 3
    assert download(source).read_bytes() == GOOD
    assert load_dataset("beauty").n_users == COUNTS[0] and len(asked) == 5


def test_a_server_out_of_reach_is_refused_and_an_interrupt_leaves_nothing(
        serve, tmp_path, monkeypatch):
    source, _ = serve("beauty", ok(GOOD))
    refused(replace(source, url=f"http://127.0.0.1:1/{Path(source.url).name}"), tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(pooch.core, "hash_matches", lambda *_, **__: (_ for _ in ()).throw(
            KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            download(source)
    assert cached(tmp_path) == set()
    assert download(source).read_bytes() == GOOD


# ---------------------------------------------------------------- the layouts


@pytest.mark.parametrize("member, content, words", [
    ("ml-1m/README", b"x", "holds the files 'ml-1m/README'"),
    ("ml-1m/ratings.dat", b"1::2::3::4\n1::2::3::4\n1::::3::4", "line 3: row 3 has item ''"),
    ("ml-1m/ratings.dat", b"1::2::3::4\n1::2::3::4::5\n1::2::3\n", "line 2: does not fit"),
])
def test_a_bad_rating_is_named_with_its_line(file, member, content, words):
    with pytest.raises(DataError, match=f"x.zip(, |: ){words}"):
        SOURCES["ml-1m"].read(file(zip_of({member: content}), "x.zip"))


def review(**change):
    return json.dumps({"reviewerID": "A", "asin": "B", "unixReviewTime": 3} | change).encode()


@pytest.mark.parametrize("bad", [
    b"{'reviewerID': 'A'}", b"__import__('os').getcwd()", b"\xff\xfe", b"[" * 100_000, b"[1]",
    review(reviewerID=None), review(asin=""), review(unixReviewTime="soon"),
    review(unixReviewTime=float("nan"))])
def test_a_bad_review_is_named_with_its_line(file, bad):
    path = file(gzip.compress(review() + b"\n" + bad + b"\n" + review() + b"\n"), "x.json.gz")
    with pytest.raises(DataError, match="x.json.gz, line 2: "):
        SOURCES["beauty"].read(path)
