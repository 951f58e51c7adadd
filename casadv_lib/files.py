"""Writing files so that a reader sees the old content or the new, never half of it."""

from __future__ import annotations

import io
import json
import os
import tempfile
from pathlib import Path

import torch

_UMASK = os.umask(0)
os.umask(_UMASK)


class StorageError(OSError):
    """A file could not be written; what stood there before is intact."""


def write_bytes(path: Path | str, content: bytes) -> Path:
    """Write to a temporary neighbour, force it to the disk, then rename it into place."""
    path = Path(path)
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o666 & ~_UMASK)  # mkstemp makes files that only the owner can read
        os.replace(temporary, path)
    except OSError as error:
        if temporary is not None and os.path.exists(temporary):
            os.unlink(temporary)
        raise StorageError(
            error.errno,
            f"could not write {path}: {error.strerror}; what stood there before is unchanged. "
            "Make room, or name another folder with CASADV_RUNS, and start again",
        ) from error
    return path


def write_json(path: Path | str, content) -> Path:
    return write_bytes(path, (json.dumps(content, indent=1, sort_keys=True) + "\n").encode())


def read_json(path: Path | str):
    return json.loads(Path(path).read_text(encoding="utf-8"))


def save_tensors(path: Path | str, content: dict) -> Path:
    """Store tensors and plain values so that `load_tensors` can read them."""
    buffer = io.BytesIO()
    torch.save(content, buffer)
    return write_bytes(path, buffer.getvalue())


def load_tensors(path: Path | str, device="cpu") -> dict:
    """Read a checkpoint; refuses anything but tensors and plain values (no pickled code)."""
    return torch.load(path, map_location=device, weights_only=True)
