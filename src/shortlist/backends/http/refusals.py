"""What can go wrong with a request, whether to try again, and what to tell the user.

Servers wrap their reasons in many shapes; ``server_message`` knows those of OpenAI, vLLM, Cohere, Jina, Voyage, TEI,
infinity and FastAPI. It does not know the languages of the messages.
"""

from __future__ import annotations

import json
from typing import Any

from ...core.errors import BackendError

_SHOWN = 300  # some servers echo the whole request in a refusal
RETRIED = frozenset({408, 409, 425, 429, *range(500, 600)}) - {501, 505}
_ADVICE = {
    400: "the request itself was refused: check model, prompt length and the options under extra",
    402: "the account has no credit left",
    403: "the key may not use this model or route",
    404: "no such route or model: check the URL (it mostly ends in /v1) and the model's name",
    405: "the route takes no POST: check the URL",
    413: "the request is too large: show fewer or shorter documents at once",
    422: "a field was refused: check the options, and that the endpoint speaks this dialect",
    429: "the rate limit holds: lower concurrency, or raise max_attempts",
    501: "the server does not offer this",
}
_TOO_LONG = ("context length", "context window", "maximum context", "too many tokens", "input is too long")


class EndpointError(BackendError):
    """An endpoint failed for good. status: of the last answer, None without one. attempts: how often it was asked."""

    def __init__(self, message: str, *, kind: str, status: int | None, attempts: int) -> None:
        self.kind, self.status, self.attempts = kind, status, attempts
        super().__init__(message)


class Trouble(Exception):
    """One failed attempt. kind: for counting. alive: what it says about the endpoint; None is nothing."""

    def __init__(
        self,
        kind: str,
        what: str,
        *,
        advice: str = "",
        status: int | None = None,
        retry: bool = True,
        alive: bool | None = False,
        asked: float | None = None,
    ) -> None:
        self.kind, self.what, self.advice, self.status = kind, what, advice, status
        self.retry, self.alive, self.asked = retry, alive, asked
        super().__init__(what)


class Malformed(Exception):
    """An answer that is JSON but not what the dialect promises. retry: it may be better next time."""

    def __init__(self, what: str, *, retry: bool = True) -> None:
        self.what, self.retry = what, retry
        super().__init__(what)


def refused(status: int, raw: bytes, key: str, asked: float | None) -> Trouble:
    """The trouble that an answer with an error status is. key: how the key was given, for the advice."""
    message = server_message(raw)
    retry = status in RETRIED
    advice = _ADVICE.get(status, "")
    lowered = message.lower()
    if status == 401:
        advice = key
    elif 300 <= status < 400:
        advice = "redirects are not followed; give the address it points to"
    elif status in (400, 413, 422) and any(words in lowered for words in _TOO_LONG):
        advice = "the prompt does not fit the model: show fewer or shorter documents at once"
    elif status == 429 and _code(raw) == "insufficient_quota":  # waiting does not bring credit back
        retry, advice = False, _ADVICE[402]
    elif status >= 500 and not advice:
        advice = "the server failed; its log says why"
    # an overloaded server refuses whole waves of requests; that is no reason to think it down
    alive = None if status in (503, 529) else status < 500
    what = f"answered {status}" + (f" ({message})" if message else "")
    return Trouble(f"status_{status}", what, advice=advice, status=status, retry=retry, alive=alive, asked=asked)


def server_message(raw: bytes) -> str:
    """The server's reason in one line of at most 300 characters, from any of the usual shapes; may be empty.

    >>> server_message(b'{"error": {"message": "no such model", "code": 404}}')
    'no such model'
    >>> server_message(b'{"detail": [{"loc": ["body", "query"], "msg": "Field required"}]}')
    'body.query: Field required'
    """
    text = raw[:4096].decode("utf-8", "replace").strip()
    try:
        found = _reason(json.loads(raw))
    except (ValueError, RecursionError):
        found = "an HTML page" if text[:1] == "<" else text
    line = " ".join(found.split())
    return line if len(line) <= _SHOWN else line[: _SHOWN - 3] + "..."


def _reason(data: Any) -> str:
    if isinstance(data, str):
        return data
    if isinstance(data, list):
        return "; ".join(filter(None, (_reason(item) for item in data[:3])))
    if not isinstance(data, dict):
        return ""
    if "msg" in data:
        place = data.get("loc")
        where = ".".join(map(str, place)) if isinstance(place, list) else ""
        return f"{where}: {data['msg']}" if where else str(data["msg"])
    for key in ("error", "message", "detail", "errors"):
        if found := _reason(data.get(key)):
            return found
    return ""


def _code(raw: bytes) -> object:
    try:
        error = json.loads(raw)["error"]
        return error.get("code") or error.get("type")
    except (ValueError, RecursionError, LookupError, TypeError, AttributeError):
        return None
