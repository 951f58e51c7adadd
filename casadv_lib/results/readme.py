"""The README's table of notebooks: run times, and badges where the repository's address is known.

The run times are those that the last `make figures` measured; they are kept in
figures/quick/notebooks.json (a part of `make refresh`). `--repository
https://github.com/OWNER/NAME` writes the address into CITATION.cff, and from then on each
notebook has a badge that opens it in Colab and one for Binder.
"""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path

from ..support.files import read_json, write_bytes, write_json
from ..support.repository import root

RECORD = Path("figures/quick/notebooks.json")
FRESH = Path("figures/made/quick/notebooks/measured.json")  # by `make figures`
ADDRESS = re.compile(r"https://github\.com/([\w.-]+/[\w.-]+)")
FIELD = re.compile(r'^repository-code: "(.+)"\n', re.M)  # of CITATION.cff
# | [title](notebooks/name.ipynb) badges | what | section | seconds |
ROW = re.compile(r"^\| (\[[^\]]+\]\(notebooks/(\w+)\.ipynb\))[^|]*\|(.*)\|[^|]*\|$", re.M)


def badges(notebook: str, repository: str) -> str:
    """Two badges for a notebook such as "00_start_here"; ValueError for an address elsewhere."""
    match = ADDRESS.fullmatch(repository)
    if match is None:
        raise ValueError(f"repository is {repository!r}; allowed is https://github.com/OWNER/NAME")
    path = f"notebooks/{notebook}.ipynb"
    colab, binder = "https://colab.research.google.com", "https://mybinder.org"
    return (f"[![Colab]({colab}/assets/colab-badge.svg)]({colab}/github/{match[1]}/blob/main/"
            f"{path}) [![Binder]({binder}/badge_logo.svg)]({binder}/v2/gh/{match[1]}/main"
            f"?urlpath=lab/tree/{path})")


def refreshed(text: str, record: dict, citation: str) -> str:
    """The README's text with the run times of `record` and badges for CITATION.cff's address.

    record: as `notebooks.execute` stores it. Raises ValueError for a notebook that it lacks.
    """
    repository = FIELD.search(citation)

    def row(match: re.Match) -> str:
        link, notebook, middle = match.groups()
        if notebook not in record:
            raise ValueError(f"{RECORD} has no {notebook!r}; `make figures` measures it")
        seconds = record[notebook]["provenance"]["wall_seconds"]
        own = f" {badges(notebook, repository[1])}" if repository else ""
        return f"| {link}{own} |{middle}| {seconds:.0f} s |"

    return ROW.sub(row, text)


def main(arguments: list[str] | None = None, folder: Path | None = None) -> int:
    """Write README.md, the record and CITATION.cff; returns 2 for bad input."""
    parser = argparse.ArgumentParser("python -m casadv_lib.results.readme", description=__doc__)
    parser.add_argument("--repository", help="the repository's address, for the badges")
    options = parser.parse_args(arguments)
    folder = folder or root()
    readme, citation = folder / "README.md", folder / "CITATION.cff"
    try:
        cited = citation.read_text(encoding="utf-8")
        if options.repository:
            line = f'repository-code: "{options.repository}"\n'
            cited = FIELD.sub("", cited).replace("\nversion: ", f"\n{line}version: ", 1)
        record = read_json(folder / (FRESH if (folder / FRESH).exists() else RECORD))
        text = refreshed(readme.read_text(encoding="utf-8"), record, cited)
    except ValueError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    write_json(folder / RECORD, record)
    write_bytes(citation, cited.encode())
    write_bytes(readme, text.encode())
    return 0


if __name__ == "__main__":
    sys.exit(main())
