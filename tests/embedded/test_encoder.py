"""The encoder against a forward pass in numpy, and what must not change its numbers: neighbours, order, threads."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from shortlist.backends.embedded import Encoder, Length
from shortlist.core.errors import ConfigError
from shortlist.core.params import describe, digest, params_of
from shortlist.core.protocols import Capability

TEXTS = [
    "How long is the life cycle of a flea?",
    "",
    "a",
    "flea " * 40,
    "日本 Ünïcode \u0000 \U0001f600 ﬀ",
    "how long is the life cycle of a flea?",
    "concrete floors cost a hundred",
]


def test_states_are_those_of_the_forward_pass_in_numpy(tiny: Path, oracle: type) -> None:
    reference = oracle()
    for text, states in zip(TEXTS, Encoder(tiny, precision="fp32").token_states(TEXTS), strict=True):
        expected = reference.states(text)
        assert states.dtype == np.float32
        np.testing.assert_allclose(states, expected, atol=2e-5)


@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_a_text_has_the_same_states_alone_and_in_any_company(tiny: Path, precision: str) -> None:
    encoder = Encoder(tiny, precision=precision, threads=1)
    together = encoder.token_states(TEXTS * 3)
    for i, text in enumerate(TEXTS):
        alone = encoder.token_states([text])[0]
        for copy in together[i :: len(TEXTS)]:
            np.testing.assert_array_equal(copy, alone)


def test_threads_change_nothing(tiny: Path) -> None:
    one, three = (Encoder(tiny, precision="int8", threads=n).token_states(TEXTS * 5) for n in (1, 3))
    assert all(np.array_equal(a, b) for a, b in zip(one, three, strict=True))


def test_nothing_is_padded(tiny: Path) -> None:
    encoder = Encoder(tiny, precision="fp32")
    encoder.token_states(TEXTS * 4)
    assert encoder.stats.padding == 1.0
    assert encoder.stats.texts == len(TEXTS) * 4
    assert encoder.stats.batches == len({length.tokens for length in encoder.lengths(TEXTS)})


def test_embed_is_the_unit_mean_of_the_states(tiny: Path) -> None:
    encoder = Encoder(tiny, precision="fp32")
    means = np.stack([states.mean(axis=0) for states in encoder.token_states(TEXTS)])
    expected = means / np.linalg.norm(means, axis=1, keepdims=True)
    np.testing.assert_allclose(encoder.embed(TEXTS), expected, atol=1e-6)


def test_no_texts(tiny: Path) -> None:
    encoder = Encoder(tiny)
    assert encoder.token_states([]) == []
    assert encoder.embed([]).shape == (0, 32)


def test_a_text_longer_than_the_window_is_cut_and_counted(tiny: Path, oracle: type) -> None:
    encoder = Encoder(tiny, precision="fp32", max_length=16)
    short, long = encoder.token_states(["a flea", "flea " * 500])
    assert (len(short), len(long), encoder.stats.cut) == (4, 16, 1)
    assert encoder.lengths(["a flea", "flea " * 500]) == [Length(4, 4), Length(502, 16)]
    assert [length.cut for length in encoder.lengths(["a", "flea " * 500])] == [False, True]
    np.testing.assert_allclose(long, oracle().states("flea " * 14), atol=2e-5)


def test_passages_of_a_split_fit_the_window(tiny: Path) -> None:
    encoder = Encoder(tiny, max_length=20)
    text = "how long is the life cycle of a flea, " * 30
    passages = encoder.split_document(text)
    encoder.token_states(passages)
    assert len(passages) > 10
    assert encoder.stats.cut == 0


def test_int8_stays_near_fp32(tiny: Path) -> None:
    exact, rounded = (Encoder(tiny, precision=p).embed(TEXTS) for p in ("fp32", "int8"))
    assert (exact * rounded).sum(axis=1).min() > 0.99


def test_cls_pooling_and_prompts_of_a_sentence_transformers_folder(make_model: object) -> None:
    folder = make_model(seed=3)  # type: ignore[operator]
    (folder / "1_Pooling").mkdir()
    (folder / "1_Pooling" / "config.json").write_text(json.dumps({"pooling_mode_cls_token": True}))
    (folder / "config_sentence_transformers.json").write_text(
        json.dumps({"prompts": {"query": "the ", "document": ""}})
    )
    (folder / "sentence_bert_config.json").write_text(json.dumps({"max_seq_length": 12}))
    encoder = Encoder(folder, precision="fp32")
    assert encoder.window == 12
    prompted, plain = encoder.token_states(["flea"], kind="query")[0], encoder.token_states(["the flea"])[0]
    np.testing.assert_array_equal(prompted, plain)
    np.testing.assert_allclose(encoder.embed(["the flea"])[0], plain[0] / np.linalg.norm(plain[0]), atol=1e-6)
    assert Encoder(folder, query_prefix="").token_states(["flea"], kind="query")[0].shape == (3, 32)


def test_the_digest_says_what_decides_the_numbers(tiny: Path, make_model: object) -> None:
    base = Encoder(tiny, precision="fp32").digest
    assert base == Encoder(tiny, precision="fp32", threads=7, batch_tokens=9).digest
    others = [
        Encoder(tiny, precision="int8"),
        Encoder(tiny, precision="fp32", max_length=16),
        Encoder(tiny, precision="fp32", query_prefix="q: "),
        Encoder(make_model(seed=1), precision="fp32"),  # type: ignore[operator]
    ]
    assert len({base, *(encoder.digest for encoder in others)}) == 5


def test_the_constructor_is_the_configuration(tiny: Path) -> None:
    encoder = Encoder(str(tiny), precision="int8", threads=2)
    assert repr(eval(repr(encoder))) == repr(encoder)
    assert params_of(encoder)["threads"] == 2
    assert describe(encoder)["digest"] == encoder.digest
    assert digest(encoder)
    assert encoder.capabilities == {Capability.EMBED, Capability.TOKEN_STATES}


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"max_length": 65}, "at most 64"),
        ({"max_length": 3}, "8 is the least"),
        ({"threads": 0}, "threads is 0; expected 1 or more"),
        ({"precision": "fp16"}, "precisions: auto, fp32, bf16, int8"),
        ({"runtime": "tensorflow"}, "runtimes: auto, onnxruntime"),
        ({"runtime": "onnxruntime", "precision": "bf16"}, "onnxruntime runs fp32, int8 and not bf16"),
    ],
)
def test_wrong_settings_say_what_is_right(tiny: Path, settings: dict[str, object], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        Encoder(tiny, **settings).token_states(["a"])  # type: ignore[arg-type]
