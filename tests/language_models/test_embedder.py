"""Last-token vectors: the plain model's, whatever is in the batch."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from shortlist.backends.transformers import Embedder
from shortlist.core.errors import ConfigError, InputError
from shortlist.core.exchange import Message, Request
from shortlist.core.protocols import Capability
from shortlist.core.types import Candidate, Document, Length, Query
from shortlist.scorers.cosine import Cosine
from shortlist.scorers.late import LateInteraction

TEXTS = ["flea", "how long do fleas live? A flea lives a hundred days.", "the cost of concrete floors is low " * 4]


def plain(backend: Embedder, ids: list[int]) -> np.ndarray:
    torch = backend.loaded.torch
    with torch.no_grad():
        state = backend.loaded.model(input_ids=torch.tensor([ids])).last_hidden_state[0, -1].float()
    return np.asarray(state / state.norm())


@pytest.mark.parametrize("family", ["llama", "mistral", "qwen3"])
def test_vectors_are_the_last_tokens_in_every_batch(decoders: dict[str, Path], family: str) -> None:
    backend = Embedder(decoders[family], end="<|im_end|>", query_prefix="Query: ")
    tokenizer = backend.loaded.tokenizer
    rows = backend.embed(TEXTS, kind="document")
    expected = np.stack([plain(backend, tokenizer(f"{text}<|im_end|>")["input_ids"]) for text in TEXTS])
    assert rows.dtype == np.float32
    assert np.abs(rows - expected).max() < 1e-5
    assert np.abs(np.concatenate([backend.embed([t], kind="document") for t in TEXTS]) - expected).max() < 1e-5
    query = backend.embed(["flea"], kind="query")[0]
    assert np.abs(query - plain(backend, tokenizer("Query: flea<|im_end|>")["input_ids"])).max() < 1e-5
    assert np.linalg.norm(rows, axis=1) == pytest.approx(1.0, abs=1e-5)


def test_prompts_are_read_at_their_last_token(decoders: dict[str, Path]) -> None:
    backend = Embedder(decoders["qwen3"], end="<|im_end|>")
    request = Request((Message("user", "Documents: [1] flea Search Query: how long"),), prefill="so")
    text = "<|im_start|>user\nDocuments: [1] flea Search Query: how long<|im_end|>\n<|im_start|>assistant\nso"
    expected = plain(backend, backend.loaded.tokenizer(text, add_special_tokens=False)["input_ids"])
    other = Request((Message("user", "a much longer prompt " * 6),))
    assert np.abs(backend.embed_prompts([request, other])[0] - expected).max() < 1e-5


def test_the_tokenizers_own_bos_stands_once(tmp_path: Path, make_decoder: Callable[..., Path]) -> None:
    backend = Embedder(make_decoder(tmp_path, "llama", bos=True))
    expected = plain(backend, [3, *backend.loaded.tokenizer("flea", add_special_tokens=False)["input_ids"]])
    assert np.abs(backend.embed(["flea"], kind="document")[0] - expected).max() < 1e-5


def test_long_texts_are_cut_before_the_end_token_or_split(decoders: dict[str, Path]) -> None:
    backend = Embedder(decoders["llama"], end="<|im_end|>", max_length=16)
    long = "the cost of concrete floors is low in spring " * 4
    ids = backend.loaded.tokenizer(long)["input_ids"][:15]
    assert np.abs(backend.embed([long], kind="document")[0] - plain(backend, [*ids, 2])).max() < 1e-5
    assert backend.counts["cut"] == 1
    passages = backend.split_document(long)
    backend.embed(passages, kind="document")
    assert len(passages) > 2
    assert backend.counts["cut"] == 1


def test_a_cut_query_is_recorded(decoders: dict[str, Path]) -> None:
    backend = Embedder(decoders["llama"], end="<|im_end|>", query_prefix="how: ", max_length=16)
    long, tokenizer = "the cost of concrete floors is low in spring " * 4, backend.loaded.tokenizer
    total = len(tokenizer(f"how: {long}<|im_end|>")["input_ids"])
    assert backend.lengths([long, "a"], kind="query")[0] == Length(total, 16)
    assert not backend.lengths(["a"], kind="document")[0].cut
    candidates = [Candidate(Document("d", "a flea"))]
    for scorer in (Cosine(backend), LateInteraction(backend)):
        cut, whole = scorer.score([(Query("q", long), candidates), (Query("r", "a"), candidates)])
        assert [(r.kind, r.detail) for r in cut.repairs] == [("query_cut", f"16 of {total} tokens")]
        assert whole.repairs == () and whole.usage.prompt_tokens > 0


def test_a_prefix_that_leaves_no_room_is_an_error(decoders: dict[str, Path]) -> None:
    backend = Embedder(
        decoders["llama"], query_prefix="the cost of concrete floors is low in spring " * 2, max_length=16
    )
    with pytest.raises(ConfigError, match=r"the query prefix takes .* leaves nothing of the text"):
        backend.embed(["flea", "floor"], kind="query")


def test_it_serves_the_cosine_scorer(decoders: dict[str, Path]) -> None:
    backend = Embedder(decoders["llama"])
    assert backend.capabilities == {Capability.EMBED, Capability.EMBED_PROMPTS, Capability.TOKEN_STATES}
    candidates = [Candidate(Document(str(i), text)) for i, text in enumerate(TEXTS)]
    call = Cosine(backend).score([(Query("q", TEXTS[1]), candidates)])[0]
    assert call.scores[1] == pytest.approx(1.0, abs=1e-5)
    assert max(call.scores[0], call.scores[2]) < 0.999


def test_a_text_without_tokens_is_refused(decoders: dict[str, Path]) -> None:
    with pytest.raises(InputError, match="no tokens"):
        Embedder(decoders["llama"]).embed(["flea", ""], kind="document")


@pytest.mark.parametrize("family", ["llama", "qwen3"])
def test_token_states_are_the_models_and_serve_late_interaction(decoders: dict[str, Path], family: str) -> None:
    backend = Embedder(decoders[family])
    torch, tokenizer = backend.loaded.torch, backend.loaded.tokenizer
    for text, states in zip(TEXTS, backend.token_states(TEXTS, kind="document"), strict=True):
        ids = tokenizer(text)["input_ids"]
        with torch.no_grad():
            expected = backend.loaded.model(input_ids=torch.tensor([ids])).last_hidden_state[0].numpy()
        assert states.shape == expected.shape == (len(ids), 32)
        assert np.abs(states - expected).max() < 1e-5
    scorer = LateInteraction(backend, first_stage=0.0)
    (call,) = scorer.score([(Query("q", TEXTS[0]), [Candidate(Document(str(i), t)) for i, t in enumerate(TEXTS)])])
    assert call.scores[0] == max(call.scores)
