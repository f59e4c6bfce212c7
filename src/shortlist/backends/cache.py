"""Completions on disk, by content: an answer that was paid for once is never asked for again.

One small file per answer, named by the SHA-256 of everything that decides it (the backend's digest, and every field
of the request that counts in its equality: prompt, labels, prefill, max_tokens, stop, logprobs, attempt). A file
appears whole, by a rename, after it is on the disk, so a killed run repeats at most the answers that were still under
way, and any number of processes may share a folder. Every file carries its key and a checksum; one that does not
match is a miss that is counted, and is written anew.

Nothing is ever evicted: delete the folder to forget. It holds the models' answers in clear text.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import os
import threading
import zlib
from collections import Counter
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Protocol

from ..core.exchange import Completion, Message, Request, Segments, Token
from ..core.protocols import Capability, GenerateBackend
from ..core.types import Repair, Usage
from ..core.waiting import gathered
from .http.loop import blocking

logger = logging.getLogger(__name__)

_VERSION = 4  # part of every key: raise it when the layout of an entry or the meaning of a key changes
_KEPT = frozenset({Capability.GENERATE, Capability.LABEL_LOGITS, Capability.TOKEN_LOGPROBS, Capability.FID})
_Ask = Callable[[Request], Coroutine[Any, Any, Completion]]


class _Waiting(Protocol):
    async def agenerate(self, request: Request) -> Completion: ...


@dataclass(frozen=True)
class Cached:
    """A generating backend whose completions are kept in ``folder``; asynchronous when the backend is.

    A completion from the cache has ``usage.calls`` 0 and its token counts as they once were, all of them also under
    ``cached_tokens``: nothing was paid, and budgets of tokens end a repeated run where they ended the first. Failures
    are not kept; malformed and cut answers are, because they were paid for (a retry has another ``attempt`` and so
    another key). Equal requests that are under way at the same time are asked once per process.

    counts: hits, misses, corrupt (damaged entries, which are also misses), unwritten (the disk refused).
    """

    backend: GenerateBackend
    folder: str | Path
    _counts: Counter[str] = field(init=False, repr=False, compare=False, default_factory=Counter)
    _lock: threading.Lock = field(init=False, repr=False, compare=False, default_factory=threading.Lock)
    _under_way: dict[str, Future[None]] = field(init=False, repr=False, compare=False, default_factory=dict)

    @property
    def capabilities(self) -> frozenset[Capability]:
        """What is kept of what the backend can do: completions, no likelihoods or vectors."""
        return self.backend.capabilities & _KEPT

    @property
    def digest(self) -> str:
        return self.backend.digest

    @property
    def concurrency(self) -> int:
        """Of the backend; AttributeError when it is not asynchronous."""
        limit: int = self.backend.concurrency  # type: ignore[attr-defined]
        return limit

    @property
    def counts(self) -> Counter[str]:
        with self._lock:
            return Counter(self._counts)

    @property
    def agenerate(self) -> _Ask:
        """One completion, kept. The attribute is absent (AttributeError) when the backend has none, so that a cached
        local model is not taken for an asynchronous one."""
        waiting: _Waiting = self.backend  # type: ignore[assignment]
        ask = waiting.agenerate

        async def kept(request: Request) -> Completion:
            return await self._kept(ask, request)

        return kept

    def generate(self, requests: Sequence[Request]) -> list[Completion]:
        """One completion per request. Of an asynchronous backend each is kept as it arrives, of another all at the
        end."""
        if hasattr(self.backend, "agenerate"):
            return blocking(gathered([self.agenerate(request) for request in requests]))
        keys = [self.key(request) for request in requests]
        wanted = dict(zip(keys, requests, strict=True))
        answers = {key: found for key in wanted if (found := self._get(key)) is not None}
        missing = [key for key in wanted if key not in answers]
        fresh = self.backend.generate([wanted[key] for key in missing]) if missing else ()
        for key, completion in zip(missing, fresh, strict=True):
            self._put(key, completion)
            answers[key] = completion
        return [self._first(answers, key) for key in keys]

    def key(self, request: Request) -> str:
        """The name under which the answer to ``request`` is kept: 64 hexadecimal digits."""
        parts = {f.name: _plain(getattr(request, f.name)) for f in fields(request) if f.compare}
        text = json.dumps([_VERSION, self.backend.digest, parts], sort_keys=True)  # ASCII, also for lone surrogates
        return hashlib.sha256(text.encode()).hexdigest()

    async def _kept(self, ask: _Ask, request: Request) -> Completion:
        key = self.key(request)
        while True:
            with self._lock:
                earlier = self._under_way.get(key)
                if earlier is None:
                    mine = self._under_way[key] = Future()
                    break
            await asyncio.shield(asyncio.wrap_future(earlier))
        try:
            found = await asyncio.to_thread(self._get, key)
            if found is not None:
                return found
            completion = await ask(request)
            await _to_the_end(asyncio.to_thread(self._put, key, completion))
            return completion
        finally:
            with self._lock:
                del self._under_way[key]
            mine.set_result(None)

    def _path(self, key: str) -> Path:
        return Path(self.folder) / key[:2] / f"{key}.json"

    def _get(self, key: str) -> Completion | None:
        try:
            completion = _decoded(self._path(key).read_bytes(), key)
        except FileNotFoundError:
            self._count("misses")
            return None
        except (OSError, ValueError, TypeError, KeyError, RecursionError) as error:
            self._count("misses", "corrupt")
            logger.warning("cache entry %s: %s; the model is asked again", self._path(key), error)
            return None
        self._count("hits")
        return _as_cached(completion)

    def _first(self, answers: dict[str, Completion], key: str) -> Completion:
        """The answer to a key; the next request with the same key gets it as a cached one."""
        completion = answers[key]
        answers[key] = _as_cached(completion)
        return completion

    def _put(self, key: str, completion: Completion) -> None:
        if type(completion) is not Completion:  # it holds more than an entry can (the likeliest tokens of each place)
            return
        path = self._path(key)
        temporary = path.with_name(f".{key}.{os.getpid()}.{threading.get_ident()}.tmp")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with temporary.open("wb") as file:
                file.write(_encoded(completion, key))
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        except OSError as error:  # an answer in hand is worth more than an entry
            self._count("unwritten")
            logger.warning("cache entry %s cannot be written: %s", path, error)
            with suppress(OSError):
                temporary.unlink()

    def _count(self, *names: str) -> None:
        with self._lock:
            self._counts.update(names)


async def _to_the_end(work: Coroutine[Any, Any, None]) -> None:
    """Await ``work``; when cancelled meanwhile, only after its end: what was paid for is kept."""
    task = asyncio.ensure_future(work)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await task
        raise


def _plain(value: object) -> object:
    """A field of a request as JSON types that differ when the values do."""
    if isinstance(value, Message):
        return [value.role, value.content]
    if isinstance(value, Segments):
        return {"segments": list(value.texts)}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value if isinstance(value, (str, int, float, bool)) or value is None else repr(value)


def _as_cached(completion: Completion) -> Completion:
    spent = completion.usage
    return replace(completion, usage=Usage(0, spent.prompt_tokens, spent.completion_tokens, spent.tokens))


def _encoded(completion: Completion, key: str) -> bytes:
    usage = completion.usage
    record = {
        "key": key,
        "text": completion.text,
        "labels": None if completion.labels is None else dict(completion.labels),
        "finished": completion.finished,
        "reasoning": completion.reasoning,
        "tokens": [[token.text, token.logprob] for token in completion.tokens],
        "repairs": [[r.kind, r.count, r.detail] for r in completion.repairs if r.kind != "request_retried"],
        "usage": [usage.calls, usage.prompt_tokens, usage.completion_tokens, usage.cached_tokens, usage.seconds],
    }
    text = json.dumps(record, sort_keys=True).encode()
    return b"%08x\t%s\n" % (zlib.crc32(text), text)


def _decoded(raw: bytes, key: str) -> Completion:
    check_sum, _, text = raw.removesuffix(b"\n").partition(b"\t")
    if check_sum != b"%08x" % zlib.crc32(text) or not raw.endswith(b"\n"):
        raise ValueError("the checksum does not match")
    record = json.loads(text)
    if record["key"] != key:
        raise ValueError("it belongs to another request")
    usage = Usage(*record["usage"])
    tokens = tuple(Token(*pair) for pair in record["tokens"])
    repairs = tuple(Repair(*parts) for parts in record["repairs"])
    said = (record["text"], record["labels"], record["finished"], usage, repairs, record["reasoning"])
    return Completion(*said, tokens)
