"""Look-alikes of identifiers inside passages and queries."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shortlist.core.errors import InputError
from shortlist.core.exchange import Completion
from shortlist.core.types import Candidate, Document, Query
from shortlist.prompts import load_prompt
from shortlist.prompts.alphabet import Identifiers, identifiers_of, neutralise
from shortlist.readouts import Permutation


@pytest.mark.parametrize(
    ("identifiers", "text", "expected"),
    [
        ("numbers", "[12] and [3][4]", "(12) and (3)(4)"),
        ("numbers", "[ 7 ] [１] [٣]", "( 7 ) (１) (٣)"),
        ("numbers", "[1, 2] [B] [x1] []", "[1, 2] [B] [x1] []"),
        ("numbers", "[[5]]", "[(5)]"),
        ("numbers", "[①] [²]", "(①) (²)"),
        ("letters", "[B] [ab] [12] [Ｂ]", "(B) (ab) [12] (Ｂ)"),
        (("Doc-1", "x"), "[doc-1] [X] [y]", "(doc-1) (X) [y]"),
        ("none", "[1]", "[1]"),
    ],
)
def test_neutralise(identifiers: Identifiers, text: str, expected: str) -> None:
    assert neutralise(text, identifiers) == expected


@given(st.text(alphabet="[]12 A１③\n(", max_size=40))
def test_no_number_in_brackets_is_left_for_a_model_to_copy(text: str) -> None:
    clean = neutralise(text, "numbers")
    assert len(clean) == len(text)
    assert neutralise(clean, "numbers") == clean
    if "\n" not in text:
        assert not [r for r in Permutation().read(Completion(clean), 12).scores if "[1]" in clean or "[2]" in clean]


def test_query_and_passages_are_neutralised_the_labels_are_not() -> None:
    group = [Candidate(Document("a", "see [2]", title="On [9]"))]
    request = load_prompt("rankzephyr").render(Query("q", "like [1]?"), group)
    text = request.prompt[-1].content  # type: ignore[union-attr]
    assert "like (1)?" in text
    assert "[1] Title: On (9) Content: see (2)\n" in text
    assert text.count("[1]") == 2  # the label and the example of the answer's form


def test_more_passages_than_letters_are_refused() -> None:
    assert identifiers_of("letters", 26)[-1] == "Z"
    with pytest.raises(InputError, match="27 passages"):
        identifiers_of("letters", 27)
