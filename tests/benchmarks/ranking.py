"""Ranking all users against the bare matrix product; attacking them against ranking them."""

from __future__ import annotations

from unittest import mock

import torch
from benchmarks.measuring import dearer, measured, take_turns, timed
from benchmarks.worlds import model_of

import casadv_lib as cas
from casadv_lib import evaluation
from casadv_lib.data import held_out

AT_MOST = 2.0
CHUNK = 128  # users a product, as the library's ranking has it


def ranking(dataset: str = "beauty", repeats: int = 5, dim: int = 100, device: str = "cpu") -> dict:
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
            measured(f"{data.name}, SASRec: `evaluate`, all in all", seconds["evaluate"], "s")],
        "data": data.fingerprint,
        "notes": [
            f"The bare product: ({data.n_users:,} x {dim}) by ({dim} x {data.n_items:,}), "
            f"{CHUNK} users at a time, into one buffer that is used again. Ranking adds the "
            "comparison with the target, leaving out what the user has met, and counting ties."],
    }


def attack(dataset: str = "beauty", ks=(1, 2, 3, 5), repeats: int = 2, dim: int = 100,
           device: str = "cpu") -> dict:
    """The last K items, by gradient; the attack ranks clean and attacked users itself."""
    data = cas.load_dataset(dataset)
    model = model_of("sasrec", dataset, data.n_items, dim).to(device)
    clocks = {k: timed(lambda k=k: cas.attack(model, data, "last", k)) for k in ks}
    seconds = take_turns(clocks | {"evaluate": timed(lambda: cas.evaluate(model, data))}, repeats)
    return {
        "title": f"Replacing the last K items of every user of {data.name}",
        "rows": [dearer(f"{data.name}, SASRec: attack on the last {k}", seconds[k],
                        "one `evaluate`", seconds["evaluate"], headline=k == 1) for k in ks],
        "data": data.fingerprint,
        "notes": ["An attack ranks its users twice, before and after, and searches substitutes "
                  "among all items; with a larger K fewer users are long enough."],
    }
