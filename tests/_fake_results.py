"""Made-up records in the shape of a real results.json, for the tests of figures and tables.

The values follow simple rules with a little fixed noise; they look like results and are none.
"""

import copy
from itertools import product

import numpy as np

EPSILONS = (0.1, 1.0, 3.0, 5.0, 10.0, 20.0, 30.0, 50.0)
MAIN_EPSILON = 3.0
EPOCHS, ADV_EPOCHS = 100, 20
# Gains over the base in NDCG@10, in percent.
GAINS = {"base": 0, "base+100": 1, "adv_random": 2, "adv_linear": 9, "adv_seq": 5,
         "adv_global": 10, "adv_cas_1": 11, "adv_cas_2": 9.5, "adv_cas": 13, "adv_neighbour": 12}
LEVELS = {("synthetic", "sasrec"): 0.21, ("synthetic", "gru4rec"): 0.19,
          ("beauty", "sasrec"): 0.037, ("beauty", "gru4rec"): 0.021}
USERS = {1: 1500, 2: 1490, 3: 1470, 4: 1440, 5: 1400}
PLACE_DROP = {"first": 0.02, "middle": 0.03, "last": 0.4}
STURDINESS = {"base": 1.0, "adv_linear": 0.93, "adv_seq": 0.95, "adv_global": 0.88, "adv_cas": 0.8,
              "adv_neighbour": 0.7}
BY_RULE = {"both": 1.0, "attacked": 1.1, "original": 1.3}


def scores(ndcg):
    return {"ndcg@10": float(ndcg), "hr@10": float(1.9 * ndcg)}


def fake_attacks(method, clean, rng):
    plan = [(place, 1, "gradient") for place in ("first", "middle", "last")]
    plan += [("last", k, "gradient") for k in range(2, 6)]
    plan += [("last", k, pick) for pick in ("nearest", "random") for k in range(1, 6)]
    attacks = []
    for (place, k, pick), rule in product(plan, BY_RULE):
        share = PLACE_DROP[place] * STURDINESS[method] * (1 + 0.2 * (k - 1)) * BY_RULE[rule]
        share *= {"gradient": 1.0, "nearest": 0.7, "random": 1.1}[pick]
        before = {name: value * (1 + 0.002 * (k - 1)) for name, value in clean.items()}
        share = min(0.95, share * (1 + 0.03 * rng.standard_normal()))
        after = {name: value * (1 - share * (1 if name == "ndcg@10" else 0.7))
                 for name, value in before.items()}
        drop = {name: {"difference": after[name] - before[name],
                       "low": 1.15 * (after[name] - before[name]),
                       "high": 0.9 * (after[name] - before[name])} for name in before}
        attacks.append({"positions": place, "k": k, "pick": pick, "step": 0.1, "exclude": rule,
                        "users": USERS[k], "distance": 0.7, "clean": before, "attacked": after,
                        "drop": drop})
    return attacks


