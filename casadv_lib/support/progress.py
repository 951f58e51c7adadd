"""The progress bar of work that may be long, outside training."""

import os

from tqdm.auto import tqdm

SECONDS = 2.0  # work that is done sooner shows nothing


def long_work(iterable=None, *, progress: bool = True, now: bool = False, **options) -> tqdm:
    """A tqdm bar over `iterable`, or to be updated by hand; none where CI is set.

    It appears at the first step after `SECONDS`, or at once where `now` is set, and goes away at
    the end unless `leave` is set.
    """
    hidden = not progress or bool(os.environ.get("CI"))
    return tqdm(iterable, delay=0 if now else SECONDS, disable=hidden,
                **{"leave": False} | options)
