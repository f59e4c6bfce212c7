"""Our templates beside what the authors' code sends: messages compared character by character.

Where we differ on purpose the test takes the difference out (``replace``) and then asks for equality, or says exactly
what is different. What was recorded, of which commit and how, is in README.md.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tokenizers import Tokenizer

from shortlist.core.exchange import Request
from shortlist.core.types import Candidate, Document, Query
from shortlist.prompts import Fitted, Template, load_prompt
from shortlist.prompts.alphabet import neutralise
from shortlist.prompts.slots import names, pieces

Recorded = Callable[[str], Any]
TOKENIZER = Path(__file__).parents[1] / "fixtures" / "tiny-ranker" / "tokenizer.json"


def group_of(group: Any) -> tuple[Query, list[Candidate]]:
    documents = [Document(d["id"], d["text"], d["title"]) for d in group["documents"]]
    scores = [d["score"] for d in group["documents"]]
    return Query("q", group["query"]), [Candidate(d, first_score=s) for d, s in zip(documents, scores, strict=True)]


def messages(request: Request) -> list[dict[str, str]]:
    assert isinstance(request.prompt, tuple)
    said = [{"role": m.role, "content": m.content} for m in request.prompt]
    return [*said, {"role": "prefill", "content": request.prefill}] if request.prefill else said


def ours(template: Template, group: Any) -> list[dict[str, str]]:
    query, candidates = group_of(group)
    return messages(template.render(query, candidates))


def texts(template: Template, group: Any) -> list[str]:
    """What is sent for each document alone, or for all as segments."""
    query, candidates = group_of(group)
    if template.layout == "segments":
        return list(template.render(query, candidates).texts)
    return [template.render(query, [c]).texts[0] for c in candidates]


def pairs(template: Template, group: Any) -> list[Request]:
    query, (a, b, *_) = group_of(group)
    return [template.render(query, [a, b]), template.render(query, [b, a])]


CHATS = [
    ("rank_llm/rank_zephyr_template", "rankzephyr", ("plain", "brackets")),
    ("rank_llm/rank_zephyr_alpha_template", "rankzephyr-alpha", ("plain",)),
    ("ReasonRank", "reasonrank", ("plain", "brackets")),
    ("ReasonRank/qwen3", "reasonrank-qwen3", ("plain", "brackets")),
    ("TDPart", "tdpart", ("plain", "mojibake")),
    ("llm-rankers/setwise/llama", "setwise", ("plain", "brackets")),
    ("llm-rankers/rank-r1", "rank-r1", ("plain",)),
    ("llm-rankers/rank-r1-v0.2", "rank-r1-v0.2", ("plain",)),
]


@pytest.mark.parametrize(("reference", "name", "groups"), CHATS, ids=[name for _, name, _ in CHATS])
def test_chats_are_the_authors(recorded: Recorded, reference: str, name: str, groups: Sequence[str]) -> None:
    """Titles, blanks, braces and CJK included; with bracketed numbers, too, where the authors neutralise as we do."""
    golden = recorded("prompts")
    tokenizer = Tokenizer.from_file(str(TOKENIZER))
    for group in groups:
        said = ours(load_prompt(name), golden["groups"][group])
        assert said == golden["rendered"][reference][group], group
        wanted = "\n".join(m["content"] for m in golden["rendered"][reference][group])
        assert tokenizer.encode("\n".join(m["content"] for m in said)).ids == tokenizer.encode(wanted).ids


def test_first_is_the_alphabetical_prompt_with_a_bracket(recorded: Recorded) -> None:
    golden = recorded("prompts")
    wanted = golden["rendered"]["rank_llm/rank_zephyr_alpha_template"]["plain"]
    said = ours(load_prompt("first"), golden["groups"]["plain"])
    assert said == [*wanted, {"role": "prefill", "content": "["}]


def test_vicuna_is_the_same_text_in_its_own_layout(recorded: Recorded) -> None:
    golden = recorded("prompts")
    system, user = golden["rendered"]["rank_llm/rank_zephyr_template"]["brackets"]
    query, candidates = group_of(golden["groups"]["brackets"])
    asked = load_prompt("rankvicuna").render(query, candidates).prompt
    assert asked == f"{system['content']} USER: {user['content']} ASSISTANT:"


@pytest.mark.parametrize("group", ["plain", "brackets", "mojibake"])
@pytest.mark.parametrize(("reference", "name"), [("RankGPT", "rankgpt"), ("Rearank", "rearank")])
def test_turns_are_the_authors_but_for_brackets_and_an_empty_title(
    recorded: Recorded, reference: str, name: str, group: str
) -> None:
    """The authors leave bracketed numbers alone, and take a literal ``Title: Content: `` out of passages; we write no
    such thing in the first place, and leave a passage's own words alone."""
    golden = recorded("prompts")
    given, wanted = golden["groups"][group], golden["rendered"][reference][group]
    said = ours(replace(load_prompt(name), neutralise=False), given)
    for message in said:
        message["content"] = message["content"].replace("Title: Content: ", "")
    assert said == wanted
    assert (ours(load_prompt(name), given) == wanted) is (group == "mojibake")


