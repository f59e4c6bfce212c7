"""A request as text to read: exactly what will be sent, message by message."""

from __future__ import annotations

from ..core.exchange import Request, Segments


def transcript(request: Request) -> str:
    """Each message or raw prompt under a line with its role, then other ends, prefill, labels, longest answer.

    >>> print(transcript(Request("Is it?", prefill="It")))
    --- prompt
    Is it?
    --- prefill
    It
    --- at most 256 tokens
    """
    one = "segment" if isinstance(request.prompt, Segments) else "prompt"
    turns = (
        [(m.role, m.content) for m in request.prompt]
        if isinstance(request.prompt, tuple)
        else [(one, text) for text in request.texts]
    )
    turns += [("and once more, ending in", tail) for tail in request.parts.tails[1:]] if request.parts else []
    turns += [("prefill", request.prefill)] if request.prefill else []
    turns += [("labels", " ".join(map(repr, request.labels)))] if request.labels else []
    turns += [("stop", " ".join(map(repr, request.stop)))] if request.stop else []
    lines = [line for role, content in turns for line in (f"--- {role}", content)]
    return "\n".join([*lines, f"--- at most {request.max_tokens} tokens"])
