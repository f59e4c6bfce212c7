"""Plan batches of texts of one length, longest first, under a token budget; run them on one pool of threads.

Texts of one batch have the same (padded) length, and that length depends on the text alone. So a text's numbers do not
depend on which other texts are scored with it, and with `multiple=1` there is no padding at all.

Threads run whole batches side by side, each on one core: small products on several cores spend their time waiting for
each other.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from .tokens import Ids

Encoded = tuple[Ids, Ids]
"""Token ids and type ids of one text or pair, special tokens included."""
Reduce = Callable[[NDArray[np.float32], int], Any]
"""From one row of a session's output and the number of real tokens to the result that is kept."""


class Session(Protocol):
    """A loaded model. ``max_rows`` and ``multiple`` say which batches it wants."""

    @property
    def max_rows(self) -> int | None: ...
    @property
    def multiple(self) -> int: ...
    def run(self, ids: Ids, types: Ids, lengths: Ids) -> NDArray[np.float32]:
        """One batch. ids, types: (batch, tokens); lengths: (batch,) real tokens.

        Returns (batch, tokens, hidden) or (batch, labels).
        """
        ...


@dataclass
class Stats:
    """Counts since the start. cut: texts that were longer than the window. padding: computed slots per real token."""

    texts: int = 0
    tokens: int = 0
    slots: int = 0
    batches: int = 0
    cut: int = 0
    _lock: threading.Lock = field(init=False, repr=False, default_factory=threading.Lock)

    @property
    def padding(self) -> float:
        return self.slots / self.tokens if self.tokens else 1.0

    def add(self, *, texts: int = 0, tokens: int = 0, slots: int = 0, batches: int = 0, cut: int = 0) -> None:
        with self._lock:
            self.texts += texts
            self.tokens += tokens
            self.slots += slots
            self.batches += batches
            self.cut += cut


def plan(lengths: Sequence[int], *, budget: int, multiple: int = 1, max_rows: int | None = None) -> list[list[int]]:
    """Positions of each batch, longest texts first: equal padded length, at most ``budget`` tokens (but one text at
    least).

    >>> plan([3, 5, 3, 9, 3], budget=6)
    [[3], [1], [0, 2], [4]]
    """
    rounded = [-(-length // multiple) * multiple for length in lengths]
    batches: list[list[int]] = []
    for i in sorted(range(len(lengths)), key=lambda i: -rounded[i]):
        room = batches and rounded[batches[-1][0]] == rounded[i] and (len(batches[-1]) + 1) * rounded[i] <= budget
        if room and (max_rows is None or len(batches[-1]) < max_rows):
            batches[-1].append(i)
        else:
            batches.append([i])
    return batches


def run_batches(
    session: Session, texts: Sequence[Encoded], reduce: Reduce, *, budget: int, threads: int, stats: Stats
) -> list[Any]:
    """One reduced result per text, in the order given."""
    lengths = [len(ids) for ids, _ in texts]
    results: list[Any] = [None] * len(texts)

    def run(batch: list[int]) -> None:
        width = -(-lengths[batch[0]] // session.multiple) * session.multiple
        ids, types = np.zeros((2, len(batch), width), np.int32)
        for row, i in enumerate(batch):
            ids[row, : lengths[i]], types[row, : lengths[i]] = texts[i]
        counts = np.array([lengths[i] for i in batch], np.int32)
        output = session.run(ids, types, counts)
        for row, i in enumerate(batch):
            results[i] = reduce(output[row], lengths[i])
        stats.add(texts=len(batch), tokens=int(counts.sum()), slots=ids.size, batches=1)

    batches = plan(lengths, budget=budget, multiple=session.multiple, max_rows=session.max_rows)
    if threads == 1 or len(batches) == 1:
        for batch in batches:
            run(batch)
    else:
        for done in [pool(threads).submit(run, batch) for batch in batches]:
            done.result()  # raises what the batch raised
    return results


def pool(threads: int) -> ThreadPoolExecutor:
    """The process's pool of this size: shared by all encoders, so that two of them do not use twice the cores."""
    return _pool(threads, os.getpid())  # a forked child has none of its parent's threads


@lru_cache
def _pool(threads: int, process: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads, thread_name_prefix="shortlist-encoder")
