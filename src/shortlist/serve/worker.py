"""The one thread that asks the model: what waits is computed together, and one bad request does not spoil the others.

Whatever goes wrong with a request ends at that request. It does not know HTTP.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter, deque
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

from ..backends.transformers import Seq2SeqLM
from ..backends.transformers.sampled import Sampled
from ..core.errors import ConfigError, InputError, ShortlistError
from ..core.exchange import Completion
from .refusals import Refused

logger = logging.getLogger(__name__)


@dataclass
class Job:
    """A prompt that waits. whole: the window must have room for all of its ``max_tokens``."""

    request: Sampled
    whole: bool
    answer: Future[Completion] = field(default_factory=Future)


class Worker:
    """gather: seconds that the first of a batch waits for others. most: prompts computed together. queue: prompts that
    may wait.

    counts: requests, batches, answered, refused, failed, cancelled (nobody waited any more), alone (asked once more by
    themselves, because their batch failed).
    """

    def __init__(self, backend: Any, *, gather: float, most: int, queue: int) -> None:
        self.backend, self._gather, self._most, self._room = backend, gather, most, queue
        self._waiting: deque[Job] = deque()
        self._changed = threading.Condition()
        self._closing = False
        self._counts: Counter[str] = Counter()
        self._thread = threading.Thread(target=self._run, name="shortlist-model", daemon=True)

    @property
    def counts(self) -> Counter[str]:
        with self._changed:
            return Counter(self._counts)

    @property
    def alive(self) -> bool:
        """Whether requests are answered."""
        return self._thread.is_alive() and not self._closing

    def start(self) -> None:
        self._thread.start()

    def submit(self, requests: Sequence[Sampled], *, whole: bool) -> list[Future[Completion]]:
        """Futures of the answers; cancelling one that has not begun saves its work. Raises Refused."""
        with self._changed:
            if not self.alive:
                raise Refused(503, "the server is shutting down", code="shutting_down")
            if len(self._waiting) + len(requests) > self._room:
                self._counts["refused"] += len(requests)
                raise Refused(429, f"{self._room} prompts may wait, and the queue is full", code="queue_full")
            jobs = [Job(request, whole) for request in requests]
            self._counts["requests"] += len(jobs)
            self._waiting.extend(jobs)
            self._changed.notify_all()
        return [job.answer for job in jobs]

    def stop(self, deadline: float) -> None:
        """Take nothing more, answer what waits for up to ``deadline`` seconds, refuse the rest."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        self._thread.join(deadline)
        with self._changed:
            left = list(self._waiting)
            self._waiting.clear()
        for job in left:
            if job.answer.set_running_or_notify_cancel():  # its client may have left
                self._fail(job, Refused(503, "the server is shutting down", code="shutting_down"))

    def _run(self) -> None:
        while jobs := self._next():
            wanted = [job for job in jobs if job.answer.set_running_or_notify_cancel()]
            self._count("cancelled", len(jobs) - len(wanted))
            fitting = [job for job in wanted if self._fits(job)]
            if fitting:
                self._answer(fitting)

    def _next(self) -> list[Job]:
        """The next batch; empty when all is done and nothing more will come."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._closing)
            until = time.monotonic() + self._gather
            while len(self._waiting) < self._most and not self._closing and (left := until - time.monotonic()) > 0:
                self._changed.wait(left)
            return [self._waiting.popleft() for _ in range(min(self._most, len(self._waiting)))]

    def _fits(self, job: Job) -> bool:
        """Whether prompt and answer fit the window; answers the job when they do not."""
        param = "prompt" if isinstance(job.request.prompt, str) else "messages"
        try:
            context, tokens = self.backend.context, self.backend.measure(job.request)
        except Exception as error:  # noqa: BLE001 - somebody's odd text must not end the thread that serves all
            self._fail(job, error)
            return False
        if context is None or isinstance(self.backend, Seq2SeqLM):  # whose answer has a window of its own
            return True
        answer = job.request.max_tokens if job.whole else 1
        if tokens + answer <= context:
            return True
        message = (
            f"This model's maximum context length is {context} tokens. However, you requested {tokens + answer} tokens "
            f"({tokens} in the {param}, {answer} in the completion). Please reduce the length of either."
        )
        self._fail(job, Refused(400, message, code="context_length_exceeded", param=param))
        return False

    def _answer(self, jobs: Sequence[Job]) -> None:
        self._count("batches", 1)
        try:
            found = self.backend.generate([job.request for job in jobs])
            pairs = list(zip(jobs, found, strict=True))
        except Exception as error:  # noqa: BLE001 - as above
            if len(jobs) == 1:
                self._fail(jobs[0], error)
                return
            self._count("alone", len(jobs))
            for job in jobs:
                self._answer([job])
            return
        self._count("answered", len(pairs))
        for job, completion in pairs:
            job.answer.set_result(completion)

    def _fail(self, job: Job, error: Exception) -> None:
        refused = error if isinstance(error, Refused) else _refusal(error)
        self._count("refused" if refused.status < 500 else "failed", 1)
        if refused.status >= 500 and not isinstance(error, Refused):
            logger.error("the model failed", exc_info=error)
        job.answer.set_exception(refused)

    def _count(self, name: str, by: int) -> None:
        with self._changed:
            self._counts[name] += by


def _refusal(error: Exception) -> Refused:
    """What a client is told. A failure of the model itself is not explained outside, only in the log."""
    if isinstance(error, InputError):
        return Refused(400, str(error), code="context_length_exceeded" if "tokens" in str(error) else "invalid_value")
    if isinstance(error, ConfigError):
        return Refused(400, str(error), code="invalid_value")
    if isinstance(error, ShortlistError):
        return Refused(500, str(error), code="model_error")
    return Refused(500, f"the model failed ({type(error).__name__}); the server's log says why", code="model_error")
