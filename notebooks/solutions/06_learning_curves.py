"""Solutions to the exercises of 06_learning_curves.ipynb."""


def best_epoch_of(curve):
    # max keeps the first of equals
    return max(curve, key=lambda entry: entry["validation"]["ndcg@10"])["epoch"]


def stop_early(curve, patience):
    best, waited = curve[0], 0
    for entry in curve[1:]:
        waited += 1
        if entry["validation"]["ndcg@10"] > best["validation"]["ndcg@10"]:
            best, waited = entry, 0
        if waited == patience:
            return entry["epoch"], best["epoch"]
    return curve[-1]["epoch"], best["epoch"]


def reached_at(curve, start, share):
    end = curve[-1]["test"]["ndcg@10"]
    wanted = start + share * (end - start)
    return next(entry["epoch"] for entry in curve if entry["test"]["ndcg@10"] >= wanted)
