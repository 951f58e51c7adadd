"""The sweep over epsilon (Figure 4): its runs, what an epsilon does to one position, its claims.

An epsilon is the length of the perturbation of a whole batch (or, read literally, of a sequence);
what one position gets depends on how many share it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pandas as pd
import torch

from ..adversarial import METHODS, sequence_perturbation
from ..backbones import Backbone
from ..data import SequenceDataset
from ..evaluation import paired_bootstrap
from ..experiments.plan import AN_ANSWER
from ..settings import AdversarialSettings
from ..support.checks import number
from ..support.dropout import Dropout
from ..widgets.probing import one_batch
from .comparison import compared, verdict
from .paper import PAPER_BEST_EPSILON, PAPER_LARGE_EPSILON, PAPER_SMALL_EPSILON
from .records import MissingRecords, epsilon_sweep, identity_of, load_results

CONTROLS = ("base", "base+100")
Fits = Callable[[float], bool]


def _at(value: float) -> Fits:
    return lambda epsilon: math.isclose(epsilon, value)


def _outside(epsilon: float) -> bool:
    return not PAPER_BEST_EPSILON[0] <= epsilon <= PAPER_BEST_EPSILON[1]


# Section 5.5 on Figure 4, sentence by sentence: what must be better than what. Each side names the
# epsilons that fit, of which validation chooses one; None is the base.
SENTENCES: dict[str, dict[str, tuple[Fits, Fits | None]]] = {
    "small": {f"epsilon {PAPER_SMALL_EPSILON} already improves on the base":
              (_at(PAPER_SMALL_EPSILON), None)},
    "best": {f"epsilon {end} is better than any outside {PAPER_BEST_EPSILON[0]} to "
             f"{PAPER_BEST_EPSILON[1]}": (_at(end), _outside) for end in PAPER_BEST_EPSILON},
    "large": {f"epsilon {PAPER_LARGE_EPSILON} still improves on the base":
              (_at(PAPER_LARGE_EPSILON), None),
              f"above epsilon {PAPER_LARGE_EPSILON} the accuracy falls":
              (_at(PAPER_LARGE_EPSILON), lambda epsilon: epsilon > PAPER_LARGE_EPSILON)},
}  # fmt: skip


def checked_epsilons(epsilons: Sequence[float]) -> list[float]:
    """At least two different positive values, rising; ValueError for anything else."""
    if not isinstance(epsilons, (list, tuple)):
        raise ValueError(f"epsilons is {epsilons!r}; allowed is a list of numbers above 0")
    found = sorted({number("epsilons", value, low=1e-6) for value in epsilons})
    if len(found) < 2:
        raise ValueError(f"epsilons is {epsilons!r}; allowed are two or more different numbers")
    return found


def swept(data: SequenceDataset, epsilons: Sequence[float], profile: str, **asked
          ) -> tuple[dict, dict]:
    """Records of adv_cas at every epsilon and of both controls, stored, reused or made.

    asked: as for `comparison.compared`. Returns (results, ranks): results for this data set, and
    {epsilon or "base" or "base+100": (users,) test ranks} of the runs that are stored here.
    """
    if "epsilon" in asked:
        raise ValueError(f"epsilon is {asked['epsilon']!r}; allowed is none, the sweep sets it")
    asked = AN_ANSWER | asked
    stored = asked.pop("stored", None)
    if stored is None:
        try:
            stored = load_results(profile)
        except MissingRecords:
            stored = {}
    wanted, ranks, records, results = (*CONTROLS, "adv_cas"), {}, {}, {}
    for epsilon in checked_epsilons(epsilons):
        results, of_methods = compared(data, profile, wanted=wanted, stored=stored,
                                       epsilon=epsilon, **asked)
        ranks |= {(epsilon if method == "adv_cas" else method): of_methods[method]
                  for method in wanted if method in of_methods}
        for record in results["records"]:
            records.setdefault(identity_of(record), record)
    kept = {"records": list(records.values()), "selection": stored.get("selection", [])}
    return results | kept, ranks


def position_sizes(model: Backbone, data: SequenceDataset, batch_size: int = 128,
                   batches: int = 4, seed: int = 0) -> dict:
    """How far epsilon = 1 over the batch moves single positions, on a few training batches.

    Returns arrays over all their positions: "generic" and "guided" (the lengths of the rows of A
    and of (1/C) * A) and "embedding" (the lengths of the rows of S); and "positions", the mean
    number n of positions in a batch. All lengths of A grow in proportion to epsilon.
    """
    number("batches", batches, low=1, kind=int)
    settings = AdversarialSettings(epsilon=1.0).of(METHODS["adv_global"])
    rows, counts = [], []
    for place in range(batches):
        batch = one_batch(model, data, "both", batch_size, seed + place)
        S = model.embed(batch.inputs).detach()
        generator = torch.Generator(S.device).manual_seed(seed + place)
        w = model.encode(S, batch).detach()
        A = sequence_perturbation(model, batch, S, w, None, settings, Dropout(0.0), generator)
        generic = torch.linalg.vector_norm(A, dim=1)
        embedding = torch.linalg.vector_norm(S, dim=1)
        rows.append(torch.stack([generic, batch.weights * generic, embedding]).cpu().numpy())
        counts.append(len(batch))
    lengths = np.concatenate(rows, axis=1).astype(np.float64)
    names = ("generic", "guided", "embedding")
    return dict(zip(names, lengths, strict=True)) | {"positions": float(np.mean(counts))}


def epsilon_for(share: float, lengths: np.ndarray, n: int) -> float:
    """The epsilon that moves n positions by `share` of the mean embedding length (their RMS)."""
    return float(share * np.mean(lengths) * math.sqrt(n))


def literal_epsilon(epsilon: float, n: int, length: int) -> float:
    """The epsilon per sequence that moves each of its `length` positions as far as `epsilon` over
    a batch of n positions moves one (their RMS)."""
    return epsilon * math.sqrt(length / n)


def choose(validation: Mapping[float, float], test: Mapping[float, float]) -> tuple[float, float]:
    """(the epsilon with the best validation score, the smallest of equals; its test score)."""
    best = max(sorted(validation), key=validation.__getitem__)
    return best, test[best]


def scores(results: dict, dataset: str, backbone: str, split: str, metric: str = "ndcg@10"
           ) -> dict[float, float]:
    """{epsilon: score of adv_cas after its last epoch}, rising in epsilon."""
    sweep = epsilon_sweep(results, dataset, backbone)
    return {e: record["metrics"]["last"][split][metric] for e, record in sweep.items()}


def sweep_claims(results: dict, ranks: dict, dataset: str, backbone: str,
                 metric: str = "ndcg@10") -> pd.DataFrame:
    """The paper's sentences on Figure 4 and two of ours, as comparisons of two runs (test).

    Where a sentence speaks of several epsilons, the best of them on validation stands for them.
    Columns: claim, better, worse, difference, low, high (95% paired bootstrap over users) and
    verdict; a claim whose runs are not there is "not in the sweep".
    """
    validation = scores(results, dataset, backbone, "validation", metric)

    def best_of(fits: Fits | None) -> float | str | None:
        if fits is None:
            return "base"
        there = {e: value for e, value in validation.items() if fits(e)}
        return choose(there, there)[0] if there else None

    pairs = [(text, best_of(better), best_of(worse)) for sentence in SENTENCES.values()
             for text, (better, worse) in sentence.items()]
    chosen = best_of(lambda epsilon: True)
    pairs += [("ours: the epsilon chosen on validation improves on the base", chosen, "base"),
              ("ours: it is better than the same epochs without perturbation", chosen, "base+100")]
    rows = []
    for claim, better, worse in pairs:
        bound = {"difference": np.nan, "low": np.nan, "high": np.nan}
        if better in ranks and worse in ranks:
            bound = paired_bootstrap(ranks[better], ranks[worse], metric)
        missing = better is None or worse is None
        word = "not in the sweep" if missing else verdict(bound["low"], bound["high"])
        rows.append({"claim": claim, "better": better, "worse": worse, **bound, "verdict": word})
    return pd.DataFrame(rows)
