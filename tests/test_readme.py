"""The README's Python runs as it stands, and its links lead somewhere."""

import re
import shutil
from pathlib import Path

import pytest

from casadv_lib import batch, readme
from casadv_lib.evidence import Evidence
from casadv_lib.files import read_json
from casadv_lib.paper import PAPER_LAST_DROP_PERCENT, SMALL_PERCENT
from casadv_lib.results import load_results
from casadv_lib.series import series

ROOT = Path(__file__).resolve().parents[1]
TEXT = (ROOT / "README.md").read_text(encoding="utf-8")
CITATION = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
RECORD = read_json(ROOT / readme.RECORD)
HERE = "https://github.com/somebody/casadv"
BLOCKS = re.findall(r"```python\n(.*?)```", TEXT, flags=re.DOTALL)


def test_the_code_runs(capsys):
    assert len(BLOCKS) >= 2
    names = {}
    for block in BLOCKS:  # one after the other, as a reader would type them
        exec(compile(block, "README.md", "exec"), names)
    own = next(value for key, value in names.items() if key == "RecentItems")
    assert len(re.search(r"class RecentItems.*?(?=\n\S)", TEXT, re.DOTALL)[0].splitlines()) <= 30
    assert issubclass(own, names["cas"].Backbone)
    assert "ndcg@10" in capsys.readouterr().out


@pytest.mark.parametrize("target", re.findall(r"\]\(([^)#]+)\)", TEXT))
def test_links_lead_somewhere(target):
    if not target.startswith("http"):
        assert (ROOT / target).exists(), f"README.md links to {target}, which does not exist"


def test_what_it_says_of_the_embedded_world_is_what_is_stored():
    evidence, place = Evidence(load_results("quick")), ("synthetic", "sasrec")
    gain, longer = (evidence.pair(place, method, "base")["percent"]["value"]
                    for method in ("adv_cas", "base+100"))
    base, guided = (evidence.drop(place, method, "change")["value"]
                    for method in ("base", "adv_cas"))
    said = " ".join(TEXT.split())
    assert f"adv_cas gains {gain:.0f}% of NDCG@10 over the base" in said
    assert f"longer training alone loses {-longer:.0f}%" in said
    assert f"replacing the last item costs the base {-base:.0f}% and adv_cas {-guided:.0f}%" in said
    equal = evidence.pair(place, "adv_cas", "adv_global")["difference"]
    assert equal["low"] < 0 < equal["high"], "it says that this is not settled"


def above_zero(bound):
    return bound["low"] > 0


def test_what_it_says_of_real_data_is_what_is_stored():
    evidence, place = Evidence(load_results("paper")), ("beauty", "sasrec")
    said = " ".join(TEXT.split())
    gain = evidence.pair(place, "adv_cas", "base")["percent"]["value"]
    assert f"adv_cas gains {gain:.0f}% of NDCG@10 over the base, 100 more epochs" in said
    assert not above_zero(evidence.pair(place, "base+100", "base")["difference"])
    for method in ("adv_linear", "adv_global", "adv_cas"):  # "are each above"
        for rival, epoch in (("base", "last"), ("base+100", "last"), ("base", "best")):
            assert above_zero(evidence.pair(place, method, rival, epoch)["difference"]), method
    for method in ("adv_seq", "adv_random"):
        alone = evidence.pair(place, method, "base")["difference"]
        assert alone["low"] < 0 < alone["high"], method
    for term in ("adv_cas_1", "adv_cas_2"):  # "at least as well as both"
        assert not above_zero(evidence.pair(place, "adv_cas", term)["difference"])
    for rival in ("adv_global", "adv_linear"):  # "cannot be told apart"
        found = evidence.pair(place, "adv_cas", rival)["difference"]
        assert found["low"] < 0 < found["high"]
    change = {position: evidence.drop(place, "base", "change", positions=position)
              for position in ("first", "middle", "last")}
    assert change["last"]["high"] < -2 * PAPER_LAST_DROP_PERCENT["ndcg@10"]
    assert max(change[position]["high"] for position in ("first", "middle")) < -SMALL_PERCENT
    for rival in ("base", "adv_global"):  # it loses about as much
        spared = evidence.drop(place, rival, "spared")
        assert spared["low"] < 0 < spared["high"]
    assert evidence.drop(place, "adv_linear", "spared")["high"] < 0
    assert above_zero(evidence.drop(place, "base", "above"))  # and ends higher
    assert evidence.drop(place, "base", "above clean", k=5)["high"] < 0


