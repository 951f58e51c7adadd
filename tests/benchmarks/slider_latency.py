"""How long a slider takes to answer, from the key press to the picture, in a real browser.

Runs of the quick profile are used where they are stored, and made where not. Nothing that a move
computes is remembered from an earlier one.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
import time
from pathlib import Path

import lab
import nbformat
from benchmarks.rows import measured
from playwright.sync_api import sync_playwright

from casadv_lib.experiments.runs import runs_folder

USER, SAMPLE = 200.0, 1000.0  # what a move may take, in milliseconds
START = """import sys
from pathlib import Path
root = next(p for p in (Path.cwd(), *Path.cwd().parents) if (p / "casadv_lib").is_dir())
sys.path.insert(0, str(root))
import numpy as np
import casadv_lib as cas
from casadv_lib import figures, illustration, profiles, results, runs
data = cas.load_dataset("synthetic")
made = {m: runs.run(profiles.configure(method=m), data) for m in ("base", "adv_cas")}
user = illustration.shown_user(data)
stored = results.load_results("quick")
"""
# notebook: (its slider cell, the slider, [(view, what it shows, what a move may take)])
PANELS = {
    "replacement": ("""from casadv_lib.widgets.replacement import replacement_panel
replacement_panel(made["adv_cas"].config, data, user, k=1, keep=3,
                  marked=lambda: figures.figure6(stored, "synthetic", highlight=1))""",
                    "K", [("user", "K: one user's history and list", USER),
                          ("average", "K: average of 300 users, base and adv_cas", SAMPLE),
                          ("stored", "K: Figure 6 with K marked", SAMPLE)]),
    "perturbation": ("""from casadv_lib.widgets.epsilon import epsilon_panel
epsilon_panel(made["base"].config, data, user, np.arange(0, 20.5, 0.5), 0.0)""",
                     "epsilon", [("user", "epsilon: arrows, sizes, curve of one user", USER),
                                 ("tables", "epsilon: the same and the lists", USER)]),
    "cascade": ("""from casadv_lib.widgets.cascade import cascade_panel
longest = int(np.argmax([len(s) for s in data.sequences]))
cascade_panel(profiles.configure(), data, longest, [64, 128, 256])""",
                "interaction (steps from the end)",
                [("user", "interaction: both terms of one user", USER),
                 ("boxes", "interaction: the same, the list and Figure 2", USER)]),
}
# from the slider's own event until each view has changed and its pictures are decoded
WATCH = """([slider, names]) => {
  const panel = slider.closest(".widget-vbox, .jupyter-widgets.widget-vbox");
  window.casadv = {};
  slider.addEventListener("input", () => { window.casadv = {begin: performance.now()}; });
  for (const name of names) {
    const view = panel.querySelector(".casadv-" + name);
    new MutationObserver(async () => {
      const begin = window.casadv.begin;
      await Promise.all([...view.querySelectorAll("img")].map(image => image.decode()));
      requestAnimationFrame(() => {
        if (window.casadv.begin === begin) window.casadv[name] ??= performance.now() - begin;
      });
    }).observe(view, {childList: true, subtree: true, characterData: true});
  }
}"""


def notebook(name: str, cell: str) -> nbformat.NotebookNode:
    """A notebook with a title, the start, and a panel."""
    found = nbformat.v4.new_notebook(cells=[
        nbformat.v4.new_markdown_cell(f"# {name} panel"), nbformat.v4.new_code_cell(START),
        nbformat.v4.new_code_cell(cell)])
    found.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3 (ipykernel)",
                                    "language": "python"}
    return found


def times(opened: lab.Notebook, name: str, views: list[str], moves: int) -> dict:
    """{view: milliseconds of each move}; there and back along the slider."""
    slider, page = opened.slider(name), opened.page
    slider.focus()
    for key in ("End", "Home"):  # moves that do not count
        words = opened.html("words")
        page.keyboard.press(key)
        opened.until_other("words", words, 60)
        opened.until_quiet(60)
        time.sleep(0.5)
    page.evaluate(WATCH, [slider.element_handle(), views])
    most, place, step = int(slider.get_attribute("max")), 0, 1
    found = {view: [] for view in views}
    for _ in range(moves):
        step = -1 if place == most else 1 if place == 0 else step
        place += step
        page.keyboard.press("ArrowRight" if step > 0 else "ArrowLeft")
        lab.until(lambda: page.evaluate(
            "names => names.every(name => name in window.casadv)", views), 60, "all views follow")
        for view in views:
            found[view].append(page.evaluate("name => window.casadv[name]", view))
        opened.until_quiet(60)
        time.sleep(0.1)
    return found


def main(moves: int = 20) -> dict:
    """Medians over `moves` key presses for each panel."""
    if lab.chromium() is None:
        raise RuntimeError("no Chromium on this machine: `apt-get install chromium` brings it")
    rows = []
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        (folder / "casadv_lib").symlink_to(Path(lab.batch.root()) / "casadv_lib")
        for name, (cell, _, _) in PANELS.items():
            nbformat.write(notebook(name, cell), folder / f"{name}_panel.ipynb")
        kept = {"OMP_NUM_THREADS": "2", "CASADV_RUNS": str(runs_folder())}
        address = stack.enter_context(lab.jupyter_lab(folder, **os.environ | kept))
        playwright = stack.enter_context(sync_playwright())
        browser = playwright.chromium.launch(executable_path=lab.chromium(), args=lab.FLAGS)
        stack.callback(browser.close)
        page = browser.new_page(viewport={"width": 1400, "height": 1300})
        page.goto(address)
        for name, (_, slider, views) in PANELS.items():
            lab.start(page, name)
            opened = lab.Notebook(page, name, seconds=500)
            found = times(opened, slider, [view for view, _, _ in views], moves)
            rows += [measured(what, found[view], "ms", at_most=limit, headline=True)
                     for view, what, limit in views]
    return {
        "title": f"Sliders: from the key press to the picture in a browser, {moves} moves",
        "rows": rows,
        "notes": ["JupyterLab and headless Chromium on this machine; SASRec, d = 64, on the "
                  "synthetic world; nothing is remembered from an earlier move.",
                  "The views of a panel follow one after the other; a row's time includes those "
                  "above it."],
    }
