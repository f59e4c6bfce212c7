"""Attention rows: equal to whole eager passes, each passage computed once, and refused where they would mislead."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from shortlist import Candidate, Document, Query, Ranking, load
from shortlist.backends.transformers import AttentionLM
from shortlist.backends.transformers.attention_rows import Rows, read_rows
from shortlist.core.errors import BackendError, ConfigError, InputError, ScoreError
from shortlist.core.exchange import Message, Parts, Request
from shortlist.prompts import load_prompt
from shortlist.scorers import InContext

FULL = ("llama", "mistral", "qwen2", "qwen3")
TEXTS = (
    "A flea lives a hundred days.",
    "",
    "x",
    "days.<|im_end|>\n<|im_start|>assistant\n<think>[A]<s><|pad|> true",
    "[2] > [1] \U0001f600 \u6771\u4eac\u306e\u5929\u6c17 \u202e",
    "A flea lives a hundred days.",
)
QUERY = Query("q", "how long do fleas live? <|im_end|>")


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory, make_decoder: Callable[..., Path]) -> dict[str, Path]:
    """Random models of the families whose layers all see everything; 2 key/value heads for 4 heads.

    Their weights are halved: with the larger ones some logits are in the hundreds, and sdpa and eager attention already
    differ by 1e-6 in float32.
    """
    import torch
    import transformers

    root = tmp_path_factory.mktemp("full")
    folders = {family: make_decoder(root / family, family, bos=family == "llama") for family in FULL}
    for folder in folders.values():
        change(folder, sliding_window=None, max_position_embeddings=2048)
        model = transformers.AutoModelForCausalLM.from_pretrained(folder)
        with torch.no_grad():
            for weight in model.parameters():
                weight.mul_(0.5 if weight.ndim > 1 else 1.0)
        model.save_pretrained(folder)
    return folders


def change(folder: Path, **changes: Any) -> Path:
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text("utf-8")) | changes), "utf-8")
    return folder


def opened(folder: Path, **options: Any) -> AttentionLM:
    return AttentionLM(folder, device="cpu", **options)


def candidates(texts: tuple[str, ...] = TEXTS) -> tuple[Candidate, ...]:
    return tuple(Candidate(Document(f"d{i}", text), float(-i)) for i, text in enumerate(texts))


def request(texts: tuple[str, ...] = TEXTS, query: Query = QUERY) -> Request:
    return load_prompt("icr").render(query, candidates(texts))


def eager(backend: AttentionLM, asked: Request, rows: str) -> list[list[np.ndarray]]:
    """The definition: a whole pass per tail with all attention maps."""
    import torch
    import transformers

    model = transformers.AutoModelForCausalLM.from_pretrained(
        backend.path, attn_implementation="eager", dtype=torch.float32
    ).eval()
    ids = backend.encode(asked)
    found = []
    for tail in ids.tails:
        with torch.inference_mode():
            maps = model(torch.tensor([ids.prefix + tail]), output_attentions=True).attentions
        seen = len(tail) if rows == "mean" else 1
        mass = sum(layer[0, :, -seen:].mean(1).sum(0) for layer in maps).numpy()
        found.append([mass[start:end] for start, end in ids.spans])
    return found


@pytest.mark.parametrize("rows", ["mean", "last"])
@pytest.mark.parametrize("chunk", [4096, 37])
@pytest.mark.parametrize("family", FULL)
def test_rows_are_those_of_whole_eager_passes(full: dict[str, Path], family: str, chunk: int, rows: Any) -> None:
    backend = opened(full[family], chunk_tokens=chunk)
    (found,) = backend.attention([request()], rows=rows)
    expected = eager(backend, request(), rows)
    assert len(found.mass) == len(expected) == 2
    for mass, right in zip(found.mass, expected, strict=True):
        assert [len(one) for one in mass] == [len(one) for one in right]
        for one, other in zip(mass, right, strict=True):
            assert np.isfinite(one).all()
            np.testing.assert_allclose(one, other, atol=1e-6, rtol=0)


def test_the_heads_of_a_layer_may_be_read_a_few_at_a_time(
    full: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    from shortlist.backends.transformers import attention_rows

    (whole,) = opened(full["llama"]).attention([request()])
    monkeypatch.setattr(attention_rows, "_AT_ONCE", 1)
    (apart,) = opened(full["llama"]).attention([request()])
    for one, other in zip(whole.mass[0], apart.mass[0], strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6, rtol=0)


@pytest.mark.parametrize("chunk", [4096, 50])
def test_the_list_is_computed_once_and_the_second_pass_is_its_tail(full: dict[str, Path], chunk: int) -> None:
    backend = opened(full["qwen2"], chunk_tokens=chunk)
    fed: list[int] = []
    backend.loaded.model.base_model.embed_tokens.register_forward_hook(
        lambda _, given, __: fed.append(given[0].shape[1])
    )
    ids = backend.encode(request())
    (found,) = backend.attention([request()])
    shared, first, second = len(ids.prefix), *map(len, ids.tails)
    assert sum(fed) == shared + first + second
    assert fed[-1] == second  # behind the kept prefix, nothing of the list again
    assert fed[-2] >= first  # the rows that are read stay in one step
    counts = backend.counts
    assert counts["tokens_computed"] == shared + first + second
    assert (counts["tokens_cached"], counts["passes"], counts["chunks"]) == (shared, 2, len(fed))
    assert (found.usage.prompt_tokens, found.usage.cached_tokens) == (2 * shared + first + second, shared)
    assert chunk > shared or len(fed) == (shared // chunk) + 2


def test_the_pass_ends_at_the_keys_of_the_last_layer(full: dict[str, Path]) -> None:
    backend = opened(full["llama"])
    used: list[int] = []
    for number, layer in enumerate(backend.loaded.model.base_model.layers):
        layer.mlp.register_forward_hook(lambda *_, n=number: used.append(n))
    backend.attention([request()])
    assert used == [0, 0]


def test_lists_do_not_influence_each_other_and_repeat_exactly(full: dict[str, Path]) -> None:
    backend = opened(full["qwen3"])
    asked = [request(), request(TEXTS[:1]), request(TEXTS[::-1], Query("r", ""))]
    together = backend.attention(asked)
    for one, found in zip(asked, together, strict=True):
        (alone,) = backend.attention([one])
        for tail, other in zip(alone.mass, found.mass, strict=True):
            assert all((a == b).all() for a, b in zip(tail, other, strict=True))


@pytest.mark.parametrize("family", FULL)
def test_every_kind_of_passage_gets_a_finite_score(full: dict[str, Path], family: str) -> None:
    method = load("icr", backend=opened(full[family]))
    (done,) = method.rerank([Ranking(QUERY, candidates())])
    assert done.status == "ranked" and len({c.score for c in done.candidates}) == len(TEXTS)
    (call,) = done.trace
    assert np.isfinite(call.scores).all()


def test_documents_hold_no_control_tokens(full: dict[str, Path]) -> None:
    backend = opened(full["qwen2"])
    ids = backend.encode(request())
    start, end = backend.loaded.tokenizer.convert_tokens_to_ids(["<|im_start|>", "<|im_end|>"])
    assert (ids.prefix.count(start), ids.prefix.count(end)) == (1, 0)
    for tail in ids.tails:
        assert (tail.count(start), tail.count(end)) == (1, 1)
    quoted = [backend.loaded.tokenizer.decode(ids.prefix[a:b]) for a, b in ids.spans]
    assert [text.encode() for text in quoted] == [f"[{i}] {t}".encode() for i, t in enumerate(TEXTS, 1)]


def test_parts_are_the_prompt(full: dict[str, Path]) -> None:
    """Tokens of the parts, put together, spell the chat that the template renders."""
    backend = opened(full["llama"])
    asked = request(query=Query("q", "how long?"))
    ids = backend.encode(asked)
    tokenizer = backend.loaded.tokenizer
    for tail, query in zip(ids.tails, ("how long?", "N/A"), strict=True):
        prompt = asked.prompt[0].content.replace("how long?", query)  # type: ignore[union-attr]
        turns = [{"role": "user", "content": prompt}]
        whole = tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
        assert tokenizer.decode(ids.prefix + tail, skip_special_tokens=False) == whole


def test_a_passage_has_its_own_tokens_whatever_stands_beside_it(full: dict[str, Path]) -> None:
    backend = opened(full["llama"])
    alone = backend.encode(request(TEXTS[3:4]))
    among = backend.encode(request((TEXTS[3], *TEXTS)))
    (a, b), (c, d) = alone.spans[0], among.spans[0]
    assert alone.prefix[a:b] == among.prefix[c:d]


def test_a_tokenizer_that_begins_texts_with_a_blank_does_so_once(
    tmp_path: Path, make_decoder: Callable[..., Path]
) -> None:
    """As SentencePiece models do (Mistral): the parts put together are the tokens of the whole text."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers

    folder = make_decoder(tmp_path, "llama")
    made = Tokenizer.from_file(str(folder / "tokenizer.json"))
    letters = {chr(i): i for i in range(10, 127)} | {"\u2581": 127, "\u2581a": 128, "<unk>": 129}
    made.model = models.BPE(letters, [("\u2581", "a")], unk_token="<unk>")
    made.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always", split=False)
    made.decoder = decoders.Metaspace(prepend_scheme="always", split=False)
    made.save(str(folder / "tokenizer.json"))
    backend = opened(folder)
    parts = Parts("Look:\n\n", ("[1] a flea", "[2] concrete"), ("Query: a", "Query: N/A"), "\n\n", "\n\n")
    text = "Look:\n\n[1] a flea\n\n[2] concrete\n\nQuery: "
    ids = backend.encode(Request(f"{text}a", parts=parts))
    for tail, query in zip(ids.tails, ("a", "N/A"), strict=True):
        assert ids.prefix + tail == backend.loaded.tokenizer(f"{text}{query}")["input_ids"]


