"""The k-core filter: only users and items that are seen at least k times, to the last."""

import numpy as np
import pandas as pd

from ..support.checks import instance, number, shown


def k_core(frame: pd.DataFrame, k: int) -> pd.DataFrame:
    """Return the largest part of `frame` where each user and each item has at least k rows.

    frame: columns user and item; other columns, the index and the order of rows stay as they are.
    k: a whole number of at least 1 (1 leaves everything). May return a frame without rows.

    Taking out a rare item can make a user too short, and taking out that user can make another
    item rare. So one pass is not enough: repeat until nothing goes. The end is the same whatever
    the order in which rows are taken out.
    """
    k = number("k", k, low=1, kind=int)
    instance("frame", frame, pd.DataFrame)
    for name in ("user", "item"):
        if (frame.columns == name).sum() != 1:
            raise ValueError(f"frame has the columns {shown(list(frame.columns))}; allowed is a "
                             f"table with one column {name!r}")
    codes = np.stack([pd.factorize(frame[name])[0] for name in ("user", "item")])
    rows = np.flatnonzero((codes >= 0).all(axis=0))  # a missing id belongs to nobody
    while len(rows):
        users, items = codes[:, rows]
        stays = (np.bincount(users)[users] >= k) & (np.bincount(items)[items] >= k)
        if stays.all():
            break
        rows = rows[stays]
    return frame if len(rows) == len(frame) else frame.iloc[rows]
