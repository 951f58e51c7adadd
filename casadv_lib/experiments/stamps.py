"""What a committed notebook keeps: outputs and a stamp of the code that made them, nothing else.

The stamp stands in the notebook's metadata under "casadv". A test compares it with the sources, so
that outputs made by older code are found.
"""

from __future__ import annotations

import hashlib

import nbformat

KERNEL = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
VOLATILE = ("papermill", "execution")  # times and other values of one execution
WIDGET = "application/vnd.jupyter.widget-view+json"


def code_hash(notebook) -> str:
    """SHA-256 of the sources of a notebook's code cells."""
    sources = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
    return hashlib.sha256("\n\f\n".join(sources).encode()).hexdigest()


def cleaned(notebook):
    """The notebook without what differs from run to run or machine to machine; outputs stay."""
    notebook.metadata = nbformat.from_dict(
        {"kernelspec": KERNEL, "language_info": {"name": "python"}}
    )
    for cell in notebook.cells:
        for name in VOLATILE:
            cell.metadata.pop(name, None)
        if cell.metadata.get("tags") == []:  # Papermill adds an empty list
            del cell.metadata["tags"]
        if cell.cell_type == "code":
            cell.outputs = _joined(out for out in cell.outputs if WIDGET not in out.get("data", {}))
    return notebook


def _joined(outputs) -> list:
    """Outputs with neighbouring pieces of printed text made one: where they break is chance."""
    joined: list = []
    for output in outputs:
        before = joined[-1] if joined else {}
        if output.output_type == "stream" and before.get("name") == output.name:
            before["text"] += output.text
        else:
            joined.append(output)
    return joined
