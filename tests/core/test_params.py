"""Constructor <-> parameters <-> TOML <-> digest."""

import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shortlist import Scale
from shortlist.backends.fake import Broken, Noisy, Oracle
from shortlist.core import params
from shortlist.core.errors import ConfigError
from shortlist.core.params import describe, digest, from_toml, params_of, to_toml
from shortlist.core.plain_types import mistyped, said
from shortlist.drive import Budget, Scheduled
from shortlist.schedules import Map, SlidingWindow
from shortlist.scorers import Pairs


@dataclass(frozen=True)
class Budgeted:
    """A parameter that is not None by default."""

    limit: object = 5


Budgeted.__module__ = "shortlist.core.params"
params.Budgeted = Budgeted  # type: ignore[attr-defined]


def reranker() -> Scheduled:
    return Scheduled(Pairs(Oracle()), Map(), Budget(calls=3))


def test_toml_round_trip_of_nested_parts() -> None:
    text = to_toml(SlidingWindow(size=8, stride=4, passes=2))
    assert from_toml(text) == SlidingWindow(size=8, stride=4, passes=2)
    nested = Scheduled(Pairs(Broken(outputs=("a\nb", 'quote " and ü'))), Map(), Budget(seconds=1.5))
    assert from_toml(to_toml(nested)) == nested


TEXT = st.text(alphabet=st.characters(exclude_categories=["Cs"]))


@given(TEXT, st.integers(-(2**60), 2**60), st.floats(allow_nan=False))
def test_any_text_and_number_survives_toml(text: str, whole: int, real: float) -> None:
    from shortlist.core.types import Repair, Usage

    assert from_toml(to_toml(Repair(text, whole, text))) == Repair(text, whole, text)
    assert from_toml(to_toml(Usage(seconds=real))) == Usage(seconds=real)


def test_none_survives_where_it_is_not_the_default() -> None:
    from shortlist.core.types import Document, Query

    assert from_toml(to_toml(Query("q", "text"))) == Query("q", "text")
    assert "title" not in to_toml(Document("d", "text"))

    assert from_toml(to_toml(Budgeted(None))) == Budgeted(None)
    assert from_toml(to_toml(Budgeted(Budgeted(None)))) == Budgeted(Budgeted(None))


def test_repr_rebuilds() -> None:
    window = SlidingWindow(size=8, stride=4)
    assert eval(repr(window), {"SlidingWindow": SlidingWindow}) == window


def test_digest_tells_configurations_apart_and_is_the_same_in_another_process() -> None:
    assert digest(reranker()) == digest(reranker())
    assert digest(reranker()) != digest(Scheduled(Pairs(Oracle()), Map(), Budget(calls=4)))
    assert digest(Noisy(sigma=1.0)) != digest(Noisy(sigma=2.0))
    imports = "from shortlist.core.params import digest; from shortlist.schedules import SlidingWindow"
    code = f"{imports}; print(digest(SlidingWindow()))"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == digest(SlidingWindow())


def test_describe_is_plain_data() -> None:
    assert describe(Map())["type"] == "shortlist.schedules.map:Map"
    assert params_of(Budget(calls=1)) == {"calls": 1, "tokens": None, "seconds": None}


def test_plain_values_of_every_kind_are_described_and_written() -> None:
    values = {
        "path": Path("a/b"), "flag": True, "none": None, "real": 0.5, "set": {"b", "a"}, "list": [1, (2, "x")],
        "table": {"key with space": 1}, "function": len, "kind": Scale.LOGIT, "part": Budget(calls=1),
    }  # fmt: skip
    described = describe(values)
    assert described["path"] == "a/b" and described["set"] == ["a", "b"] and described["list"] == [1, [2, "x"]]
    assert described["kind"] == "logit" and described["part"]["calls"] == 1
    back = from_toml(to_toml(Budgeted({k: v for k, v in values.items() if k not in ("function", "none", "set")})))
    assert back.limit["table"] == {"key with space": 1} and back.limit["part"] == Budget(calls=1)
    assert back.limit["list"] == (1, (2, "x")) and back.limit["path"] == "a/b"
    assert from_toml(to_toml(Budgeted([{"a": float("inf")}, Budget(calls=2)]))).limit == (
        {"a": float("inf")},
        Budget(calls=2),
    )


def test_objects_without_dataclass_give_their_constructor_parameters() -> None:
    class Plain:
        def __init__(self, size: int, name: str = "x") -> None:
            self.size, self.name = size, name

    assert params_of(Plain(3)) == {"size": 3, "name": "x"}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('type = "os:system"', "outside this package"),
        ('type = "shortlist.cli:main"', "no type of this package"),
        ('type = "shortlist.cli:os"', "no type of this package"),
        ('type = "shortlist.jobs.manifest:Path"', "no type of this package"),
        ('type = "function"\nname = "shortlist.jobs.manifest:Path"', "no type of this package"),
        ('type = "shortlist.schedules:Nothing"', "does not exist"),
        ('type = "shortlist.drive:Budget"\ncalls = -1', "expected 0 or more"),
        ('type = "shortlist.drive:Budget"\ncolour = 1', "colour"),
        ('type = "shortlist.drive:Budget"\ncals = 1', "did you mean 'calls'"),
        ('type = "shortlist.drive:Budget"\ncalls = "many"', "calls='many' is a str, expected int"),
        ("type = ", "not a TOML document"),
    ],
)
def test_bad_configuration_is_a_clear_error(text: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        from_toml(text)


def test_a_pipeline_with_a_model_in_it_survives_toml() -> None:
    other = Scheduled(Pairs(Oracle(), aggregate="first"), SlidingWindow(), Budget(calls=3))
    for pipeline in (reranker() % 10 >> other, reranker() + other % 5):
        assert from_toml(to_toml(pipeline)) == pipeline


@pytest.mark.parametrize("value", [{"type": "json_object"}, {"type": {"type": "none"}}, {1: "a", "b": None}])
def test_a_mapping_with_a_type_of_its_own_survives_toml(value: dict[object, object]) -> None:
    assert from_toml(to_toml(Budgeted(value))) == Budgeted(value)


def test_only_plain_types_are_looked_at() -> None:
    def build(a: int, b: float | None, c: tuple[int, int], d: Callable[[int], str], e: Literal["x"]) -> None: ...

    fine = {"a": 1, "b": 2, "c": (1, 2), "d": str, "e": "y"}
    assert not list(mistyped(build, fine))
    found = list(mistyped(build, {**fine, "a": True, "b": "2"}))
    assert [name for name, _, _ in found] == ["a", "b"]
    assert said(*found[1]) == "b='2' is a str, expected float"
