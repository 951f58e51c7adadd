"""RecBole's own trainer; a variant has "model", "loss", "batch_size", "steps".

Runs in RecBole's environment; see serve.py.
"""

import os
import time
from pathlib import Path

import recbole
import torch
from recbole.config import Config
from recbole.data import create_dataset, data_preparation
from recbole.utils import get_model, get_trainer, init_seed
from serve import serve

NAME = "sequences"


class NextBatches:
    """The next `steps` batches at each iteration; shuffling anew is not part of a step."""

    def __init__(self, loader, steps):
        self.loader, self.steps = loader, steps
        self.iterator = iter(loader)

    def __iter__(self):
        for _ in range(self.steps):
            try:
                yield next(self.iterator)
            except StopIteration:
                self.iterator = iter(self.loader)
                yield next(self.iterator)


def write_interactions(source, folder):
    """'user item item ...' lines as RecBole's file of interactions; the time is the position."""
    (folder / NAME).mkdir()
    with open(folder / NAME / f"{NAME}.inter", "w") as out:
        out.write("user_id:token\titem_id:token\ttimestamp:float\n")
        for line in Path(source).read_text().splitlines():
            user, *items = line.split()
            out.writelines(f"{user}\t{item}\t{time}\n" for time, item in enumerate(items))


def settings(request, variant, folder):
    d, rate = request["dim"], request["dropout"]
    negatives = {"distribution": "uniform", "sample_num": 1, "dynamic": False,
                 "candidate_num": 0, "alpha": 1.0}
    return {
        "data_path": str(folder), "checkpoint_dir": str(folder / "saved"), "state": "ERROR",
        "show_progress": False, "use_gpu": request["device"] != "cpu", "gpu_id": "0", "epochs": 1,
        "load_col": {"inter": ["user_id", "item_id", "timestamp"]},
        "MAX_ITEM_LIST_LENGTH": request["max_len"],
        "eval_args": {"split": {"LS": "valid_and_test"}, "order": "TO", "group_by": "user",
                      "mode": "full"},
        "loss_type": variant["loss"], "train_batch_size": variant["batch_size"],
        "train_neg_sample_args": negatives if variant["loss"] == "BPR" else None,
        "n_layers": 2, "n_heads": 1, "hidden_size": d, "inner_size": d, "embedding_size": d,
        "num_layers": 1, "hidden_dropout_prob": rate, "attn_dropout_prob": rate,
        "dropout_prob": rate, "learning_rate": 0.001,
    }


def clock_of(trainer, batches):
    def clock():
        started = time.perf_counter()
        trainer._train_epoch(batches, 0)
        return (time.perf_counter() - started) / batches.steps

    return clock


def prepare(request, folder):
    write_interactions(request["data"], folder)
    os.chdir(folder)  # RecBole writes logs where it stands
    clocks = {}
    for key, variant in request["variants"].items():
        config = Config(model=variant["model"], dataset=NAME,
                        config_dict=settings(request, variant, folder))
        init_seed(0, True)
        train, _, _ = data_preparation(config, create_dataset(config))
        model = get_model(config["model"])(config, train.dataset).to(config["device"])
        trainer = get_trainer(config["MODEL_TYPE"], config["model"])(config, model)
        clocks[key] = (clock_of(trainer, NextBatches(train, variant["steps"])), len(train))
    return {"RecBole": recbole.__version__, "torch": torch.__version__}, clocks


if __name__ == "__main__":
    serve(prepare)
