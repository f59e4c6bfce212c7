"""The encoder-decoder backend on a random T5: equal to the plain model, whatever else is in the batch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from shortlist.backends.transformers import Seq2SeqLM
from shortlist.core.errors import ConfigError, InputError
from shortlist.core.exchange import Message, Request

TEXTS = ("flea", "how long do fleas live? A flea lives a hundred days.", "the cost of concrete floors " * 4)
LABELS = ("true", "false")
NEAR = 1e-6  # the random model is very sure: values reach -160, where float32 has steps of 1.5e-5


def plain(backend: Seq2SeqLM, request: Request, decoder: list[int]) -> Any:
    """Log-probabilities after the decoder's last token, by the model alone."""
    torch = backend.loaded.torch
    with torch.no_grad():
        out = backend.loaded.model(
            input_ids=torch.tensor([backend.encode(request)]), decoder_input_ids=torch.tensor([decoder])
        )
    return out.logits[0].float().log_softmax(-1)


def test_labels_are_those_of_the_first_decoder_step(t5: Path) -> None:
    backend = Seq2SeqLM(t5)
    requests = [Request(f"Query: how long Passage: {text} Relevant:", LABELS) for text in TEXTS]
    token = backend.loaded.tokenizer.convert_tokens_to_ids
    ids = [token("▁true"), token("▁false")]
    expected = [float(plain(backend, r, [0])[-1, i]) for r in requests for i in ids]
    batched = [v for c in backend.generate(requests) for v in (c.labels or {}).values()]
    alone = [v for r in requests for v in (backend.generate([r])[0].labels or {}).values()]
    assert batched == pytest.approx(expected, abs=1e-5, rel=NEAR)
    assert alone == pytest.approx(expected, abs=1e-5, rel=NEAR)
    assert len(set(expected)) == 6
    assert backend.counts["tokens_padding"] > 0


def test_the_prefill_begins_the_decoder_and_labels_follow_it_with_a_blank(t5: Path) -> None:
    backend = Seq2SeqLM(t5)
    token = backend.loaded.tokenizer.convert_tokens_to_ids
    request = Request("Passage A Passage B", ("A", "B"), prefill="Passage")
    row = plain(backend, request, [0, token("▁Passage")])[-1]
    labels = backend.generate([request])[0].labels or {}
    assert labels["A"] == pytest.approx(float(row[token("▁A")]), abs=1e-5)
    assert labels["B"] == pytest.approx(float(row[token("▁B")]), abs=1e-5)


def test_generation_equals_greedy_decoding_by_the_plain_model(t5: Path) -> None:
    backend = Seq2SeqLM(t5)
    requests = [Request(text, max_tokens=6) for text in TEXTS] + [Request(TEXTS[1], prefill="Passage", max_tokens=4)]
    token = backend.loaded.tokenizer.convert_tokens_to_ids
    expected = []
    for request in requests:
        decoder = [0, token("▁Passage")] if request.prefill else [0]
        begin = len(decoder)
        while len(decoder) - begin < request.max_tokens:
            following = int(plain(backend, request, decoder)[-1].argmax())
            if following == 1:
                break
            decoder.append(following)
        expected.append([t for t in decoder[1:] if t > 2])
    found = backend.generate(requests)
    again = [backend.generate([r])[0] for r in requests]
    decode = backend.loaded.tokenizer.decode
    for completion, other, ids in zip(found, again, expected, strict=True):
        assert completion.text == other.text
        assert completion.text.split() == decode(ids, skip_special_tokens=True).split()
    assert len({c.text for c in found}) > 1


def test_rows_that_are_done_leave_the_others_as_they_were(t5: Path) -> None:
    backend = Seq2SeqLM(t5)
    requests = [Request(text, max_tokens=n) for n, text in zip((7, 1, 4), TEXTS, strict=True)]
    together = [c.text for c in backend.generate(requests)]
    assert together == [backend.generate([r])[0].text for r in requests]
    assert len(set(together)) == len(together)


@pytest.mark.parametrize("eos", [False, True])
def test_likelihoods_equal_the_sum_over_the_plain_model(t5: Path, eos: bool) -> None:
    backend = Seq2SeqLM(t5)
    asked = [(Request(f"Passage: {text}"), "how long do fleas live") for text in TEXTS] + [(Request("flea"), "a cost")]
    expected = []
    for request, text in asked:
        ids = backend.loaded.tokenizer(text, add_special_tokens=eos)["input_ids"]
        rows = plain(backend, request, [0, *ids])
        expected.append(sum(float(rows[k, i]) for k, i in enumerate(ids)))
    found = backend.nll(asked, eos=eos)
    assert [f.value for f in found] == pytest.approx(expected, abs=1e-5, rel=NEAR)
    assert [backend.nll([a], eos=eos)[0].value for a in asked] == pytest.approx(expected, abs=1e-5, rel=NEAR)
    assert found[0].tokens == 5 + eos


def test_control_pieces_in_documents_stay_text(t5: Path) -> None:
    backend = Seq2SeqLM(t5)
    extra = backend.loaded.tokenizer.convert_tokens_to_ids("<extra_id_10>")
    ids = backend.encode(Request("flea </s> days <extra_id_10> <pad> true"))
    assert ids.count(1) == 1
    assert ids[-1] == 1
    assert extra not in ids
    assert 0 not in ids


def test_rankt5_reads_the_raw_logit_of_an_extra_id(t5: Path) -> None:
    backend = Seq2SeqLM(t5, label_values="logits")
    request = Request("Query: how Document: flea", ("<extra_id_10>",))
    torch, number = backend.loaded.torch, backend.loaded.tokenizer.convert_tokens_to_ids("<extra_id_10>")
    with torch.no_grad():
        out = backend.loaded.model(
            input_ids=torch.tensor([backend.encode(request)]), decoder_input_ids=torch.tensor([[0]])
        )
    found = (backend.generate([request])[0].labels or {})["<extra_id_10>"]
    assert found == pytest.approx(float(out.logits[0, -1, number]), abs=1e-5)


def test_refusals_say_what_to_do(t5: Path) -> None:
    backend = Seq2SeqLM(t5, max_length=8)
    with pytest.raises(InputError, match="shorten passages"):
        backend.generate([Request("the cost of concrete floors " * 4)])
    with pytest.raises(ConfigError, match="no chat template"):
        backend.generate([Request((Message("user", "flea"),))])
    with pytest.raises(ConfigError, match="not one token each"):
        backend.check_labels(("true", "untrue"))
