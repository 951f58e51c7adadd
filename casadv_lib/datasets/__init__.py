"""Data sets: official sources, files of one's own, the embedded world.

`load_dataset` is the way in: from a name or a file to one `SequenceDataset`.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from ..data import SHORTEST, DataError, SequenceDataset
from ..support.checks import instance, number, shown
from ..support.progress import long_work
from . import readers
from .downloads import CORE, SOURCES, Source, describe, download
from .kcore import k_core
from .official import read_titles

NAMES = ("synthetic", *SOURCES)
LARGE, ROW_BYTES = 10**6, 20  # interactions from which a bar is shown at once; about, in a CSV


def load_dataset(name: str | Path, min_count: int | None = None, seed: int = 0) -> SequenceDataset:
    """Load a data set by its name, or from a file of your own.

    name: one of NAMES, or a path to 'user item item ...' lines (whole numbers, items from 1,
        oldest first) or to a CSV whose header has user, item and timestamp (ids may be text).
    min_count: keep the k-core with k = min_count. Default: 5 for the published data sets (1
        keeps all), no filter for own files. The synthetic data takes none.
    seed: of the synthetic world; the other data sets do not use it.

    A published data set is looked for in the folder that CASADV_DATA names (as `beauty.txt`, or
    under its official file name), then in the download cache, then fetched. Items are renumbered
    1..n_items in the sorted order of their ids. Users keep the order of their lines in a text
    file, and come sorted by id from a CSV or an official archive; there, interactions of equal
    time keep the file's order. Users with fewer than 3 items are dropped with a warning; their
    items stay in the catalogue. Raises DataError (a ValueError) for all that cannot be read.
    """
    if min_count is not None:
        min_count = number("min_count", min_count, low=1, kind=int)
    seed = number("seed", seed, low=0, kind=int)
    if name == "synthetic":
        if min_count is not None:
            raise DataError(f"min_count is {min_count}; allowed for 'synthetic' is only None, as "
                            "filtering would change the world's known distribution")
        from . import synthetic  # it builds on this module

        return synthetic.make_world(seed=seed).dataset
    if isinstance(name, str) and name in NAMES:
        return _published(SOURCES[name], min_count)
    path = _own_file(name)
    if readers.looks_like_csv(path):
        large = path.is_file() and path.stat().st_size >= LARGE * ROW_BYTES
        return _prepared(lambda: readers.read_csv(path), path.stem, large, min_count)
    return _from_lines(path, path.stem, min_count)


def _own_file(name) -> Path:
    """Return the path that `name` means; raise DataError for what looks like a mistyped name."""
    known = f"known data sets are {', '.join(NAMES)}; or give the path of a file"
    if not isinstance(name, (str, Path)) or "\0" in str(name):
        raise DataError(f"data set is {shown(name)}; {known}")
    try:
        path = Path(name).expanduser()
        path.is_file()
    except (OSError, RuntimeError) as error:  # a name too long, or of an unknown home
        raise DataError(f"data set is {shown(name)} ({error}); {known}") from error
    bare = isinstance(name, str) and not path.suffix and not {"/", os.sep} & set(name)
    if bare and not path.is_file():
        raise DataError(f"unknown data set {shown(name)}: {known}")
    return path


def _published(source: Source, min_count: int | None) -> SequenceDataset:
    """Load one of the published data sets from CASADV_DATA, or else from the cache."""
    core = CORE if min_count is None else min_count
    path = _local_copy(source) or download(source)
    if path.suffix == ".txt":
        titles = read_titles(path.parent / source.name)
        data = _from_lines(path, source.name, core, titles)
    else:
        frame, titles = source.read(path)
        data = from_interactions(frame, source.name, core, titles)
    found = (data.n_users, data.n_items, data.n_interactions)
    if core == CORE and found != source.counts:
        data.notes.append(f"{source.name}: {path} has {describe(found)}, but the published "
                          f"data set has {describe(source.counts)}.")
        warnings.warn(data.notes[-1], stacklevel=3)
    return data


def _local_copy(source: Source) -> Path | None:
    """Return the source's file in the folder that CASADV_DATA names, or None."""
    if not (folder := os.environ.get("CASADV_DATA")):
        return None
    if not Path(folder).is_dir():
        raise DataError(f"CASADV_DATA is {folder!r}; allowed is an existing folder, or unset it")
    places = (f"{source.name}.txt", source.unpacked, source.file_name)
    return next((path for place in places if (path := Path(folder, place)).is_file()), None)


