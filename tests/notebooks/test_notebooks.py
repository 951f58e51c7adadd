"""The committed notebooks: form, outputs, refusal of bad parameters; and the glossary."""

import ast
import base64
import dataclasses
import dis
import io
import re
import statistics
import warnings
from importlib import import_module
from types import CodeType

import matplotlib
import matplotlib.image
import nbformat
import numpy as np
import pandas as pd
import papermill
import pytest

import casadv_lib as cas
from casadv_lib.experiments import notebooks
from casadv_lib.support.files import read_json
from casadv_lib.support.machine import source_hash

NOTEBOOKS = notebooks.committed()
MAKEFILE = (notebooks.root() / "Makefile").read_text(encoding="utf-8")
FIELDS = ("Purpose", "Section of the paper", "What goes in", "What comes out", "Run time",
          "Before and after")
MACHINE = re.compile(r"/root/|/home/|/work/|/tmp/|/Users/|[A-Z]:\\\\")
ADDRESS = re.compile(r" at 0x[0-9a-f]{6,}")  # an object without a readable form
BAD = {  # by the type of the committed value
    str: [3, None, "", "nonsense", [], True],
    int: [-1, 1.5, "3", None, [], True, float("nan"), 10**400],
    float: [-1.0, "0.1", None, [], float("nan"), float("inf")],
    list: [3, None, "x", [None], [object()], []],
    dict: [3, [], {"nothing": 1}, {"epochs": 0}, {"epochs": "5"}, {3: 1}],
    type(None): [3, "", "nonsense", [], 1.5],
}


@pytest.fixture(params=NOTEBOOKS, ids=lambda path: path.stem)
def path(request):
    return request.param


@pytest.fixture
def notebook(path):
    read = nbformat.read(path, as_version=4)
    nbformat.validate(read)
    return read


def code_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def tags_of(cell):
    return cell.metadata.get("tags", [])


def run_cells(notebook):
    return [cell for cell in code_cells(notebook) if "skip-execution" not in tags_of(cell)]


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


def test_header_says_what_the_notebook_is_for(notebook, path):
    assert set(notebook.metadata) == {"kernelspec", "language_info", "casadv"}  # no widget state
    assert notebook.cells[0].source.startswith(f"# {path.stem[:2]} ")
    # the first notebook tells its story first
    header = next(c.source for c in notebook.cells if "**Purpose.**" in c.source)
    for field in FIELDS:
        assert re.search(rf"^\*\*{field}\.\*\* \S", header, re.M), f"no field {field!r}"
    place = NOTEBOOKS.index(path)
    for neighbour in NOTEBOOKS[max(place - 1, 0):place + 2]:
        assert neighbour == path or f"({neighbour.name})" in header
    said = re.search(r"^\*\*Run time\.\*\* .*?about (\d+) seconds", header, re.M | re.I)
    record = read_json(notebooks.root() / "figures/quick/notebooks.json")[path.stem]
    assert record["provenance"]["wall_seconds"] < int(said[1])


def test_one_cell_of_parameters_that_are_literals(notebook, path):
    tagged = [cell for cell in notebook.cells if "parameters" in tags_of(cell)]
    assert len(tagged) == 1 and tagged[0] is code_cells(notebook)[0]
    names = set()
    for statement in ast.parse(tagged[0].source).body:
        ast.literal_eval(statement.value)  # raises for anything that is computed
        names.add(statement.targets[0].id)
    for line in tagged[0].source.splitlines():
        assert re.search(r"  # \S", line), f"no comment on {line!r}"
    assert set(papermill.inspect_notebook(str(path))) == names and "profile" in names


def test_bad_parameters_are_refused_before_any_work(
        notebook, path, no_work, runs_folder, monkeypatch):
    monkeypatch.chdir(path.parent)
    parameters, *rest = [cell.source for cell in run_cells(notebook)]
    good: dict = {}
    exec(parameters, good)
    del good["__builtins__"]
    # the notebook makes its data set before it trains; a world a case would take minutes
    world, real = cas.load_dataset("synthetic"), cas.load_dataset
    monkeypatch.setattr(cas, "load_dataset", lambda name, *more: (
        world if name == "synthetic" else real(name, *more)))
    for name, bad in ((n, bad) for n, value in good.items() for bad in BAD[type(value)]):
        space = {"__name__": "__main__", **good, name: bad}
        with warnings.catch_warnings(), matplotlib.rc_context():
            warnings.simplefilter("ignore")
            with pytest.raises(ValueError) as error:
                for source in rest[:4]:
                    exec(source, space)
        said = str(error.value)
        words = {"dataset": ("dataset", "data set")}.get(name, (name,))
        if name == "overrides" and isinstance(bad, dict):
            words = (str(next(iter(bad))),)
        assert any(word in said for word in words), (name, bad, said)
        assert "allowed" in said or "known data sets" in said, (name, bad, said)
    assert not runs_folder.exists()


