"""The README: its code runs, its links lead somewhere, its numbers are those that are stored."""

import re
import shutil
from itertools import product
from pathlib import Path

import pytest
from benchmarks import readme

from casadv_lib.__main__ import _parser
from casadv_lib.evaluation import METRICS
from casadv_lib.experiments import notebooks
from casadv_lib.experiments.configuration import attack_name
from casadv_lib.results.frames import interval, read_results, select, with_role
from casadv_lib.support.files import read_json
from casadv_lib.support.machine import root

ROOT = root()
PAGES = ("README.md", "notebooks/README.md", "figures/paper/README.md",
         "figures/paper/findings.md")
TEXTS = {page: (ROOT / page).read_text(encoding="utf-8") for page in PAGES}
TEXT = TEXTS["README.md"]
# sentences in which each {} is a number, and what the numbers are
SAID = read_json(Path(__file__).with_name("findings.json"))
RECORD = read_json(ROOT / readme.RECORD)
HERE = "https://github.com/somebody/casadv"
# the words are about what is committed, whatever this machine has made
TABLES = {name: read_results(ROOT / "figures" / name)
          for name in ("paper", "quick", "sampled", "ce", "gbce", "bce64")}


def stored(kind, setting, method, versus="base", which="last", exclude="both", epsilon=None,
           preset=None, tables="paper", seed=0, **attack):
    """Percent of NDCG@10 that an attack costs ("loss"), or by which a method is above another one
    ("gain", over "seeds" the value, low or high) or "below" it, or has "kept" of it when attacked
    (over seeds, in points); or a metric itself."""
    dataset, backbone = f"{setting} sasrec".split()[:2]
    results = TABLES["quick" if dataset == "synthetic" else tables]
    made = {"epsilon": epsilon} if epsilon else {"preset": preset} if preset else {}
    main = "seed" if seed else "main"
    role = "sweep" if epsilon else "values" if preset else main

    def run(method, role=role, **made):
        return with_role(results, role, dataset=dataset, backbone=backbone, method=method,
                         seed=seed, **made)["run"].item()

    own = run(method, **made)
    if kind in METRICS:
        return select(results.runs, run=own, which=which, split="test")[kind].item()
    if kind == "loss":
        return -interval(results, "attack", "change", run=own, attack=attack_name(**attack),
                         exclude=exclude)["value"]
    other = run("base", main) if versus == "base" else run(versus, **made)
    if kind in ("seeds", "kept"):
        quantity = "percent" if kind == "seeds" else "change difference"
        return interval(results, "seeds", quantity, run=own, versus=other)[which]
    above = interval(results, "pair", "percent", run=own, which="last", versus=other,
                     versus_which=which)["value"]
    return above if kind == "gain" else -above


def pattern(said):
    return re.escape(said).replace(r"\{\}", r"(\d+(?:\.\d+)?)").replace(r"\.\.\.", ".*")


@pytest.mark.parametrize("row", SAID, ids=[row["said"][:40] for row in SAID])
def test_numbers_in_words_are_those_stored(row):
    said = re.search(pattern(row["said"]), " ".join(TEXTS[row["page"]].split()))
    assert said, f"no text matches {row['said']!r}"
    for group, (*named, last) in zip(said.groups(), row["numbers"], strict=True):
        value = stored(*named, **last) if isinstance(last, dict) else stored(*named, last)
        decimals = len(group.partition(".")[2])
        assert group == f"{value:.{decimals}f}", said[0]


