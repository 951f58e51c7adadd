"""Small files in the layouts of the published data sets."""

import gzip
import io
import json
import zipfile

# six users with five items each, newest first in the file, and one user too short
ROWS = [(user, item, 900 - 10 * item) for user in (10, 9, 3, 4, 5, 6) for item in range(1, 6)]
ROWS += [(7, 1, 50), (7, 99, 60)]
COUNTS = (6, 5, 30)  # of their 5-core
RATINGS = "".join(f"{user}::{item}::4::{when}\n" for user, item, when in ROWS).encode()
SMALL = "userId,movieId,rating,timestamp\r\n" + "".join(
    f"{user},{item},4.0,{when}\r\n" for user, item, when in ROWS)
# the text would run under eval, and must not
REVIEWS = "".join(json.dumps({
    "reviewerID": f"A{user}", "asin": f"B{item}", "overall": 5.0, "unixReviewTime": when,
    "reviewText": "line\u2028end", "helpful": [0, 0], "verified": True}) + "\n"
    for user, item, when in ROWS).encode()
FILES = {
    "ml-1m": {"ml-1m/ratings.dat": RATINGS, "ml-1m/movies.dat":
              "1::Am\xe9lie (2001)::Comedy|Romance\n2::Heat (1995)::Crime\n".encode("latin-1")},
    "ml-latest-small": {
        "ml-latest-small/ratings.csv": SMALL.encode(), "ml-latest-small/movies.csv":
        'movieId,title,genres\r\n1,"Am\xe9lie, the (2001)",Comedy\r\n2,Heat (1995),Crime\r\n'
        .encode()},
    "beauty": {"reviews_Beauty_5.json": REVIEWS},
}


def zip_of(members, pack=zipfile.ZIP_DEFLATED):
    """A zip with these members."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", pack) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return made.getvalue()


ARCHIVES = {"ml-1m": zip_of(FILES["ml-1m"]), "beauty": gzip.compress(REVIEWS, mtime=0),
            "ml-latest-small": zip_of(FILES["ml-latest-small"])}
