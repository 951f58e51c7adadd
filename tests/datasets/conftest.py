"""Files as readers bring them, and a web server that does what a test says."""

import contextlib
import socket
import threading
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pooch
import pytest

from casadv_lib.datasets.sources import SOURCES


@pytest.fixture
def file(tmp_path):
    """Return a function that writes a file of this text (or bytes) and gives its path."""
    def write(content, name="own.txt"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path
    return write


@pytest.fixture
def serve(monkeypatch, tmp_path):
    """Serve a published data set: what a raw server sends, connection by connection.

    Each answer is bytes, or seconds of silence; then the connection closes. The last one stands for
    all later connections. Returns the Source, and the list of what is asked for. The cache is the
    folder "cache" of the test; attempts follow each other at once.
    """
    monkeypatch.delenv("CASADV_DATA", raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(pooch, "os_cache", lambda _: tmp_path / "cache")
    monkeypatch.setattr(pooch.core, "time", SimpleNamespace(sleep=lambda _: None))
    listener, asked = socket.create_server(("127.0.0.1", 0)), []

    def listen(answers):
        with contextlib.suppress(OSError):  # when the test is over
            while True:
                connection, _ = listener.accept()
                with connection, contextlib.suppress(OSError):  # the other side may leave
                    asked.append(connection.recv(65536).split(b"\r\n")[0].decode())
                    answer = answers[min(len(asked), len(answers)) - 1]
                    if isinstance(answer, float):
                        time.sleep(answer)
                    else:
                        connection.sendall(answer)

    def set_up(name, *answers, **change):
        address = f"http://127.0.0.1:{listener.getsockname()[1]}/{Path(SOURCES[name].url).name}"
        change = {"url": address, "counts": (6, 5, 30), "md5": None, "packed": None} | change
        monkeypatch.setitem(SOURCES, name, replace(SOURCES[name], **change))
        threading.Thread(target=listen, args=(answers,), daemon=True).start()
        return SOURCES[name], asked

    yield set_up
    listener.close()
