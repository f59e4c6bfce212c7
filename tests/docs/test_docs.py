"""The documentation is true: examples run and print what it says, commands parse, tables and links are fresh."""

from __future__ import annotations

import importlib
import importlib.util
import re
import shlex
import sys
from pathlib import Path
from types import ModuleType

import pytest

from shortlist import cli
from shortlist.backends.embedded import choose
from shortlist.core.registry import RERANKERS

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
WRITTEN_WITH = ("onnxruntime", "int8")
"""Runtime and precision that the printed scores come from; with others the examples run, but orders may differ."""


def tool(name: str) -> ModuleType:
    path = ROOT / "tools" / f"{name}.py"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


docs_run, docs_pages = tool("docs_run"), tool("docs_pages")
WITH_EXAMPLES = [page for page in PAGES if docs_run.examples(page)]


def name(page: Path) -> str:
    return str(page.relative_to(ROOT))


@pytest.mark.slow
@pytest.mark.parametrize("page", WITH_EXAMPLES, ids=name)
def test_examples_run_and_print_what_the_page_says(page: Path) -> None:
    if any(needs in page.read_text(encoding="utf-8") for needs in (docs_run.TINY, "import torch")):
        pytest.importorskip("torch", reason="the page runs a language model or a loss (extra `local`)")
    choice = choose()
    compare = (choice.runtime, choice.precision) == WRITTEN_WITH
    assert not (found := docs_run.problems(page, compare=compare)), "\n\n".join(found)


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_command_that_is_shown_parses(page: Path) -> None:
    for command in docs_run.commands(page.read_text(encoding="utf-8")):
        words = shlex.split(command.split("2>")[0].rstrip(" &"), comments=True)[1:]
        assert words[0] in cli.commands(), command
        docs_pages.parser(words[0]).parse_args(words[1:])  # a wrong option ends the process with a message


@pytest.mark.slow
@pytest.mark.parametrize("page", docs_pages.kept(), ids=name)
def test_the_tables_that_stand_in_the_repository_are_those_that_the_code_gives(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert docs_pages.refreshed(text) == text, "run: python tools/docs_pages.py"


def test_the_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) < 200


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_markers_are_known(page: Path) -> None:
    for found in docs_pages.MARKER.finditer(page.read_text(encoding="utf-8")):
        assert found[1] in docs_pages.GENERATED


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_lead_to_files_that_exist(page: Path) -> None:
    prose = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.M | re.S)
    for link in re.findall(r"\]\(([^)\s]+)\)", prose):
        if not re.match(r"[a-z]+://", link):
            target = page.parent / link.partition("#")[0] if not link.startswith("#") else page
            assert target.exists(), f"{name(page)}: {link}"


@pytest.mark.parametrize("path", [*PAGES, ROOT / "mkdocs.yml", ROOT / "docs/assets/terminal.svg"], ids=name)
def test_no_path_of_a_machine_is_shown(path: Path) -> None:
    found = re.findall(r"(?<![\w.])/(?:work|home|root|tmp|Users|private|mnt)/\S*", path.read_text(encoding="utf-8"))
    assert not found, found[:3]


@pytest.mark.parametrize("page", sorted((ROOT / "docs/reference").glob("*.md")), ids=name)
def test_the_reference_names_what_exists(page: Path) -> None:
    for dotted in re.findall(r"^::: (\S+)$", page.read_text(encoding="utf-8"), re.M):
        try:
            importlib.import_module(dotted)
        except ModuleNotFoundError:
            module, _, attribute = dotted.rpartition(".")
            assert hasattr(importlib.import_module(module), attribute), dotted


def test_every_page_is_in_the_navigation() -> None:
    config = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    for page in (ROOT / "docs").rglob("*.md"):
        assert str(page.relative_to(ROOT / "docs")) in config


def test_every_method_is_on_exactly_one_page_about_its_paradigm() -> None:
    listed = [method for methods in docs_pages.paradigms().values() for method in methods]
    assert sorted(listed) == RERANKERS.names()
    for page in docs_pages.PARADIGMS:
        text = (ROOT / "docs" / "methods" / f"{page}.md").read_text(encoding="utf-8")
        assert f"<!-- generated: methods-{page} -->" in text


def test_every_command_has_its_section_in_the_reference() -> None:
    page = docs_pages.filled((ROOT / "docs/reference/cli.md").read_text(encoding="utf-8"))
    for command in cli.commands():
        assert f"## shortlist {command}\n" in page and f"usage: shortlist {command} " in page


PAGE = """
```console
$ shortlist --version
shortlist 9.9
```

```python
print("one\\ntwo", 2.001)
```

```text
one
two 2.0
```

<!-- not run: it is wrong -->
```python
raise ValueError
```
"""


def test_the_runner_notices_wrong_output_and_leaves_alone_what_is_not_run(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(PAGE, encoding="utf-8")
    (found,) = docs_run.problems(page)
    assert "the page says:\nshortlist 9.9\nit printed:\nshortlist 0." in found


def test_the_runner_puts_the_real_output_into_a_page(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(PAGE, encoding="utf-8")
    assert docs_run.write(page) == 1
    assert docs_run.problems(page) == []
    assert "9.9" not in page.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("said", "printed", "same"),
    [
        ("score 2.123", "score 2.119", True),
        ("score 2.123", "score 2.3", False),
        ("done in 2.3 s", "done in 31.0 s", True),
        ("24 queries", "25 queries", False),
        ("...\nlast", "a\nb\nlast", True),
        ("...\nlast", "a\nb\n", False),
        ("  seconds: index 0.2", "  seconds: index 7.1, more", True),
        ("up 2 from 3", "up 1 from 2", False),
    ],
)
def test_outputs_are_compared_loosely_in_numbers_only(said: str, printed: str, same: bool) -> None:
    assert (docs_run.differs(tuple(said.split("\n")), printed) == "") is same


def test_doctests_in_docstrings_become_code_blocks() -> None:
    pytest.importorskip("griffe")
    fenced = tool("griffe_doctests").fenced
    assert fenced("Text.\n\n>>> 1 + 1\n2\n\nMore.") == "Text.\n\n```pycon\n>>> 1 + 1\n2\n```\n\nMore."
    assert fenced("Text.\n>>> f()") == "Text.\n```pycon\n>>> f()\n```"
