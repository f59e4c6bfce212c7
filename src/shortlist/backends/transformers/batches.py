"""Batches by tokens, longest first; when memory runs out the batch is halved, once, with a warning.

It does not know models: ``work`` is given the numbers of the jobs in a batch.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from types import ModuleType

from ...core.errors import BackendError

logger = logging.getLogger(__name__)


@dataclass
class Batches:
    """Runs jobs in batches of at most ``limit`` tokens, padding included (a longer job is a batch by itself)."""

    torch: ModuleType
    limit: int
    halved: bool = field(init=False, default=False)

    def run(
        self, jobs: Sequence[int], sizes: Sequence[int], work: Callable[[list[int]], None], *, even: bool = False
    ) -> None:
        """Every job once. sizes: tokens of the jobs in ``jobs``, in order. even: only equal sizes share a batch.

        Raises BackendError when memory runs out a second time, or for a single job.
        """
        size = dict(zip(jobs, sizes, strict=True))
        waiting = sorted(jobs, key=lambda job: -size[job])
        while waiting:
            longest = max(1, size[waiting[0]])
            batch = waiting[: max(1, self.limit // longest)]
            if even:
                batch = [job for job in batch if size[job] == longest]
            try:
                work(batch)
            except RuntimeError as error:
                if not is_out_of_memory(error):
                    raise
                self._halve(len(batch), longest, error)
            else:
                waiting = waiting[len(batch) :]

    def _halve(self, rows: int, longest: int, error: RuntimeError) -> None:
        if rows == 1 or self.halved:
            again = " again, after the batch was halved" if self.halved else ""
            raise BackendError(
                f"out of memory{again} with {rows} x {longest} tokens; give batch_tokens below {rows * longest}, "
                "shorter passages, or a smaller dtype"
            ) from error
        self.halved, self.limit = True, rows * longest // 2
        logger.warning("out of memory with %d x %d tokens; batch_tokens is %d from now on", rows, longest, self.limit)
        if self.torch.cuda.is_available():
            self.torch.cuda.empty_cache()


def is_out_of_memory(error: BaseException) -> bool:
    """Whether torch ran out of memory, on a GPU or on the CPU (where it is a plain RuntimeError).

    >>> is_out_of_memory(RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"))
    True
    """
    said = str(error).lower()
    return type(error).__name__ == "OutOfMemoryError" or "out of memory" in said or "can't allocate memory" in said
