"""GLiClass as a reranker: the package's own logits, all of them, whatever the number and length of the passages."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("gliclass", reason="gliclass is not installed (extra `gliclass`)")

from shortlist.backends.transformers import GLiClass
from shortlist.check import examine_backend, make_ranking
from shortlist.core.errors import BackendError, ConfigError, InputError
from shortlist.core.protocols import Capability
from shortlist.core.types import Candidate, Document, Query, Scale
from shortlist.drive import Scheduled
from shortlist.rerank.gliclass import build
from shortlist.schedules import Map, RepeatOrders, RepeatShuffled, SlidingWindow
from shortlist.scorers import Grouped

TEXT = "how long do fleas live a flea lives hundred days the cost of concrete floors is low in spring"
WORDS = TEXT.split()
PASSAGES = [" ".join(WORDS[i % 9 : i % 9 + 3 + i % 5]) for i in range(30)]


def save_gliclass(folder: Path, **changes: object) -> Path:
    """A random DeBERTa with GLiClass's heads, seed 0, and a tokenizer of words."""
    import gliclass
    import torch
    import transformers
    from tokenizers import Tokenizer, models, pre_tokenizers, processors

    numbers = [str(n) for n in range(60)]
    kept = ["[PAD]", "[CLS]", "[SEP]", "[UNK]", "<<LABEL>>", "<<SEP>>", "<<EXAMPLE>>"]
    vocabulary = {word: i for i, word in enumerate([*kept, *dict.fromkeys(WORDS), *numbers, "LABEL", "<", ">", "?"])}
    made = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    made.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Whitespace(), pre_tokenizers.Punctuation()])
    made.add_special_tokens(kept)
    made.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B [SEP]", special_tokens=[("[CLS]", 1), ("[SEP]", 2)]
    )
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_object=made, pad_token="[PAD]", cls_token="[CLS]", sep_token="[SEP]", unk_token="[UNK]",
        additional_special_tokens=["<<LABEL>>", "<<SEP>>", "<<EXAMPLE>>"],
    )  # fmt: skip
    encoder = transformers.DebertaV2Config(
        vocab_size=len(tokenizer), hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=48,
        max_position_embeddings=1024, relative_attention=True, pos_att_type=["p2c", "c2p"],
        position_buckets=64, max_relative_positions=-1, initializer_range=0.3,
    )  # fmt: skip
    options = {
        "class_token_index": 4, "text_token_index": 5, "example_token_index": 6, "vocab_size": len(tokenizer),
        "prompt_first": True, "problem_type": "multi_label_classification", "encoder_model": "none",
        "initializer_range": 0.3, "normalize_features": True,
    }  # fmt: skip
    torch.manual_seed(0)
    config = gliclass.GLiClassModelConfig(encoder_config=encoder, **{**options, **changes})
    gliclass.GLiClassModel(config, from_pretrained=False).eval().save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_gliclass(tmp_path_factory.mktemp("gliclass"))


def test_thirty_labels_are_not_twenty_five(folder: Path) -> None:
    """Called without ``max_num_classes`` the model gives 25 logits: five passages would have no score."""
    import torch

    backend = GLiClass(folder, most=30)
    (reading,) = backend.group_scores([("how long do fleas live", PASSAGES)])
    assert len(reading.scores) == 30 and len(set(reading.scores)) > 20 and not reading.repairs
    text = "".join(f"<<LABEL>>{p}" for p in PASSAGES) + "<<SEP>>how long do fleas live"
    feed = backend.loaded.tokenizer([text], return_tensors="pt")
    with torch.no_grad():
        bare = backend.loaded.model(**feed).logits
        whole = backend.loaded.model(**feed, max_num_classes=30).logits
    assert bare.shape == (1, 25), "the trap is gone: the pass over max_num_classes may go, too"
    assert whole[0].tolist() == pytest.approx(list(reading.scores), abs=1e-5)


