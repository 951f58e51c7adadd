"""The batch: every figure and table to files, whole, the same bytes each time."""

import io
from contextlib import redirect_stdout
from dataclasses import replace

import matplotlib
import pytest
from fabricated import without
from matplotlib import pyplot

from casadv_lib.figures import measured as figures
from casadv_lib.results.tables import TABLES


@pytest.fixture(scope="module")
def written(tmp_path_factory, results):
    folder, said = tmp_path_factory.mktemp("first") / "quick", io.StringIO()
    with redirect_stdout(said):
        paths = figures.write_all(results, folder)
    return paths, said.getvalue().splitlines(), folder


def test_write_all_writes_every_figure_and_table_whole(written):
    paths, said, folder = written
    tables = [name for name in TABLES if not any(name in word for word in said)]
    names = [f"{name}.{kind}" for name in (
        *(f"figure{n}" for n in range(1, 7)), "gains", "gains_attacked") for kind in ("png", "svg")]
    names += [f"{table}.{kind}" for table in tables for kind in ("csv", "md")]
    assert [path.name for path in paths] == names
    assert sorted(path.name for path in folder.iterdir()) == sorted(names)
    assert not [word for word in said if not word.startswith(("scoreboard", "seeds"))]
    image = pyplot.imread(folder / "figure3.png")
    assert image.shape[1] > 800 and image[..., :3].std() > 0.05


def test_write_all_gives_the_same_bytes_under_any_settings_of_the_caller(written, results,
                                                                         tmp_path):
    with matplotlib.rc_context({"font.size": 15, "axes.grid": False}):
        again = figures.write_all(results, tmp_path)
    for first, second in zip(written[0], again, strict=True):
        assert first.read_bytes() == second.read_bytes(), first.name
    assert all(b"<dc:date>" not in path.read_bytes() for path in again)


def test_write_all_skips_and_reports(results, tmp_path, capsys):
    slim = replace(without(results, method="adv_cas"), figure1=None)
    (tmp_path / "figure3.png").write_bytes(b"old")
    paths = figures.write_all(slim, tmp_path)
    assert {"figure2", "gains", "table3"} <= {path.stem for path in paths}
    printed = capsys.readouterr().out
    for number in (3, 4, 5, 6):
        assert f"figure{number} is not written: " in printed
    assert (tmp_path / "figure3.png").read_bytes() == b"old"


def test_other_data_sets_get_files_of_their_own(paper_results):
    makers = figures.figure_makers(paper_results)
    assert list(makers)[2:10] == [
        "figure3", "figure4", "figure5", "figure6", "figure3_video", "figure4_video",
        "figure5_video", "figure6_video"]
    assert "trade_off_video" in makers
    assert makers["figure5_video"]().axes[0].get_title() == "SASRec, Amazon Video Games"
