"""Fixtures for every test folder."""

from __future__ import annotations

import importlib.util
import os
import sys
import threading
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import settings

# a busy machine is no failure; what is too slow shows in the benchmarks
settings.register_profile("shortlist", deadline=None)
settings.load_profile("shortlist")

SHARED_DATA = Path(os.environ.get("SHORTLIST_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))

TESTS = Path(__file__).resolve().parent
COVERED = ("core", "drive", "formats", "measures", "prompts", "readouts", "schedules")
"""Folders whose tests count for the coverage of the pure layers, beside doctests and the files next to this one."""


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, None, None]:
    """Coverage doubles the time of a test: it is measured where it is asked for, and not in slow tests."""
    in_a_folder = item.path.is_relative_to(TESTS) and item.path.parent != TESTS
    covered = not in_a_folder or item.path.relative_to(TESTS).parts[0] in COVERED
    trace, in_threads = sys.gettrace(), threading.gettrace()
    if trace is None or (covered and item.get_closest_marker("slow") is None):
        return (yield)
    sys.settrace(None)
    threading.settrace(None)
    try:
        return (yield)
    finally:
        sys.settrace(trace)
        threading.settrace(in_threads)


@pytest.fixture(scope="session")
def script() -> Callable[[str], ModuleType]:
    """A Python file that belongs to no package as a module; its path from the repository's root, without ``.py``."""

    def load(path: str) -> ModuleType:
        spec = importlib.util.spec_from_file_location(Path(path).name, TESTS.parent / f"{path}.py")
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[spec.name] = module  # dataclasses look their module up
        spec.loader.exec_module(module)
        return module

    return load


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Tests neither read nor fill the user's cache of passage states."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SHORTLIST_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of evaluation data that stays outside the repository; skips where it is absent."""
    if not SHARED_DATA.is_dir():
        pytest.skip(f"evaluation data not found at {SHARED_DATA}; set SHORTLIST_DATA to the folder that holds it")
    return SHARED_DATA