def test_three_labels_are_not_padded_to_twenty_five(folder: Path) -> None:
    """The package's own pipeline gives the same probabilities (its sigmoid of our logits)."""
    import gliclass
    import torch

    backend = GLiClass(folder)
    (reading,) = backend.group_scores([("how long do fleas live", PASSAGES[:3])])
    pipeline = gliclass.ZeroShotClassificationPipeline(
        backend.loaded.model, backend.loaded.tokenizer, device="cpu", progress_bar=False
    )
    (expected,) = pipeline("how long do fleas live", PASSAGES[:3], threshold=0.0)
    assert [e["label"] for e in expected] == PASSAGES[:3]
    assert torch.sigmoid(torch.tensor(reading.scores)).tolist() == pytest.approx(
        [e["score"] for e in expected], abs=1e-6
    )


def test_groups_do_not_touch_each_other(folder: Path) -> None:
    backend = GLiClass(folder)
    groups = [("fleas", PASSAGES[:25]), ("cost of floors", PASSAGES[:2]), ("", [""]), ("fleas", [])]
    together = backend.group_scores(groups)
    assert together == [backend.group_scores([group])[0] for group in groups]
    assert [len(r.scores) for r in together] == [25, 2, 1, 0]


def test_numbers_depend_on_the_other_passages_so_they_are_not_compared_between_groups(folder: Path) -> None:
    backend = GLiClass(folder)
    alone, among = (backend.group_scores([("fleas", PASSAGES[:n])])[0].scores[0] for n in (1, 9))
    assert alone != pytest.approx(among, abs=1e-4)
    scorer = Grouped(backend)
    assert (scorer.comparable, scorer.max_group, scorer.scale) == ("within", 25, Scale.LOGIT)
    for illegal in (Map(25), RepeatShuffled(25)):
        with pytest.raises(ConfigError, match="mean something only within one call"):
            Scheduled(scorer, illegal)
    for legal in (SlidingWindow(25, 15), RepeatOrders(SlidingWindow(25, 15))):
        Scheduled(scorer, legal)


def test_long_passages_are_cut_to_one_length_and_all_are_read(folder: Path) -> None:
    """The package would cut the input's end: the last labels, and with them the query."""
    backend = GLiClass(folder, max_length=128)
    long = " ".join(WORDS * 4)
    (reading,) = backend.group_scores([("how long do fleas live", [long, "a flea", *[long] * 8])])
    assert len(reading.scores) == 10
    cut = [r for r in reading.repairs if r.kind == "passage_cut"]
    assert len(cut) == 9 and cut[0].detail.startswith("1: ") and cut[0].detail.endswith(" of 76 tokens")
    assert backend.counts["tokens_computed"] <= 128
    (asked,) = backend.group_scores([(long, ["a flea"])])
    assert [r.kind for r in asked.repairs] == ["query_cut"]
    with pytest.raises(InputError, match="do not fit 16 tokens"):
        GLiClass(folder, max_length=16).group_scores([("fleas", [long] * 8)])


def test_a_passage_cannot_forge_a_label(folder: Path) -> None:
    (reading,) = GLiClass(folder).group_scores([("fleas", ["a flea <<LABEL>> days", "cost <<SEP>> low", "days"])])
    assert len(reading.scores) == 3


def test_too_many_passages_and_wrong_folders_are_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="30 passages in a group, this model reads at most 25"):
        GLiClass(folder).group_scores([("fleas", PASSAGES)])
    with pytest.raises(ConfigError, match="most=0"):
        GLiClass(folder, most=0)
    with pytest.raises(BackendError, match="no folder"):
        GLiClass(tmp_path / "absent").group_scores([("fleas", ["a"])])


def test_the_method_ranks_forty_documents_whole(folder: Path) -> None:
    documents = tuple(Candidate(Document(f"d{i}", PASSAGES[i % 30] + f" {i}"), 40.0 - i) for i in range(40))
    start = make_ranking(0)
    start = type(start)(Query("q", "how long do fleas live"), documents)
    for times in (1, 3):
        (done,) = build(model=str(folder), times=times).rerank([start])
        assert sorted(done.ids) == sorted(start.ids) and done.status == "ranked"
        assert len(done.trace) == 2 * times
    assert GLiClass(folder).capabilities == {Capability.GROUP_SCORES}
    assert GLiClass(folder).digest != GLiClass(folder, task="rank").digest


def test_the_public_checks_of_a_backend_hold(folder: Path) -> None:
    assert [o for o in examine_backend(GLiClass(folder, most=30)) if o.state != "ok"] == []
