"""A full disk, a read-only folder: what stood there before is untouched."""

import errno
import os

import pytest

from casadv_lib.support.files import make_folder, read_json, write_json


@pytest.mark.parametrize("number", [errno.EACCES, errno.EROFS, errno.ENOSPC])
@pytest.mark.parametrize("step", ["open", "fsync", "replace"])
def test_what_the_system_refuses_leaves_the_old_file_and_no_other(number, step, tmp_path):
    def refuse(*_):
        raise OSError(number, "not now")

    path = write_json(make_folder(tmp_path / "a") / "x.json", 1)
    with pytest.MonkeyPatch.context() as patch, pytest.raises(OSError, match="x.json: not"):
        patch.setattr(os, step, refuse)
        write_json(path, 2)
    assert read_json(path) == 1 and [*path.parent.iterdir()] == [path]


def test_a_folder_that_may_not_be_written_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(OSError, match="could not write .*a: Permission denied.*CASADV_RUNS"):
        make_folder(tmp_path / "a")
