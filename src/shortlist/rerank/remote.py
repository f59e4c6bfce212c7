"""A rerank service behind HTTP: Cohere, Jina, Voyage, TEI, vLLM, infinity and others, by URL.

Results are taken by their index, never by position; what a service leaves out is said. Scores are the service's own.

Source: the services' API descriptions; no paper.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from ..backends.http import RerankEndpoint
from ..backends.opening import built
from ..core.errors import ConfigError
from ..drive import Scheduled
from ..schedules import Once
from ..scorers import RemoteRerank

paradigm = "service"
extra = "http"


def build(
    *,
    url: str | None = None,
    dialect: str = "auto",
    model: str | None = None,
    comparable: Literal["across", "within"] = "across",
    options: Mapping[str, Any] | None = None,
) -> Scheduled:
    """url: the service's address, which ``model`` may also hold. dialect: how the service speaks; told by the address
    when it can be. options: of ``RerankEndpoint``.

    comparable: whether scores of different requests may be compared; say ``within`` for services that scale per
    request.
    """
    if url is None and model is not None and "://" in model:
        url, model = model, None
    if url is None:
        raise ConfigError("give the address of the service: url=http://...")
    endpoint = built(RerankEndpoint, url, {"dialect": dialect, "model": model, **(options or {})})
    return Scheduled(RemoteRerank(endpoint, comparable), Once())