def test_rank_llms_rankgpt_drops_two_blanks(recorded: Recorded) -> None:
    """RankGPT's own text has a blank before two line breaks; rank_llm's copy of it has not. Ours is RankGPT's."""
    golden = recorded("prompts")
    said = ours(load_prompt("rankgpt"), golden["groups"]["brackets"])
    assert sum(m["content"].count(". \n") for m in said) == 2
    stripped = [m | {"content": m["content"].replace(". \n", ".\n")} for m in said]
    assert stripped == golden["rendered"]["rank_llm/rank_gpt_template"]["brackets"]


def test_rank_llms_reasonrank_is_one_line_break_shorter(recorded: Recorded) -> None:
    """The authors leave an empty line before the first passage and the blanks inside passages; rank_llm does neither.
    Ours is the authors'."""
    golden = recorded("prompts")
    template = load_prompt("reasonrank")
    other = replace(template, prefix=template.prefix.removesuffix("\n"), whitespace="collapse")
    for group in ("plain", "brackets"):
        wanted = golden["rendered"]["rank_llm/reasonrank_template"][group]
        assert ours(other, golden["groups"][group]) == wanted != ours(template, golden["groups"][group])


def test_rank_r1_and_tdpart_do_not_neutralise_all_that_we_do(recorded: Recorded) -> None:
    """Rank-R1 neutralises nothing, TDPart passages but not queries."""
    golden = recorded("prompts")
    given = golden["groups"]["brackets"]
    wanted = golden["rendered"]["llm-rankers/rank-r1"]["brackets"]
    assert ours(replace(load_prompt("rank-r1"), neutralise=False), given) == wanted
    assert ours(load_prompt("rank-r1"), given) != wanted
    safe = ours(load_prompt("tdpart"), given)
    wanted = golden["rendered"]["TDPart"]["brackets"]
    assert safe != wanted
    assert [m | {"content": m["content"].replace("about [B]", "").replace("does [3]", "does (3)")} for m in wanted] == [
        m | {"content": m["content"].replace("about [B]", "")} for m in safe
    ]


def test_rank_r1s_run_script_writes_a_colon_that_its_training_set_had_not(recorded: Recorded) -> None:
    """``[1]: text`` against ``[1] text`` of the library's class and the training set; ours is the latter."""
    golden = recorded("prompts")
    wanted = golden["rendered"]["llm-rankers/run_setwise v0.1"]["plain"]
    template = load_prompt("rank-r1")
    assert ours(replace(template, body="[{id}]: {passage}"), golden["groups"]["plain"]) == wanted
    assert ours(template, golden["groups"]["plain"]) != wanted


TEXTS = [
    ("llm-rankers/monot5", "monot5"),
    ("llm-rankers/yes_no", "yes-no-t5"),
    ("llm-rankers/qlm", "query-likelihood"),
]


@pytest.mark.parametrize(("reference", "name"), TEXTS, ids=[name for _, name in TEXTS])
@pytest.mark.parametrize("group", ["plain", "brackets"])
def test_pointwise_texts_are_the_authors(recorded: Recorded, reference: str, name: str, group: str) -> None:
    golden = recorded("prompts")
    assert texts(load_prompt(name), golden["groups"][group]) == golden["rendered"][reference][group]


