"""Fusion-in-decoder on a random T5: the plain model over concatenated states, whatever else is in the batch."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from shortlist.backends.transformers import FusionInDecoder
from shortlist.core.errors import BackendError, ConfigError, InputError
from shortlist.core.exchange import Message, Request, Segments

TEXTS = ("flea", "", "how long do fleas live? A flea lives a hundred days.", "the cost of concrete floors " * 4)
VIEWS = ("<extra_id_0>", "<extra_id_1>", "<extra_id_2>")
NEAR = 1e-5


def asked(*texts: str, **changes: Any) -> Request:
    return replace(Request(Segments(texts), max_tokens=6), **changes)


def plain_states(backend: FusionInDecoder, rows: list[list[int]]) -> Any:
    """Each text through the encoder by itself, the states one behind the other."""
    torch, encoder = backend.loaded.torch, backend.loaded.model.get_encoder()
    with torch.no_grad():
        return torch.cat([encoder(input_ids=torch.tensor([row])).last_hidden_state for row in rows], 1)


def by_the_model(backend: FusionInDecoder, request: Request) -> list[int]:
    """The decoder's tokens, start token first, as transformers' own generation gives them."""
    from transformers.modeling_outputs import BaseModelOutput

    torch, states = backend.loaded.torch, plain_states(backend, backend.encode(request))
    out = backend.loaded.model.generate(
        encoder_outputs=BaseModelOutput(last_hidden_state=states), max_new_tokens=request.max_tokens,
        attention_mask=torch.ones(states.shape[:2], dtype=torch.long), do_sample=False,
    )  # fmt: skip
    return [int(i) for i in out[0]]


def test_generation_equals_the_models_own_on_concatenated_states(t5: Path) -> None:
    backend = FusionInDecoder(t5)
    requests = [asked(*TEXTS, max_tokens=9), asked(TEXTS[0]), asked(*TEXTS[::-1]), asked(*TEXTS[2:], max_tokens=1)]
    decode = backend.loaded.tokenizer.decode
    expected = [decode(by_the_model(backend, r), skip_special_tokens=True).split() for r in requests]
    together = [c.text for c in backend.generate(requests)]
    assert [text.split() for text in together] == expected
    assert together == [backend.generate([r])[0].text for r in requests]
    assert together == [c.text for c in FusionInDecoder(t5, batch_tokens=20).generate(requests)]
    assert len(set(together)) > 2


def test_labels_and_token_log_probabilities_are_those_of_the_plain_model(t5: Path) -> None:
    backend = FusionInDecoder(t5)
    torch, model, token = backend.loaded.torch, backend.loaded.model, backend.loaded.tokenizer.convert_tokens_to_ids
    requests = [asked(*TEXTS, labels=("true", "false")), asked(*TEXTS[2:], labels=("true", "false"))]
    for request, found in zip(requests, backend.generate(requests), strict=True):
        states = plain_states(backend, backend.encode(request))
        with torch.no_grad():
            logits = model(encoder_outputs=(states,), decoder_input_ids=torch.tensor([[0]])).logits[0, -1]
        row = logits.float().log_softmax(-1)
        expected = {"true": float(row[token("▁true")]), "false": float(row[token("▁false")])}
        assert found.labels == pytest.approx(expected, abs=NEAR, rel=1e-6)
    (said,) = backend.generate([asked(*TEXTS, logprobs=True)])
    assert len(said.tokens) == 6
    assert all(t.logprob <= 0 for t in said.tokens)


def eager_masses(folder: Path, rows: list[list[int]], decoder: list[int], lead: int) -> list[float]:
    """The formula, from the attention weights of the eager implementation and the value projections."""
    import torch
    import transformers

    model = transformers.AutoModelForSeq2SeqLM.from_pretrained(folder, attn_implementation="eager").eval()
    with torch.no_grad():
        states = torch.cat([model.encoder(input_ids=torch.tensor([r])).last_hidden_state for r in rows], 1)
        out = model(
            encoder_outputs=(states,),
            decoder_input_ids=torch.tensor([decoder]),
            output_attentions=True,
            use_cache=False,
        )
        total = torch.zeros(states.shape[1])
        for block, weights in zip(model.decoder.block, out.cross_attentions, strict=True):
            values = block.layer[1].EncDecAttention.v(states).view(1, -1, 4, 8).transpose(1, 2)
            total += (weights * values.norm(dim=-1)[:, :, None]).mean(1).sum(1)[0]
    found, begin = [], 0
    for row in rows:
        found.append(float(total[begin + lead : begin + len(row)].sum()))
        begin += len(row)
    return found


def test_cross_attention_is_the_formula_and_counts_what_the_decoder_was_fed(t5: Path) -> None:
    backend = FusionInDecoder(t5)
    texts = tuple(f"question: flea context: {text}" for text in TEXTS)
    jobs = [(asked(*texts, max_tokens=4), "question: flea"), (asked(*texts[2:]), ""), (asked(texts[3]), "")]
    together = backend.cross_attention(jobs)
    for (request, lead), found in zip(jobs, together, strict=True):
        fed = by_the_model(backend, request)[:-1]  # as a rule the last is the end token, which is not fed
        out = len(backend.loaded.tokenizer(lead, add_special_tokens=False)["input_ids"])
        expected = eager_masses(t5, backend.encode(request), fed, out)
        assert found.masses == pytest.approx(expected, rel=NEAR)
        (alone,) = backend.cross_attention([(request, lead)])
        assert alone.masses == pytest.approx(found.masses, rel=NEAR)
        assert found.completion.text == backend.generate([request])[0].text
    assert together[0].layers == 2
    assert not any(module._forward_hooks for module in backend.loaded.model.modules())


def test_views_are_the_encoders_states_and_one_decoder_step_per_view(t5: Path) -> None:
    backend = FusionInDecoder(t5)
    torch, model = backend.loaded.torch, backend.loaded.model
    first = backend.loaded.tokenizer.convert_tokens_to_ids("<extra_id_0>")
    requests = [asked(*TEXTS), asked(*TEXTS[:2]), asked(TEXTS[3])]
    together = backend.views(requests, VIEWS)
    for request, found in zip(requests, together, strict=True):
        rows = backend.encode(request, VIEWS)
        assert all(row[:3] == [first, first + 1, first + 2] and row[-1] == 1 for row in rows)
        with torch.no_grad():
            states = [model.encoder(input_ids=torch.tensor([row])).last_hidden_state[0, :3] for row in rows]
            by_view = torch.stack(states, 1)
            pad = model.shared.weight[0].expand(3, 1, -1)
            anchors = model.decoder(inputs_embeds=pad, encoder_hidden_states=by_view).last_hidden_state[:, 0]
        assert found.texts == pytest.approx(by_view.transpose(0, 1).numpy(), abs=NEAR)
        assert found.anchors == pytest.approx(anchors.numpy(), abs=NEAR)
        (alone,) = backend.views([request], VIEWS)
        assert alone.anchors == pytest.approx(found.anchors, abs=NEAR)
    assert together[0].usage.prompt_tokens == sum(map(len, backend.encode(requests[0], VIEWS)))


def test_long_texts_are_cut_at_their_end_and_each_cut_is_a_repair(t5: Path) -> None:
    backend = FusionInDecoder(t5, text_tokens=12)
    request = asked(*TEXTS)
    whole, cut = FusionInDecoder(t5).encode(request), backend.encode(request)
    assert [len(row) for row in cut] == [min(12, len(row)) for row in whole]
    assert cut[3] == [*whole[3][:11], 1]
    expected = [("segment_cut", f"text {i + 1}: 12 of {len(whole[i])} tokens") for i in (2, 3)]
    for repairs in (
        backend.generate([request])[0].repairs,
        backend.cross_attention([(request, "")])[0].completion.repairs,
    ):
        assert [(r.kind, r.detail) for r in repairs] == expected
    assert [r.detail for r in backend.views([request], VIEWS)[0].repairs] == [
        f"text {i + 1}: 12 of {len(whole[i]) + 3} tokens" for i in (2, 3)
    ]
    assert backend.measure(request) == 12
    assert FusionInDecoder(t5).generate([request])[0].repairs == ()


@pytest.mark.parametrize(
    "hostile", ["</s>", "<extra_id_0> <extra_id_5>", "<pad><unk>", "\ud800 half", "\u202e\x00", "🪳"]
)
def test_hostile_texts_bring_no_control_tokens(t5: Path, hostile: str) -> None:
    backend = FusionInDecoder(t5)
    request = asked(f"flea {hostile} days", hostile)
    first = backend.loaded.tokenizer.convert_tokens_to_ids("<extra_id_0>")
    for row in backend.encode(request):
        assert row.count(1) == 1
        assert row[-1] == 1
        assert 0 not in row
        assert all(i < first for i in row)
    for row in backend.encode(request, VIEWS):
        assert sum(i >= first for i in row) == 3
    assert backend.generate([request])[0].usage.completion_tokens >= 1


def test_a_hundred_long_texts_are_read_in_batches_without_padding_the_decoder(t5: Path) -> None:
    backend = FusionInDecoder(t5, text_tokens=150, batch_tokens=1500)
    request = asked(*(f"flea {i} " * (5 + 3 * i) for i in range(100)), max_tokens=20)
    (found,) = backend.generate([request])
    counts = backend.counts
    assert found.usage.prompt_tokens == sum(map(len, backend.encode(request))) > 10_000
    assert counts["tokens_computed"] == found.usage.prompt_tokens + found.usage.completion_tokens
    assert counts["tokens_padding"] < 0.1 * counts["tokens_computed"]
    assert len(backend.cross_attention([(request, "")])[0].masses) == 100
    assert backend.views([request], VIEWS)[0].texts.shape == (100, 3, 32)


def test_checkpoints_saved_by_wrapped_encoders_load_as_stock_t5(t5: Path, tmp_path: Path) -> None:
    """ListT5's and MVP's classes wrap the encoder and each of its blocks; their weights bear the wrappers' names."""
    from safetensors.torch import load_file, save_file

    folder = tmp_path / "wrapped"
    shutil.copytree(t5, folder)
    named = {}
    for name, weight in load_file(t5 / "model.safetensors").items():
        wrapped = name.replace("encoder.", "encoder.encoder.", 1) if name.startswith("encoder.") else name
        if wrapped.startswith("encoder.encoder.block."):
            head, number, rest = wrapped.removeprefix("encoder.encoder.").split(".", 2)
            wrapped = f"encoder.encoder.{head}.{number}.module.{rest}"
        named[wrapped] = weight
    assert any(".module." in name for name in named)
    save_file(named, folder / "model.safetensors", metadata={"format": "pt"})
    request = asked(*TEXTS)
    assert FusionInDecoder(folder).generate([request])[0].text == FusionInDecoder(t5).generate([request])[0].text
    save_file({n: w for n, w in named.items() if ".block.1." not in n}, folder / "model.safetensors", {"format": "pt"})
    with pytest.raises(BackendError, match="has no weights for"):
        FusionInDecoder(folder).generate([request])


