"""Solutions to the exercises of 09_last_k.ipynb."""


def last_positions(lengths, max_len, k):
    return [[n - 1 - j for j in range(k)] for n in lengths if min(n, max_len) >= k]


def same_users_change(after, before):
    users = set(after) & set(before)
    hits_after = sum(after[user] <= 10 for user in users)
    hits_before = sum(before[user] <= 10 for user in users)
    return 100 * (hits_after / hits_before - 1)
