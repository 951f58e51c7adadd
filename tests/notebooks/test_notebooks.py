"""The committed notebooks: their form, their outputs, and that they run."""

import ast
import base64
import dis
import io
import re
import statistics
from types import CodeType

import matplotlib.image
import nbformat
import numpy as np
import pandas as pd
import papermill
import pytest

from casadv_lib.experiments import notebooks as batch
from casadv_lib.experiments.stamps import code_hash
from casadv_lib.results import report
from casadv_lib.support.repository import source_hash

NOTEBOOKS = batch.committed()
FIELDS = ("Purpose", "Section of the paper", "What goes in", "What comes out", "Run time",
          "Before and after")
MACHINE = re.compile(r"/root/|/home/|/work/|/tmp/|/Users/|[A-Z]:\\\\")
ADDRESS = re.compile(r" at 0x[0-9a-f]{6,}")  # an object without a readable form
LINK = re.compile(r"\]\(([^)\s]+)\)")


@pytest.fixture(params=NOTEBOOKS, ids=lambda path: path.stem)
def path(request):
    return request.param


@pytest.fixture
def notebook(path):
    found = nbformat.read(path, as_version=4)
    nbformat.validate(found)
    return found


def code_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def run_cells(notebook):
    return [cell for cell in code_cells(notebook)
            if "skip-execution" not in cell.metadata.get("tags", [])]


def names_of(cell):
    """(names that a code cell takes from elsewhere, names that it binds)."""
    blocks = [compile(cell.source, "cell", "exec")]
    for block in blocks:  # grows: functions and comprehensions at any depth
        blocks += [inner for inner in block.co_consts if isinstance(inner, CodeType)]
    takes, binds = set(), set()
    for step in dis.get_instructions(blocks[0]):
        if step.opname == "STORE_NAME":
            binds.add(step.argval)
        elif step.opname == "LOAD_NAME" and step.argval not in binds:
            takes.add(step.argval)
    inside = (step for block in blocks[1:] for step in dis.get_instructions(block))
    return takes | {step.argval for step in inside if step.opname == "LOAD_GLOBAL"} - binds, binds


def texts_of(cell):
    """All that a cell's outputs say, pictures aside."""
    for output in cell.outputs:
        yield output.get("text", "")
        yield from (str(value) for kind, value in output.get("data", {}).items()
                    if not kind.startswith("image/"))


def test_there_are_notebooks():
    assert {path.stem for path in NOTEBOOKS} >= {"01_data_preparation", "05_ranking_accuracy"}


def test_kernel_and_no_widget_state(notebook):
    assert notebook.metadata.kernelspec.name == "python3"
    assert set(notebook.metadata) == {"kernelspec", "language_info", "casadv"}


def test_header_says_what_the_notebook_is_for(notebook, path):
    header = notebook.cells[0]
    assert header.cell_type == "markdown"
    assert header.source.startswith(f"# {path.stem[:2]} ")
    for field in FIELDS:
        assert re.search(rf"^\*\*{field}\.\*\* \S", header.source, re.M), f"no field {field!r}"


