"""What `Encoder` and `PairScorer` share: a model found, a choice settled, a session opened once."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from shortlist.core.errors import ConfigError

from .batches import Encoded, Reduce, Session, Stats, run_batches
from .choice import AnyPrecision, AnyRuntime, Choice
from .cpu import usable_threads
from .folder import ModelFolder, find_model
from .ort_graph import Output
from .sessions import open_model, settle


@dataclass
class LoadedModel:
    """A model that is found, read and opened when it is first needed, by one thread."""

    path: str | Path
    runtime: AnyRuntime
    precision: AnyPrecision
    threads: int | None
    max_length: int | None
    batch_tokens: int
    output: Output
    stats: Stats = field(default_factory=Stats)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _session: Session | None = None

    @cached_property
    def model(self) -> ModelFolder:
        return find_model(self.path)

    @cached_property
    def choice(self) -> Choice:
        return settle(self.model, self.runtime, self.precision)

    @cached_property
    def window(self) -> int:
        return self.model.window(self.max_length)

    @cached_property
    def digest(self) -> str:
        """Weights, tokenizer, window and arithmetic: whatever decides the numbers, and nothing else."""
        parts = (self.model.digest, self.choice.runtime, self.choice.precision, str(self.window), self.output)
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()

    @property
    def workers(self) -> int:
        """Texts encoded side by side."""
        if self.threads is not None and self.threads < 1:
            raise ConfigError(f"threads is {self.threads}; expected 1 or more, or None for all cores of this process")
        return self.threads or usable_threads()

    @property
    def session(self) -> Session:
        with self._lock:
            if self._session is None:
                self._session = open_model(self.model, self.choice, self.output, threads=self.workers)
            return self._session

    def run(self, texts: Sequence[Encoded], reduce: Reduce) -> list[Any]:
        if not texts:
            return []
        return run_batches(
            self.session, texts, reduce, budget=self.batch_tokens, threads=self.workers, stats=self.stats
        )
