"""The server as an object: started, stopped, asked where it listens."""

from __future__ import annotations

import os
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from ..core.errors import ConfigError
from ..core.exchange import Completion
from .fields import Asked, Limits
from .http import Server
from .worker import Worker


@dataclass
class LanguageModelServer:
    """A model behind ``http://host:port/v1``; started by ``with`` or ``start``.

    backend: ``CausalLM`` or ``Seq2SeqLM`` (or whatever has their ``context``, ``measure`` and ``generate`` and answers
    ``Sampled`` requests); it is only used by one thread. host: where it listens; another than this machine's own lets
    others use the model. port: 0 takes a free one. name: what clients call the model; the folder's by default. gather:
    seconds that the first request of a batch waits for others. batch: most prompts computed together. api_key_env: the
    environment variable that holds a key which every request but ``/health`` must bring. drain: seconds that ``stop``
    gives to what is under way.
    """

    backend: Any
    host: str = "127.0.0.1"
    port: int = 8000
    name: str = ""
    limits: Limits = field(default_factory=Limits)
    gather: float = 0.005
    batch: int = 64
    api_key_env: str | None = None
    drain: float = 30.0
    key: str = field(init=False, repr=False, default="")
    started: int = field(init=False, repr=False, default=0)
    fingerprint: str = field(init=False, repr=False, default="")
    _busy: int = field(init=False, repr=False, default=0)
    _idle: threading.Condition = field(init=False, repr=False, default_factory=threading.Condition)
    _worker: Worker | None = field(init=False, repr=False, default=None)
    _server: Server | None = field(init=False, repr=False, default=None)

    def __post_init__(self) -> None:
        if self.gather < 0 or self.batch < 1 or not 0 <= self.port < 65536 or self.drain < 0:
            raise ConfigError(
                f"gather={self.gather}, batch={self.batch}, port={self.port}, drain={self.drain}: expected 0 or more, "
                "1 or more, 0 to 65535, 0 or more"
            )
        self.name = self.name or Path(str(getattr(self.backend, "path", "model"))).name

    @property
    def url(self) -> str:
        """The base URL for clients, ending in ``/v1``."""
        assert self._server is not None, "the server is not started"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self._server.server_port}/v1"

    @property
    def alive(self) -> bool:
        """Whether requests are answered."""
        return self._worker is not None and self._worker.alive

    @property
    def context(self) -> int | None:
        context: int | None = self.backend.context
        return context

    @property
    def counts(self) -> Counter[str]:
        """What happened so far: requests (prompts), batches, answered, refused, failed, cancelled, alone."""
        return self._worker.counts if self._worker is not None else Counter()

    def start(self) -> Self:
        """Load the model, then listen, in threads of their own. Raises what loading raises, ConfigError when the port
        is taken or the key is absent."""
        self.key = os.environ.get(self.api_key_env, "") if self.api_key_env else ""
        if self.api_key_env and not self.key:
            raise ConfigError(f"the environment variable {self.api_key_env}, which is to hold the key, is not set")
        self.fingerprint = str(self.backend.digest)  # loads the model
        self.started = int(time.time())
        self._worker = Worker(self.backend, gather=self.gather, most=self.batch, queue=self.limits.queue)
        try:
            self._server = Server((self.host, self.port), self)
        except OSError as error:
            raise ConfigError(f"cannot listen on {self.host}:{self.port}: {error}; give another port, or 0") from error
        self._worker.start()
        threading.Thread(target=self._server.serve_forever, args=(0.05,), name="shortlist-listen", daemon=True).start()
        return self

    def stop(self) -> None:
        """Answer what is under way (for up to ``drain`` seconds), refuse what comes, stop listening."""
        until = time.monotonic() + self.drain
        if self._worker is not None:
            self._worker.stop(self.drain)
        with self._idle:
            self._idle.wait_for(lambda: not self._busy, timeout=max(1.0, until - time.monotonic()))
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def submit(self, asked: Asked) -> list[Future[Completion]]:
        """Put prompts into the queue. Raises Refused."""
        assert self._worker is not None, "the server is not started"
        return self._worker.submit(asked.requests, whole=asked.whole)

    @contextmanager
    def busy(self) -> Iterator[None]:
        """While a request is handled: ``stop`` waits for it."""
        with self._idle:
            self._busy += 1
        try:
            yield
        finally:
            with self._idle:
                self._busy -= 1
                self._idle.notify_all()
