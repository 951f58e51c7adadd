"""Layouts that people have: read as they are meant, or refused with the call that reads them."""

import gzip
import io
import json
import random
import re
import shlex
import zipfile
from itertools import product

import pandas as pd
import pytest
from published import zip_of

from casadv_lib.data import DataError
from casadv_lib.datasets import load_dataset
from casadv_lib.experiments.configuration import by_name

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")

ITEMS = {user: random.Random(user).sample(range(1, 30), 3 + user % 4) for user in range(1, 9)}
EVENTS = [(user, item, step) for user, items in ITEMS.items() for step, item in enumerate(items)]
random.Random(0).shuffle(EVENTS)
IDS = {"numbers": "{}", "zeros": "{:05d}", "21 digits": "9" * 19 + "{:02d}", "text": "ü-{}"}
NANO = 16 * 10**17  # of one second, float64 knows 256 ns
TIMES = {
    "seconds": lambda step: str(1_400_000_000 + step), "nanoseconds": lambda step: str(NANO + step),
    "one with a point": lambda step: f"{NANO + step}{'' if step else '.0'}",
    "unsigned": lambda step: str(2**63 + step - 2), "decimals": lambda step: f"14000000.{4 + step}",
    "below the first": lambda step: str(step - 2), "dates": lambda step: f"2014-05-{10 + step}",
    "ISO": lambda step: f"2014-05-25T22:19:04.12345678{step}Z",
    "exponents": lambda step: f"{1 + step}e9",
}
# header: what the columns are (user, item, time, other); "?" stands for none
HEADERS = {
    "user,item,timestamp": "uit", "userId,movieId,rating,timestamp": "uiot",
    "UserID,stars,Time,Item_ID": "uoti", "ts,visitorid,event,itemid": "tuoi",
    "user_id:token,item_id:token,rating:float,timestamp:float": "uiot",
    "reviewerID,asin,unixReviewTime": "uit", "SessionId,ItemId,Time": "uit",
    "?": "uit", "??": "uiot", "who,what,when": "uit"}
SEPARATORS = [",", ";", "\t", "::", "|", " "]


def packed(text: str, how: str) -> bytes:
    raw = text.encode()
    if how == "zip":
        return zip_of({"data.csv": raw}, zipfile.ZIP_STORED)
    return gzip.compress(raw, 1) if how == "gz" else raw


def table(header: str, separator: str, names: str, when: str) -> str:
    """The events in this layout."""
    rows = [] if "?" in header else [header.split(",")]
    for user, item, step in EVENTS:
        fields = {"u": IDS[names].format(user), "i": IDS[names].format(item),
                  "t": TIMES[when](step), "o": "4.5"}
        rows.append([fields[what] for what in HEADERS[header]])
    return "".join(separator.join(row) + "\n" for row in rows)


def same(data, names: str = "numbers") -> bool:
    wanted = {IDS[names].format(user): [IDS[names].format(item) for item in items]
              for user, items in ITEMS.items()}
    return wanted == {str(user): [str(data.item_ids[item]) for item in sequence]
                      for user, sequence in zip(data.user_ids, data.sequences)}


def test_every_layout_gives_the_histories_or_says_the_call_that_does(file):
    """2,160 files, plain or packed; only what has no header, or one that says nothing, may ask."""
    cases = list(product(HEADERS, SEPARATORS, IDS, TIMES))
    assert len(cases) >= 2_000
    for number, (header, separator, names, when) in enumerate(cases):
        text = "# of the shop\n" * (number % 7 == 0) + table(header, separator, names, when)
        path = file(packed(text, ("", "gz", "zip")[number % 3]), "own.csv")
        try:
            data = load_dataset(path)
            assert header != "who,what,when"
        except DataError as error:
            assert "?" in header or header == "who,what,when", error
            call, options = re.search(r"call (load_data.*), or give a command (--.*)$",
                                      str(error)).groups()
            data = eval(call, {"load_dataset": load_dataset})
            _, columns, _, said = shlex.split(options)
            columns = by_name("columns", columns)
            assert number % 5 or same(load_dataset(path, columns=columns, separator=said), names)
        assert same(data, names), (header, separator, names, when)


