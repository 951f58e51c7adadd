"""How much replaced items cost: relative changes with intervals, places compared, claims tested.

`attacks.attack` replaces items and ranks again; here its results become the sentences of
Section 5.6. A relative change is 100 * (attacked / clean - 1), in percent, negative for a loss.
Its interval comes from resampling users; two models are compared on the same resampled users.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from ..attacks import CHUNK, input_gradients, neighbour_distance
from ..backbones import Backbone
from ..data import SequenceDataset, held_out
from ..evaluation import gains, paired_bootstrap, user_vectors
from ..experiments.configuration import configure
from ..experiments.runs import Run, record_of, run, run_attack
from ..support.checks import number, one_of
from .comparison import compared, verdict
from .pairs import percent
from .paper import SMALL_PERCENT

OURS = ("neighbour", "adv_neighbour")  # methods that the paper does not have


def attacked_runs(data: SequenceDataset, asked: dict, wanted: Collection[str],
                  attacks: Collection[dict]) -> tuple[dict, dict[str, Run]]:
    """Runs of the wanted methods with all the attacks on each, made where they are not stored.

    asked: arguments of `profiles.configure` without the method. attacks: options of
    `runs.run_attack`. Returns (results, {method: Run}); results as `load_results` gives them.
    Stored records of other backbones join, so that a figure can draw them too.
    """
    made = {name: run(configure(method=name, **asked), data) for name in wanted}
    for one in made.values():
        for options in attacks:
            run_attack(one, **options)
    results, _ = compared(data, wanted=(), **asked)
    others = [r for r in results["records"] if r["config"]["backbone"] != asked["backbone"]]
    results["records"] = [record_of(one) for one in made.values()] + others
    return results, made


def relative_change(attacked: np.ndarray, clean: np.ndarray, versus: tuple | None = None,
                    metric: str = "ndcg@10", resamples: int = 2000, seed: int = 0) -> dict:
    """Change of a metric by an attack in percent of the clean score, with a 95% interval.

    attacked, clean: (users,) ranks of the same users. versus: another such pair, of the same
    users under another model or another attack; then the result is the first change minus the
    second, in percentage points. Returns "change", "low" and "high"; NaN where a clean score,
    or one of a resample, is 0 and the change has no meaning.
    """
    pairs = [(attacked, clean)] + ([] if versus is None else [versus])
    shapes = {np.shape(ranks) for pair in pairs for ranks in pair}
    if len(shapes) != 1 or len(next(iter(shapes))) != 1 or len(clean) == 0:
        raise ValueError(f"ranks have shapes {sorted(shapes)}; allowed is one shape (users,) for "
                         "all, since users are compared in pairs")
    number("resamples", resamples, low=1, kind=int)
    gain = np.stack([gains(ranks, metric) for pair in pairs for ranks in pair], axis=1)
    rng, users = np.random.default_rng(seed), len(gain)

    def change(means):  # (..., 2 or 4): attacked and clean of each pair
        found = percent(means[..., ::2], means[..., 1::2])
        return found[..., 0] - (found[..., 1] if versus is not None else 0)

    drawn = np.stack([gain[rng.integers(0, users, users)].mean(0) for _ in range(resamples)])
    low, high = np.quantile(change(drawn), [0.025, 0.975])  # one NaN makes both NaN
    return {"change": float(change(gain.mean(0))), "low": float(low), "high": float(high)}


def ranks_of(found: dict, users: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(attacked, clean) ranks of some of the users of an `attack`, each (len(users),)."""
    place = np.searchsorted(found["users"], users)
    if (found["users"][np.minimum(place, len(found["users"]) - 1)] != users).any():
        raise ValueError("users holds some who were not attacked; allowed are those of found")
    return found["ranks"][place], found["clean"]["ranks"][place]


@torch.no_grad()
def nearest_allowed(table: Tensor, goals: Tensor, taken: Sequence[np.ndarray]) -> np.ndarray:
    """The item nearest to each goal that is not among that user's `taken` items, (users,).

    table: (items, d), row 0 is item 1. goals: (users, d).
    """
    found = []
    for a in range(0, len(goals), CHUNK):
        apart = torch.cdist(goals[a : a + CHUNK], table)
        for row, items in enumerate(taken[a : a + CHUNK]):
            apart[row, torch.as_tensor(items - 1, device=apart.device)] = torch.inf
        found.append(apart.argmin(1) + 1)
    return torch.cat(found).cpu().numpy()