def test_one_cell_of_parameters_that_are_literals(notebook, path):
    tagged = [cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", [])]
    assert len(tagged) == 1 and tagged[0] is code_cells(notebook)[0]
    names = set()
    for statement in ast.parse(tagged[0].source).body:
        assert isinstance(statement, ast.Assign), ast.unparse(statement)
        ast.literal_eval(statement.value)  # raises for anything that is computed
        names.add(statement.targets[0].id)
    for line in tagged[0].source.splitlines():
        assert re.search(r"  # \S", line), f"no comment on {line!r}"
    assert set(papermill.inspect_notebook(str(path))) == names and "profile" in names


def test_cells_are_short(notebook):
    lengths = [len(cell.source.splitlines()) for cell in code_cells(notebook)]
    assert max(lengths) <= 30 and statistics.median(lengths) <= 8


def test_a_cell_that_is_run_again_finds_the_names_it_found_before(notebook):
    taken, bound, exercises = set(), set(), False
    for cell in notebook.cells:
        exercises |= cell.source.startswith("## Exercises") or "\n## Exercises" in cell.source
        if cell.cell_type == "code":
            takes, binds = names_of(cell)
            # an exercise asks for a function with a name that nothing above has
            again = binds & (taken | bound if exercises else taken)
            assert not again, f"{sorted(again)}: taken above, and bound again by {cell.source!r}"
            taken, bound = taken | takes, bound | binds


def test_outputs_are_there_and_whole(notebook):
    cells = run_cells(notebook)
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    for cell in cells:
        body = ast.parse(cell.source).body
        shows = isinstance(body[-1], ast.Expr) and isinstance(body[-1].value, ast.Name)
        if shows or "print(" in cell.source or "exercises.check" in cell.source:
            assert cell.outputs, f"no output of {cell.source!r}"


def test_pictures_are_there_and_not_blank(notebook):
    drawing = [cell for cell in run_cells(notebook) if cell.source.endswith("\nfigure")]
    assert drawing
    for cell in drawing:
        pictures = [output.data["image/png"] for output in cell.outputs if "data" in output]
        assert len(pictures) == 1
        pixels = matplotlib.image.imread(io.BytesIO(base64.b64decode(pictures[0])))
        assert min(pixels.shape[:2]) > 150 and np.ptp(pixels[..., :3]) > 0.5


def test_outputs_hold_no_error_path_or_address(notebook):
    for cell in code_cells(notebook):
        for output in cell.outputs:
            assert output.output_type != "error", output.get("evalue")
            assert output.get("name") != "stderr", output.get("text")
        for text in texts_of(cell):
            assert not MACHINE.search(text), text
            assert not ADDRESS.search(text), text


def test_what_is_computed_by_hand_agrees(notebook):
    for cell in code_cells(notebook):
        for text in texts_of(cell):
            assert not re.search(r"agree.*False", text), text


def test_the_scoreboard_shown_is_that_of_the_stored_records():
    [path] = [path for path in NOTEBOOKS if path.stem.startswith("11_")]
    shown = "\n".join(output["data"]["text/markdown"] for cell in code_cells(nbformat.read(path, 4))
                      for output in cell.outputs if "text/markdown" in output.get("data", {}))
    assert report.scoreboard_part(report.stored_results()) in shown, (
        "run it again: python -m casadv_lib.experiments.notebooks --refresh 11")


def test_outputs_are_of_this_code(notebook, path):
    stamp = notebook.metadata.get("casadv", {})
    words = f"the outputs of {path.name} were made by other {{}}: run `make notebooks`"
    assert stamp.get("code") == code_hash(notebook), words.format("code cells")
    assert stamp.get("library") == source_hash(), words.format("sources in casadv_lib/")


def test_links_lead_somewhere(notebook, path):
    text = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    targets = [target for target in LINK.findall(text) if not target.startswith("http")]
    for target in targets:
        assert (path.parent / target.split("#")[0]).is_file(), target
    assert any(target.endswith(".ipynb") for target in targets)


def test_neighbours_link_to_each_other():
    headers = [nbformat.read(path, as_version=4).cells[0].source for path in NOTEBOOKS]
    for place in range(len(NOTEBOOKS) - 1):
        assert f"({NOTEBOOKS[place + 1].name})" in headers[place]
        assert f"({NOTEBOOKS[place].name})" in headers[place + 1]


@pytest.fixture
def own_file(tmp_path):
    """A reader's own CSV: 40 users, 30 items, many equal timestamps."""
    rng = np.random.default_rng(0)
    rows = [(f"u{user}", f"film {item}", step // 2) for user in range(40)
            for step, item in enumerate(rng.permutation(30)[: rng.integers(4, 9)])]
    path = tmp_path / "own.csv"
    pd.DataFrame(rows, columns=["user", "item", "timestamp"]).to_csv(path, index=False)
    return str(path)


def printed(path):
    cells = code_cells(nbformat.read(path, as_version=4))
    # printed text comes in pieces that break anywhere, so no line ends between them
    return "\n".join("".join(texts_of(cell)) for cell in cells)


@pytest.mark.parametrize("where", [".", "notebooks"])
def test_01_runs_from_the_root_and_from_its_own_folder(where, tmp_path, own_file):
    output = tmp_path / "out.ipynb"
    folder = batch.root() / where
    source = next(path for path in NOTEBOOKS if path.stem == "01_data_preparation")
    batch.run_notebook(source, output, {"dataset": own_file}, cwd=folder)
    text = printed(output)
    assert "40 users" in text and "film " in text
    assert text.count("library: True") == 3 and "library: False" not in text


def test_05_runs_on_another_data_set_and_backbone(tmp_path, own_file, runs_folder):
    source = next(path for path in NOTEBOOKS if path.stem == "05_ranking_accuracy")
    small = {"epochs": 2, "adv_epochs": 1, "dim": 8, "batch_size": 16, "eval_every": 1}
    given = {"dataset": own_file, "backbone": "gru4rec", "device": "cpu", "overrides": small}
    before = source.read_bytes()
    batch.run_notebook(source, tmp_path / "out.ipynb", given)
    text = printed(tmp_path / "out.ipynb")
    assert text.count("library: True") == 3 and "stored run: True" in text
    assert "library: False" not in text
    assert "best possible score is not known" in text and "film " in text
    assert len(list(runs_folder.glob("own-gru4rec-*"))) == 8
    assert source.read_bytes() == before


def test_a_notebook_that_came_alone_says_what_to_do(notebook, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = {}
    with pytest.raises(AssertionError, match="'In the browser'"):
        for cell in code_cells(notebook)[:2]:
            exec(cell.source, names)
    readme = (batch.root() / "README.md").read_text(encoding="utf-8")
    assert "\n### In the browser\n" in readme


def test_nonsense_is_refused_by_the_cell_after_the_parameters(notebook, path, monkeypatch):
    monkeypatch.chdir(path.parent)
    parameters, check = (compile(cell.source, path.name, "exec")
                         for cell in code_cells(notebook)[:2])
    wrong = {"profile": "quik", "dataset": "no-such-data", "backbone": "bert", "seed": -1,
             "device": "abacus", "overrides": [1]}
    names = {}
    exec(parameters, names)
    for name in wrong.keys() & names.keys():
        scope = {**names, name: wrong[name]}
        with pytest.raises(ValueError, match=re.escape(repr(wrong[name]))):
            exec(check, scope)
