"""RecTools' SASRec under Lightning; a variant has "loss", "negatives", "batch_size", "steps".

Timed is from the start of the first batch to the end of the last. Runs in RecTools' environment;
see serve.py.
"""

import logging
import time
from importlib.metadata import version
from pathlib import Path

import pandas as pd
import torch
from pytorch_lightning import Callback, Trainer
from rectools import Columns
from rectools.dataset import Dataset
from rectools.models import SASRecModel
from serve import serve


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
        rows += [(user, item, position) for position, item in enumerate(items[:-2])]
    table = pd.DataFrame(rows, columns=[Columns.User, Columns.Item, Columns.Datetime])
    table[Columns.Datetime] = pd.to_datetime(table[Columns.Datetime], unit="s")
    table[Columns.Weight] = 1.0
    return Dataset.construct(table)


def clock_of(request, variant, dataset):
    """(a function that trains some steps and returns the seconds of one, steps of an epoch)."""
    clock = Clock()

    def trainer():
        return Trainer(
            max_epochs=1, limit_train_batches=variant["steps"], accelerator=request["device"],
            devices=1, callbacks=[clock], logger=False, enable_checkpointing=False,
            enable_progress_bar=False, enable_model_summary=False)

    model = SASRecModel(
        n_factors=request["dim"], n_blocks=2, n_heads=1, session_max_len=request["max_len"],
        dropout_rate=request["dropout"], loss=variant["loss"], n_negatives=variant["negatives"],
        lr=0.001, batch_size=variant["batch_size"], dataloader_num_workers=0,
        get_trainer_func=trainer, use_key_padding_mask=False, verbose=0)
    model.fit(dataset)  # prepares the data; its few steps are a warm-up
    loader = model.data_preparator.get_dataloader_train()

    def turn():
        trainer().fit(model.lightning_model, loader)
        return clock.seconds

    return turn, len(loader)


def prepare(request, folder):
    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    dataset = interactions(request["data"])
    clocks = {key: clock_of(request, variant, dataset)
              for key, variant in request["variants"].items()}
    return {"RecTools": version("rectools"), "torch": torch.__version__}, clocks


if __name__ == "__main__":
    serve(prepare)
