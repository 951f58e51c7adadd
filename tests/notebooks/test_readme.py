"""The README: its code runs, its links lead somewhere, its numbers are those that are stored."""

import re
import shutil

import pytest

from casadv_lib.__main__ import _parser
from casadv_lib.experiments import notebooks
from casadv_lib.experiments.configuration import attack_name
from casadv_lib.results import readme
from casadv_lib.results.frames import interval, read_results, with_role
from casadv_lib.support.files import read_json
from casadv_lib.support.repository import root

ROOT = root()
PAGES = ("README.md", "notebooks/README.md", "figures/paper/findings.md")
TEXT, _, FINDINGS = ((ROOT / page).read_text(encoding="utf-8") for page in PAGES)
SHORT = TEXT[TEXT.index("<!-- begin findings -->"):TEXT.index("<!-- end findings -->")]
RECORD = read_json(ROOT / readme.RECORD)
HERE = "https://github.com/somebody/casadv"
# the words are about what is committed, whatever this machine has made
PAPER, QUICK = (read_results(ROOT / "figures" / name) for name in ("paper", "quick"))
BEAUTY, VIDEO, VIDEO_GRU = ("beauty", "sasrec"), ("video", "sasrec"), ("video", "gru4rec")
WORLD = ("synthetic", "sasrec")


def run_of(setting, method, role="main", **values):
    """(results, the name of its run)."""
    results = QUICK if setting == WORLD else PAPER
    [run] = with_role(results, role, dataset=setting[0], backbone=setting[1], method=method,
                      **values)["run"]
    return results, run


def gain(setting, method, versus="base", which="last", **made):
    """Percent of NDCG@10 by which a method is above another one; made: for what role, and how."""
    results, run = run_of(setting, method, **made)
    _, other = run_of(setting, versus, **(made if versus != "base" else {}))
    return interval(results, "pair", "percent", run=run, which="last", versus=other,
                    versus_which=which)["value"]


def sweep(setting, epsilon):
    return gain(setting, "adv_cas", role="sweep", epsilon=epsilon)


def values(setting, versus, preset):
    return gain(setting, "adv_cas", versus, role="values", preset=preset)


def loss(setting, method, exclude="both", **attack):
    """Percent of NDCG@10 that an attack costs."""
    results, run = run_of(setting, method)
    return -interval(results, "attack", "change", run=run, attack=attack_name(**attack),
                     exclude=exclude)["value"]


# a pattern whose groups are numbers, and functions that give these numbers
SAID = [
    (SHORT, r"adv_cas gains (\d+)% of NDCG@10 over the base on Beauty and (\d+)% on Video",
     lambda: (gain(BEAUTY, "adv_cas"), gain(VIDEO, "adv_cas"))),
    (SHORT, r"adv_cas gains (\d+)% on Video Games \((\d+)% over the base's best epoch\)",
     lambda: (gain(VIDEO_GRU, "adv_cas"), gain(VIDEO_GRU, "adv_cas", which="best"))),
    (SHORT, r"ahead, by ([\d.]+)% on Beauty and ([\d.]+)% on Video Games",
     lambda: [values(one, "adv_global", "batch") for one in (BEAUTY, VIDEO)]),
    (SHORT, r"falls (\d+)% below the base at 20", lambda: [-sweep(VIDEO, 20.0)]),
    (SHORT, r"leave adv_cas (\d+)% below the base on Beauty and (\d+)% on Video Games",
     lambda: [-values(one, "base", "literal") for one in (BEAUTY, VIDEO)]),
    (SHORT, r"base (\d+)% of NDCG@10 on Beauty and (\d+)% on Video Games. adv_cas loses (\d+)% and "
     r"(\d+)%; adv_linear, .* least of the paper's methods: (\d+)% and (\d+)%",
     lambda: [loss(one, method) for method in ("base", "adv_cas", "adv_linear")
              for one in (BEAUTY, VIDEO)]),
    (SHORT, r"adv_neighbour, loses (\d+)% and (\d+)% there, .* is ([\d.]+)% above that of",
     lambda: (loss(BEAUTY, "adv_neighbour"), loss(VIDEO, "adv_neighbour"),
              gain(VIDEO, "adv_neighbour", "adv_cas"))),
    (SHORT, r"rule the last item cost the base (\d+)% and (\d+)%, and adv_cas (\d+)% and (\d+)%",
     lambda: [loss(one, method, exclude="original") for method in ("base", "adv_cas")
              for one in (BEAUTY, VIDEO)]),
    (SHORT, r"adv_cas gains (\d+)% over the base while longer training alone loses (\d+)%",
     lambda: (gain(WORLD, "adv_cas"), -gain(WORLD, "base+100"))),
    (SHORT, r"the last item costs the base (\d+)% and adv_cas (\d+)%",
     lambda: [loss(WORLD, method) for method in ("base", "adv_cas")]),
    (FINDINGS, r"\((\d+), (\d+), (\d+) and (\d+)% at epsilon 1, 3, 5 and 10",
     lambda: [sweep(VIDEO, epsilon) for epsilon in (1.0, 3.0, 5.0, 10.0)]),
    (FINDINGS, r"is (\d+), (\d+), (\d+), (\d+) and (\d+)% above the base at 1, 3, 5, 10 and 20",
     lambda: [sweep(VIDEO_GRU, epsilon) for epsilon in (1.0, 3.0, 5.0, 10.0, 20.0)]),
    (FINDINGS, r"adv_global gains (\d+)% and adv_cas (\d+)%, where",
     lambda: [gain(VIDEO_GRU, method) for method in ("adv_global", "adv_cas")]),
    (FINDINGS, r"the base loses (\d+)% on Beauty and (\d+)% on Video Games, adv_cas (\d+)% and "
     r"(\d+)%",
     lambda: [loss(one, method, step=1.0) for method in ("base", "adv_cas")
              for one in (BEAUTY, VIDEO)]),
    (FINDINGS, r"(\d+)% with the last item and (\d+)% with five; on Beauty the shares are (\d+)% "
     r"and (\d+)%", lambda: [loss(one, "adv_cas", k=k)
                         for one in (VIDEO, BEAUTY) for k in (1, 5)]),
    (FINDINGS, r"costs it (\d+)% on Beauty and (\d+)% on Video Games, five items (\d+)% and "
     r"(\d+)%",
     lambda: [loss(one, "adv_neighbour", k=k) for k in (1, 5) for one in (BEAUTY, VIDEO)]),
    (FINDINGS, r"gains (\d+)% over the base on Beauty, level with adv_cas, and (\d+)% on Video",
     lambda: [gain(one, "adv_neighbour") for one in (BEAUTY, VIDEO)]),
    (FINDINGS, r"alone, .* gains (\d+)% on Beauty and loses (\d+)%",
     lambda: (gain(BEAUTY, "neighbour"), loss(BEAUTY, "neighbour"))),
    (FINDINGS, r"SASRec's base (\d+)% on Beauty and (\d+)% on Video Games, five items (\d+)% "
     r"and (\d+)%",
     lambda: [loss(one, "base", "original", k=k) for k in (1, 5) for one in (BEAUTY, VIDEO)]),
]


