"""What local models say while they write: stop strings of a request, log-probabilities of every token, exact usage."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from shortlist.backends.transformers import CausalLM, Seq2SeqLM
from shortlist.backends.transformers.decoding import Written
from shortlist.backends.transformers.texts import Texts
from shortlist.core.exchange import Completion, Message, Request
from shortlist.core.protocols import Capability

TEXTS = ("flea", "the cost of concrete floors is low", "how long do fleas live? " * 3)


def chat(text: str, **more: Any) -> Request:
    return Request((Message("user", text),), **more)


def said(completion: Completion) -> str:
    return "".join(token.text for token in completion.tokens)


@pytest.mark.parametrize("family", ["llama", "qwen3", "gpt2"])
def test_tokens_carry_the_log_probabilities_of_the_plain_model(decoders: dict[str, Path], family: str) -> None:
    backend = CausalLM(decoders[family])
    torch = backend.loaded.torch
    requests = [chat(text, max_tokens=10, logprobs=True, prefill="[A]") for text in TEXTS]
    for request, completion in zip(requests, backend.generate(requests), strict=True):
        ids, expected, more = backend.encode(request), [], list(range(10))
        while more:
            with torch.no_grad():
                row = torch.log_softmax(backend.loaded.model(input_ids=torch.tensor([ids])).logits[0, -1].float(), -1)
            token = int(row.argmax())
            if token == 2:
                break
            expected.append(float(row[token]))
            ids.append(token)
            more.pop()
        assert [t.logprob for t in completion.tokens] == pytest.approx(expected, abs=1e-5)
        assert "[A]" + said(completion) == completion.text
    assert Capability.TOKEN_LOGPROBS in backend.capabilities


def test_nobody_who_does_not_ask_gets_tokens(decoders: dict[str, Path], t5: Path) -> None:
    assert CausalLM(decoders["llama"]).generate([chat("flea", max_tokens=4)])[0].tokens == ()
    assert Seq2SeqLM(t5).generate([Request("flea", max_tokens=4)])[0].tokens == ()


@pytest.mark.parametrize("size", [1, 3])
def test_the_stop_strings_of_request_and_backend_both_end_an_answer(decoders: dict[str, Path], size: int) -> None:
    folder = decoders["llama"]
    whole = CausalLM(folder).generate([chat("flea", max_tokens=16)])[0].text
    early, late = whole[3 : 3 + size], whole[8 : 8 + size]
    first = min(whole.index(early), whole.index(late))
    for backend, stop in (
        (CausalLM(folder), (early, late)),
        (CausalLM(folder, stop=(early,)), (late,)),
        (CausalLM(folder, stop=(late,)), (early,)),
    ):
        cut = backend.generate([chat("flea", max_tokens=16, stop=stop), chat("flea", max_tokens=16)])
        assert cut[0].text == whole[:first] and cut[0].finished
        plain = min((whole.index(s) for s in backend.stop), default=None)
        assert cut[1].text == whole[:plain]


def test_usage_counts_the_end_token_but_nothing_for_a_stop_string(decoders: dict[str, Path], t5: Path) -> None:
    whole = CausalLM(decoders["llama"]).generate([chat("flea", max_tokens=12, logprobs=True)])[0]
    stop = whole.tokens[4].text
    cut = CausalLM(decoders["llama"]).generate([chat("flea", max_tokens=12, stop=(stop,), logprobs=True)])[0]
    assert cut.usage.completion_tokens == len(cut.tokens) <= 5
    assert whole.usage.completion_tokens == 12
    texts = Texts(Seq2SeqLM(t5).loaded.tokenizer)
    for last, spent in ((1, 2), (6, 2)):  # the end token, and a piece that completes the stop string
        answer = Written(texts, [0], 9, (texts.decode([6]),), frozenset({1}))
        answer.add(5)
        answer.add(last)
        assert answer.finished and answer.spent == spent and answer.text.strip() == texts.decode([5])
    assert len(answer.tokens) == 2


def test_encoder_decoders_say_their_tokens_too(t5: Path) -> None:
    backend = Seq2SeqLM(t5)
    torch = backend.loaded.torch
    requests = [Request(text, max_tokens=6, logprobs=True) for text in TEXTS]
    for request, completion in zip(requests, backend.generate(requests), strict=True):
        written, expected = [0], []
        for _ in completion.tokens:
            with torch.no_grad():
                out = backend.loaded.model(
                    input_ids=torch.tensor([backend.encode(request)]), decoder_input_ids=torch.tensor([written])
                )
            row = torch.log_softmax(out.logits[0, -1].float(), -1)
            written.append(int(row.argmax()))
            expected.append(float(row.max()))
        assert [t.logprob for t in completion.tokens] == pytest.approx(expected, abs=1e-5)
        assert said(completion) == completion.text
    whole = backend.generate([requests[0]])[0]
    stop = whole.text[2:5]
    cut = backend.generate([Request(TEXTS[0], max_tokens=6, stop=(stop,))])[0]
    assert cut.text == whole.text[: whole.text.index(stop)] and cut.finished


def test_a_character_of_several_tokens_stands_with_its_last_one(decoders: dict[str, Path]) -> None:
    backend = CausalLM(decoders["llama"])
    texts = Texts(backend.loaded.tokenizer)
    ids = texts.plain("a 東京 \U0001f600 b")
    answer = Written(texts, texts.plain("the prompt"), 99, (), frozenset(), wanted=True)
    for token in ids:
        answer.add(token, -1.0)
    spoken = answer.completion(Request("x"), backend.generate([Request("a", max_tokens=1)])[0].usage).tokens
    assert "".join(t.text for t in spoken) == answer.text == "a 東京 \U0001f600 b"
    assert len(spoken) == len(ids)
    assert not any("\ufffd" in t.text for t in spoken)


def test_a_stop_string_is_found_across_tokens_and_not_in_the_prompt(decoders: dict[str, Path]) -> None:
    texts = Texts(CausalLM(decoders["llama"]).loaded.tokenizer)
    answer = Written(texts, texts.plain("</think> "), 99, ("</think>",), frozenset())
    for token in texts.plain("it is </thin"):
        answer.add(token)
    assert not answer.done
    for token in texts.plain("k> true"):
        if not answer.done:
            answer.add(token)
    assert answer.finished and answer.text == "it is "
