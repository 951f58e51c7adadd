"""How long a slider takes to answer, from the key press to the picture, in a real browser.

The sliders are those of the notebooks. Runs of the quick profile are used where they are stored,
and made where not. Nothing that a move computes is remembered from an earlier one.
"""

import contextlib
import tempfile
import time
from pathlib import Path

import lab
from benchmarks.measuring import row

from casadv_lib.experiments.runs import runs_folder

USER, SAMPLE = 200.0, 1000.0  # what a move may take, in milliseconds
# notebook: (its slider, [(view, what it shows, what a move may take)])
PANELS = {
    "03": ("interaction (steps from the end)",
           [("user", "interaction: both terms of one user", USER),
            ("boxes", "interaction: the same and Figure 2", USER)]),
    "04": ("epsilon", [("user", "epsilon: arrows, sizes, curve of one user", USER)]),
    "09": ("K", [("user", "K: one user's history and list", USER),
                 ("average", "K: average of 300 users, base and adv_cas", SAMPLE),
                 ("stored", "K: Figure 6 with K marked", SAMPLE)]),
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


def times(opened: lab.Notebook, name: str, views: list[str], moves: int) -> dict:
    """{view: milliseconds of each move}; there and back along the slider."""
    slider, page = opened.slider(name), opened.page
    slider.focus()
    for key in ("End", "Home"):  # moves that do not count
        page.keyboard.press(key)
        time.sleep(0.5)
        opened.until_quiet(60)
    page.evaluate(WATCH, [slider.element_handle(), views])
    most, position, step = int(slider.get_attribute("max")), 0, 1
    answers = {view: [] for view in views}
    for _ in range(moves):
        step = -1 if position == most else 1 if position == 0 else step
        position += step
        page.keyboard.press("ArrowRight" if step > 0 else "ArrowLeft")
        lab.until(lambda: page.evaluate(
            "names => names.every(name => name in window.casadv)", views), 60, "all views follow")
        for view in views:
            answers[view].append(page.evaluate("name => window.casadv[name]", view))
        opened.until_quiet(60)
        time.sleep(0.1)
    return answers


def main(moves: int = 20, device: str = "cpu") -> dict:
    """Medians over `moves` key presses for each panel; device: not that of the notebooks."""
    rows = []
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        lab.copies(folder, {number: {} for number in PANELS})
        page = stack.enter_context(lab.browser_page(
            folder, OMP_NUM_THREADS="2", CASADV_RUNS=str(runs_folder())))
        for number, (slider, views) in PANELS.items():
            lab.start(page, number)
            opened = lab.Notebook(page, number, seconds=500)
            answers = times(opened, slider, [view for view, _, _ in views], moves)
            rows += [row(what, answers[view], "ms", target=limit, headline=True)
                     for view, what, limit in views]
    return {"rows": rows}
