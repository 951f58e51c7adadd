"""A real JupyterLab on the loopback address and a real browser, for the tests of the sliders.

Everything started here is ended here: the server with its kernels, and the browser.
"""

import contextlib
import json
import os
import re
import shutil
import subprocess
import sys

import nbformat
import psutil
from faults import until
from jupyter_server.serverapp import list_running_servers
from papermill.iorw import load_notebook_node
from papermill.parameterize import parameterize_notebook

from casadv_lib.experiments import notebooks

FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
         "--disable-background-networking", "--disable-component-update", "--disable-sync"]
WRONG = ("[data-mime-type='application/vnd.jupyter.error'], "
         "[data-mime-type='application/vnd.jupyter.stderr']")


def chromium():
    """The path of an installed Chromium, or None."""
    names = ("chromium", "chromium-browser", "google-chrome")
    return next((path for path in map(shutil.which, names) if path), None)


def copies(folder, values):
    """Notebooks in a folder of their own, with other parameters: {beginning of name: values}."""
    for path in notebooks.committed(list(values)):
        notebook = parameterize_notebook(load_notebook_node(str(path)), values[path.stem[:2]])
        notebook.metadata.pop("papermill", None)
        for cell in notebook.cells:
            if cell.cell_type == "code":
                cell.outputs, cell.execution_count = [], None
        nbformat.write(notebook, folder / path.name)


@contextlib.contextmanager
def jupyter_lab(folder, **environment):
    """The address of a JupyterLab that serves `folder`, with its token."""
    own = folder / ".lab"
    news = own / "settings" / "@jupyterlab" / "apputils-extension"
    news.mkdir(parents=True)
    (news / "notification.jupyterlab-settings").write_text(
        json.dumps({"fetchNews": "false", "checkForUpdates": False}))
    own_folders = {"JUPYTER_CONFIG_DIR": own, "JUPYTER_RUNTIME_DIR": own / "runtime",
              "JUPYTERLAB_SETTINGS_DIR": own / "settings", "IPYTHONDIR": own / "ipython",
              "JUPYTERLAB_WORKSPACES_DIR": own / "workspaces", "PYTHONPATH": notebooks.root()}
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root",
               "--ServerApp.ip=127.0.0.1", "--ServerApp.port=0",
               f"--ServerApp.root_dir={folder}"]
    with open(folder / "lab.log", "w") as log:
        server = subprocess.Popen(
            command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, cwd=folder,
            env=os.environ | {name: str(path) for name, path in own_folders.items()} | environment)
    try:
        until(lambda: any(list_running_servers(own / "runtime")), 60,
              f"JupyterLab answers; see {folder / 'lab.log'}")
        (found,) = list_running_servers(own / "runtime")
        yield f"{found['url']}lab?token={found['token']}"
    finally:
        end(server)


@contextlib.contextmanager
def browser_page(folder, **environment):
    """A page of a browser in which a JupyterLab of its own shows the folder."""
    from playwright.sync_api import sync_playwright

    if chromium() is None:
        raise RuntimeError("no Chromium on this machine: `apt-get install chromium` brings it")
    with jupyter_lab(folder, **environment) as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=FLAGS)
        page = browser.new_page(viewport={"width": 1400, "height": 1300})
        page.goto(address)
        yield page
        browser.close()


def end(server):
    """End a server and all that it started: kernels live in sessions of their own."""
    family = [psutil.Process(server.pid), *psutil.Process(server.pid).children(recursive=True)]
    for process in family:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(family, timeout=10)


def start(page, number):
    """Open a notebook from the list of files, and run all its cells without waiting for them."""
    name = page.locator(f".jp-DirListing-item[title*='Name: {number}_']")
    tab = page.locator(f".lm-DockPanel-tabBar .lm-mod-current:has-text('{number}_')")

    def opened():
        # a list that is drawn anew between the two clicks opens nothing: then once more
        name.dblclick(timeout=60_000)
        page.wait_for_timeout(1000)
        return tab.is_visible()

    until(opened, 60, f"notebook {number} is open")
    on_top = page.locator(".jp-NotebookPanel:not(.lm-mod-hidden)")
    on_top.locator(".jp-Cell").first.wait_for(timeout=60_000)
    page.wait_for_selector(".jp-StatusBar-TextItem:has-text('| Idle')", timeout=60_000)
    page.click(".lm-MenuBar-itemLabel:text-is('Run')")
    page.click(".lm-Menu-itemLabel:text-is('Run All Cells')")
    # on a slow machine the session may come later than the page, and JupyterLab asks
    asked = page.get_by_role("button", name="Select Kernel")
    running = on_top.locator(".jp-InputPrompt", has_text="[*]").first
    running.or_(asked).first.wait_for(timeout=30_000)
    if asked.is_visible():
        asked.click()
        running.wait_for(timeout=30_000)


class Notebook:
    """A notebook that `start` has opened: on top, and run to the end."""

    def __init__(self, page, number, seconds=150):
        self.page, self.number = page, number
        page.locator(f".lm-DockPanel-tabBar .lm-TabBar-tab:has-text('{number}_')").click()
        self.all = page.locator(".jp-NotebookPanel:not(.lm-mod-hidden)")
        waiting = self.all.locator(".jp-InputPrompt", has_text="[*]")
        until(lambda: waiting.count() == 0, seconds, "all cells have run")
        self.words = self.all.locator(".casadv-words")
        self.words.wait_for(state="attached", timeout=30_000)
        self.words.scroll_into_view_if_needed()
        self.panel = self.words.locator("xpath=..")

    def slider(self, name):
        return self.panel.get_by_role("slider", name=name, exact=True)

    def press(self, slider):
        """One step by the keyboard: to the right, or to the left at the right end."""
        slider.focus()
        at_end = slider.input_value() == slider.get_attribute("max")
        self.page.keyboard.press("ArrowLeft" if at_end else "ArrowRight")

    def drag(self, slider):
        """A drag with the mouse to the other side of the slider."""
        box = slider.bounding_box()
        begin = int(slider.input_value()) / int(slider.get_attribute("max"))
        end, y = 0.25 if begin > 0.5 else 0.8, box["y"] + box["height"] / 2
        self.page.mouse.move(box["x"] + 8 + begin * (box["width"] - 16), y)
        self.page.mouse.down()
        self.page.mouse.move(box["x"] + end * box["width"], y, steps=6)
        self.page.mouse.up()

    def html(self, view):
        return self.panel.locator(f".casadv-{view}").inner_html()

    def said(self):
        return self.words.inner_text()

    def until_other(self, view, before, seconds):
        until(lambda: self.html(view) != before, seconds, f"{view} changes")

    def until_words(self, pattern, seconds):
        until(lambda: re.search(pattern, self.said()), seconds, f"{pattern} is said")

    def until_quiet(self, seconds):
        until(lambda: "working" not in self.said(), seconds, "the work is done")

    def troubles(self):
        """What stands in the notebook that should not."""
        boxes = [box.inner_text() for box in self.all.locator(WRONG).all()]
        text = self.all.locator(".jp-Notebook").inner_text()
        return boxes + [word for word in ("Error displaying widget", "Traceback") if word in text]
