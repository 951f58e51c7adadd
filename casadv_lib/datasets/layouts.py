"""What a file is: its separator, its header, and which columns hold user, item and time.

Only the first lines are looked at. Where they leave a choice, the error shows the call to make.
"""

import contextlib
import csv
import json
import re
import shlex
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..support.checks import DataError, shown

ROLES = ("user", "item", "timestamp")
# what files call them, without capitals, blanks and "._-"
USUAL = json.loads(Path(__file__).with_name("columns.json").read_text())
SEPARATORS = {"\t": "tabs", "::": "'::'", ";": "semicolons", ",": "commas", "|": "bars",
              " ": "blanks"}
CLOCK = 10**7, 4 * 10**18  # a last column from here to there holds dates (20140525) or Unix times
BLANKS, _INTEGER = re.compile("[ \t]+"), re.compile("-?[0-9]+")
_SEPARATOR = "[\t !#-/:-@[-^`{-~]"


@dataclass(frozen=True)
class Layout:
    """How to read a file."""

    kind: str  # "a table", "JSON lines" or "histories"
    names: list = ()  # of all columns: texts of the header, or numbers from 0 without one
    columns: dict | None = None  # role to position in `names`; without "timestamp": rows in order
    separator: str = ""
    skip: int = 0  # lines before the first row
    numbers: bool = False  # ids must be whole numbers: no header says what the columns are

    def __str__(self) -> str:
        if self.kind == "histories":
            return "histories, one line 'user item item ...' each"
        between = f" with {SEPARATORS.get(self.separator, repr(self.separator))}"
        where = ", ".join(f"{self.names[position]!r} as {role}"
                          for role, position in self.columns.items())
        order = "" if "timestamp" in self.columns else ", oldest row first"
        return f"{self.kind}{between if self.separator else ''}, column {where}{order}"


def is_whole_number(token: str) -> bool:
    """Tell whether a token spells a whole number of 64 bits."""
    return len(token) <= 20 and bool(_INTEGER.fullmatch(token)) and abs(int(token)) < 2**63


def split(line: str, separator: str) -> list[str]:
    """Return the fields of one line, without blanks around them."""
    if separator in ("::", " "):
        return re.split(" *:: *" if separator == "::" else BLANKS, line.strip(" \t"))
    try:
        (fields,) = csv.reader([line], delimiter=separator, skipinitialspace=True)
    except (csv.Error, ValueError):  # no line, or a quote that is never closed
        return [line]
    return [field.strip() for field in fields]


def find_columns(names: list, wanted: dict) -> dict[str, list[int]]:
    """Return for each role the positions in `names` of the columns that may be meant.

    wanted: the caller's {role: name, or position}. A role that is not in it goes by its USUAL
    names, and first by its own. Where user and item are in it, there need be no timestamp.
    """
    bare = [re.sub(":(token|float)$", "", name) if isinstance(name, str) else name
            for name in names]  # headers of RecBole tell the type
    plain = [re.sub("[ ._-]", "", str(name)).casefold() for name in bare]
    if "parentasin" in plain:  # Amazon's ratings of 2023 are known by this one of their two ids
        plain = ["" if name == "asin" else name for name in plain]
    found = {}
    for role in ROLES:
        want = wanted.get(role, role)
        found[role] = [position for position, pair in enumerate(zip(names, bare)) if want in pair]
        if role not in wanted and not found[role]:
            found[role] = [position for position, name in enumerate(plain) if name in USUAL[role]]
        elif not found[role] and isinstance(want, int) and want < len(names):
            found[role] = [want]
    if not found["timestamp"] and {"user", "item"} == set(wanted):
        del found["timestamp"]
    return found


def chosen(names: list, wanted: dict) -> dict[str, int] | None:
    """Return {role: position} if there is one for each, and no two have the same."""
    found = find_columns(names, wanted)
    if all(len(positions) == 1 for positions in found.values()):
        columns = {role: position for role, (position,) in found.items()}
        return columns if len({*columns.values()}) == len(columns) else None


def check_options(columns, separator) -> dict:
    """Return `columns` as a dict; raise DataError where one is not what `load_dataset` takes."""
    fits = isinstance(columns, dict) and columns and set(columns) <= set(ROLES) and all(
        isinstance(name, str) or type(name) is int and name >= 0 for name in columns.values())
    if columns is not None and not fits:
        raise DataError(f"columns is {shown(columns)}; allowed is a dict from 'user', 'item' and "
                        "'timestamp' to the names of columns, or to their numbers from 0")
    if separator not in (None, "::") and not re.fullmatch(_SEPARATOR, str(separator)):
        raise DataError(f"separator is {shown(separator)}; allowed is one character that is no "
                        "letter, digit or quote, or '::'")
    return columns or {}


