"""The progress bar of work that may be long, outside training."""

import os

from tqdm.auto import tqdm

SECONDS = 2.0  # work that is done sooner shows nothing


def long_work(iterable=None, *, progress: bool = True, now: bool = False, **options) -> tqdm:
    """A tqdm bar, none where CI is set; it appears after `SECONDS`, or `now`, and goes away at the
    end unless `leave` is set."""
    hidden = not progress or bool(os.environ.get("CI"))
    return tqdm(iterable, delay=0 if now else SECONDS, disable=hidden,
                **{"leave": False} | options)
