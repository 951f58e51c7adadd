"""RecBole's own trainer, a few steps at a time. Runs in RecBole's environment, without the library.

Line 1 of the input is a request: {"data", "max_len", "dim", "dropout", "device", "variants": {key:
{"model", "loss", "batch_size", "steps"}}}. The answer names the versions and the steps of a whole
epoch. Each further line is a key; the answer is the seconds of a step, over `steps` steps.
"""

import json
import os
import sys
import tempfile
import time
import warnings
from pathlib import Path

import recbole
import torch
from recbole.config import Config
from recbole.data import create_dataset, data_preparation
from recbole.utils import get_model, get_trainer, init_seed

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
    """'user item item ...' lines as RecBole's file of interactions; the time is the place."""
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


def main():
    # what RecBole prints must not meet the answers
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    warnings.filterwarnings("ignore")
    request = json.loads(sys.stdin.readline())
    turns, epochs = {}, {}
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        write_interactions(request["data"], folder)
        os.chdir(folder)  # RecBole writes logs where it stands
        for key, variant in request["variants"].items():
            config = Config(model=variant["model"], dataset=NAME,
                            config_dict=settings(request, variant, folder))
            init_seed(0, True)
            train, _, _ = data_preparation(config, create_dataset(config))
            model = get_model(config["model"])(config, train.dataset).to(config["device"])
            trainer = get_trainer(config["MODEL_TYPE"], config["model"])(config, model)
            turns[key] = (trainer, NextBatches(train, variant["steps"]))
            epochs[key] = len(train)
        print(json.dumps({"versions": {"RecBole": recbole.__version__, "torch": torch.__version__},
                          "steps": epochs}), file=answers)
        for line in sys.stdin:
            trainer, batches = turns[line.strip()]
            started = time.perf_counter()
            trainer._train_epoch(batches, 0)
            seconds = time.perf_counter() - started
            print(json.dumps(seconds / batches.steps), file=answers)


if __name__ == "__main__":
    main()
