"""`cascade_effects_flat` up to 100 million interactions: time, memory, and how both grow."""

from __future__ import annotations

import numpy as np
from benchmarks.curves import exponent
from benchmarks.measuring import call, dearer, faster, measured, peak_bytes, take_turns, timed
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


def measure(size: int, repeats: int, with_repeats: bool = False, loops: bool = False) -> dict:
    """Seconds and bytes of one size, in this process."""
    items, offsets = interactions_of(size, repeats=with_repeats)
    inputs = peak_bytes()
    effects = cascade_effects_flat(items, offsets)
    peak = peak_bytes()
    del effects
    lengths = np.diff(offsets)
    to_end = (np.repeat(offsets[1:], lengths) - np.arange(size)).astype(np.float64)
    clocks = {
        "here": timed(lambda: cascade_effects_flat(items, offsets)),
        "bincount": timed(lambda: np.bincount(items, weights=to_end)),
        "counts": timed(lambda: np.bincount(items)),
    }
    if loops:
        histories = [h.tolist() for h in np.split(items, offsets[1:-1])]
        clocks["loops"] = timed(lambda: algorithm_1(histories, 128, int(items.max())))
    return {"seconds": take_turns(clocks, repeats), "peak_bytes": peak,
            "bytes_before": inputs, "users": len(lengths)}


def main(sizes=SIZES, repeats: int = 3, loops_up_to: int = LOOPS_UP_TO) -> dict:
    rows, lines = [], {}
    for with_repeats, words in ((False, "no item twice"), (True, "items repeat")):
        sized = {size: call("cascade", "measure", size=size, repeats=repeats,
                            with_repeats=with_repeats,
                            loops=size <= loops_up_to and not with_repeats) for size in sizes}
        times = {size: sized[size]["seconds"] for size in sizes}
        rows += _rows(sized, times, words)
        named = {f"cascade effects, {words}": "here"} | ({} if with_repeats else {
            "numpy.bincount": "bincount", "Algorithm 1 in plain Python": "loops"})
        lines |= {line: _line([times[size].get(clock) for size in sizes])
                  for line, clock in named.items()}
    return {
        "title": "Cascade effects of many interactions",
        "rows": rows,
        "curves": {"interactions": {"x": list(sizes), "lines": lines, "label": "interactions",
                                    "fixed": "16 interactions an item"}},
        "notes": [
            "Made-up histories of 5 to 50 items, about 9 on average; popularity by Zipf's law, 16 "
            "interactions an item. `numpy.bincount` sums the same weights over the same items, "
            "the first of Algorithm 1's two passes.",
            "Memory holds the interactions themselves (8 bytes each) and Python with PyTorch, "
            "about 0.3 GB."],
    }


def _rows(sized: dict, times: dict, words: str) -> list[dict]:
    rows, largest = [], max(times)
    for size, seconds in times.items():
        what = f"{size:.0e} interactions, {words}: cascade effects".replace("e+0", "e")
        here, last = seconds["here"], size == largest
        rows += [dearer(what, here, "`numpy.bincount` with weights", seconds["bincount"],
                        TIMES_BINCOUNT if last else None, headline=last),
                 dearer(what, here, "`numpy.bincount` without weights", seconds["counts"])]
        if "loops" in seconds:
            rows.append(faster(what, here, "Algorithm 1 in plain Python", seconds["loops"],
                               headline=size == LOOPS_UP_TO))
        rows.append(measured(f"{what}, memory", [sized[size]["peak_bytes"] / 1e9], "GB"))
    rows.append(measured(f"{what}, time", here, "s", SECONDS, headline=True))
    ours, bare = ([exponent(list(times), turn) for turn in
                   zip(*(seconds[clock] for seconds in times.values()), strict=True)]
                  for clock in ("here", "bincount"))
    above = [a - b for a, b in zip(ours, bare, strict=True)]
    return rows + [
        measured(f"cascade effects, {words}: exponent of the time", ours, "", headline=True),
        measured(f"`numpy.bincount`, {words}: exponent of the time", bare, ""),
        measured(f"cascade effects, {words}: exponent above `numpy.bincount`'s", above, "",
                 ABOVE_BINCOUNT, headline=True)]


def _line(turns: list[list[float] | None]) -> dict:
    """Median, least and most at each size; None where nothing was measured."""
    return {name: [None if turn is None else float(of(turn)) for turn in turns]
            for name, of in (("median", np.median), ("low", min), ("high", max))}
