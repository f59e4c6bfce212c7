"""The rerank dialects of HTTP services: what each is sent. What they answer is read by one function for all.

Sources: the API references of Cohere (v1, v2), Jina, Voyage, Mixedbread, Pinecone and Isaacus; the sources of
text-embeddings-inference, vLLM, infinity, SGLang, llama.cpp, Rankify and Tevatron. None is asked for the first n only:
all scores are wanted. It does not know how services cut long documents.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from ...core.errors import UnknownName

Shape = Callable[[str, Sequence[str]], Mapping[str, Any]]


@dataclass(frozen=True)
class Dialect:
    """One way to ask for scores. route: where, when the URL has no path. shape: query and documents as fields.

    most: documents that one request may hold (the service's limit or its default). takes_model: is ``model`` a field?
    """

    route: str
    shape: Shape
    most: int | None = None
    takes_model: bool = True
    fixed: Mapping[str, Any] = field(default_factory=dict)
    key_header: str = "Authorization"
    headers: Mapping[str, str] = field(default_factory=dict)


def _named(documents: str, query: str = "query") -> Shape:
    return lambda text, texts: {query: text, documents: list(texts)}


def _as_objects(text: str, texts: Sequence[str]) -> Mapping[str, Any]:
    return {"query": text, "documents": [{"text": t} for t in texts]}


def _rankify(text: str, texts: Sequence[str]) -> Mapping[str, Any]:
    documents = [{"id": str(i), "text": t, "title": ""} for i, t in enumerate(texts)]
    return {"query": text, "documents": documents, "top_k": len(texts)}


def _tevatron(text: str, texts: Sequence[str]) -> Mapping[str, Any]:
    common = {"query_id": "q", "query": text, "title": ""}
    return {"candidates": [{**common, "docid": str(i), "text": t} for i, t in enumerate(texts)]}


DIALECTS: Mapping[str, Dialect] = {
    "cohere-v1": Dialect("/v1/rerank", _named("documents"), 1000, fixed={"return_documents": False}),
    "cohere-v2": Dialect("/v2/rerank", _named("documents"), 1000),
    "jina": Dialect("/v1/rerank", _named("documents"), fixed={"return_documents": False}),
    "voyage": Dialect("/v1/rerank", _named("documents"), 1000),
    "tei": Dialect("/rerank", _named("texts"), 32, takes_model=False),  # the default of --max-client-batch-size
    "vllm": Dialect("/rerank", _named("documents")),
    "vllm-score": Dialect("/score", _named("text_2", "text_1")),
    "infinity": Dialect("/rerank", _named("documents"), 2048, fixed={"return_documents": False}),
    "sglang": Dialect("/v1/rerank", _named("documents")),
    "llama-cpp": Dialect("/v1/rerank", _named("documents")),
    "mixedbread": Dialect("/v1/reranking", _named("input"), fixed={"return_input": False}),
    "pinecone": Dialect(
        "/rerank",
        _as_objects,
        100,
        fixed={"return_documents": False},
        key_header="Api-Key",
        headers={"X-Pinecone-API-Version": "2025-01"},
    ),
    "isaacus": Dialect("/v1/rerankings", _named("texts")),
    "rankify": Dialect("/rerank", _rankify),
    "tevatron": Dialect("/score", _tevatron, takes_model=False),
}
_HOSTS = {
    "api.cohere.com": "cohere-v2",
    "api.cohere.ai": "cohere-v1",
    "api.jina.ai": "jina",
    "api.voyageai.com": "voyage",
    "api.mixedbread.com": "mixedbread",
    "api.pinecone.io": "pinecone",
    "api.isaacus.com": "isaacus",
}
_ROUTES = {
    "/v2/rerank": "cohere-v2",
    "/v1/rerank": "jina",
    "/v1/reranking": "mixedbread",
    "/score": "vllm-score",
    "/v1/score": "vllm-score",
    "/invocations": "tei",
}


def named(name: str, url: str) -> tuple[str, Dialect]:
    """The dialect of that name; for ``auto`` the one that host or route tell, else vLLM's, the most common.

    >>> named("auto", "https://api.voyageai.com")[0], named("auto", "http://localhost:8080/v2/rerank")[0]
    ('voyage', 'cohere-v2')
    """
    if name == "auto":
        parts = urlsplit(url)
        name = _HOSTS.get(parts.hostname or "") or _ROUTES.get(parts.path.rstrip("/")) or "vllm"
    if name not in DIALECTS:
        raise UnknownName("rerank dialect", name, {"auto", *DIALECTS})
    return name, DIALECTS[name]


def full_url(url: str, dialect: Dialect) -> str:
    """The URL that requests go to: as given when it has a path, but for ``/v1`` and ``/v2``, which get the route.

    >>> full_url("http://localhost:8080/v1", DIALECTS["jina"]), full_url("http://localhost/x", DIALECTS["tei"])
    ('http://localhost:8080/v1/rerank', 'http://localhost/x')
    """
    parts = urlsplit(url)
    path = parts.path.rstrip("/")
    if not path:
        path = dialect.route
    elif path in ("/v1", "/v2"):
        path += "/" + dialect.route.rsplit("/", 1)[1]
    return parts._replace(path=path).geturl()