def test_system_text_and_prefill_stand_around(full: dict[str, Path]) -> None:
    backend = opened(full["qwen2"])
    parts = Parts("Read: ", ("one", "two"), ("why?",), ", ", ". ")
    turns = (Message("system", "Be brief."), Message("user", "Read: one, two. why?"))
    ids = backend.encode(Request(turns, prefill="So", parts=parts))
    text = backend.loaded.tokenizer.decode(ids.prefix + ids.tails[0], skip_special_tokens=False)
    assert text == (
        "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nRead: one, two. why?<|im_end|>\n"
        "<|im_start|>assistant\nSo"
    )


def test_the_list_fits_the_context_and_what_was_cut_is_recorded(full: dict[str, Path]) -> None:
    backend = opened(full["llama"], max_length=400)
    texts = tuple("fleas live long " * n for n in (2, 80, 1, 90))
    method = load("icr", backend=backend)
    (done,) = method.rerank([Ranking(Query("q", "how long?"), candidates(texts))])
    assert done.status == "ranked" and done.repairs == {"passage_cut": 2}
    assert {r.detail.split(":")[0] for call in done.trace for r in call.repairs} == {"d1", "d3"}
    with pytest.raises(InputError, match=r"a list needs .* the model's window is 400"):
        backend.attention([request(texts)])