@pytest.mark.parametrize("group", ["plain", "brackets"])
def test_rank1_text_and_prefill_are_the_authors(recorded: Recorded, group: str) -> None:
    golden = recorded("prompts")
    template = load_prompt("rank1")
    said = [text + template.prefill for text in texts(template, golden["groups"][group])]
    assert said == golden["rendered"]["rank1"][group]


@pytest.mark.parametrize("group", ["plain", "brackets"])
def test_pairs_are_the_authors(recorded: Recorded, group: str) -> None:
    """Both orders: llm-rankers' pairwise prompt for chat and for T5, and duoT5's."""
    golden = recorded("prompts")
    given, rendered = golden["groups"][group], golden["rendered"]
    assert [messages(r) for r in pairs(load_prompt("prp"), given)] == rendered["llm-rankers/pairwise/llama"][group]
    assert [r.prompt for r in pairs(load_prompt("prp-t5"), given)] == rendered["llm-rankers/pairwise/t5"][group]
    assert [r.prompt for r in pairs(load_prompt("duot5"), given)] == rendered["llm-rankers/duot5"][group]
    query, candidates = group_of(given)
    assert load_prompt("setwise-t5").render(query, candidates).prompt == rendered["llm-rankers/setwise/t5"][group]


def test_rank_llms_t5_prompts_differ_in_three_places(recorded: Recorded) -> None:
    """A blank at the end, ``Title: ... Content: ...``, and bracketed numbers. Ours are pygaggle's, which released the
    checkpoints and has none of the three."""
    golden = recorded("prompts")
    for group in ("plain", "brackets"):
        given, rendered = golden["groups"][group], golden["rendered"]
        as_there = {"titled": "Title: {title} Content: {passage}", "whitespace": "collapse"}
        mono, duo = (replace(load_prompt(name), **as_there) for name in ("monot5", "duot5"))
        cleaned = {**given, "query": neutralise(given["query"], "numbers")}
        cleaned["documents"] = [
            d | {k: neutralise(d[k] or "", "numbers") for k in ("title", "text")} for d in given["documents"]
        ]
        assert [text + " " for text in texts(mono, cleaned)] == rendered["rank_llm/monot5_template"][group]
        assert [f"{r.prompt} " for r in pairs(duo, cleaned)] == rendered["rank_llm/duot5_template"][group]


def test_lit5_distill_is_rank_llms_but_for_brackets_in_the_query(recorded: Recorded) -> None:
    golden = recorded("prompts")
    rendered = golden["rendered"]["rank_llm/rank_fid_template"]
    assert texts(load_prompt("lit5-distill"), golden["groups"]["plain"]) == rendered["plain"]
    safe = texts(load_prompt("lit5-distill"), golden["groups"]["brackets"])
    assert safe == [text.replace("does [3] say", "does (3) say") for text in rendered["brackets"]]


def test_lit5_score_is_rank_llms_but_for_brackets(recorded: Recorded) -> None:
    """It names no passages, so there is nothing to neutralise; rank_llm does it all the same."""
    golden = recorded("prompts")
    rendered = golden["rendered"]["rank_llm/rank_fid_score_template"]
    assert texts(load_prompt("lit5-score"), golden["groups"]["plain"]) == rendered["plain"]
    plain = texts(load_prompt("lit5-score"), golden["groups"]["brackets"])
    query = golden["groups"]["brackets"]["query"]
    assert [neutralise(t, "numbers").replace(neutralise(query, "numbers"), query) for t in plain] == rendered[
        "brackets"
    ]


FORMS = {"lrl": "rank_lrl_template", "apeer": "rank_gpt_apeer_template", "insertrank": "insert_rank_template"}
SLOT = {"id": "rank", "passage": "candidate", "ids": "psg_ids", "example": ""}


