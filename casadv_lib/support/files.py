"""Reading and writing files so that a cut, a full disk or a stranger's file spoils nothing.

A reader sees the old content of a file or the new, never half of it; nothing read can run code.
"""

import contextlib
import errno
import io
import json
import os
import secrets
from pathlib import Path

import numpy as np
import torch

PARTIAL = ".partial"  # the end of a temporary neighbour's name; its start is a dot


class DamagedFile(ValueError):
    """A file that is not whole, not of its kind, or not to be trusted; the message names it."""


def refused(path: Path, error: OSError) -> OSError:
    return OSError(  # without its number, by which Python would take another class
        f"could not write {path}: {error.strerror}; what stood there before is unchanged. Make "
        "room or set the folder right, or name another one (CASADV_RUNS for runs, CASADV_FIGURES "
        "for tables, pictures and notebooks), and start again")


def make_folder(path: Path) -> Path:
    """Make a folder and its parents; raise OSError where nothing may be written into it."""
    try:
        path.mkdir(parents=True, exist_ok=True)
        if not os.access(path, os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    except OSError as error:
        raise refused(path, error) from error
    return path


def write_bytes(path: Path, content: bytes) -> Path:
    """Write to a temporary neighbour, force it to the disk, then rename it into place; OSError
    also where the folder is not there, or has vanished."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}{PARTIAL}")
    try:
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError as error:
        raise refused(path, error) from error
    finally:  # also after Ctrl-C
        with contextlib.suppress(OSError):  # it has its own name now
            temporary.unlink()
    return path


def remove_partial(folder: Path) -> None:
    """Remove what writers that were killed left in a folder; the caller must be its only writer."""
    for path in folder.rglob(f".*{PARTIAL}"):
        with contextlib.suppress(OSError):
            path.unlink()


@contextlib.contextmanager
def reading(path: Path, fault: str, remedy: str = "delete it, and it is made anew"):
    """Whatever a stranger's content leads to inside is a DamagedFile: PATH FAULT (why); REMEDY.
    No memory stays that, and that the path is not there or may not be read an OSError."""
    try:
        yield
    except (DamagedFile, MemoryError, torch.OutOfMemoryError):
        raise
    except Exception as error:
        if isinstance(error, OSError) and (str(error.filename) == str(path)
                                           or error.errno in (errno.EIO, errno.ESTALE)):
            raise
        said = " ".join(str(error).split())[:300] or type(error).__name__
        raise DamagedFile(f"{path} {fault} ({said}); {remedy}") from error


def write_arrays(path: Path, arrays: dict[str, np.ndarray]) -> Path:
    """Store arrays compressed, readable with `numpy.load(path, allow_pickle=False)`."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **arrays)
    return write_bytes(path, buffer.getvalue())


def read_arrays(path: Path) -> dict[str, np.ndarray]:
    """What `write_arrays` has stored; raises DamagedFile where the file is not whole."""
    with reading(path, "does not hold whole arrays"), np.load(path, allow_pickle=False) as stored:
        return dict(stored)


def write_json(path: Path, content) -> Path:
    text = json.dumps(content, indent=1, sort_keys=True) + "\n"
    return write_bytes(path, text.encode())


def read_json(path: Path):
    """The content of a JSON file; raises DamagedFile where it is not whole JSON."""
    with reading(path, "is not whole JSON"):
        return json.loads(path.read_text(encoding="utf-8"))


def save_tensors(path: Path, content: dict) -> Path:
    """Store tensors and plain values so that `load_tensors` can read them."""
    buffer = io.BytesIO()
    torch.save(content, buffer)
    return write_bytes(path, buffer.getvalue())


def load_tensors(path: Path, device="cpu") -> dict:
    """Read a checkpoint; raises DamagedFile for all but a dict of tensors and plain values."""
    with reading(path, "is not a whole checkpoint of tensors and plain values",
                 "anything else could run code, and was not loaded. Delete it (of a finished run "
                 "its folder), and training starts anew"):
        content = torch.load(path, map_location=device, weights_only=True)
        if not isinstance(content, dict):
            raise TypeError(f"it holds a {type(content).__name__}")
    return content
