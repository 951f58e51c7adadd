"""Fetching against a local server that serves small archives of exactly the official layouts."""

import gzip
import hashlib
import io
import json
import threading
import zipfile
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from casadv_lib.data import DataError
from casadv_lib.datasets import downloads, from_interactions, load_dataset, official, transfers
from casadv_lib.datasets.downloads import SOURCES, DownloadError, download

COUNTS = (6, 5, 30)  # of the 5-core of the interactions below


def interactions():
    """Six users with five items each, newest first in the file, and one user too short."""
    rows = [(user, item, 900 - 10 * item) for user in (10, 9, 3, 4, 5, 6) for item in range(1, 6)]
    return [*rows, (7, 1, 50), (7, 99, 60)]


def zip_of(members):
    """Return the bytes of a zip with these members (name -> bytes)."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return packed.getvalue()


def ml_1m_members():
    ratings = "".join(f"{user}::{item}::4::{when}\n" for user, item, when in interactions())
    movies = "1::Am\xe9lie (2001)::Comedy|Romance\n2::Heat (1995)::Crime\n"
    return {"ml-1m/ratings.dat": ratings.encode("latin-1"),
            "ml-1m/movies.dat": movies.encode("latin-1")}


def ml_small_members():
    ratings = "".join(f"{user},{item},4.0,{when}\r\n" for user, item, when in interactions())
    movies = 'movieId,title,genres\r\n1,"Am\xe9lie, the (2001)",Comedy\r\n2,Heat (1995),Crime\r\n'
    return {"ml-latest-small/ratings.csv": ("userId,movieId,rating,timestamp\r\n" + ratings)
            .encode(), "ml-latest-small/movies.csv": movies.encode()}


def reviews():
    """Return the lines of an Amazon file; the text would run under eval, and must not."""
    return "".join(json.dumps({
        "reviewerID": f"A{user}", "asin": f"B{item}", "overall": 5.0, "unixReviewTime": when,
        "reviewText": "line\u2028end", "helpful": [0, 0], "verified": True}) + "\n"
        for user, item, when in interactions()).encode()


@pytest.fixture
def server():
    """A web server: `server.files` maps paths to bytes, `server.cut` breaks transfers off."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            http.asked.append(self.path)
            content = http.files.get(self.path)
            if content is None:
                self.send_error(404)
                return
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content[:len(content) // 2] if http.cut else content)

        def log_message(self, *args):
            pass

    http = HTTPServer(("127.0.0.1", 0), Handler)
    http.files, http.cut, http.asked = {}, False, []
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield http
    http.shutdown()
    thread.join()
    http.server_close()


@pytest.fixture
def serve(server, monkeypatch, tmp_path):
    """Return a function that serves bytes as a published data set and gives its Source."""
    monkeypatch.delenv("CASADV_DATA", raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(transfers, "PAUSES", (0.01, 0.02))
    monkeypatch.setattr(downloads, "default_cache", lambda: tmp_path / "cache")

    def set_up(name, content, **change):
        source = SOURCES[name]
        server.files["/" + source.file_name] = content
        url = f"http://127.0.0.1:{server.server_port}/{source.file_name}"
        change = {"url": url, "counts": COUNTS, "md5": None} | change
        monkeypatch.setitem(SOURCES, name, replace(source, **change))
        return SOURCES[name]
    return set_up


ARCHIVES = {"ml-1m": lambda: zip_of(ml_1m_members()),
            "ml-latest-small": lambda: zip_of(ml_small_members()),
            "beauty": lambda: gzip.compress(reviews())}


@pytest.mark.parametrize("name", ARCHIVES)
def test_a_published_data_set_is_fetched_once_checked_and_sorted(name, serve, server, tmp_path):
    content = ARCHIVES[name]()
    source = serve(name, content, md5=hashlib.md5(content).hexdigest())
    data = load_dataset(name)
    assert [path.name for path in (tmp_path / "cache").iterdir()] == [source.file_name]
    assert (data.n_users, data.n_items, data.n_interactions) == COUNTS
    assert [sequence.tolist() for sequence in data.sequences] == [[5, 4, 3, 2, 1]] * 6
    if name == "beauty":
        assert data.item_ids == ["", "B1", "B2", "B3", "B4", "B5"]
        assert data.item_names == data.item_ids
        assert data.user_ids == ["A10", "A3", "A4", "A5", "A6", "A9"]
    else:
        assert data.item_ids == ["", 1, 2, 3, 4, 5] and data.user_ids == [3, 4, 5, 6, 9, 10]
        assert data.item_names[1].startswith("Am\xe9lie")
        assert data.item_names[2:] == ["Heat (1995)", "3", "4", "5"]
    assert load_dataset(name).fingerprint == data.fingerprint
    assert server.asked == ["/" + source.file_name]


@pytest.mark.parametrize("name", ARCHIVES)
def test_archives_and_unpacked_files_in_casadv_data_need_no_server(
        name, serve, server, tmp_path, monkeypatch):
    serve(name, b"")
    monkeypatch.setenv("CASADV_DATA", str(tmp_path))
    (tmp_path / SOURCES[name].file_name).write_bytes(ARCHIVES[name]())
    packed = load_dataset(name)
    (tmp_path / SOURCES[name].file_name).unlink()
    members = {"ml-1m": ml_1m_members, "ml-latest-small": ml_small_members,
               "beauty": lambda: {"reviews_Beauty_5.json": reviews()}}[name]()
    for member, content in members.items():
        (tmp_path / member).parent.mkdir(exist_ok=True)
        (tmp_path / member).write_bytes(content)
    unpacked = load_dataset(name)
    assert unpacked.fingerprint == packed.fingerprint
    assert unpacked.item_names == packed.item_names
    assert server.asked == []


def refused(source, tmp_path, *words):
    """Assert that the download fails with these words and leaves nothing behind."""
    with pytest.raises(DownloadError) as error:
        download(source, tmp_path / "cache")
    for word in (source.name, source.url, "CASADV_DATA", source.file_name, *words):
        assert word in str(error.value)
    assert list((tmp_path / "cache").iterdir()) == []


def test_a_wrong_hash_is_refused(serve, tmp_path):
    content = ARCHIVES["ml-1m"]()
    refused(serve("ml-1m", content, md5="0" * 32), tmp_path, "0" * 32,
            hashlib.md5(content).hexdigest())


@pytest.mark.parametrize("name", ARCHIVES)
def test_other_counts_are_refused_and_both_are_named(name, serve, tmp_path):
    refused(serve(name, ARCHIVES[name](), counts=(6, 5, 1_234)), tmp_path,
            "6 users, 5 items and 30 interactions", "6 users, 5 items and 1,234 interactions")


def test_a_missing_file_is_refused(serve, server, tmp_path):
    source = serve("beauty", b"")
    server.files.clear()
    refused(source, tmp_path, "404")


def test_a_server_out_of_reach_is_refused(serve, tmp_path):
    refused(serve("beauty", b"", url="http://127.0.0.1:1/" + SOURCES["beauty"].file_name), tmp_path)


def test_a_transfer_that_breaks_off_is_refused(serve, server, tmp_path):
    source = serve("beauty", ARCHIVES["beauty"]())
    server.cut = True
    refused(source, tmp_path)
    server.cut = False
    assert download(source, tmp_path / "cache").is_file()


def test_a_cut_gzip_is_refused(serve, tmp_path):
    refused(serve("beauty", ARCHIVES["beauty"]()[:-60]), tmp_path, "the gzip ends early")


@pytest.mark.parametrize("name, content, words", [
    ("beauty", gzip.compress(b"", mtime=0), "the file is empty"),
    ("beauty", b"<html>moved</html>", "a web page in place of the file"),
    ("ml-1m", b"PK not really a zip", "the zip is damaged"),
    ("ml-1m", zip_of({"ml-1m/README": b"x"}), "the zip has no ml-1m/ratings.dat"),
    ("ml-latest-small", zip_of({"ml-latest-small/ratings.csv": b"userId,rating\n1,2\n"}),
     "the column 'movieId' is missing"),
])
def test_content_of_another_kind_is_refused(serve, tmp_path, name, content, words):
    refused(serve(name, content), tmp_path, words)


def test_an_interrupted_download_leaves_nothing(serve, tmp_path, monkeypatch):
    source = serve("beauty", ARCHIVES["beauty"]())

    def interrupt(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr(downloads, "check_counts", interrupt)
    with pytest.raises(KeyboardInterrupt):
        download(source, tmp_path / "cache")
    assert list((tmp_path / "cache").iterdir()) == []


# ---------------------------------------------------------------- the layouts


@pytest.mark.parametrize("line, bad", [
    (2, b"1::2::3"), (1, b"1::2::3::4::5"), (3, b"1::2::x::4"), (2, b"1:2::3::4"),
    (2, b"1,2,3,4"), (1, b"1::2::-3::4"),
])
def test_a_bad_rating_is_named_with_its_line(tmp_path, line, bad):
    lines = [b"1::2::3::4"] * 4
    lines[line - 1] = bad
    path = tmp_path / "ratings.dat"
    path.write_bytes(b"\n".join(lines))
    with pytest.raises(DataError, match=f"ratings.dat, line {line}: .*UserID::MovieID"):
        official.read_movielens_1m(path)


def test_one_rating_too_long_and_one_too_short_do_not_cancel_out(tmp_path):
    path = tmp_path / "ratings.dat"
    path.write_bytes(b"1::2::3::4\n1::2::3::4::5\n1::2::3\n")
    with pytest.raises(DataError, match="line 2"):
        official.read_movielens_1m(path)


@given(st.lists(st.tuples(*[st.integers(0, 10**9)] * 4), min_size=1, max_size=20),
       st.sampled_from(["\n", "\r\n"]))
@settings(max_examples=40, deadline=None)
def test_ratings_come_back_in_file_order(tmp_path_factory, rows, newline):
    path = tmp_path_factory.mktemp("ml") / "ratings.dat"
    path.write_bytes("".join("::".join(map(str, row)) + newline for row in rows).encode())
    frame, titles = official.read_movielens_1m(path)
    assert frame.to_numpy().tolist() == [[row[0], row[1], row[3]] for row in rows]
    assert titles == {}


def review(**change):
    return json.dumps({"reviewerID": "A", "asin": "B", "unixReviewTime": 3} | change).encode()


@pytest.mark.parametrize("bad, words", [
    (b"{'reviewerID': 'A'}", "not a JSON object"),
    (b"__import__('os').getcwd()", "not a JSON object"),
    (b"\xff\xfe", "not a JSON object"),
    (b"", "not a JSON object"),
    (b"[1]", "reviewerID is None"),
    (review(reviewerID=7), "reviewerID is 7"),
    (review(asin=""), "asin is ''"),
    (review(unixReviewTime="3"), "unixReviewTime is '3'"),
    (review(unixReviewTime=True), "unixReviewTime is True"),
    (review(unixReviewTime=float("nan")), "unixReviewTime is nan"),
])
def test_a_bad_review_is_named_with_its_line(tmp_path, bad, words):
    path = tmp_path / "reviews_X_5.json.gz"
    path.write_bytes(gzip.compress(review() + b"\n" + bad + b"\n" + review() + b"\n"))
    with pytest.raises(DataError) as error:
        official.read_amazon(path)
    assert f"{path}, line 2:" in str(error.value) and words in str(error.value)


def test_reviews_of_one_day_keep_the_order_of_the_file(tmp_path):
    path = tmp_path / "reviews_X_5.json"  # some servers unpack the gzip on the way
    days = [("D", 2), ("C", 1), ("A", 1), ("B", 1)]
    path.write_bytes(b"".join(review(asin=asin, unixReviewTime=day) + b"\n" for asin, day in days))
    data = from_interactions(official.read_amazon(path)[0])
    assert [data.item_ids[item] for item in data.sequences[0]] == ["C", "A", "B", "D"]


def test_a_bad_title_is_named_with_its_line(tmp_path):
    (tmp_path / "movies.dat").write_bytes(b"1::Heat::Crime\nnonsense\n")
    with pytest.raises(DataError, match="movies.dat, line 2"):
        official.read_titles(tmp_path)
    assert official.read_titles(tmp_path / "elsewhere") == {}


def test_the_official_addresses_and_names():
    assert {name: source.file_name for name, source in SOURCES.items()} == {
        "ml-1m": "ml-1m.zip", "beauty": "reviews_Beauty_5.json.gz",
        "video": "reviews_Video_Games_5.json.gz", "ml-latest-small": "ml-latest-small.zip",
        "clothing": "reviews_Clothing_Shoes_and_Jewelry_5.json.gz"}
    assert {name for name, source in SOURCES.items() if source.md5} == {"ml-1m"}
