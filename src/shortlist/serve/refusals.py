"""What a request is refused with: a status, and an error body in OpenAI's shape."""

from __future__ import annotations

import json

_TYPES = {401: "authentication_error", 404: "not_found_error", 429: "rate_limit_error", 503: "overloaded_error"}
_LONGEST = 500  # of a message, which may quote the request


class Refused(Exception):
    """A request that is not answered. code: what programs read (``context_length_exceeded``); param: the field."""

    def __init__(self, status: int, message: str, *, code: str | None = None, param: str | None = None) -> None:
        self.status, self.message, self.code, self.param = status, message, code, param
        super().__init__(message)

    @property
    def body(self) -> bytes:
        kind = _TYPES.get(self.status, "invalid_request_error" if self.status < 500 else "server_error")
        message = self.message if len(self.message) <= _LONGEST else self.message[: _LONGEST - 3] + "..."
        error = {"message": message, "type": kind, "param": self.param, "code": self.code}
        return json.dumps({"error": error}).encode()

    @property
    def headers(self) -> dict[str, str]:
        return {"Retry-After": "1"} if self.status in (429, 503) else {}


def wrong(param: str, expected: str, *, code: str = "invalid_value") -> Refused:
    """A field with a value that cannot be used."""
    return Refused(400, f"{param}: {expected}", code=code, param=param)
