"""The README's Python runs as it stands, and its links lead somewhere."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
TEXT = (ROOT / "README.md").read_text(encoding="utf-8")
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


def test_pictures_are_described():
    assert all(words.strip() for words in re.findall(r"!\[([^\]]*)\]", TEXT))
