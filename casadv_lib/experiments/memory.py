"""How much memory the processes that one starts hold at a time, such as a notebook's kernel."""

from __future__ import annotations

import contextlib
import threading

import psutil

MB = 10**6


class PeakMemory:
    """Watches the processes that start inside it, and theirs: `with PeakMemory() as memory: ...`.

    Afterwards `memory.megabytes` is the largest sum of their resident memory (RSS, in 10^6
    bytes) that was seen. It is read every `every` seconds, so a shorter peak can be missed.
    """

    def __init__(self, every: float = 0.1):
        self.every, self.bytes = every, 0
        self._before: set[psutil.Process] = set()
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    @property
    def megabytes(self) -> float:
        return round(self.bytes / MB, 1)

    def __enter__(self) -> PeakMemory:
        self._before = _below()
        self._thread.start()
        return self

    def __exit__(self, *error):
        self._done.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._done.wait(self.every):
            held = 0
            for process in _below() - self._before:
                with contextlib.suppress(psutil.Error):  # it may end between the two looks
                    held += process.memory_info().rss
            self.bytes = max(self.bytes, held)


def _below() -> set[psutil.Process]:
    return set(psutil.Process().children(recursive=True))
