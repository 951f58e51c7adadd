"""The README's table of the notebooks, kept equal to what was measured: python -m casadv_lib.readme

What the last `make figures` measured is copied to figures/quick/notebooks.json, and its run times
into the table; this is a part of `make refresh`, and `make figures` leaves them alone. Where
CITATION.cff names the repository's address (`repository-code`), each notebook also gets a badge
that opens it in Colab and one for Binder; `--repository https://github.com/OWNER/NAME` writes the
address there first.
"""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path

from ..support.files import read_json, write_bytes, write_json
from ..support.repository import root

RECORD = Path("figures") / "quick" / "notebooks.json"
FRESH = Path("figures") / "made" / "quick" / "notebooks" / "measured.json"  # by `make figures`
ADDRESS = re.compile(r"https://github\.com/([\w.-]+/[\w.-]+)")
FIELD = re.compile(r'^repository-code: "(.+)"\n', re.M)
ROW = re.compile(r"^\| (\[[^\]]+\]\(notebooks/(\w+)\.ipynb\))[^|]*\|(.*)\|[^|]*\|$", re.M)
COLAB = "[![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)]"
BINDER = "[![Launch Binder](https://mybinder.org/badge_logo.svg)]"


def with_part(text: str, name: str, made: str) -> str:
    """A text with what stands between the marks <!-- begin NAME --> and <!-- end NAME --> anew.

    made: the new part. Raises ValueError where the text has not both marks once, in this order.
    """
    begin, end = f"<!-- begin {name} -->\n", f"<!-- end {name} -->\n"
    if text.count(begin) != 1 or text.count(end) != 1 or text.index(begin) > text.index(end):
        raise ValueError(f"the text has no part {name!r}; allowed is one, between {begin!r} "
                         f"and {end!r}")
    before, rest = text.split(begin)
    return before + begin + "\n" + made + "\n" + end + rest.split(end)[1]


def badges(notebook: str, repository: str) -> str:
    """Two badges for a notebook of the folder notebooks/, such as "00_start_here".

    repository: its public address on GitHub; ValueError for any other.
    """
    match = ADDRESS.fullmatch(repository)
    if match is None:
        raise ValueError(f"repository is {repository!r}; allowed is https://github.com/OWNER/NAME")
    path = f"notebooks/{notebook}.ipynb"
    colab = f"https://colab.research.google.com/github/{match[1]}/blob/main/{path}"
    binder = f"https://mybinder.org/v2/gh/{match[1]}/main?urlpath=lab/tree/{path}"
    return f"{COLAB}({colab}) {BINDER}({binder})"


def repository_of(citation: str) -> str | None:
    """The address that CITATION.cff (its text) names, or None."""
    match = FIELD.search(citation)
    return match[1] if match else None


def with_repository(citation: str, repository: str) -> str:
    """The text of CITATION.cff with that address; ValueError where it is none of GitHub's."""
    badges("", repository)
    line = f'repository-code: "{repository}"\n'
    return FIELD.sub(line, citation) if FIELD.search(citation) else re.sub(
        r"^version: ", line + "version: ", citation, count=1, flags=re.M)


def refreshed(text: str, record: dict, repository: str | None = None) -> str:
    """The README's text with the run times of `record` and the badges of `repository`.

    record: as `batch.execute` stores it. Raises ValueError for a notebook that it lacks.
    """

    def row(match: re.Match) -> str:
        link, notebook, middle = match.groups()
        if notebook not in record:
            raise ValueError(f"{RECORD} has no {notebook!r}; `make figures` measures it")
        seconds = record[notebook]["provenance"]["wall_seconds"]
        own = f" {badges(notebook, repository)}" if repository else ""
        return f"| {link}{own} |{middle}| {seconds:.0f} s |"

    return ROW.sub(row, text)


def main(arguments: list[str] | None = None, folder: Path | None = None) -> int:
    """Write the README, the record and, if an address is given, CITATION.cff; 2 for bad input."""
    layout = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(
        "python -m casadv_lib.results.readme", description=__doc__, formatter_class=layout
    )
    parser.add_argument("--repository", help="the repository's address, for the badges")
    options = parser.parse_args(arguments)
    folder = folder or root()
    readme, citation = folder / "README.md", folder / "CITATION.cff"
    text = citation.read_text(encoding="utf-8")
    try:
        if options.repository:
            text = with_repository(text, options.repository)
        record = read_json(folder / (FRESH if (folder / FRESH).exists() else RECORD))
        new = refreshed(readme.read_text(encoding="utf-8"), record, repository_of(text))
    except ValueError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    write_json(folder / RECORD, record)
    write_bytes(citation, text.encode())
    write_bytes(readme, new.encode())
    return 0


if __name__ == "__main__":
    sys.exit(main())
