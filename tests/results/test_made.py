"""What this machine has made stands in place of what is committed, and leaves that alone."""

import shutil

from casadv_lib.results import frames
from casadv_lib.support.repository import root


def test_readers_take_what_was_made_and_else_what_is_committed(tmp_path, monkeypatch):
    committed = frames.read_results(root() / "figures/quick")
    made = committed.but(runs=committed.runs.assign(seconds_per_epoch=1.5))
    monkeypatch.setattr(frames, "root", lambda: tmp_path)
    frames.write_results(committed, frames.folder_of("quick", made=False))
    before = (tmp_path / "figures/quick/runs.csv").read_bytes()
    frames.write_results(made, frames.folder_of("quick"))
    assert set(frames.read_results("quick").runs["seconds_per_epoch"]) == {1.5}
    assert (tmp_path / "figures/quick/runs.csv").read_bytes() == before
    shutil.rmtree(frames.folder_of("quick"))
    assert frames.read_results("quick").runs.equals(committed.runs)


def test_the_paper_s_results_go_on_in_place_and_git_ignores_what_was_made():
    assert frames.folder_of("paper") == root() / "figures/paper"
    assert frames.folder_of("laptop") == root() / "figures/made/laptop"
    assert "figures/made/" in (root() / ".gitignore").read_text().split()
