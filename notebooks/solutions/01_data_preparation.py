"""Solutions to the exercises of 01_data_preparation.ipynb."""

from collections import Counter


def my_k_core(frame, k):
    while True:
        users = frame["user"].map(frame["user"].value_counts())
        items = frame["item"].map(frame["item"].value_counts())
        kept = frame[(users >= k) & (items >= k)]
        if len(kept) == len(frame):
            return kept
        frame = kept


def most_popular(histories, count):
    occurrences = Counter(item for history in histories for item in history)
    return sorted(occurrences, key=lambda item: (-occurrences[item], item))[:count]
