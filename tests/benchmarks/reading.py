"""`load_dataset` of a large file of ratings against `pandas.read_csv`: seconds and memory."""

import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
from benchmarks.measuring import call, peak_bytes, row, take_turns, timed

import casadv_lib as cas

TIMES, GIGABYTES = 2.0, 4.0  # at most
COLUMNS = ["userId", "movieId", "rating", "timestamp"]


def write_ratings(path: Path, rows: int, by: str) -> None:
    """A file with the header and the proportions of MovieLens-25M, sorted by user and `by`."""
    rng = np.random.default_rng(0)
    users, films = rows // 154 + 1, rows // 423 + 20
    frame = pd.DataFrame({
        "userId": rng.integers(1, users + 1, rows),
        "movieId": (films * rng.random(rows) ** 3).astype(np.int64) + 1,  # a few are popular
        "rating": rng.integers(1, 11, rows) / 2,
        "timestamp": rng.integers(789_652_004, 1_574_327_703, rows)})
    frame.sort_values(["userId", by]).to_csv(path, index=False)


def seconds_of(path: Path, repeats: int) -> pd.DataFrame:
    return take_turns({"here": timed(lambda: cas.load_dataset(path)),
                       "pandas": timed(lambda: pd.read_csv(path))}, repeats)


def peak_of(path: Path) -> int:
    cas.load_dataset(path)
    return peak_bytes()


def main(rows: int = 25_000_000, repeats: int = 3, device: str = "cpu") -> dict:
    """device: that of PyTorch, which has no part in it."""
    found = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "ratings.csv")
        for by, words in (("timestamp", "user and time"), ("movieId", "user and film")):
            write_ratings(path, rows, by)
            seconds = call(seconds_of, path=path, repeats=repeats)
            what = f"{rows:,} ratings by {words}: load_dataset"
            found += [
                row(what, seconds["here"], than="`pandas.read_csv`", other=seconds["pandas"],
                    target=TIMES, headline=True),
                row(f"{what}, memory", [call(peak_of, path=path) / 1e9], "GB", target=GIGABYTES,
                    headline=True)]
    return {"rows": found}
