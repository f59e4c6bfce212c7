"""Names from files and entry points, and the messages for wrong ones."""

import re
import types
from importlib.metadata import EntryPoint
from pathlib import Path

import numpy as np
import pytest

import shortlist
from shortlist.backends.fake import Oracle
from shortlist.check.table import method_rows
from shortlist.core import registry
from shortlist.core.errors import ConfigError, MissingExtra, UnknownName
from shortlist.core.extras import need


def test_a_file_is_a_name_with_dashes() -> None:
    assert {"late-interaction", "cross-encoder", "bi-encoder"} <= set(shortlist.available())


def test_a_wrong_name_suggests_the_nearest_and_lists_what_is_known() -> None:
    with pytest.raises(UnknownName, match=r"did you mean 'cross-encoder'.*late-interaction"):
        shortlist.load("cross-encodr")


def test_a_wrong_parameter_lists_the_right_ones() -> None:
    with pytest.raises(ConfigError, match=r"takes no parameter 'modle'; did you mean 'model'\? it takes: .*backend"):
        shortlist.load("cross-encoder", modle="x")


@pytest.mark.parametrize(("name", "wrong"), [("prp", "mode"), ("setwise", "sort"), ("fare", "mode"), ("icr", "mode")])
def test_a_wrong_choice_lists_the_right_ones(name: str, wrong: str) -> None:
    with pytest.raises(ConfigError, match=rf"reranker '{name}': {wrong}='best'; expected one of '\w+', '\w+'"):
        shortlist.load(name, **{wrong: "best"})


@pytest.mark.parametrize("name", shortlist.available())
def test_every_method_says_what_it_is_and_where_it_is_from(name: str) -> None:
    info = registry.RERANKERS.info(name)
    assert info.summary and info.source and info.paradigm


def test_third_parties_register_by_entry_point(monkeypatch: pytest.MonkeyPatch) -> None:
    module = types.ModuleType("their_module", "Their method.\n\nSource: nobody 2026.")
    module.build = lambda *, strength=1: ("built", strength)
    module.paradigm = "pointwise"

    class Point(EntryPoint):
        def load(self) -> types.ModuleType:
            return module

    point = Point("their_method", "their_module", "shortlist.rerankers")
    monkeypatch.setattr(registry.importlib.metadata, "entry_points", lambda group: [point])
    assert "their-method" in shortlist.available()
    assert shortlist.load("their-method", strength=3) == ("built", 3)
    assert registry.RERANKERS.info("their-method").source == "nobody 2026."

    def fails(*, backend: object) -> None:
        raise RuntimeError("the plugin is broken")

    monkeypatch.setattr(module, "build", fails)
    broken = {row.name: row for row in method_rows()}["their-method"]
    assert broken.summary == "cannot be built: RuntimeError: the plugin is broken"
    del module.build
    with pytest.raises(ConfigError, match=r"'their-method'.*no build\(\)"):
        shortlist.load("their-method")


def test_a_missing_package_names_the_pip_line() -> None:
    with pytest.raises(MissingExtra, match=r'pip install "shortlist\[local\]"'):
        need("no-such-package-anywhere>=1", extra="local")
    with pytest.raises(MissingExtra, match="999 is needed"):
        need("numpy>=999", extra="local")


@pytest.mark.parametrize(
    ("name", "given", "says"),
    [
        ("yes-no", {"yes": True}, """yes=True is a bool, expected str; as text it is written yes='"true"'"""),
        ("rankgpt", {"window": "twenty"}, "window='twenty' is a str, expected int"),
        ("rankgpt", {"passes": True}, "passes=True is a bool, expected int"),
        ("late-interaction", {"first_stage": "0.2"}, "first_stage='0.2' is a str, expected float"),
    ],
)
def test_a_value_of_another_type_is_told_what_is_expected(name: str, given: dict[str, object], says: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(f"reranker {name!r}: {says}")):
        shortlist.load(name, backend=Oracle(), **given)


def test_whole_numbers_do_for_numbers_and_paths_for_text() -> None:
    shortlist.load("late-interaction", backend=Oracle(), first_stage=1, threads=np.int64(2))
    shortlist.load("cross-encoder", model=Path("folder"))
