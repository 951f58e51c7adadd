"""RecTools' SASRec under Lightning, a few steps at a time. Runs in RecTools' own environment.

Input and answers as in recbole_worker.py; a variant has {"loss", "negatives", "batch_size",
"steps"}. Timed is from the start of the first batch to the end of the last.
"""

import json
import logging
import os
import sys
import time
import warnings
from importlib.metadata import version
from pathlib import Path

import pandas as pd
import torch
from pytorch_lightning import Callback, Trainer
from rectools import Columns
from rectools.dataset import Dataset
from rectools.models import SASRecModel


class Clock(Callback):
    """Seconds of a step, the preparation of its batch included."""

    seconds, steps = 0.0, 0

    def on_train_epoch_start(self, trainer, module):
        self.started, self.steps = time.perf_counter(), 0

    def on_train_batch_end(self, trainer, module, *rest):
        self.steps += 1
        self.seconds = (time.perf_counter() - self.started) / self.steps


def interactions(source):
    """'user item item ...' lines without their last two items, as RecTools wants them."""
    rows = []
    for line in Path(source).read_text().splitlines():
        user, *items = line.split()
        rows += [(user, item, place) for place, item in enumerate(items[:-2])]
    table = pd.DataFrame(rows, columns=[Columns.User, Columns.Item, Columns.Datetime])
    table[Columns.Datetime] = pd.to_datetime(table[Columns.Datetime], unit="s")
    table[Columns.Weight] = 1.0
    return Dataset.construct(table)


def build(request, variant):
    """A model, a function that makes its Lightning trainer, and the clock of both."""
    clock = Clock()

    def trainer(limit=variant["steps"]):
        return Trainer(
            max_epochs=1, limit_train_batches=limit, accelerator=request["device"], devices=1,
            callbacks=[clock], logger=False, enable_checkpointing=False,
            enable_progress_bar=False, enable_model_summary=False,
        )  # fmt: skip

    sizes = {"n_factors": request["dim"], "n_blocks": 2, "n_heads": 1,
             "session_max_len": request["max_len"], "dropout_rate": request["dropout"]}
    model = SASRecModel(
        **sizes, loss=variant["loss"], n_negatives=variant["negatives"], lr=0.001,
        batch_size=variant["batch_size"], dataloader_num_workers=0, get_trainer_func=trainer,
        use_key_padding_mask=False, verbose=0,
    )  # fmt: skip
    return model, trainer, clock


def main():
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    warnings.filterwarnings("ignore")
    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    request = json.loads(sys.stdin.readline())
    dataset = interactions(request["data"])
    turns, epochs = {}, {}
    for key, variant in request["variants"].items():
        model, trainer, clock = build(request, variant)
        model.fit(dataset)  # prepares the data; its few steps are a warm-up
        loader = model.data_preparator.get_dataloader_train()
        turns[key] = (model, trainer, clock, loader)
        epochs[key] = len(loader)
    versions = {"RecTools": version("rectools"), "torch": torch.__version__}
    print(json.dumps({"versions": versions, "steps": epochs}), file=answers)
    for line in sys.stdin:
        model, trainer, clock, loader = turns[line.strip()]
        trainer().fit(model.lightning_model, loader)
        print(json.dumps(clock.seconds), file=answers)


if __name__ == "__main__":
    main()
