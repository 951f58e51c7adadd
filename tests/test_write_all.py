"""The batch: every figure and table to files, whole, the same bytes each time."""

import json

import pytest
from _fake_results import fake_results, without
from matplotlib import pyplot

from casadv_lib.figures import write as figures


@pytest.fixture(scope="module")
def results():
    return fake_results()


def titles(figure):
    return [axis.get_title() for axis in figure.axes]


@pytest.fixture(scope="module")
def written(tmp_path_factory, results):
    said = []
    folder = tmp_path_factory.mktemp("first") / "quick"
    return figures.write_all(results, folder, report=said.append), said, folder


def test_write_all_writes_every_figure_and_table_whole(written):
    paths, said, folder = written
    names = [f"{name}.{kind}" for name in (*(f"figure{n}" for n in range(1, 7)), "gains")
             for kind in ("png", "svg")]
    tables = ("table2", "table3", "table4", "efficiency", "selection", "robustness")
    names += [f"{table}.{kind}" for table in tables for kind in ("csv", "md")]
    assert [path.name for path in paths] == names
    assert sorted(path.name for path in folder.iterdir()) == sorted(names)
    assert said == []
    image = pyplot.imread(folder / "figure3.png")
    assert image.shape[1] > 800 and image[..., :3].std() > 0.05


def test_write_all_gives_the_same_bytes_again(written, results, tmp_path):
    again = figures.write_all(json.loads(json.dumps(results)), tmp_path)
    for first, second in zip(written[0], again, strict=True):
        assert first.read_bytes() == second.read_bytes(), first.name


def test_write_all_skips_and_reports(results, tmp_path, capsys):
    slim = without(results, method="adv_cas") | {"figure1": None, "dataset": [],
                                                 "selection": []}
    (tmp_path / "figure3.png").write_bytes(b"old")
    paths = figures.write_all(slim, tmp_path)
    assert {path.stem for path in paths} == {"figure2", "gains", "table3", "efficiency",
                                             "robustness"}
    printed = capsys.readouterr().out
    for name in ("figure1", "figure3", "figure4", "figure5", "figure6", "table2", "table4",
                 "selection"):
        assert f"{name} is not written: " in printed
    assert (tmp_path / "figure3.png").read_bytes() == b"old"


def test_other_data_sets_get_files_of_their_own(tmp_path):
    results = without(fake_results(["synthetic", "beauty"]), backbone="gru4rec", dataset="beauty")
    makers = figures._figure_makers(results)
    assert list(makers)[2:] == ["figure3", "figure4", "figure5", "figure6", "figure3_beauty",
                                "figure4_beauty", "figure5_beauty", "figure6_beauty", "gains"]
    assert titles(makers["figure5_beauty"]())[0] == "SASRec, Amazon Beauty"
    assert titles(makers["figure5"]())[0] == "SASRec, synthetic world"