@pytest.mark.parametrize("name", FORMS)
def test_templates_in_our_words_have_the_form_of_the_source(recorded: Recorded, name: str) -> None:
    """No released checkpoint needs these word for word, so the sentences are ours; roles, slots, passage lines and
    the shape of the answer are rank_llm's."""
    golden = recorded("prompts")
    form, template = golden["forms"][FORMS[name]], load_prompt(name)
    assert template.source.wording == "own"
    slots = [SLOT.get(slot, slot) for _, slot in pieces(template.body) if slot]
    assert slots == form["body"]
    assert {"query"} <= names(template.prefix) | names(template.suffix)
    said = ours(template, golden["groups"]["plain"])
    assert [m["role"] for m in said] == form["roles"]
    assert template.body.count("\n") == form["lines per passage"]
    for name_of_passage in form.get("passage names", ()):
        assert name_of_passage in said[-1]["content"]
    assert form.get("list", "") in said[-1]["content"]
    for score in form.get("scores", ()):
        assert f": {score}\n" in said[-1]["content"]


def test_neutralising_beside_the_references(recorded: Recorded) -> None:
    """Numbers: all that rank_llm rewrites, and look-alikes. Letters: as FIRST's authors, whose ``[A-z]`` also takes
    in ``[^]`` and ``[a_b]``; rank_llm rewrites numbers in this mode too, which name nothing there. Brackets of more
    than 40 characters stay."""
    more: dict[str, set[str]] = {"numbers": set(), "letters": set()}
    less: dict[str, set[str]] = {"numbers": set(), "letters": set()}
    for text, by in recorded("prompts")["replace_number"].items():
        assert by["rank_llm"] == by["FIRST numbers"]
        for kind, theirs in (("numbers", by["rank_llm"]), ("letters", by["FIRST letters"])):
            mine = neutralise(text, "numbers" if kind == "numbers" else "letters")
            if mine != theirs:
                (more if theirs == text else less)[kind].add(text)
    assert more == {"numbers": {"[ 1 ]", "[②]"}, "letters": {"[Ａ]", "[ B ]"}}
    assert less == {"numbers": {f"[{'7' * 45}]"}, "letters": {"[a_b]", "[^]", f"[{'w' * 45}]"}}


def test_texts_are_not_mended(recorded: Recorded) -> None:
    """rank_llm and ReasonRank pass every passage through ftfy; we send the documents as they are stored. Mending a
    collection is done once, when it is read, not in every prompt."""
    golden = recorded("prompts")
    given = golden["groups"]["mojibake"]
    broken, mended = given["documents"][0]["text"], 'The café is ✔ open; first "quotes" and (1).'
    for reference, name in (("rank_llm/rank_zephyr_template", "rankzephyr"), ("ReasonRank", "reasonrank")):
        said, wanted = ours(load_prompt(name), given), golden["rendered"][reference]["mojibake"]
        assert [m | {"content": m["content"].replace(broken, mended)} for m in said] == wanted != said


def test_passages_are_cut_by_tokens_where_the_references_count_words(recorded: Recorded) -> None:
    """300 blank-separated words there (title words included); here a number of tokens of the model's own tokenizer,
    and the cut is recorded. With a tokenizer that counts words, the limit of 300 gives their very prompt."""
    golden = recorded("prompts")
    query, candidates = group_of(golden["groups"]["long"])

    def words(text: str) -> list[tuple[int, int]]:
        spans, at = [], 0
        for word in text.split():
            at = text.index(word, at)
            spans.append((at, at + len(word)))
            at += len(word)
        return spans

    for reference, name in (("rank_llm/rank_zephyr_template", "rankzephyr"), ("RankGPT", "rankgpt")):
        fitted = Fitted(load_prompt(name), 10_000, words, passage_tokens=300)
        request = fitted.render(query, candidates)
        assert messages(request) == golden["rendered"][reference]["long"]
        assert [(r.kind, r.detail) for r in request.repairs] == [("passage_cut", "d1: 300 of 353 tokens")]

    def characters(text: str) -> list[tuple[int, int]]:
        return [(i, i + 1) for i in range(len(text))]

    rearank = Fitted(load_prompt("rearank"), 10_000, characters, passage_tokens=400)  # Rearank counts these
    assert messages(rearank.render(query, candidates)) == golden["rendered"]["Rearank"]["long"]
