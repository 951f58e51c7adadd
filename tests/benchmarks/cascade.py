"""`cascade_effects_flat` up to 100 million interactions: time, memory, and how both grow."""

import numpy as np
import pandas as pd
from benchmarks.measuring import call, exponent, line, peak_bytes, row, take_turns, timed
from benchmarks.worlds import interactions_of

from casadv_lib import cascade_effects_flat

SIZES = (10**5, 10**6, 10**7, 10**8)
LOOPS_UP_TO = 10**7  # plain Python would need minutes and 10 GB for more
SECONDS, TIMES_BINCOUNT = 10.0, 5.0  # at the largest size
# Linear: an exponent at most this far above bincount's own. Both touch each interaction a fixed
# number of times; what lies above 1 in bincount is the memory behind a larger and larger table.
ABOVE_BINCOUNT = 0.1


def algorithm_1(histories: list[list[int]], batch_size: int, n_items: int) -> list[list[float]]:
    """Algorithm 1 as printed, in plain Python: lines 3 to 7 sum, lines 9 to 13 read back.

    A user's own occurrences count, as printed; its last line, min-max, is left out.
    """
    D = [0.0] * (n_items + 1)
    for history in histories:
        T = len(history)
        for t, item in enumerate(history):
            D[item] += T - t
    share = batch_size / len(histories)
    effects = []
    for history in histories:
        T = len(history)
        effects.append([T - t + share * D[item] for t, item in enumerate(history)])
    return effects


def measure(size: int, repeats: int, with_repeats: bool) -> tuple[pd.DataFrame, int]:
    """Seconds (a row a turn) and bytes of one size, in this process."""
    items, offsets = interactions_of(size, repeats=with_repeats)
    cascade_effects_flat(items, offsets)
    peak = peak_bytes()
    to_end = (np.repeat(offsets[1:], np.diff(offsets)) - np.arange(size)).astype(np.float64)
    clocks = {
        "here": timed(lambda: cascade_effects_flat(items, offsets)),
        "bincount": timed(lambda: np.bincount(items, weights=to_end)),
    }
    if size <= LOOPS_UP_TO and not with_repeats:
        histories = [h.tolist() for h in np.split(items, offsets[1:-1])]
        clocks["loops"] = timed(lambda: algorithm_1(histories, 128, int(items.max())))
    return take_turns(clocks, repeats), peak


def main(sizes=SIZES, repeats: int = 3, device: str = "cpu") -> dict:
    """device: that of PyTorch, which has no part in it."""
    rows, lines = [], {}
    for with_repeats, words in ((False, "no item twice"), (True, "items repeat")):
        turns = {}  # {size: seconds}
        for size in sizes:
            seconds, peak = call(measure, size=size, repeats=repeats, with_repeats=with_repeats)
            turns[size], last = seconds, size == sizes[-1]
            what = f"{size:.0e} interactions, {words}: cascade effects".replace("e+0", "e")
            rows += [row(what, seconds["here"], than="`numpy.bincount` with weights",
                         other=seconds["bincount"], headline=last,
                         target=TIMES_BINCOUNT if last else None),
                     row(f"{what}, memory", [peak / 1e9], "GB")]
            if "loops" in seconds:
                rows.append(row(what, seconds["here"], than="Algorithm 1 in plain Python",
                                other=seconds["loops"], faster=True, headline=size == LOOPS_UP_TO))
        rows.append(row(f"{what}, time", seconds["here"], target=SECONDS, headline=True))
        clocks = {clock: pd.DataFrame({size: t.get(clock, np.nan) for size, t in turns.items()})
                  for clock in turns[sizes[0]]}
        ours, bare = (exponent(sizes, clocks[clock]) for clock in ("here", "bincount"))
        rows += [
            row(f"cascade effects, {words}: exponent of the time", ours, "", headline=True),
            row(f"cascade effects, {words}: exponent above `numpy.bincount`'s", ours - bare, "",
                target=ABOVE_BINCOUNT, headline=True)]
        lines[f"cascade effects, {words}"] = line(clocks["here"])
        if not with_repeats:
            lines |= {"numpy.bincount": line(clocks["bincount"]),
                      "Algorithm 1 in plain Python": line(clocks["loops"])}
    return {"rows": rows, "curves": {"interactions": {
        "x": list(sizes), "lines": lines, "label": "interactions",
        "fixed": "16 interactions an item"}}}