def test_pictures_are_described():
    assert all(words.strip() for words in re.findall(r"!\[([^\]]*)\]", TEXT))


def test_the_table_of_notebooks_is_what_was_measured():
    names = [path.stem for path in batch.committed()]
    assert [row[1] for row in readme.ROW.findall(TEXT)] == names == sorted(RECORD)
    assert readme.refreshed(TEXT, RECORD, readme.repository_of(CITATION)) == TEXT, \
        "run `python -m casadv_lib.readme`"


@pytest.mark.parametrize("name", sorted(RECORD))
def test_measured_notebooks_fit_binder_and_a_reader(name):
    entry = RECORD[name]
    assert {"profile": "quick"}.items() <= entry["parameters"].items()
    assert not {"dataset", "backbone"} & entry["parameters"].keys() and entry["new_runs"] == 0
    assert 100 < entry["peak_megabytes"] < 2000
    assert 1 < entry["provenance"]["wall_seconds"] <= 90
    header = series().set_index("file")["run time"][f"{name}.ipynb"]
    said = int(re.search(r"about (\d+) seconds", header, re.I)[1])
    assert entry["provenance"]["wall_seconds"] < said


def test_memory_in_words():
    most = max(entry["peak_megabytes"] for entry in RECORD.values())
    said = int(re.search(r"no kernel held more than (\d+) MB", TEXT)[1])
    assert 0 <= said - most < 100


def test_badges_lead_to_the_notebook_in_the_repository_that_is_named(tmp_path):
    for name in ("README.md", "CITATION.cff"):
        shutil.copy(ROOT / name, tmp_path)
    (tmp_path / readme.RECORD).parent.mkdir(parents=True)
    shutil.copy(ROOT / readme.RECORD, tmp_path / readme.RECORD)
    assert readme.main(["--repository", HERE], tmp_path) == 0
    text = (tmp_path / "README.md").read_text(encoding="utf-8")
    for path in batch.committed():
        place = f"notebooks/{path.name}"
        assert f"/github/somebody/casadv/blob/main/{place})" in text
        assert f"/gh/somebody/casadv/main?urlpath=lab/tree/{place})" in text
    assert readme.repository_of((tmp_path / "CITATION.cff").read_text(encoding="utf-8")) == HERE
    assert readme.main([], tmp_path) == 0  # again, with the address that is stored now
    assert (tmp_path / "README.md").read_text(encoding="utf-8") == text
    other = HERE.replace("somebody", "else")
    assert readme.main(["--repository", other], tmp_path) == 0
    text = (tmp_path / "README.md").read_text(encoding="utf-8")
    assert "somebody" not in text and text.count("/github/else/casadv/") == 12


def test_a_badge_without_an_address_is_refused(tmp_path, capsys):
    shutil.copy(ROOT / "CITATION.cff", tmp_path)
    shutil.copy(ROOT / "README.md", tmp_path)
    for wrong in ("https://example.org/a/b", "somebody/casadv", HERE + "/tree/main"):
        assert readme.main(["--repository", wrong], tmp_path) == 2
        assert repr(wrong) in capsys.readouterr().err
    assert (tmp_path / "README.md").read_text(encoding="utf-8") == TEXT
    assert (tmp_path / "CITATION.cff").read_text(encoding="utf-8") == CITATION
    with pytest.raises(ValueError, match="00_start_here"):
        readme.refreshed(TEXT, {})


def test_both_services_are_offered_and_no_owner_is_made_up():
    assert "](https://colab.research.google.com/github/)" in TEXT
    assert "](https://mybinder.org)" in TEXT
    named = set(re.findall(r"(?:/github|/gh)/([\w.-]+/[\w.-]+)/", TEXT))
    address = readme.repository_of(CITATION)
    assert named == ({readme.ADDRESS.fullmatch(address)[1]} if address else set())


def test_binder_finds_its_environment():
    lines = (ROOT / "environment.yml").read_text(encoding="utf-8").split()
    assert "requirements.txt" in lines and (ROOT / "requirements.txt").is_file()
    assert not any((ROOT / name).exists() for name in ("binder", ".binder", "Dockerfile"))
    assert {"jupyterlab", "ipykernel"} <= {
        line.split("==")[0] for line in (ROOT / "requirements.txt").read_text().splitlines()}
