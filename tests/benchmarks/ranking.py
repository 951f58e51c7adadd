"""Ranking every user's held-out item against the bare matrix product of that shape."""

from __future__ import annotations

from unittest import mock

import torch
from benchmarks.rows import dearer, measured
from benchmarks.timing import take_turns, timed
from benchmarks.worlds import model_of

import casadv_lib as cas
from casadv_lib import evaluation
from casadv_lib.data import held_out

AT_MOST = 2.0
CHUNK = 128  # users a product, as the library's ranking has it


def main(dataset: str = "beauty", repeats: int = 5, dim: int = 100, device: str = "cpu") -> dict:
    """Encoding the users is measured apart and not part of the ratio."""
    data = cas.load_dataset(dataset)
    model = model_of("sasrec", dataset, data.n_items, dim).to(device)
    histories, targets = held_out(data, "test")
    w = evaluation.user_vectors(model, histories)
    table = model.items.weight.detach()[1:]
    scores = w.new_empty(CHUNK, data.n_items)

    def wait():
        if w.is_cuda:
            torch.cuda.synchronize()

    def rank():  # with the user vectors that are there already
        with mock.patch.object(evaluation, "user_vectors", return_value=w):
            evaluation.rank_items(model, histories, targets, histories)
        wait()

    def product():
        for a in range(0, len(w), CHUNK):
            part = w[a : a + CHUNK]
            torch.mm(part, table.T, out=scores[: len(part)])
        wait()

    seconds = take_turns({
        "rank": timed(rank), "product": timed(product),
        "encode": timed(lambda: evaluation.user_vectors(model, histories)),
        "evaluate": timed(lambda: cas.evaluate(model, data)),
    }, repeats)
    return {
        "title": f"Ranking all items for all users of {data.name}",
        "rows": [
            dearer(f"{data.name}: ranking {data.n_users:,} users", seconds["rank"],
                   "the bare matrix product", seconds["product"], AT_MOST, headline=True),
            measured(f"{data.name}, SASRec: encoding all users", seconds["encode"], "s"),
            measured(f"{data.name}, SASRec: `evaluate`, all in all", seconds["evaluate"], "s"),
        ],
        "data": data.fingerprint,
        "notes": [
            f"The bare product: ({data.n_users:,} x {dim}) by ({dim} x {data.n_items:,}), "
            f"{CHUNK} users at a time, into one buffer that is used again. Ranking adds the "
            "comparison with the target, leaving out what the user has met, and counting ties."
        ],
    }
