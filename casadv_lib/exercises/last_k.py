"""Notebook 09: the positions that are replaced, and a change over the same users."""

from .common import exercise


@exercise([([4, 7], 50, 2), ([2, 5, 1, 3], 50, 3), ([9, 3], 2, 2), ([9, 3], 2, 3), ([6], 4, 1)],
          "user")
def check_last_positions(lengths, max_len, k):
    """function(lengths, max_len, k) -> one list of k indices, newest first, a user with k items."""
    return [list(range(n - 1, n - 1 - k, -1)) for n in lengths if min(n, max_len) >= k]


@exercise([
    ({"a": 12.0, "b": 3.0}, {"a": 4.0, "b": 2.0}),
    ({"b": 3.0, "d": 30.0, "e": 9.0}, {"a": 1.0, "b": 2.0, "c": 5.0, "d": 7.0, "e": 40.0}),
    ({"a": 10.0, "b": 10.5}, {"c": 1.0, "b": 10.0, "a": 10.0}),
], "the change")
def check_same_users(after, before):
    """function(after, before) -> change of HR@10 in percent over who is in both; {user: rank}."""
    new, old = (sum(ranks[user] <= 10 for user in after.keys() & before.keys())
                for ranks in (after, before))
    return 100 * (new / old - 1)