def test_the_table_of_the_findings_is_stored():
    names = {"SASRec": "sasrec", "GRU4Rec": "gru4rec"}
    datasets = ("beauty", "video", "clothing", "ml-1m")
    rows = re.findall(r"^\| (SASRec|GRU4Rec): (gain|loss) of (\w+)(.*?) \|(.*)\|$", TEXT, re.M)
    assert len(rows) == 10
    for (backbone, kind, method, more, cells), dataset in product(rows, datasets):
        cell = cells.split("|")[datasets.index(dataset)].strip()
        main = TABLES["paper"].main.get((dataset, names[backbone]), {})
        if not {"base", method} <= main.keys():
            assert cell == "–", (backbone, method, dataset)
            continue
        pair = {"run": main[method], "which": "last", "versus": main["base"],
                "versus_which": "best" if "best" in more else "last"}
        value = stored(kind, f"{dataset} {backbone.lower()}", method, which=pair["versus_which"])
        is_sure = False
        if kind == "gain":
            bounds = interval(TABLES["paper"], "pair", "percent", **pair)
            is_sure = bounds["low"] > 0 or bounds["high"] < 0
        elif method != "base":
            is_sure = interval(TABLES["paper"], "pair", "change difference", **pair)["low"] > 0
        assert cell == (f"**{value:.0f}**" if is_sure else f"{value:.0f}"), (cell, pair)


def test_every_percentage_of_the_short_findings_is_held():
    left = re.search("<!-- begin findings -->(.*)<!-- end findings -->", " ".join(TEXT.split()))[1]
    for row in SAID:
        left = re.sub(pattern(row["said"]), "", left) if row["page"] == "README.md" else left
    assert not re.findall(r"\S+ \S+ [\d.]+%", left)


def test_the_code_runs(capsys):
    names, blocks = {}, re.findall(r"```python\n(.*?)```", TEXT, flags=re.DOTALL)
    for block in blocks:  # one after the other, as a reader would type them
        exec(compile(block, "README.md", "exec"), names)
    assert len(blocks) == 2 and capsys.readouterr().out.count("ndcg@10") == 3
    assert len(TEXT.splitlines()) <= 250


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere_and_pictures_are_described(page):
    for words, target in re.findall(r"\[([^\]]*)\]\(([^)#\s]+)\)", TEXTS[page]):
        assert words.strip(), target
        assert target.startswith("http") or ((ROOT / page).parent / target).exists(), target


def test_commands_and_folders_that_are_named_exist():
    makefile = (ROOT / "Makefile").read_text()
    for target in re.findall(r"(?:`|^)make ([a-z]+)", TEXT, re.M):
        assert re.search(rf"^{target}:", makefile, re.M), target
    for folder in re.findall(r"^  ([a-z]+)/", TEXT, re.M):
        assert (ROOT / "casadv_lib" / folder).is_dir(), folder
    commands = re.findall(r"^python -m casadv_lib ([^#\n]*)", TEXT, re.M)
    assert len(commands) == 7
    for words in commands:
        _parser().parse_args(words.split())  # ends the test where a word is unknown


def test_the_table_of_notebooks_is_what_was_measured():
    names = [path.stem for path in notebooks.committed()]
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert [row[1] for row in readme.ROW.findall(TEXT)] == names == sorted(RECORD)
    assert readme.refreshed(TEXT, RECORD, citation) == TEXT, \
        "run `python tests/benchmarks/readme.py`"
    assert all(entry["new_runs"] == 0 for entry in RECORD.values())


def test_badges_come_with_the_address_alone(tmp_path, capsys):
    for name in ("README.md", "CITATION.cff", str(readme.RECORD)):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    for wrong in ("https://example.org/a/b", "somebody/casadv", HERE + "/tree/main"):
        with pytest.raises(SystemExit, match="2"):
            readme.main(["--repository", wrong], tmp_path)
        assert repr(wrong) in capsys.readouterr().err
    for address in (HERE, HERE.replace("somebody", "else")):  # the second takes the first's place
        readme.main(["--repository", address], tmp_path)
        readme.main([], tmp_path)  # the address is stored
        text = (tmp_path / "README.md").read_text(encoding="utf-8")
        owner = address.split("/")[3]
        assert text.count(f"/github/{owner}/casadv/blob/main/notebooks/") == 13
        assert text.count(f"/gh/{owner}/casadv/main?urlpath=lab/tree/notebooks/") == 13
    assert "somebody" not in text