@pytest.mark.parametrize("text, pattern, expected", SAID, ids=[row[1][:40] for row in SAID])
def test_numbers_in_words_are_those_stored(text, pattern, expected):
    said = re.search(pattern, " ".join(text.split()))
    assert said, f"no text matches {pattern!r}"
    for group, value in zip(said.groups(), expected(), strict=True):
        decimals = len(group.partition(".")[2])
        assert group == f"{value:.{decimals}f}", said[0]


def test_every_percentage_of_the_short_findings_is_held():
    left = " ".join(SHORT.split())
    for text, pattern, _ in SAID:
        left = re.sub(pattern, "", left) if text is SHORT else left
    assert not re.findall(r"\S+ \S+ [\d.]+%", left)


def test_the_code_runs(capsys):
    names, blocks = {}, re.findall(r"```python\n(.*?)```", TEXT, flags=re.DOTALL)
    for block in blocks:  # one after the other, as a reader would type them
        exec(compile(block, "README.md", "exec"), names)
    assert len(blocks) == 2 and capsys.readouterr().out.count("ndcg@10") == 3
    assert len(TEXT.splitlines()) <= 250


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere_and_pictures_are_described(page):
    text = (ROOT / page).read_text(encoding="utf-8")
    for words, target in re.findall(r"\[([^\]]*)\]\(([^)#\s]+)\)", text):
        assert words.strip(), target
        assert target.startswith("http") or ((ROOT / page).parent / target).exists(), target


def test_commands_and_folders_that_are_named_exist():
    makefile = (ROOT / "Makefile").read_text()
    for target in re.findall(r"(?:`|^)make ([a-z]+)", TEXT, re.M):
        assert re.search(rf"^{target}:", makefile, re.M), target
    for folder in re.findall(r"^  ([a-z]+)/", TEXT, re.M):
        assert (ROOT / "casadv_lib" / folder).is_dir(), folder
    commands = re.findall(r"^python -m casadv_lib ([^#\n]*)", TEXT, re.M)
    assert len(commands) == 3
    for words in commands:
        _parser().parse_args(words.split())  # ends the test where a word is unknown


def test_the_table_of_notebooks_is_what_was_measured():
    names = [path.stem for path in notebooks.committed()]
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert [row[1] for row in readme.ROW.findall(TEXT)] == names == sorted(RECORD)
    assert readme.refreshed(TEXT, RECORD, citation) == TEXT, \
        "run `python -m casadv_lib.results.readme`"
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
