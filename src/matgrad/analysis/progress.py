"""A bar for what takes long."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from matgrad.errors import NotSupported

Progress = Callable[[int], None]


@contextmanager
def shown_progress(wanted: bool | Progress | None, what: str = "products H·v") -> Iterator[Progress | None]:
    """What is called with the number of steps done: a bar of tqdm for True, or the function that is given."""
    if not wanted or callable(wanted):
        yield wanted or None
        return
    try:
        from tqdm import tqdm
    except ImportError as error:
        raise NotSupported("a progress bar needs the package tqdm", hint="pip install tqdm") from error
    with tqdm(unit=" products", desc=what) as bar:
        yield lambda done: bar.update(done - bar.n) and None
