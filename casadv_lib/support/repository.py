"""Where the repository lies, and a hash of the library's source."""

import functools
import hashlib
import os
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1]


def root() -> Path:
    """The folder that holds `casadv_lib/` and `figures/`; installed without them, the caller's."""
    checkout = PACKAGE.parent
    return checkout if (checkout / "notebooks").is_dir() else Path.cwd()


def folder_named_by(variable: str) -> Path | None:
    """The folder that an environment variable names, from now on by its whole path, also for
    processes that start in other folders."""
    if named := os.environ.get(variable):
        os.environ[variable] = os.path.abspath(os.path.expanduser(named))
        return Path(os.environ[variable])
    return None


@functools.cache  # the code that a process works with does not change under it
def source_hash() -> str:
    """SHA-256 over the names and contents of all sources of the library, and what they read."""
    digest = hashlib.sha256()
    for path in sorted([*PACKAGE.rglob("*.py"), *PACKAGE.rglob("*.js*")]):
        digest.update(path.relative_to(PACKAGE).as_posix().encode() + path.read_bytes())
    return digest.hexdigest()