def find_layout(path, head: str, wanted: dict, separator: str | None = None) -> Layout:
    """Return the layout of the file that begins with `head`, whole lines.

    wanted, separator: as the caller of `load_dataset` gave them. Raises DataError, with the first
    line, what was tried and the call that would work.
    """
    lines, skip = head.split("\n"), 0
    for line in lines:
        text = line.strip(" \t")
        if said := re.fullmatch('"?sep=(.)"?', text):  # Excel's
            separator = separator or said[1]
        elif text and not (text[0] == "#" and not _table([text], wanted, separator, skip)):
            break
        skip += 1
    rows = [line for line in lines[skip:] if line.strip(" \t")]
    first, names, found = rows[0] if rows else "", [], None
    with contextlib.suppress(ValueError, RecursionError, AttributeError):
        names = list(json.loads(first).keys())
    if names:
        if columns := chosen(names, wanted):
            found = Layout("JSON lines", names, columns, skip=skip)
    elif rows:
        found = _table(rows, wanted, separator, skip) or (
            None if wanted else _convention(rows, separator, skip))
    if found:
        return found
    one = separator or max(SEPARATORS, key=lambda one: len(split(first, one)))
    unclear, likely = advice(names or split(first, one), wanted)
    raise DataError(
        f"{path}, line {skip + 1}: {shown(first)} leaves open which column is what{unclear}. Tried "
        "were headers with the usual names (userId, item_id, asin, timestamp ...), JSON lines, and "
        "lines of numbers 'user item', 'user item rating time' and 'user item item ...', between "
        f"{', '.join(SEPARATORS.values())}. If that is right, {call(path, likely, one)}")


def call(path, columns: dict, separator: str) -> str:
    """What reads a file with these columns: the call, and the options of a command."""
    words = ",".join(f"{role}={name}" for role, name in columns.items())
    return (f"call load_dataset({shown(str(path))}, columns={columns}, separator={separator!r}), "
            f"or give a command {shlex.join(['--columns', words, '--separator', separator])}")


def _table(rows: list[str], wanted: dict, separator: str | None, skip: int) -> Layout | None:
    """Return the layout if a header, or the caller's numbers, say all under some separator."""
    by_number = wanted and all(isinstance(want, int) for want in wanted.values())
    for one in [separator] if separator else SEPARATORS:
        names = split(rows[0].lstrip("# "), one)
        columns = chosen(names, wanted)
        if not columns or len(names) == 1:
            continue
        if not by_number or any(find_columns(names, {}).values()):
            return Layout("a table", names, columns, one, skip + 1)
        if {"user", "item"} <= set(wanted) and rows[0][0] != "#":  # else it is a comment
            return Layout("a table", list(range(len(names))), columns, one, skip)
    return None


def _convention(rows: list[str], separator: str | None, skip: int) -> Layout | None:
    """Return the layout of lines of numbers, by the conventions that public code follows.

    'user item' is SASRec's, 'user item rating time' that of u.data and of MovieLens (with '::'),
    'user item time' TiSASRec's; there a user has many lines. All else are histories.
    """
    if separator not in (None, "\t", " ", "::") or re.search("[,;|]", rows[0]):
        return None
    tabs = "\t" in rows[0] and " " not in rows[0].strip(" \t")
    one = "::" if "::" in rows[0] else "\t" if tabs else " "
    table = [split(row, one) for row in rows]
    try:
        values = np.array(table, dtype=float)
    except ValueError:  # text, or lines of different lengths
        values = np.zeros((1, 1))
    width, last = values.shape[1], values[:, -1]
    many = len(np.unique(values[:, 0])) < len(values)
    clock = CLOCK[0] <= last.min() and (many or last.max() <= CLOCK[1])
    rated = width == 4 and 1000 * values[:, 2].max() < last.min()  # 'rating time', not two items
    if many and width == 2 or clock and (many and width == 3 or rated):
        columns = {"user": 0, "item": 1} | ({"timestamp": width - 1} if width > 2 else {})
        return Layout("a table", list(range(width)), columns, one, skip, numbers=True)
    numbers = one != "::" and all(map(_INTEGER.fullmatch, table[0]))
    return Layout("histories") if numbers else None


def advice(names: list, wanted: dict) -> tuple[str, dict]:
    """Say for which roles the names leave no choice, or more than one; and give likely `columns`.

    These are the known ones, the time at the end, and the others from the left: by number where
    there seems to be no header, or a name is there twice.
    """
    found, words, likely = find_columns(names, wanted), [], {}
    free = [position for position in range(len(names))
            if position not in [positions[0] for positions in found.values() if positions]]
    free.sort(key=lambda position: bool(re.search("(?i)time|date|zeit", str(names[position]))))
    for role, positions in found.items():
        if len(positions) > 1:
            words.append(f"{role} may be " + " or ".join(repr(names[one]) for one in positions))
        elif not positions or positions[0] in likely.values():
            words.append(f"{names[positions[0]]!r} would be {role}, too" if positions else
                         f"nothing is called {wanted.get(role, role)!r}, or usual for it")
            if role == "timestamp" and role not in wanted and not positions and not free:
                continue  # without it the rows of a user are in order
            positions = [free.pop(-1 if role == "timestamp" else 0)] if free else [0]
        likely[role] = positions[0]
    header = any(found.values()) or not any(re.match("[-+.]?[0-9]", str(name)) for name in names)
    if header and 0 < len(set(names)) == len(names):
        likely = {role: names[position] for role, position in likely.items()}
    return f" ({'; '.join(words)})", likely
