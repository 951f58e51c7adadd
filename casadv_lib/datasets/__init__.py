"""Data sets: official sources, files of one's own, the embedded world.

`load_dataset` is the way in: from a name or a file to one `SequenceDataset`. What is published
is in sources.py, files of one's own are read by readers.py, the embedded world is in synthetic.py.
"""

import contextlib
import os
import warnings
from pathlib import Path

import numpy as np
import pandas as pd

from ..data import SHORTEST, DataError, SequenceDataset
from ..support.checks import instance, number, shown
from . import readers
from .kcore import k_core
from .sources import CORE, SOURCES, Source, download, read_titles
from .synthetic import make_world

NAMES = ("synthetic", *SOURCES)


def load_dataset(name: str | Path | pd.DataFrame, min_count: int | None = None, seed: int = 0, *,
                 columns: dict | None = None, separator: str | None = None) -> SequenceDataset:
    """Load a data set by its name, or from a file or a pandas frame of your own.

    name: one of NAMES, or a path to 'user item item ...' lines (whole numbers, items from 1,
        oldest first) or to a CSV whose header has user, item and timestamp (ids may be text).
    min_count: filter to the k-core with k = min_count. Default: 5 for the published data sets (1
        filters nothing), no filter for own files. The synthetic data takes none.
    seed: of the synthetic world; the other data sets do not use it.
    columns: how the file or frame calls its columns, {"user": ..., "item": ..., "timestamp": ...}.
    separator: the one character between the columns of a file.

    A published data set is looked for in the folder that CASADV_DATA names (as `beauty.txt`, or
    under its official file name), then in the download cache, then fetched; "ml-latest-small"
    comes with the package. Items are renumbered 1..n_items in the sorted order of their ids. Users
    keep the order of their lines in a text file, and come sorted by id from a CSV or an official
    archive; there, interactions of equal time keep the file's order. Users with fewer than 3 items
    are dropped with a warning; their items stay in the catalogue. Raises DataError (a ValueError)
    for all that cannot be read.
    """
    if min_count is not None:
        min_count = number("min_count", min_count, low=1, kind=int)
    seed = number("seed", seed, low=0, kind=int)
    if isinstance(name, pd.DataFrame):
        renamed = {there: role for role, there in (columns or {}).items()}
        return from_interactions(name.rename(columns=renamed), min_count=min_count)
    if isinstance(name, str) and name in SOURCES:
        return _published(SOURCES[name], min_count)
    if not (isinstance(name, str) and name == "synthetic"):
        path = own_file(name)
        return _build(path.stem, *_read(path, columns, separator), min_count)
    if min_count is not None:
        raise DataError(f"min_count is {min_count}; allowed for 'synthetic' is only None, as "
                        "filtering would change the world's known distribution")
    return make_world(seed=seed).dataset


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
    return _build(name, *_sorted(readers.checked(frame, name)), min_count, titles)


def own_file(name) -> Path:
    """Return the path that `name` means; raise DataError for a mistyped name or path."""
    with contextlib.suppress(TypeError, ValueError, OSError, RuntimeError):
        if (path := Path(name).expanduser()).is_file():
            return path
    raise DataError(f"data set is {shown(name)}; known data sets are {', '.join(NAMES)}; or give "
                    "the path of a file that is there")


def _published(source: Source, min_count: int | None) -> SequenceDataset:
    """Load one of the published data sets from CASADV_DATA, or else from the cache."""
    core = CORE if min_count is None else min_count
    if (folder := os.environ.get("CASADV_DATA")) and not Path(folder).is_dir():
        raise DataError(f"CASADV_DATA is {folder!r}; allowed is an existing folder, or unset it")
    files = (f"{source.name}.txt", source.unpacked, source.file_name) if folder else ()
    local = (path for file in files if (path := Path(folder, file)).is_file())
    path = next(local, None) or source.packed or download(source)
    if path.suffix == ".txt":
        titles = read_titles(path.with_name(source.name) / "movies")
        data = _build(source.name, *_read(path), core, titles)
    else:
        frame, titles = source.read(path)
        data = from_interactions(frame, source.name, core, titles)
    fault = source.fault(data.n_users, data.n_items, data.n_interactions)
    if core == CORE and fault:
        data.notes.append(f"{source.name}: {path} is not the published file: {fault}.")
        warnings.warn(data.notes[-1], stacklevel=3)
    return data


