"""The causal backend: numbers that do not depend on the batch or on shared prefixes, and agree with the plain model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from shortlist.backends.transformers import CausalLM
from shortlist.core.errors import BackendError, InputError
from shortlist.core.exchange import Completion, Message, Request
from shortlist.core.protocols import Capability
from shortlist.core.types import Usage

FAMILIES = ("llama", "mistral", "qwen2", "qwen3", "gpt2")
TEXTS = (
    "flea",
    "how long do fleas live? A flea lives a hundred days.",
    "the cost of concrete floors is low in spring " * 3,
    "true false " * 5,
    "how long do fleas live? A flea lives a hundred years, and the cost of it is low.",
)
LABELS = ("A", "B", "C")


def chat(text: str, **more: Any) -> Request:
    return Request((Message("user", text),), **more)


def labelled(texts: Sequence[str] = TEXTS) -> list[Request]:
    head = "Query: how long do fleas live? " * 4 + "Passage: "
    return [chat(head + text, labels=LABELS, prefill="[") for text in texts]


def values(completions: Sequence[Completion]) -> list[float]:
    return [value for c in completions for value in (c.labels or {}).values()]


def plain_logprobs(backend: CausalLM, ids: list[int]) -> Any:
    """The model without any of ours: one row, no padding, no cache."""
    torch = backend.loaded.torch
    with torch.no_grad():
        logits = backend.loaded.model(input_ids=torch.tensor([ids])).logits
    return torch.log_softmax(logits.float(), -1)[0]


@pytest.mark.parametrize("family", FAMILIES)
def test_labels_equal_the_plain_model_in_every_batch(decoders: dict[str, Path], family: str) -> None:
    requests = labelled()
    batched = CausalLM(decoders[family], share_prefixes=False)
    shared = CausalLM(decoders[family])
    single = [CausalLM(decoders[family]).generate([r])[0] for r in requests]
    expected = []
    for request in requests:
        ids = batched.encode(request)
        row = plain_logprobs(batched, ids)[-1]
        expected += [float(row[batched.encode(Request(label))[-1]]) for label in LABELS]
    assert values(single) == pytest.approx(expected, abs=1e-5)
    assert values(batched.generate(requests)) == pytest.approx(expected, abs=1e-5)
    assert values(shared.generate(requests)) == pytest.approx(expected, abs=1e-5)
    assert batched.counts["tokens_padding"] > 0
    assert shared.counts["tokens_cached"] > 0
    assert len(set(expected)) > 6  # a model that says the same about all would pass anything


@pytest.mark.parametrize("family", FAMILIES)
def test_generation_equals_greedy_decoding_by_the_plain_model(decoders: dict[str, Path], family: str) -> None:
    requests = [chat(f"Query: how long do fleas live? Passage: {text}", max_tokens=12) for text in TEXTS]
    backend, unshared = CausalLM(decoders[family]), CausalLM(decoders[family], share_prefixes=False)
    expected = []
    for request in requests:
        ids, said = backend.encode(request), []
        while len(said) < 12:
            token = int(plain_logprobs(backend, ids + said)[-1].argmax())
            if token == 2:
                break
            said.append(token)
        expected.append(backend.loaded.tokenizer.decode(said, skip_special_tokens=True))
    assert [c.text for c in backend.generate(requests)] == expected
    assert [c.text for c in unshared.generate(requests)] == expected
    assert [c.text for r in requests for c in unshared.generate([r])] == expected
    assert len(set(expected)) > 1


@pytest.mark.parametrize("family", FAMILIES)
def test_likelihoods_equal_the_sum_over_the_plain_model(decoders: dict[str, Path], family: str) -> None:
    asked = [(Request(f"Passage: {text} Query:"), " how long do fleas live?") for text in TEXTS]
    asked += [(chat("Query"), "a flea"), (chat("Query"), "")]
    backend, unshared = CausalLM(decoders[family]), CausalLM(decoders[family], share_prefixes=False)
    for eos in (False, True):
        expected = []
        for request, text in asked:
            prompt = backend.encode(request)
            added = backend.encode(Request(text)) if text else []
            added = [*added, 2] if eos else added
            rows = plain_logprobs(backend, prompt + added)
            expected.append(sum(float(rows[len(prompt) + k - 1, t]) for k, t in enumerate(added)))
        assert [f.value for f in backend.nll(asked, eos=eos)] == pytest.approx(expected, abs=2e-5)
        assert [f.value for f in unshared.nll(asked, eos=eos)] == pytest.approx(expected, abs=2e-5)
        assert [unshared.nll([a], eos=eos)[0].value for a in asked] == pytest.approx(expected, abs=2e-5)


def test_a_shared_prefix_is_computed_once(decoders: dict[str, Path]) -> None:
    head = "Query: " + "how long do fleas live? " * 6
    requests = [chat(head + text, labels=LABELS) for text in TEXTS]
    backend, unshared = CausalLM(decoders["llama"]), CausalLM(decoders["llama"], share_prefixes=False)
    found, plain = backend.generate(requests), unshared.generate(requests)
    lengths = [len(backend.encode(r)) for r in requests]
    head_tokens = len(backend.encode(Request(head)))
    assert unshared.counts["tokens_computed"] == sum(lengths)
    assert backend.counts["tokens_computed"] <= sum(lengths) - 4 * (head_tokens - 2)
    usage = sum((c.usage for c in found), Usage())
    assert usage.prompt_tokens == sum(lengths) == sum(c.usage.prompt_tokens for c in plain)
    assert usage.prompt_tokens - usage.cached_tokens == backend.counts["tokens_computed"]
    assert usage.cached_tokens == backend.counts["tokens_cached"] > 0
    assert usage.calls == len(requests)
    assert usage.seconds > 0


def test_equal_requests_are_computed_once_but_for_their_last_token(decoders: dict[str, Path]) -> None:
    backend = CausalLM(decoders["llama"])
    request = chat("how long do fleas live? " * 8, labels=LABELS)
    first, second = backend.generate([request, request])
    assert values([first]) == pytest.approx(values([second]), abs=1e-6)
    assert backend.counts["tokens_computed"] == first.usage.prompt_tokens + 1


def test_sliding_windows_count_real_tokens(decoders: dict[str, Path]) -> None:
    """Mistral with a window of 24: shared prefix and padding between must not bring tokens into or out of sight."""
    head = "how long do fleas live? " * 10
    requests = [chat(head + text, max_tokens=6) for text in TEXTS]
    shared, plain = CausalLM(decoders["mistral"]), CausalLM(decoders["mistral"], share_prefixes=False)
    asked = [chat(head + text, labels=LABELS) for text in TEXTS]
    alone = values([CausalLM(decoders["mistral"]).generate([r])[0] for r in asked])
    assert values(shared.generate(asked)) == pytest.approx(alone, abs=1e-5)
    assert values(plain.generate(asked)) == pytest.approx(alone, abs=1e-5)
    assert [c.text for c in shared.generate(requests)] == [c.text for c in plain.generate(requests)]
    assert shared.counts["tokens_cached"] > 0


@pytest.mark.parametrize("share", [True, False])
def test_rows_that_are_done_leave_the_others_as_they_were(decoders: dict[str, Path], share: bool) -> None:
    head = "how long do fleas live? " * 8
    requests = [chat(head + text, max_tokens=n) for n, text in zip((9, 1, 12, 3, 6), TEXTS, strict=True)]
    backend = CausalLM(decoders["qwen3"], share_prefixes=share)
    together = [c.text for c in backend.generate(requests)]
    assert together == [backend.generate([r])[0].text for r in requests]
    assert len(set(together)) == len(together)


def test_order_and_mixture_of_requests_do_not_matter(decoders: dict[str, Path]) -> None:
    backend = CausalLM(decoders["qwen2"], batch_tokens=64)
    mixed = [*labelled(), *(chat(text, max_tokens=4) for text in TEXTS), Request("raw text", max_tokens=3)]
    forth, back = backend.generate(mixed), backend.generate(mixed[::-1])[::-1]
    assert [c.text for c in forth] == [c.text for c in back]
    assert values(forth) == pytest.approx(values(back), abs=1e-5)
    assert backend.generate([]) == []


def test_sampling_is_reproducible_and_apart_from_the_batch(decoders: dict[str, Path]) -> None:
    requests = [chat(text, max_tokens=8) for text in TEXTS]
    first = CausalLM(decoders["llama"], temperature=1.0, seed=3).generate(requests)
    alone = [CausalLM(decoders["llama"], temperature=1.0, seed=3).generate([r])[0] for r in requests]
    other = CausalLM(decoders["llama"], temperature=1.0, seed=4).generate(requests)
    assert [c.text for c in first] == [c.text for c in alone]
    assert [c.text for c in first] != [c.text for c in other]


def test_a_retry_asks_with_another_draw(decoders: dict[str, Path]) -> None:
    backend = CausalLM(decoders["llama"], retry_temperature=1.0)
    said = {backend.generate([chat("flea", max_tokens=8, attempt=n)])[0].text for n in range(4)}
    assert len(said) > 1
    strict = CausalLM(decoders["llama"], retry_temperature=None)
    assert len({strict.generate([chat("flea", max_tokens=8, attempt=n)])[0].text for n in range(3)}) == 1


def test_stop_strings_end_the_answer_before_themselves(decoders: dict[str, Path]) -> None:
    request = chat("flea", max_tokens=12)
    whole = CausalLM(decoders["llama"]).generate([request])[0]
    assert not whole.finished
    assert len(whole.text) > 4
    stop = whole.text[3:5]
    cut = CausalLM(decoders["llama"], stop=(stop,)).generate([request])[0]
    assert cut.text == whole.text[: whole.text.index(stop)]
    assert cut.finished
    assert cut.usage.completion_tokens < whole.usage.completion_tokens


def test_the_text_includes_the_prefill_and_the_length_limit_is_kept(decoders: dict[str, Path]) -> None:
    backend = CausalLM(decoders["llama"])
    completion = backend.generate([chat("flea", prefill="[A] >", max_tokens=5)])[0]
    assert completion.text.startswith("[A] >")
    assert completion.usage.completion_tokens == 5
    nothing = backend.generate([chat("flea", prefill="[", max_tokens=0)])[0]
    assert nothing.text == "["


def test_a_prompt_beyond_the_window_is_refused(decoders: dict[str, Path]) -> None:
    backend = CausalLM(decoders["llama"], max_length=40)
    with pytest.raises(InputError, match=r"the model's window is 40; shorten passages"):
        backend.generate([chat("flea " * 60, labels=LABELS)])
    near = chat("flea", max_tokens=1000)
    completion = backend.generate([near])[0]
    assert backend.measure(near) + completion.usage.completion_tokens <= 40
    assert not completion.finished


def test_memory_that_runs_out_halves_the_batch_once(
    decoders: dict[str, Path], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    backend = CausalLM(decoders["llama"], share_prefixes=False)
    expected = values(backend.generate(labelled()))
    model, most = backend.loaded.model, [3]
    forward = model.forward

    def small(*args: Any, **more: Any) -> Any:
        if more["input_ids"].shape[0] > most[0]:
            raise backend.loaded.torch.OutOfMemoryError("CUDA out of memory")
        return forward(*args, **more)

    monkeypatch.setattr(backend._passes, "_accepts", frozenset({"position_ids", "logits_to_keep"}))
    monkeypatch.setattr(model, "forward", small)
    assert values(backend.generate(labelled())) == pytest.approx(expected, abs=1e-5)
    assert caplog.text.count("out of memory") == 1
    most[0] = 0
    with pytest.raises(BackendError, match="give batch_tokens below"):
        backend.generate(labelled())


def test_capabilities_and_digest(decoders: dict[str, Path], tmp_path: Path, make_decoder: Callable[..., Path]) -> None:
    backend = CausalLM(decoders["llama"])
    text = {Capability.GENERATE, Capability.LABEL_LOGITS, Capability.TOKEN_LOGPROBS}
    assert backend.capabilities == {*text, Capability.NLL}
    same = make_decoder(tmp_path / "same", "llama")
    other = make_decoder(tmp_path / "other", "llama", seed=9)
    assert CausalLM(same, batch_tokens=5).digest == backend.digest
    assert CausalLM(other).digest != backend.digest
    assert CausalLM(same, temperature=0.3).digest != backend.digest
    assert CausalLM(same, dtype="bfloat16").digest != backend.digest


def test_nan_is_an_error_that_says_what_to_do(decoders: dict[str, Path], tmp_path: Path) -> None:
    backend = CausalLM(decoders["llama"])
    backend.loaded.model.lm_head.weight.data[5] = float("nan")
    with pytest.raises(BackendError, match="NaN in float32"):
        backend.generate(labelled()[:1])
