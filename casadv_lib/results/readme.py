"""The README's table of notebooks: the run times that the last `make figures` measured, and badges.

`--repository https://github.com/OWNER/NAME` writes the address into CITATION.cff, and from then on
each notebook has a badge that opens it in Colab and one for Binder.
"""

from __future__ import annotations

import argparse
import re
from pathlib import Path

from ..support.files import read_json, write_bytes, write_json
from ..support.repository import root

RECORD = Path("figures/quick/notebooks.json")
FRESH = Path("figures/made/quick/notebooks/measured.json")  # by `make figures`
# of CITATION.cff: the address, and OWNER/NAME where it is one that the badges can use
FIELD = re.compile(r'^repository-code: "(https://github\.com/([\w.-]+/[\w.-]+)|.*)"\n', re.M)
# | [title](notebooks/name.ipynb) badges | what | section | seconds |
ROW = re.compile(r"^\| (\[[^\]]+\]\(notebooks/(\w+)\.ipynb\))[^|]*\|(.*)\|[^|]*\|$", re.M)
COLAB, BINDER = "https://colab.research.google.com", "https://mybinder.org"


def refreshed(text: str, record: dict, citation: str) -> str:
    """The README's text with the run times of `record` (see `notebooks.execute`) and badges for
    CITATION.cff's address; ValueError for a notebook that the record lacks, or another address."""
    address = FIELD.search(citation)
    if address and not address[2]:
        raise ValueError(f"repository is {address[1]!r}; allowed is https://github.com/OWNER/NAME")

    def row(match: re.Match) -> str:
        link, notebook, middle = match.groups()
        if notebook not in record:
            raise ValueError(f"{RECORD} has no {notebook!r}; `make figures` measures it")
        if address:
            path = f"notebooks/{notebook}.ipynb"
            link += (f" [![Colab]({COLAB}/assets/colab-badge.svg)]({COLAB}/github/{address[2]}"
                     f"/blob/main/{path}) [![Binder]({BINDER}/badge_logo.svg)]({BINDER}/v2/gh/"
                     f"{address[2]}/main?urlpath=lab/tree/{path})")
        return f"| {link} |{middle}| {record[notebook]['provenance']['wall_seconds']:.0f} s |"

    return ROW.sub(row, text)


def main(arguments: list[str] | None = None, folder: Path | None = None) -> None:
    """Write README.md, the record and CITATION.cff; ends with status 2 for bad input."""
    parser = argparse.ArgumentParser("python -m casadv_lib.results.readme", description=__doc__)
    parser.add_argument("--repository", help="the repository's address, for the badges")
    repository, folder = parser.parse_args(arguments).repository, folder or root()
    readme, citation = folder / "README.md", folder / "CITATION.cff"
    cited = citation.read_text(encoding="utf-8")
    if repository:
        line = f'repository-code: "{repository}"\n'
        cited = FIELD.sub("", cited).replace("\nversion: ", f"\n{line}version: ", 1)
    try:
        record = read_json(folder / (FRESH if (folder / FRESH).exists() else RECORD))
        text = refreshed(readme.read_text(encoding="utf-8"), record, cited)
    except ValueError as error:
        parser.error(str(error))
    write_json(folder / RECORD, record)
    write_bytes(citation, cited.encode())
    write_bytes(readme, text.encode())


if __name__ == "__main__":
    main()
