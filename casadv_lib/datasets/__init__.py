"""Data sets: official sources, files and frames of one's own, the synthetic world.

`load_dataset` is the way in, to one `SequenceDataset`. What is published is in sources.py;
readers.py finds out what a file of one's own is, and reads it.
"""

import contextlib
import warnings
from pathlib import Path

import numpy as np
import pandas as pd

from ..data import SHORTEST, SequenceDataset
from ..support.checks import DataError, number, shown
from ..support.machine import folder_named_by
from .layouts import check_options
from .readers import read_file, read_frame
from .sources import CORE, SOURCES, Source, download, k_core
from .synthetic import make_world

NAMES = ("synthetic", *SOURCES)
TOP = 10  # of the metrics


def load_dataset(name: str | Path | pd.DataFrame, min_count: int | None = None, seed: int = 0, *,
                 columns: dict | None = None, separator: str | None = None) -> SequenceDataset:
    """Load a data set by its name, or from a file or a pandas frame of your own.

    name: one of NAMES; or a path to a table of interactions, to JSON lines or to 'user item
        item ...' lines (whole numbers, items from 1, oldest first), also in a gzip or zip; or a
        frame of interactions. The first of `notes` tells what a file or frame was read as.
    min_count: filter to the k-core with k = min_count. Default: 5 for the published data sets (1
        filters nothing), no filter for one's own. The synthetic data takes none.
    seed: of the synthetic world; the other data sets do not use it.
    columns: {"user": ..., "item": ..., "timestamp": ...}, how the header calls these columns, or
        their numbers from 0. Usual names are known. With user and item alone, rows are in order.
    separator: the one character (or "::") between the columns; usual ones are known.

    A published data set is looked for in the folder CASADV_DATA (as `beauty.txt`, or under its
    official file name), then in the download cache, then fetched; "ml-latest-small" comes with the
    package. Items are renumbered 1..n_items in the order of their ids. Users are sorted by id, or
    as in a file of histories; interactions of equal time keep their order, equal ones count once.
    Users with fewer than 3 items are dropped with a warning; their items stay in the catalogue.
    Raises DataError (a ValueError) for all that cannot be read, or is not clear.
    """
    if min_count is not None:
        min_count = number("min_count", min_count, low=1, kind=int)
    seed = number("seed", seed, low=0, kind=int)
    columns = check_options(columns, separator)
    if isinstance(name, pd.DataFrame):
        return _build("frame", min_count, *read_frame(name, columns))
    if not (isinstance(name, str) and name in NAMES):
        path = own_file(name)
        packed = path.suffix.lower() in (".gz", ".zip")
        return _build(Path(path.stem).stem if packed else path.stem,
                      min_count, *read_file(path, columns, separator))
    if columns or separator:
        raise DataError(f"columns and separator are for files and frames; allowed for {name!r} is "
                        "only None")
    if name in SOURCES:
        return _published(SOURCES[name], min_count)
    if min_count is not None:
        raise DataError(f"min_count is {min_count}; allowed for 'synthetic' is only None, as "
                        "filtering would change the world's known distribution")
    return make_world(seed=seed).dataset


def own_file(name) -> Path:
    """Return the path that `name` means; raise DataError for a mistyped name or path."""
    with contextlib.suppress(TypeError, ValueError, OSError, RuntimeError):
        if (path := Path(name).expanduser()).is_file():
            return path
    raise DataError(f"data set is {shown(name)}; known data sets are {', '.join(NAMES)}; or give "
                    f"the path of a file that is there (seen from {Path.cwd()})")


def _published(source: Source, min_count: int | None) -> SequenceDataset:
    """Load one of the published data sets from CASADV_DATA, or else from the cache."""
    core = CORE if min_count is None else min_count
    folder = folder_named_by("CASADV_DATA")
    if folder and not folder.is_dir():
        raise DataError(f"CASADV_DATA is {str(folder)!r}; allowed is an existing folder, or none")
    names = (f"{source.name}.txt", source.unpacked, Path(source.url).name) if folder else ()
    local = (path for name in names if (path := folder / name).is_file())
    path = next(local, None) or source.packed or download(source)
    films = path if path.suffix == ".zip" else Path(folder or ".", source.titles)
    titles = source.read_titles(films) if source.titles and films.is_file() else {}
    content = read_file(path, {}) if path.suffix == ".txt" else source.read(path)
    data = _build(source.name, core, *content, titles)
    del data.notes[0]  # what it was read as is known
    fault = source.fault(data.n_users, data.n_items, data.n_interactions)
    if core == CORE and fault:
        data.notes.append(f"{source.name}: {path} is not the published file: {fault}.")
        warnings.warn(data.notes[-1], stacklevel=3)
    return data


def _build(name: str, min_count: int | None, notes: list[str], frame: pd.DataFrame,
           user_ids: pd.Index, item_ids: pd.Index, titles: dict | None = None) -> SequenceDataset:
    """Filter, renumber and cut into sequences what a reader brings; users may be without rows."""
    n_users = len(user_ids)
    if min_count is not None:
        core = k_core(frame, min_count)
        if not len(core):
            raise DataError(f"{name}: min_count {min_count} leaves nothing of {len(frame):,} "
                            "interactions; allowed is a smaller min_count, or None")
        if len(core) < len(frame):
            left = core.nunique()
            notes.append(f"the {min_count}-core keeps {len(core):,} of {len(frame):,} "
                         f"interactions, {left['user']:,} of {n_users:,} users and "
                         f"{left['item']:,} of {len(item_ids):,} items.")
            items, kept = pd.factorize(core["item"], sort=True)
            frame, item_ids, n_users = core.assign(item=items), item_ids[kept], left["user"]
    users, items = frame["user"].to_numpy(), frame["item"].to_numpy() + 1
    is_next = users[1:] == users[:-1]
    if repeats := np.count_nonzero(is_next & (items[1:] == items[:-1])):
        notes.append(f"{repeats:,} interactions repeat the same user's item just before, which is "
                     "easy to predict; kept.")
    starts = np.flatnonzero(np.append(True, ~is_next))
    lengths = np.diff(np.append(starts, len(users)))
    enough = np.flatnonzero(lengths >= SHORTEST)
    if not len(enough):
        raise DataError(f"{name}: none of {n_users:,} users has {SHORTEST} items; at least one "
                        "user needs them (one to train on, one to validate, one to test). It was "
                        f"{notes[0]} If it is something else, give columns and separator")
    sequences = [items[starts[row]:starts[row] + lengths[row]] for row in enough]
    alarms = []
    if len(enough) < n_users:
        lost = len(frame) - lengths[enough].sum()
        alarms.append(f"dropped {n_users - len(enough):,} of {n_users:,} users, who have "
                      f"fewer than {SHORTEST} items, with their {lost:,} interactions.")
    small = len(item_ids) - lengths[enough] < TOP  # repeats may leave more items than it says
    if sure := sum(len(item_ids) - len({*sequences[row][:-1]} - {sequences[row][-1]}) <= TOP
                   for row in np.flatnonzero(small)):
        alarms.append(f"{sure:,} of {len(enough):,} users have at most {TOP} items to be ranked, "
                      f"so that their HR@{TOP} is 1 whatever the model does.")
    for note in alarms:
        warnings.warn(f"{name}: {note}", stacklevel=3)
    item_ids = item_ids.tolist()
    names = [str((titles or {}).get(item, item)) for item in item_ids]
    return SequenceDataset(name, sequences, len(item_ids), ["", *item_ids], ["", *names],
                           user_ids[users[starts[enough]]].tolist(),
                           [f"{name}: {note}" for note in notes + alarms])