def from_interactions(frame: pd.DataFrame, name: str = "interactions",
                      min_count: int | None = None, titles: dict | None = None,
                      ) -> SequenceDataset:
    """Make a data set of a frame with columns user, item, timestamp, one row an interaction.

    Users come in the sorted order of their ids. Rows of equal time keep the order they have in
    the frame. `min_count` filters to that core first; `titles` maps original item ids to names.
    Raises DataError for a missing column, an empty id, a timestamp that is no finite number, and
    when no user is left.
    """
    if min_count is not None:
        min_count = number("min_count", min_count, low=1, kind=int)
    instance("frame", frame, pd.DataFrame)
    large = len(frame) >= LARGE
    return _prepared(lambda: readers.checked(frame, name), name, large, min_count, titles)


def _prepared(read: Callable[[], pd.DataFrame], name: str, large: bool, min_count: int | None,
              titles: dict | None = None) -> SequenceDataset:
    """Do the work of `from_interactions`; `read` gives what `readers.checked` gives."""
    with long_work(desc=f"preparing {name}", unit=" steps", total=3, now=large) as bar:
        frame = read()
        bar.update()
        # from here on ids are their places in sorted order: text is slow to compare
        (users, user_ids), (items, item_ids) = (pd.factorize(frame[column], sort=True)
                                                for column in ("user", "item"))
        # lexsort is stable: rows of one user and one time stay as they were in the file
        order = np.lexsort((frame["timestamp"].to_numpy(), users))
        numbers = pd.DataFrame({"user": users[order], "item": items[order]})
        bar.update()
        data = _build(name, numbers, None, min_count, titles, user_ids, item_ids)
        bar.update()
    return data


def _from_lines(path: Path, name: str, min_count: int | None, titles: dict | None = None,
                ) -> SequenceDataset:
    """Load 'user item item ...' lines."""
    users, lengths, items = readers.read_sequences(path)
    frame = pd.DataFrame({"user": np.repeat(users, lengths), "item": items})
    return _build(name, frame, len(users), min_count, titles)


def _build(name: str, frame: pd.DataFrame, n_users: int | None, min_count: int | None,
           titles: dict | None, users: pd.Index | None = None, items: pd.Index | None = None,
           ) -> SequenceDataset:
    """Filter, renumber and cut into sequences.

    frame: columns user and item; the rows of a user are neighbours and oldest first.
    n_users: users of the source where that counts users without any row; None: those of `frame`.
    users, items: the ids, where `frame` holds their places; items in sorted order.
    """
    notes = []
    n_users = frame["user"].nunique() if n_users is None else n_users
    if min_count is not None:
        everything, frame = frame, k_core(frame, min_count)
        if not len(frame):
            raise DataError(f"{name}: min_count {min_count} leaves nothing of {len(everything):,} "
                            "interactions; allowed is a smaller min_count, or None")
        if len(frame) < len(everything):
            notes.append(f"{name}: the {min_count}-core keeps {len(frame):,} of "
                         f"{len(everything):,} interactions, {frame['user'].nunique():,} of "
                         f"{n_users:,} users and {frame['item'].nunique():,} of "
                         f"{everything['item'].nunique():,} items.")
            n_users = frame["user"].nunique()
    if repeats := int(frame.duplicated().sum()):
        notes.append(f"{name}: {repeats:,} interactions repeat an item of the same user; kept.")
    codes, catalogue = pd.factorize(frame["item"], sort=True)
    user_codes, user_ids = pd.factorize(frame["user"])
    catalogue = catalogue if items is None else items[catalogue]
    user_ids = user_ids if users is None else users[user_ids]
    pieces = np.split(codes.astype(np.int64) + 1, np.flatnonzero(np.diff(user_codes)) + 1)
    kept = [place for place, piece in enumerate(pieces) if len(piece) >= SHORTEST]
    if not kept:
        raise DataError(f"{name}: none of {n_users:,} users has {SHORTEST} items; at least one "
                        "user needs them (one to train on, one to validate, one to test)")
    if len(kept) < n_users:
        lost = len(frame) - sum(len(pieces[place]) for place in kept)
        notes.append(f"{name}: dropped {n_users - len(kept):,} of {n_users:,} users, who have "
                     f"fewer than {SHORTEST} items, with their {lost:,} interactions.")
        warnings.warn(notes[-1], stacklevel=4)
    item_ids = catalogue.tolist()
    names = [str((titles or {}).get(item, item)) for item in item_ids]
    return SequenceDataset(name, [pieces[place] for place in kept], len(item_ids), ["", *item_ids],
                           ["", *names], user_ids[kept].tolist(), notes)