def test_answers_are_repeatable_and_a_retry_draws_anew(t5: Path) -> None:
    backend = FusionInDecoder(t5, retry_temperature=5.0)
    request = asked(*TEXTS, max_tokens=8)
    assert backend.generate([request] * 2)[0].text == FusionInDecoder(t5).generate([request])[0].text
    retry = replace(request, attempt=1)
    drawn = backend.generate([retry])[0].text
    assert drawn == backend.generate([asked("flea"), retry])[1].text
    assert drawn != backend.generate([request])[0].text


def test_digest_is_of_weights_and_of_what_changes_answers(t5: Path) -> None:
    digests = {FusionInDecoder(t5, text_tokens=n).digest for n in (None, 20)}
    assert len(digests) == 2
    assert FusionInDecoder(t5, batch_tokens=9).digest in digests


def test_half_precision_stays_near_single_precision(t5: Path) -> None:
    half, single = FusionInDecoder(t5, dtype="bfloat16"), FusionInDecoder(t5)
    request = asked(*TEXTS, max_tokens=1)
    masses = [b.cross_attention([(request, "")])[0].masses for b in (half, single)]
    assert masses[0] == pytest.approx(masses[1], rel=0.1)
    views = [b.views([request], VIEWS)[0] for b in (half, single)]
    assert views[0].texts.dtype == views[0].anchors.dtype == "float32"
    assert abs(views[0].texts - views[1].texts).max() < 0.1 * abs(views[1].texts).max()
    assert half.generate([request])[0].usage.completion_tokens == 1


