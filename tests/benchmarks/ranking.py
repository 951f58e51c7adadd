"""Ranking all users against the bare matrix product."""

from unittest import mock

import torch
from benchmarks.measuring import row, take_turns, timed
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

    def rank():  # with the user vectors that are there already
        with mock.patch.object(evaluation, "user_vectors", return_value=w):
            evaluation.rank_items(model, histories, targets, histories)

    def product():
        for a in range(0, len(w), CHUNK):
            part = w[a : a + CHUNK]
            torch.mm(part, table.T, out=scores[: len(part)])
        return float(scores[0, 0])  # waits for the device

    seconds = take_turns({
        "rank": timed(rank), "product": timed(product),
        "encode": timed(lambda: evaluation.user_vectors(model, histories)),
        "evaluate": timed(lambda: cas.evaluate(model, data)),
    }, repeats)
    return {"data": data.fingerprint, "rows": [
        row(f"{data.name}: ranking {data.n_users:,} users", seconds["rank"],
            than="the bare matrix product", other=seconds["product"], target=AT_MOST,
            headline=True),
        row(f"{data.name}, SASRec: encoding all users", seconds["encode"]),
        row(f"{data.name}, SASRec: `evaluate`, all in all", seconds["evaluate"])]}
