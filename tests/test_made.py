"""What this machine has made stands in place of what is committed, and leaves that alone."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from casadv_lib.__main__ import main
from casadv_lib.datasets import load_dataset
from casadv_lib.experiments import configuration as profiles
from casadv_lib.experiments import grid
from casadv_lib.experiments.plan import EPSILONS
from casadv_lib.results.comparison import claims, compared
from casadv_lib.results.evidence import Evidence
from casadv_lib.results.records import (
    METHOD_ORDER,
    METRICS,
    load_results,
    main_record,
    results_file,
)
from casadv_lib.results.sweep import scores, swept
from casadv_lib.support.files import read_json, write_json
from casadv_lib.widgets.epsilon import stored_sweep

ROOT = Path(__file__).resolve().parents[1]
PLACE = "synthetic", "sasrec"


def perturbed(value, rng):
    """Results with every score off by half a percent, every interval by a third of its width."""
    if isinstance(value, list):
        return [perturbed(part, rng) for part in value]
    if not isinstance(value, dict):
        return value
    if value.get("low") is not None:
        shift = (value["high"] - value["low"]) / 3
        return {name: part + shift if isinstance(part, float) else part
                for name, part in value.items()}
    return {name: part * (1 + 0.005 * rng.standard_normal())
            if name in METRICS and isinstance(part, float) else perturbed(part, rng)
            for name, part in value.items()}


def make(root):
    """Put into `root` what a machine that rounds differently would make; returns the results."""
    found = perturbed(read_json(ROOT / "figures/quick/results.json"), np.random.default_rng(0))
    write_json(root / "figures/made/quick/results.json", found)
    return found


@pytest.fixture
def made(tmp_path, monkeypatch):
    """A repository with the committed results and others that were made."""
    shutil.copytree(ROOT / "figures/quick", tmp_path / "figures/quick")
    monkeypatch.setattr(profiles, "root", lambda: tmp_path)
    return make(tmp_path)


def content(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def test_readers_take_what_was_made(made, runs_folder):
    assert load_results("quick") == made != load_results(ROOT / "figures/quick")
    data = load_dataset("synthetic")
    results, ranks = compared(data, "quick", *PLACE)
    swept_results, _ = swept(data, EPSILONS, "quick", dataset=PLACE[0], backbone=PLACE[1])
    assert not ranks and not runs_folder.exists()  # every record was found, nothing was trained
    for found in (results, swept_results):
        assert main_record(found, *PLACE, "adv_cas") == main_record(made, *PLACE, "adv_cas")
    assert len(results["records"]) == 2 * len(METHOD_ORDER) and len(claims(results, {}, *PLACE))
    assert list(scores(swept_results, *PLACE, "test")) == list(EPSILONS)
    assert stored_sweep("quick", PLACE[0])["swept"] == list(EPSILONS)


def test_figures_go_where_the_results_are(made, tmp_path, capsys):
    committed = content(tmp_path / "figures/quick")
    assert main(["figures"]) == 0
    drawn = content(tmp_path / "figures/made/quick")
    assert drawn.keys() == committed.keys() - {"selection.json", "notebooks.json"}
    assert drawn["table3.md"] != committed["table3.md"]
    assert content(tmp_path / "figures/quick") == committed
    own = tmp_path / "figures/quick/results.json"
    assert results_file(tmp_path / "figures/quick") == own != results_file("quick")
    shutil.rmtree(tmp_path / "figures/made")
    assert results_file("quick") == own


def test_committed_choices_stand_until_others_are_made(made, tmp_path):
    def holds(entry):
        """The grid's runs and those of notebooks and commands take the values of this entry."""
        board = grid.board_of("quick")
        config = profiles.configure("quick", method="adv_cas")
        assert board.chosen(board.plan.jobs["synthetic sasrec adv_cas"]) == entry["chosen"]
        return entry["chosen"].items() <= config.items()

    committed, choices = content(tmp_path / "figures/quick"), grid.board_of("quick").choices
    [entry] = [entry for entry in choices.entries
               if (entry["backbone"], entry["family"]) == ("sasrec", "adv_global")]
    assert holds(entry)
    entry["chosen"] = {"epsilon": 2.0, "lambda1": 0.5}
    assert choices.store() == tmp_path / "figures/made/quick/selection.json"
    assert holds(entry) and content(tmp_path / "figures/quick") == committed


def test_a_profile_that_keeps_its_records_has_them_in_place():
    assert profiles.results_folder("paper") == ROOT / "figures/paper"
    assert profiles.results_folder("laptop") == ROOT / "figures/made/laptop"
    assert profiles.results_folder("paper", "own") == Path("own")
    ignored = (ROOT / ".gitignore").read_text().split()
    assert {"figures/made/", "figures/*/notebooks/", "figures/*/.lock"} <= set(ignored)


def test_words_are_held_against_the_committed_results_whatever_was_made(tmp_path):
    """The tests of the README, in a copy of the repository where `make figures` has run."""
    gain = Evidence(make(tmp_path)).pair(PLACE, "adv_cas", "base")["percent"]["value"]
    assert f"adv_cas gains {gain:.0f}% of NDCG@10 over the base, while" not in " ".join(
        (ROOT / "README.md").read_text(encoding="utf-8").split())
    for name in ("README.md", "CITATION.cff", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path)
    for name in ("casadv_lib", "tests", "figures/quick", "figures/paper"):
        shutil.copytree(ROOT / name, tmp_path / name,
                        ignore=shutil.ignore_patterns("__pycache__", "notebooks"))
    words = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "tests/test_readme.py",
             "tests/test_scoreboard.py", "-k", "stored"]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, timeout=300,
                          env={**os.environ, "PYTEST_ADDOPTS": ""})
    assert done.returncode == 0, done.stdout + done.stderr
