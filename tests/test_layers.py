"""Dependency direction, cycles and import weight, checked by reading the source and importing once."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import shortlist

ROOT = Path(shortlist.__file__).parent
LAYER = {
    "core": 0,
    "formats": 1, "schedules": 1, "readouts": 1, "prompts": 1, "fuse": 1, "measures": 1, "losses": 1,
    "models": 1, "demo": 1,
    "data": 2, "pipeline": 2, "rewards": 2,
    "drive": 3, "backends": 3,
    "scorers": 4,
    "retrieve": 5, "rerank": 5,
    "jobs": 6, "evaluate": 6, "check": 6, "serve": 6,
    "train": 7, "effects": 7,
    "cli": 8, "__main__": 9, "__init__": 9,
}  # fmt: skip
STANDARD_LIBRARY_ONLY = ("core", "schedules", "readouts", "prompts", "fuse", "rewards")
NUMPY_ALLOWED = ("measures", "data", "formats")
READERS = {"data.ingest.html": {"bs4"}, "data.ingest.pdf": {"pypdf"}}
HEAVY = ("torch", "transformers", "onnxruntime", "openvino", "bm25s", "numpy", "rich", "pypdf", "bs4", "tokenizers")


def _modules() -> dict[str, Path]:
    return {".".join(p.relative_to(ROOT).with_suffix("").parts): p for p in ROOT.rglob("*.py")}


def _imports(name: str, path: Path) -> list[tuple[str, bool]]:
    """(target, inside the package?) of every import in the file, function bodies included."""
    package = name.split(".")[:-1]
    found: list[tuple[str, bool]] = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = package[: len(package) - node.level + 1]
            module = [*base, *(node.module or "").split(".")] if node.module else base
            found += [(".".join([*module, alias.name]), True) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            name = node.module or ""
            inside = name.split(".")[0] == "shortlist"
            found.append((name.removeprefix("shortlist."), inside))
        elif isinstance(node, ast.Import):
            found += [(alias.name, False) for alias in node.names]
    return found


def test_every_module_imports_only_from_lower_layers_or_its_own() -> None:
    wrong = []
    for name, path in _modules().items():
        here = name.split(".")[0]
        if here in ("__init__", "__main__"):
            continue
        for target, inside in _imports(name, path):
            there = target.split(".")[0]
            if inside and there and there != here and there in LAYER and LAYER[there] >= LAYER[here]:
                if here == "cli" and there == "__init__":
                    continue
                wrong.append(f"{name} -> {target}")
    assert not wrong


def test_every_module_has_a_layer() -> None:
    assert {name.split(".")[0] for name in _modules()} <= set(LAYER)


def test_pure_layers_import_only_the_standard_library() -> None:
    wrong = []
    for name, path in _modules().items():
        here = name.split(".")[0]
        allowed = (
            set(sys.stdlib_module_names) | ({"numpy"} if here in NUMPY_ALLOWED else set()) | READERS.get(name, set())
        )
        if here in STANDARD_LIBRARY_ONLY + NUMPY_ALLOWED:
            outside = [target for target, inside in _imports(name, path) if not inside]
            wrong += [f"{name}: {target}" for target in outside if target.split(".")[0] not in allowed]
    assert not wrong


def test_no_import_cycle() -> None:
    modules = _modules()
    graph: dict[str, set[str]] = {}
    for name, path in modules.items():
        tree = ast.parse(path.read_text(encoding="utf-8"))
        top = {id(n) for n in tree.body}
        package = name.split(".")[:-1]
        graph[name] = set()
        for node in ast.walk(tree):
            if id(node) in top and isinstance(node, ast.ImportFrom) and node.level:
                base = package[: len(package) - node.level + 1]
                module = ".".join([*base, *((node.module or "").split(".") if node.module else [])])
                for alias in node.names:
                    for target in (f"{module}.{alias.name}", module, f"{module}.__init__"):
                        if target in modules and target != name:
                            graph[name].add(target)
                            break
    state: dict[str, int] = {}

    def visit(node: str, path: tuple[str, ...]) -> None:
        assert state.get(node) != 1, f"import cycle: {' -> '.join((*path, node))}"
        if node not in state:
            state[node] = 1
            for target in graph[node]:
                visit(target, (*path, node))
            state[node] = 2

    for node in graph:
        visit(node, ())


def test_import_is_light() -> None:
    code = f"import sys, shortlist; print([m for m in {HEAVY!r} if m in sys.modules])"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"
