"""Made-up results with the intervals that the scoreboard reads, from a few plain numbers.

A world is {place: {method: NDCG@10}}; HR@10 is twice as large. Every interval is the value plus
or minus a width, so that a test says by its numbers which conditions hold.
"""

from casadv_lib.experiments.plan import EPSILONS
from casadv_lib.experiments.runs import attack_path, runs_folder
from casadv_lib.results.claims_robustness import LAST_ITEM
from casadv_lib.results.records import METHOD_ORDER, METRICS

PLACES = [(dataset, backbone) for backbone in ("sasrec", "gru4rec")
          for dataset in ("beauty", "video", "clothing", "ml-1m")]
BEST_BASE = "base best"
LEVELS = {"base": 1.0, BEST_BASE: 1.0, "base+100": 1.0, "adv_random": 1.0, "adv_linear": 1.10,
          "adv_seq": 1.08, "adv_global": 1.12, "adv_cas_1": 1.2, "adv_cas_2": 1.2, "adv_cas": 1.3,
          "neighbour": 1.2, "adv_neighbour": 1.4}
WIDTH = 0.01  # half of an interval, relative to the base
SCALE = {"ndcg@10": 0.04, "hr@10": 0.08}


def bounds(value, width=WIDTH):
    return {"value": value, "low": value - width, "high": value + width}


def compared(better, worse, metric):
    scale = SCALE[metric]
    return {"difference": bounds(scale * (better - worse), scale * WIDTH),
            "percent": bounds(100 * (better / worse - 1), 100 * WIDTH)}


def name_of(place, method, detail=""):
    return "-".join((*place, method)) + detail


def record(place, method, level, roles=("main",), detail="", **config):
    scores = {metric: scale * level for metric, scale in SCALE.items()}
    epoch = {"epoch": 600, "test": scores, "validation": scores}
    return {
        "run": name_of(place, method, detail), "roles": list(roles),
        "config": {"dataset": place[0], "backbone": place[1], "method": method, "seed": 0,
                   "epochs": 500, "adv_epochs": 100, "epsilon": 3.0, "lambda1": 0.1,
                   "scope": "batch"} | config,
        "metrics": {"last": epoch, "best": epoch}, "curve": [], "attacks": [],
        "versus_base": None,
        "seconds": {"per_epoch": 1.0 if method == "base" else 3.5, "train": 500.0},
        "provenance": {"hardware": "two cores", "device": "cpu"},
    }


def pair(place, better, worse, level, below, detail=""):
    """better: a method, its run's name with `detail`; worse: a method or BEST_BASE."""
    epoch = "best" if worse == BEST_BASE else "last"
    name = name_of(place, "base" if worse == BEST_BASE else worse)
    return {"better": [name_of(place, better, detail), "last"], "worse": [name, epoch]} | {
        metric: compared(level, below, metric) for metric in METRICS}


def main_part(place, levels):
    """Records and pairs of the methods of a place."""
    there = [method for method in METHOD_ORDER if method in levels]
    records = [record(place, method, levels[method]) for method in there]
    pairs = [pair(place, better, worse, levels[better], levels[worse])
             for at, better in enumerate(there) for worse in (*there[:at], BEST_BASE)]
    return records, pairs


def sweep_part(place, levels, base=1.0):
    """Records and pairs of a sweep; levels: {epsilon: NDCG@10}."""
    records, pairs = [], []
    for at, epsilon in enumerate(EPSILONS):
        detail = f"-epsilon{epsilon:g}"
        records.append(record(place, "adv_cas", levels[epsilon], ["sweep"], detail,
                              epsilon=epsilon, lambda1=1.0))  # a family of its own
        pairs.append(pair(place, "adv_cas", "base", levels[epsilon], base, detail))
        for other in EPSILONS[:at]:
            one = pair(place, "adv_cas", "adv_cas", levels[epsilon], levels[other], detail)
            one["worse"] = [name_of(place, "adv_cas", f"-epsilon{other:g}"), "last"]
            pairs.append(one)
    return records, pairs


def drop(place, method, change, spared, above=0.1, **attack):
    name = attack_path(runs_folder(), **attack).stem
    scores = {"change": bounds(change, 1.0), "spared": bounds(spared, 1.0),
              "above": bounds(above), "above clean": bounds(above)}
    return {"run": name_of(place, method), "attack": name} | dict.fromkeys(METRICS, scores)


def drops_part(place, change=-23.0, early=-1.0, spared=5.0, above=0.1, ours=1):
    """ours: 1 where adv_neighbour is better than adv_cas under every attack, -1 where worse."""
    found = [drop(place, "base", early, 0.0, positions=place_of)
             for place_of in ("first", "middle")]
    found += [drop(place, "base", change, spared, above, k=k) for k in range(1, 6)]
    found += [drop(place, "adv_neighbour", change, -5.0 * ours, -0.1 * ours, **attack)
              for attack in LAST_ITEM.values()]
    return found + [drop(place, method, change, spared) for method in ("adv_linear",
                                                                       "adv_global")]