def fake_record(dataset, backbone, method, epsilon=MAIN_EPSILON, attacked=False):
    rng = np.random.default_rng([len(dataset), len(backbone), len(method), int(10 * epsilon)])
    level = LEVELS[dataset, backbone]
    gain = GAINS[method]
    if method.startswith("adv"):
        gain -= 6 * abs(np.log(epsilon / MAIN_EPSILON))
    test = level * (1 + gain / 100)
    if method == "base":
        epochs = range(5, EPOCHS + 1, 5)
        curve = [test * (1 - np.exp(-epoch / 20)) for epoch in epochs]
    else:
        epochs = range(EPOCHS + 2, EPOCHS + ADV_EPOCHS + 1, 2)
        curve = [level + (test - level) * min(1, (epoch - EPOCHS) / 12) for epoch in epochs]
    points = [{"epoch": epoch, "phase": 1 if method == "base" else 2, "loss": 0.9,
               "validation": scores(1.05 * value), "test": scores(value)}
              for epoch, value in zip(epochs, curve, strict=True)]
    points[-1]["test"] = scores(test)
    last = {"epoch": points[-1]["epoch"], "validation": scores(1.05 * test), "test": scores(test)}
    best = {"epoch": points[-2]["epoch"], "validation": scores(1.06 * test),
            "test": scores(0.99 * test)}
    difference = test - level
    versus = {name: {"difference": scale * difference, "low": scale * (difference - 0.02 * level),
                     "high": scale * (difference + 0.025 * level)}
              for name, scale in (("ndcg@10", 1.0), ("hr@10", 1.9))}
    per_epoch = 0.3 if method == "base" else 0.9
    return {
        "config": {"dataset": dataset, "backbone": backbone, "method": method, "profile": "quick",
                   "seed": 0, "epochs": EPOCHS, "adv_epochs": ADV_EPOCHS, "epsilon": epsilon,
                   "lambda1": 0.1, "lambda2": 1.0, "scope": "batch"},
        "metrics": {"last": last, "best": best},
        "curve": points,
        "versus_base": None if method == "base" else {"test": versus},
        "attacks": fake_attacks(method, last["test"], rng) if attacked else [],
        "seconds": {"train": per_epoch * len(points), "per_epoch": per_epoch},
        "provenance": {"hardware": "2 CPU cores", "device": "cpu", "date": "2026-01-01"},
    }


def fake_results(dataset_names=("synthetic",)):
    """A whole results.json: two backbones, all methods, the sweep (first in the file), attacks."""
    records = []
    for dataset in dataset_names:
        for backbone in ("gru4rec", "sasrec"):
            for epsilon in EPSILONS:
                records.append(fake_record(dataset, backbone, "adv_cas", epsilon,
                                           attacked=epsilon == MAIN_EPSILON))
            records += [fake_record(dataset, backbone, method, attacked=method in STURDINESS)
                        for method in GAINS if method != "adv_cas"]
    rows = {"synthetic": {"dataset": "synthetic", "users": 1500, "items": 400,
                          "interactions": 18000, "density_percent": 3.0, "mean_length": 12.0},
            "beauty": {"dataset": "beauty", "users": 22363, "items": 12101,
                       "interactions": 198502, "density_percent": 0.0734, "mean_length": 8.88}}
    angle = np.linspace(0.3, 2.9, 7)
    points = np.column_stack([angle * np.cos(angle), angle * np.sin(2 * angle)])
    generic = 0.3 * np.column_stack([np.cos(3 * angle), np.sin(3 * angle)])
    effects = np.array([9.5, 7.2, 6.1, 4.4, 3.3, 2.5, 1.2])
    weights = (1 / effects) / (1 / effects).mean()
    return {
        "profile": "quick",
        "dataset": [rows[name] for name in dataset_names],
        "optimum": {"synthetic": {"ndcg@10": 0.27, "hr@10": 0.47}},
        "records": records,
        "selection": [fake_choice(name) for name in dataset_names],
        "figure1": {"points": points.tolist(), "generic": generic.tolist(),
                    "guided": (weights[:, None] * generic).tolist(), "effects": effects.tolist()},
    }


def fake_choice(dataset):
    """An entry of selection.json: two trials, the second one chosen."""
    tried = [{"epsilon": epsilon, "lambda1": 0.1, "validation": {"ndcg@10": value, "hr@10": 0.3}}
             for epsilon, value in ((1.0, 0.19), (3.0, 0.22))]
    return {"dataset": dataset, "backbone": "sasrec", "family": "adv_global", "tried": tried,
            "base": {"ndcg@10": 0.2, "hr@10": 0.3}, "trial_epochs": 10,
            "rule": "best validation ndcg@10", "chosen": {"epsilon": 3.0, "lambda1": 0.1}}


def with_attacks(results, keep):
    """A copy with those attacks alone for which `keep` is true."""
    found = copy.deepcopy(results)
    for record in found["records"]:
        record["attacks"] = [attack for attack in record["attacks"] if keep(attack)]
    return found


def without(results, **fields):
    """A copy without the records whose configuration has all these values."""
    kept = [r for r in results["records"] if not fields.items() <= r["config"].items()]
    return copy.deepcopy(results | {"records": kept})
