"""The README's table of notebooks: the run times that the last `make figures` measured, and badges.

`--repository https://github.com/OWNER/NAME` writes the address into CITATION.cff, and from then on
each notebook has a badge that opens it in Colab and one for Binder.
"""

import argparse
import re
from pathlib import Path

from casadv_lib.support.files import read_json, write_bytes, write_json
from casadv_lib.support.machine import root

RECORD = Path("figures/quick/notebooks.json")
FRESH = Path("figures/made/quick/notebooks/measured.json")  # by `make figures`
ADDRESS = r"https://github\.com/([\w.-]+/[\w.-]+)"
FIELD = re.compile(rf'^repository-code: "{ADDRESS}"\n', re.M)  # of CITATION.cff
# | [title](notebooks/name.ipynb) badges | what | section | seconds |
ROW = re.compile(r"^\| (\[[^\]]+\]\(notebooks/(\w+)\.ipynb\))[^|]*\|(.*)\|[^|]*\|$", re.M)
BADGES = (" [![Colab](https://colab.research.google.com/assets/colab-badge.svg)]"
          "(https://colab.research.google.com/github/{0}/blob/main/notebooks/{1}.ipynb)"
          " [![Binder](https://mybinder.org/badge_logo.svg)]"
          "(https://mybinder.org/v2/gh/{0}/main?urlpath=lab/tree/notebooks/{1}.ipynb)")


def refreshed(text: str, record: dict, citation: str) -> str:
    """The README with the run times of `record`, and badges for CITATION.cff's address."""
    def row(match: re.Match) -> str:
        link, notebook, middle = match.groups()
        badges = BADGES.format(address[1], notebook) if address else ""
        seconds = record[notebook]["provenance"]["wall_seconds"]
        return f"| {link}{badges} |{middle}| {seconds:.0f} s |"

    address = FIELD.search(citation)
    return ROW.sub(row, text)


def main(arguments: list[str] | None = None, folder: Path | None = None) -> None:
    """Write README.md, the record and CITATION.cff; ends with status 2 for another address."""
    parser = argparse.ArgumentParser("python tests/benchmarks/readme.py", description=__doc__)
    parser.add_argument("--repository", help="the repository's address, for the badges")
    repository, folder = parser.parse_args(arguments).repository, folder or root()
    readme, citation = folder / "README.md", folder / "CITATION.cff"
    cited = citation.read_text(encoding="utf-8")
    if repository:
        if not re.fullmatch(ADDRESS, repository):
            parser.error(f"--repository is {repository!r}; allowed is https://github.com/OWNER/NAME")
        line = f'repository-code: "{repository}"\n'
        cited = FIELD.sub("", cited).replace("\nversion: ", f"\n{line}version: ", 1)
    record = read_json(folder / (FRESH if (folder / FRESH).exists() else RECORD))
    write_json(folder / RECORD, record)
    write_bytes(citation, cited.encode())
    write_bytes(readme, refreshed(readme.read_text(encoding="utf-8"), record, cited).encode())


if __name__ == "__main__":
    main()
