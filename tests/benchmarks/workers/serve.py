"""What the workers share: a request on line 1, then a key a line; each answer is a line of JSON.

The request: {"data", "max_len", "dim", "dropout", "device", "variants": {key: {...}}}. The first
answer names the versions and the steps of a whole epoch, each further one the seconds of a step.
Runs in the other implementation's environment, without the library.
"""

import json
import os
import sys
import tempfile
import warnings
from pathlib import Path


def serve(prepare):
    """prepare(request, an empty folder) -> (versions, {key: (clock of a step, steps)})."""
    # what the other implementation prints must not meet the answers
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    warnings.filterwarnings("ignore")
    request = json.loads(sys.stdin.readline())
    with tempfile.TemporaryDirectory() as folder:
        versions, clocks = prepare(request, Path(folder))
        steps = {key: steps for key, (_, steps) in clocks.items()}
        print(json.dumps({"versions": versions, "steps": steps}), file=answers)
        for line in sys.stdin:
            clock, _ = clocks[line.strip()]
            print(json.dumps(clock()), file=answers)