def _read(path: Path, columns: dict | None = None, separator: str | None = None) -> tuple:
    """Read a CSV or 'user item item ...' lines; returns what `_build` takes."""
    text = readers.read_text(path)
    if columns or separator or readers.looks_like_csv(path, text):
        names = [(columns or {}).get(role, role) for role in readers.COLUMNS]
        return _sorted(readers.parse_csv(path, text, names, separator=separator or ","))
    user_ids, sequences = readers.parse_sequences(path, text)
    users = np.repeat(np.arange(len(user_ids)), [len(sequence) for sequence in sequences])
    return users, *pd.factorize(np.concatenate(sequences), sort=True), pd.Index(user_ids)


def _sorted(frame: pd.DataFrame) -> tuple:
    """Sort a table, of `readers.checked`, by user and time; returns what `_build` takes."""
    (users, user_ids), (items, item_ids) = (pd.factorize(frame[column], sort=True)
                                            for column in ("user", "item"))
    # lexsort is stable: rows of one user and one time stay as they were in the file
    order = np.lexsort((frame["timestamp"].to_numpy(), users))
    return users[order], items[order], item_ids, user_ids


def _build(name: str, users: np.ndarray, items: np.ndarray, item_ids, user_ids: pd.Index,
           min_count: int | None, titles: dict | None = None) -> SequenceDataset:
    """Filter, renumber and cut into sequences.

    users, items: (interactions,) indices into the ids, not the ids, as text is slow to compare;
        the rows of a user are neighbours, oldest first
    item_ids: sorted; user_ids: in the order to be given out, also of users without rows
    """
    notes = []
    frame = pd.DataFrame({"user": users, "item": items})
    n_users = len(user_ids)
    if min_count is not None:
        core = k_core(frame, min_count)
        if not len(core):
            raise DataError(f"{name}: min_count {min_count} leaves nothing of {len(frame):,} "
                            "interactions; allowed is a smaller min_count, or None")
        if len(core) < len(frame):
            left = core.nunique()
            notes.append(f"{name}: the {min_count}-core keeps {len(core):,} of {len(frame):,} "
                         f"interactions, {left['user']:,} of {n_users:,} users and "
                         f"{left['item']:,} of {len(item_ids):,} items.")
            frame, n_users = core, left["user"]
    if repeats := int(frame.duplicated().sum()):
        notes.append(f"{name}: {repeats:,} interactions repeat an item of the same user; kept.")
    codes, catalogue = pd.factorize(frame["item"], sort=True)
    users = frame["user"].to_numpy()
    starts = np.flatnonzero(np.diff(users, prepend=-1))
    pieces = np.split(codes.astype(np.int64) + 1, starts[1:])
    enough = [row for row, piece in enumerate(pieces) if len(piece) >= SHORTEST]
    if not enough:
        raise DataError(f"{name}: none of {n_users:,} users has {SHORTEST} items; at least one "
                        "user needs them (one to train on, one to validate, one to test)")
    sequences = [pieces[row] for row in enough]
    if len(enough) < n_users:
        lost = len(frame) - sum(map(len, sequences))
        notes.append(f"{name}: dropped {n_users - len(enough):,} of {n_users:,} users, who have "
                     f"fewer than {SHORTEST} items, with their {lost:,} interactions.")
        warnings.warn(notes[-1], stacklevel=3)
    item_ids = item_ids[catalogue].tolist()
    names = [str((titles or {}).get(item, item)) for item in item_ids]
    return SequenceDataset(name, sequences, len(item_ids), ["", *item_ids], ["", *names],
                           user_ids[users[starts[enough]]].tolist(), notes)