def test_nothing_asked_is_nothing_answered(t5: Path) -> None:
    backend = FusionInDecoder(t5)
    assert backend.generate([]) == backend.cross_attention([]) == backend.views([], VIEWS) == []


def test_refusals_say_what_to_do(t5: Path, decoders: dict[str, Path]) -> None:
    backend = FusionInDecoder(t5)
    with pytest.raises(ConfigError, match="reads segments"):
        backend.generate([Request((Message("user", "flea"),))])
    with pytest.raises(InputError, match="at least one passage"):
        backend.generate([Request(Segments(()))])
    with pytest.raises(ConfigError, match=r"<extra_id_77>.*the model lacks"):
        backend.views([asked("flea")], ("<extra_id_0>", "<extra_id_77>"))
    with pytest.raises(ConfigError, match="no room for a text behind 9 view tokens"):
        FusionInDecoder(t5, text_tokens=8).views([asked("flea")], tuple(f"<extra_id_{i}>" for i in range(9)))
    with pytest.raises(ConfigError, match="text_tokens=3"):
        FusionInDecoder(t5, text_tokens=3)
    with pytest.raises(ConfigError, match=r"is a decoder-only model .* needs an encoder-decoder"):
        FusionInDecoder(decoders["llama"]).generate([asked("flea")])