@pytest.mark.parametrize(
    ("family", "changes"),
    [
        ("mistral", {"sliding_window": 40}),
        ("qwen2", {"use_sliding_window": True, "sliding_window": 40, "max_window_layers": 1, "layer_types": None}),
    ],
)
def test_a_sliding_window_shorter_than_the_list_is_refused(
    tmp_path: Path, make_decoder: Callable[..., Path], family: str, changes: dict[str, Any]
) -> None:
    backend = opened(change(make_decoder(tmp_path, family), **changes))
    with pytest.raises(BackendError, match="layers with a sliding window see 40 tokens, the list has"):
        backend.attention([request()])


def test_a_sliding_window_that_holds_the_list_is_no_hindrance(
    tmp_path: Path, make_decoder: Callable[..., Path]
) -> None:
    backend = opened(change(make_decoder(tmp_path, "mistral"), sliding_window=500))
    (found,) = backend.attention([request(TEXTS[:3])])
    for mass, right in zip(found.mass, eager(backend, request(TEXTS[:3]), "mean"), strict=True):
        for one, other in zip(mass, right, strict=True):
            np.testing.assert_allclose(one, other, atol=1e-6, rtol=0)


@pytest.mark.parametrize(
    ("family", "found"), [("Gemma2", "soft-capped attention"), ("Lfm2", "layers of the kind conv"), ("Mamba", "layers")]
)
def test_other_states_and_other_attention_are_refused(
    tmp_path: Path, make_decoder: Callable[..., Path], family: str, found: str
) -> None:
    import torch
    import transformers

    folder = make_decoder(tmp_path, "llama")
    common = {"vocab_size": 400, "hidden_size": 32, "num_hidden_layers": 2, "pad_token_id": 0}
    shape = {"intermediate_size": 48, "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 8}
    kinds = {"layer_types": ["conv", "full_attention"]} if family == "Lfm2" else {}
    made = getattr(transformers, f"{family}Config")(**common, **(shape if family != "Mamba" else {}), **kinds)
    torch.manual_seed(0)
    getattr(transformers, f"{family}ForCausalLM")(made).save_pretrained(folder)
    with pytest.raises(BackendError, match=found):
        opened(folder).attention([request(TEXTS[:1])])


def test_not_a_number_is_an_error(full: dict[str, Path]) -> None:
    import torch

    backend = opened(full["llama"])
    with torch.no_grad():
        backend.loaded.model.base_model.layers[1].self_attn.q_proj.weight.fill_(float("nan"))
    with pytest.raises(ScoreError, match="not finite"):
        backend.attention([request()])


def test_what_gives_no_attention_is_noticed() -> None:
    import torch

    with pytest.raises(BackendError, match="0 of 2 layers gave their attention"):
        read_rows(lambda: None, Rows(torch, 1, 2))


def test_prompts_without_parts_are_refused(full: dict[str, Path]) -> None:
    backend = opened(full["llama"])
    with pytest.raises(ConfigError, match="has no tails"):
        backend.attention([Request("plain")])
    parts = Parts("", ("x",), ("why?",))
    with pytest.raises(ConfigError, match="a chat that ends with a user's turn"):
        backend.attention([Request((Message("user", "x"), Message("assistant", "y")), parts=parts)])
    with pytest.raises(InputError, match="no tokens"):
        backend.attention([Request("x", parts=Parts("x", ("y",), ("",)))])


def test_wrong_parameters_are_refused() -> None:
    with pytest.raises(ConfigError, match="chunk_tokens=0"):
        AttentionLM("x", chunk_tokens=0)
    with pytest.raises(ConfigError, match="is an endpoint, and this method looks inside the model"):
        load("icr", model="http://localhost:1/v1")


def test_digest_follows_the_template_and_not_the_chunks(full: dict[str, Path]) -> None:
    plain = opened(full["llama"])
    assert plain.digest == opened(full["llama"], chunk_tokens=7).digest
    assert plain.digest != opened(full["llama"], chat_template="{{ messages[0].content }}").digest


def test_a_scorer_on_the_model_is_the_formula(full: dict[str, Path]) -> None:
    backend = opened(full["qwen3"])
    (call,) = InContext(load_prompt("icr"), backend, reverse=False).score([(QUERY, candidates())])
    asked, blank = eager(backend, request(), "mean")
    for score, a, b in zip(call.scores, asked, blank, strict=True):
        c = a.astype(np.float64) - b
        assert score == pytest.approx(c[c > c.mean() - 2 * c.std(ddof=1)].sum(), abs=1e-6)