def value_part(place, level, guided):
    records, pairs = [], []
    for scope in ("batch", "literal"):
        detail = f"-values-{scope}"
        apart = pair(place, "adv_cas", "adv_global", guided, level, detail)
        apart["worse"][0] += detail
        pairs.append(apart)
        for method, level_of in (("adv_global", level), ("adv_cas", guided)):
            records.append(record(place, method, level_of, ["values"], detail, epsilon=10.0,
                                  lambda1=1.0, scope=scope))
            pairs.append(pair(place, method, "base", level_of, 1.0, detail))
    return records, pairs


def seed_part(place, seed, cas, others):
    detail = f"-seed{seed}"
    records = [record(place, method, level, ["seed"], detail, seed=seed)
               for method, level in (("adv_global", others), ("adv_cas", cas))]
    one = pair(place, "adv_cas", "adv_global", cas, others, detail)
    one["worse"] = [name_of(place, "adv_global", detail), "last"]
    return records, [one]


def averages_part(gain, more, sparse, last_ndcg, last_hr, datasets=("beauty", "video")):
    found = []
    for backbone in ("sasrec", "gru4rec"):
        where = {"backbone": backbone, "datasets": list(datasets)}
        found += [{"what": "gain"} | where | bounds(gain, 1.0),
                  {"what": "more gain"} | where | bounds(more, 1.0),
                  *({"what": "sparse", "sparse": name} | where | bounds(sparse, 1.0)
                    for name in ("beauty", "video", "clothing"))]
    return found + [{"what": "last item", "dataset": "video", "metric": metric}
                    | bounds(value, 1.0)
                    for metric, value in (("ndcg@10", last_ndcg), ("hr@10", last_hr))]


def results_of(*parts, drops=(), averages=()):
    return {"profile": "paper", "dataset": [], "optimum": {},
            "records": [one for records, _ in parts for one in records],
            "pairs": [one for _, pairs in parts for one in pairs],
            "drops": list(drops), "averages": list(averages)}


def perfect():
    """A world in which every claim holds that can: two of them exclude each other."""
    levels = {place: dict(LEVELS) for place in PLACES}
    levels["clothing", "gru4rec"] |= dict.fromkeys(("adv_linear", "adv_seq", "adv_global"), 1.0)
    sweep = dict(zip(EPSILONS, (1.0, 1.1, 1.12, 1.15, 1.3, 1.25, 1.15, 1.05), strict=True))
    parts = [main_part(place, levels[place]) for place in PLACES]
    videos = [("video", backbone) for backbone in ("sasrec", "gru4rec")]
    parts += [sweep_part(place, sweep) for place in videos]
    parts += [seed_part(place, seed, 1.3, 1.1) for place in videos for seed in (1, 2)]
    parts += [value_part((dataset, "sasrec"), 1.2, 1.25) for dataset in ("beauty", "video")]
    drops = [one for place in PLACES
             for one in drops_part(place, spared=0.0 if place == PLACES[-1] else 5.0)]
    return results_of(*parts, drops=drops, averages=averages_part(40, 200, 10, -23.2, -11))


def bad():
    """A world in which no condition of any claim holds."""
    levels = dict(LEVELS) | dict.fromkeys(
        ("adv_linear", "adv_seq", "adv_global", "adv_cas_1", "adv_cas_2"), 1.0)
    levels |= {"adv_cas": 0.9, BEST_BASE: 1.1, "base+100": 1.1, "adv_neighbour": 0.8}
    clothing = levels | dict.fromkeys(("adv_linear", "adv_seq", "adv_global"), 1.2)
    sweep = dict(zip(EPSILONS, (1.0, 1.0, 1.12, 1.15, 1.0, 1.0, 1.0, 1.05), strict=True))
    parts = [main_part(place, clothing if place == ("clothing", "gru4rec") else levels)
             for place in PLACES]
    videos = [("video", backbone) for backbone in ("sasrec", "gru4rec")]
    parts += [sweep_part(place, sweep) for place in videos]
    parts += [seed_part(place, seed, 1.0, 1.1) for place in videos for seed in (1, 2)]
    parts += [value_part((dataset, "sasrec"), 0.9, 0.9) for dataset in ("beauty", "video")]
    drops = [one for place in PLACES for one in drops_part(place, 0.0, -9.0, -5.0, -0.1, -1)]
    found = results_of(*parts, drops=drops, averages=averages_part(-3, -50, -10, 5, 5))
    for one in found["records"]:
        if one["config"]["method"] == "adv_cas":
            one["seconds"]["per_epoch"] = 20.0
    return found