def test_cells_are_short(notebook):
    lengths = [len(cell.source.splitlines()) for cell in code_cells(notebook)]
    assert max(lengths) <= 25 and statistics.median(lengths) <= 8


def test_a_cell_that_is_run_again_meets_the_names_it_met_before(notebook):
    taken, bound, exercises = set(), set(), False
    for cell in notebook.cells:
        exercises |= bool(re.search("^## Exercises", cell.source, re.M))
        if cell.cell_type == "code":
            takes, binds = names_of(cell)
            # an exercise asks for a function with a name that nothing above has
            again = binds & (taken | bound if exercises else taken)
            assert not again, f"{sorted(again)}: taken above, and bound again by {cell.source!r}"
            taken, bound = taken | takes, bound | binds


def test_outputs_are_there_and_hold_no_error_path_or_disagreement(notebook):
    cells, drawn = run_cells(notebook), []
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    for cell in cells:
        last = ast.parse(cell.source).body[-1]
        shows = isinstance(last, ast.Expr) and isinstance(last.value, ast.Name)
        assert cell.outputs or not (shows or "print(" in cell.source), cell.source
    for output in (output for cell in code_cells(notebook) for output in cell.outputs):
        assert output.output_type != "error" and output.get("name") != "stderr", output
        for kind, text in {"text": output.get("text", ""), **output.get("data", {})}.items():
            if kind == "image/png":
                drawn.append(matplotlib.image.imread(io.BytesIO(base64.b64decode(text))))
            elif not kind.startswith("image/"):
                assert not MACHINE.search(str(text)) and not ADDRESS.search(str(text)), text
                assert not re.search(r"agree.*False", str(text)), text
    assert drawn
    for pixels in drawn:  # none is blank
        assert min(pixels.shape[:2]) > 150 and np.ptp(pixels[..., :3]) > 0.5


def test_outputs_are_of_this_code(notebook, path):
    stamp = notebook.metadata.get("casadv", {})
    words = f"the outputs of {path.name} were made by other {{}}: run `make notebooks`"
    assert stamp.get("code") == notebooks.code_hash(notebook), words.format("code cells")
    assert stamp.get("library") == source_hash(), words.format("sources in casadv_lib/")


def test_links_lead_somewhere(notebook, path):
    text = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        assert target.startswith("http") or (path.parent / target.split("#")[0]).exists(), target


def test_tags_say_what_nbval_compares(notebook, path):
    checked = [cell for cell in code_cells(notebook) if "nbval-check-output" in tags_of(cell)]
    assert len(checked) >= 3 or path.name in re.search(r"^STRICT *=(.*)$", MAKEFILE, re.M)[1]
    assert all(cell.outputs and "perf_counter" not in cell.source for cell in checked)
    for tags in map(tags_of, code_cells(notebook)):  # Papermill and nbval leave out the same cells
        assert ("skip-execution" in tags) == ("nbval-skip" in tags)


def test_an_answer_is_folded_below_its_question(notebook, path):
    cells = code_cells(notebook)
    folded = [cell.metadata.get("jupyter", {}).get("outputs_hidden", False) for cell in cells]
    asks = [re.search(r"^predict\(", cell.source, re.M) is not None for cell in cells]
    assert folded == [False, *asks[:-1]]


# ------------------------------------------------------------------ the glossary

TABLE = pd.read_csv(notebooks.root() / "casadv_lib" / "glossary.csv", dtype=str)


def owner_of(name):
    if name == "Backbone":
        return cas.SASRec(3, dim=4)
    for module in (cas, *map(import_module, ("casadv_lib.batching", "casadv_lib.settings"))):
        if hasattr(module, name):
            return getattr(module, name)
    return import_module(f"casadv_lib.{name}")


def test_what_the_glossary_names_is_there():
    for name in TABLE["in the code"]:
        owner, _, member = name.partition(".")
        there = owner_of(owner)
        fields = dataclasses.fields(there) if dataclasses.is_dataclass(there) else ()
        assert not member or hasattr(there, member) or member in {f.name for f in fields}, name


def test_symbols_stand_in_the_order_in_which_a_reader_meets_them():
    assert TABLE.notna().all(axis=None) and TABLE["symbol"].is_unique
    assert TABLE["notebook"].is_monotonic_increasing
    assert set(TABLE["notebook"]) <= {path.stem[:2] for path in notebooks.committed()}
    assert len(TABLE.columns) == 6