def test_columns_and_separator_are_what_the_caller_says(file):
    text = table("who,what,when", "~", "text", "dates")
    data = load_dataset(file(text), separator="~", columns={"user": "who", "item": "what",
                                                            "timestamp": "when"})
    assert same(data, "text") and "'who' as user" in data.notes[0]
    assert same(load_dataset(pd.read_csv(io.StringIO(CSV.replace("item", "Movie_ID")))))
    ordered = "".join(f"{user} {item}\n" for user, items in ITEMS.items() for item in items)
    assert same(load_dataset(file(ordered)))
    assert same(load_dataset(file("sep=;\n" + ordered.replace(" ", ";")),
                             columns={"user": 0, "item": 1}))
    with pytest.raises(DataError, match="columns and separator are for files"):
        load_dataset("synthetic", separator=",")
    for twice in ({"user": "user", "item": "user"}, {"user": "user", "item": 0}):
        with pytest.raises(DataError, match="'user' would be item, too.*'item': 'item'"):
            load_dataset(file(CSV), columns=twice)


REVIEWS = "".join(json.dumps({"stars": 5.0, "reviewerID": f"A{user}", "asin": f"B{item}", "text":
                              'a "b"', "unixReviewTime": NANO + step}) + "\n"
                  for user, item, step in EVENTS)
CSV = table("user,item,timestamp", ",", "numbers", "seconds")


@pytest.mark.parametrize("content, words", [
    (REVIEWS, "JSON lines, column 'reviewerID' as user"),
    (REVIEWS.replace('"asin"', '"asin": "x", "parent_asin"'), "'parent_asin' as item"),
    (CSV.replace("user,", '"user" ,'), "a table with commas"), ("#" + CSV, "a table with commas"),
    (CSV + CSV.partition("\n")[2], "merged 36 interactions with others of the same user, item"),
    ("".join(f"{user} {item} {item} {item}\n" for user, item, _ in EVENTS[:1]),
     "2 interactions repeat"),
    ("1 2 3 4\n", "1 of 1 users have at most 10 items to be ranked"),
])
def test_what_a_file_was_read_as_and_what_makes_a_metric_easy_is_told(file, content, words):
    data = load_dataset(file(content))
    assert any(words in note for note in data.notes), data.notes


@pytest.mark.parametrize("content, words", [
    (CSV.replace("user,item,timestamp", "user,item,timestamp,timestamp"), "timestamp may be"),
    (CSV.replace("user,item,timestamp", "user_id,session_id,item,timestamp"), "user may be"),
    *[(CSV + f"{word},1,2\n", f"line 38: .*user '{word}'.*leave such rows out")
      for word in ("NA", "nan", "None", "null", "<NA>", "")],
    (CSV.replace("\n5,", "\nNaN,"), "user 'NaN'.* such rows"),
    ("".join(f"{user} {user + 9} 5 9783000{user:02d}\n" for user in range(1, 61)),
     "none of 60 users has 3 items.*0 as user, 1 as item, 3 as timestamp.*give columns"),
    (packed(CSV, "gz")[:-9], "damaged"),
    (b"\x1f\x8b\x08" + bytes(7) + b"\xfa\x01", "damaged"),  # and not UTF-8
    (packed(CSV, "zip")[:-9], "damaged"),
    ("user,item\na,b\n", "'timestamp'.*columns={'user': 'user', 'item': 'item'}, sep"),
    ("Kunde,Kaufzeitpunkt,Artikel,Menge\na,2024,b,1\n", "columns={'user': 'Kunde', "
     "'item': 'Artikel', 'timestamp': 'Kaufzeitpunkt'}"),
    ("[" + REVIEWS, "leaves open"), ("<html>\n", "leaves open"), ("1,2\n1,3\n1,4\n", "columns={"),
    ("1 2 3 4\n1 5 6 7\n", "line 2: user 1 was already on line 1.*columns="),
])
def test_what_is_not_clear_is_refused_with_what_to_do(file, content, words):
    with pytest.raises(DataError, match=words):
        load_dataset(file(content))