def position_sensitivity(model: Backbone, data: SequenceDataset, steps: int = 8,
                         pick: str = "gradient", step: float = 0.1, split: str = "test",
                         seed: int = 0) -> pd.DataFrame:
    """Mean fall of the target's score when the item t steps from the end is replaced.

    One row for each t = 0 (the newest item) ... steps - 1 that at least two users have; columns
    t, users, fall, low, high (95%, normal). The fall is in standard deviations of that user's
    clean scores over all items, since models differ in the size of their scores.
    pick, step: "gradient", "nearest" or "random", as in `attack`.
    """
    number("steps", steps, low=1, kind=int)
    number("step", step, low=0)
    one_of("pick", pick, ("gradient", "nearest", "random"))
    histories, targets = held_out(data, split)
    device = next(model.parameters()).device
    with torch.no_grad():
        table = model.embed(torch.arange(1, model.n_items + 1, device=device))
        w = user_vectors(model, histories)
        spread = torch.cat([(w[a : a + CHUNK] @ table.T).std(1) for a in range(0, len(w), CHUNK)])
    size = step * neighbour_distance(table)
    generator = torch.Generator(device).manual_seed(seed)
    lengths = np.array([min(len(h), model.max_len) for h in histories])
    rows = []
    for t in range(steps):
        users = np.flatnonzero(lengths > t)
        if len(users) < 2:
            break
        own = [histories[u] for u in users]
        places = np.array([[len(h) - 1 - t] for h in own])
        replaced = np.array([h[p] for h, (p,) in zip(own, places)])
        goals = table[torch.as_tensor(replaced - 1, device=device)]
        if pick == "gradient":
            g = input_gradients(model, own, targets[users], places)[:, 0]
            goals = goals + size * torch.nn.functional.normalize(g, dim=-1, eps=1e-30)
        elif pick == "random":
            # the item nearest to a random item that may itself be refused
            drawn = torch.randint(len(table), (len(users),), generator=generator, device=device)
            goals = table[drawn]
        taken = [np.append(h, targets[u]) for h, u in zip(own, users)]
        moved = [np.array(h) for h in own]
        for history, (place,), item in zip(moved, places, nearest_allowed(table, goals, taken)):
            history[place] = item
        goal = table[torch.as_tensor(targets[users] - 1, device=device)]
        at = torch.as_tensor(users, device=device)
        fall = ((w[at] - user_vectors(model, moved)) * goal).sum(1) / spread[at]
        half = 1.96 * float(fall.std()) / len(users) ** 0.5
        mean = float(fall.mean())
        rows.append({"t": t, "users": len(users), "fall": mean, "low": mean - half,
                     "high": mean + half})
    return pd.DataFrame(rows)


def _row(claim: str, source: str, found: dict, unit: str) -> dict:
    """One claim; a positive difference supports it."""
    value = found["change"] if "change" in found else found["difference"]
    low, high = found["low"], found["high"]
    return {"claim": claim, "source": source, "difference": value, "low": low, "high": high,
            "unit": unit, "verdict": verdict(low, high)}


def _percent(claim, source, pair, versus, metric):
    found = relative_change(*pair, versus=versus, metric=metric)
    return _row(claim, source, found, "points")


def place_claims(found: dict, metric: str = "ndcg@10", base: str = "base",
                 method: str = "adv_cas") -> pd.DataFrame:
    """Sentences of Section 5.6 on Figure 5, and two controls, as one row each.

    found: {(method, place or control): result of `attack`}, all with k = 1: places "first",
    "middle", "last", and the last item by "nearest" and "random". Methods besides the two are
    compared at "last". Columns: claim, source ("paper", "control" or "ours"), difference (positive
    where the claim is right), low, high (95%), unit, verdict.
    """
    pairs = {key: (one["ranks"], one["clean"]["ranks"]) for key, one in found.items()}
    rows = []
    for place in ("first", "middle"):
        change = relative_change(*pairs[base, place], metric=metric)
        spared = {name: value + SMALL_PERCENT for name, value in change.items()}
        rows.append(_row(f"the {place} item costs {base} less than {SMALL_PERCENT:g}%", "paper",
                         spared, "points"))
    rows.append(_percent(f"the last item costs {base} more than the first", "paper",
                         pairs[base, "first"], pairs[base, "last"], metric))
    ours = [name for name in OURS if (name, "last") in pairs]
    others = [name for name, place in found if place == "last" and name not in (method, *ours)]
    rows += [_percent(f"{method} loses a smaller share than {other} (last item)", "paper",
                      pairs[method, "last"], pairs[other, "last"], metric) for other in others]
    level = paired_bootstrap(pairs[method, "last"][0], pairs[base, "last"][0], metric)
    rows.append(_row(f"after the attack {method} is still above {base}", "paper", level, metric))
    rows.append(_percent(f"{base}: the gradient costs more than the plain nearest item", "control",
                         pairs[base, "nearest"], pairs[base, "last"], metric))
    rows.append(_percent(f"{base}: a random item costs more than the gradient's", "control",
                         pairs[base, "last"], pairs[base, "random"], metric))
    rows += [_percent(f"{name} loses a smaller share than {method} (last item)", "ours",
                      pairs[name, "last"], pairs[method, "last"], metric) for name in ours]
    if (method, "nearest") in pairs:
        rows.append(_percent(f"{method} loses a smaller share than {base} (plain nearest item)",
                             "control", pairs[method, "nearest"], pairs[base, "nearest"], metric))
    return pd.DataFrame(rows)


def last_k_claims(found: dict, metric: str = "hr@10", base: str = "base",
                  method: str = "adv_cas") -> pd.DataFrame:
    """Sentences of Section 5.6 on Figure 6; columns as in `place_claims`.

    found: {(method, k): result of `attack`} at the last k items. Every row is about the same
    users: those with enough items for the largest k.
    """
    most = max(k for _, k in found)
    users = found[base, most]["users"]
    pairs = {key: ranks_of(one, users) for key, one in found.items()}
    rows = []
    for k in sorted({k for _, k in found}):
        level = paired_bootstrap(pairs[method, k][0], pairs[base, k][0], metric)
        rows.append(_row(f"K = {k}: {method} is above {base}, both attacked", "paper", level,
                         metric))
    level = paired_bootstrap(pairs[method, most][0], pairs[base, most][1], metric)
    rows.append(_row(f"K = {most}: {method} attacked is above {base} clean", "paper", level,
                     metric))
    rows += [_percent(f"K = {k}: {method} loses a smaller share than {base}", "paper",
                      pairs[method, k], pairs[base, k], metric)
             for k in sorted({k for _, k in found})]
    return pd.DataFrame(rows)


def readable_claims(table: pd.DataFrame) -> pd.DataFrame:
    """The claims as text: points with one decimal, scores with four."""
    shown = table.copy()
    for column in ("difference", "low", "high"):
        shown[column] = [
            "" if np.isnan(value) else f"{value:+.1f}" if unit == "points" else f"{value:+.4f}"
            for value, unit in zip(table[column], table["unit"])]
    return shown
