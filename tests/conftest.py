"""Shared fixtures. One thread: the same last bits on every machine, and no fight for cores."""

import os
from dataclasses import replace

os.environ.setdefault("CI", "1")  # no progress bars in captured output
os.environ["CUDA_VISIBLE_DEVICES"] = ""  # numbers are compared with the CPU's, digit by digit

import numpy as np
import pytest
import torch
from oracles import dataset, random_sequences

import casadv_lib as cas
from casadv_lib.settings import AdversarialSettings
from casadv_lib.training import Trainer, training_table

torch.set_num_threads(1)
N_ITEMS = 40


@pytest.fixture
def toy():
    """60 users with 3 to 12 items out of 40."""
    return dataset(random_sequences(60, N_ITEMS), N_ITEMS)


def build(name, n_items=N_ITEMS, dim=16, max_len=8, **options):
    """A backbone with fixed weights."""
    torch.manual_seed(3)
    return cas.BACKBONES[name](n_items, max_len=max_len, dim=dim, **options)


def training_batch(model, data, terms=None, users=20, seed=0):
    """One training batch of the first `users` users, with negatives."""
    table, sampler = training_table(model, data, "cpu", terms, users, AdversarialSettings())
    negatives = sampler.draw(torch.Generator().manual_seed(seed))
    return next(table.batches(np.arange(min(users, len(table.lengths))), users, negatives))


def on_meta(batch):
    """The batch without values, so that whoever asks for one fails, who would wait for a GPU."""
    return replace(batch, **{name: value.to("meta") for name, value in vars(batch).items()
                             if torch.is_tensor(value)})


@pytest.fixture
def runs_folder(tmp_path, monkeypatch):
    """An empty folder for runs."""
    monkeypatch.setenv("CASADV_RUNS", str(tmp_path / "runs"))
    return tmp_path / "runs"


@pytest.fixture
def no_work(monkeypatch):
    """Fail where a training, an evaluation or an attack begins."""
    def work(*_, **__):
        raise AssertionError("work started")

    for owner, name in ((Trainer, "train_epoch"), (cas.evaluation, "user_vectors"),
                        (cas.attacks, "choose")):
        monkeypatch.setattr(owner, name, work)
