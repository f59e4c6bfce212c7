"""The cache of token states: same numbers, damage is a miss, a killed writer leaves whole entries, processes share."""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from shortlist.backends.embedded import CachedEncoder, Encoder, StateCache
from shortlist.backends.embedded.state_cache import pack, unpack
from shortlist.core.protocols import Capability

TEXTS = ["how long is the life cycle of a flea", "", "a flea", "concrete " * 30, "日本", "a flea", "\ud800"]


def entry(seed: int, tokens: int = 5) -> tuple[bytes, int]:
    return pack(np.random.default_rng(seed).normal(size=(tokens, 16)).astype(np.float32)), tokens


def test_rounding_is_bounded_by_the_rows_largest_value() -> None:
    states = np.random.default_rng(0).normal(size=(50, 384)).astype(np.float32)
    error = np.abs(unpack(pack(states), 50) - states)
    assert (error <= np.abs(states).max(axis=1, keepdims=True) / 253).all()


def test_each_distinct_passage_is_encoded_once_and_reads_the_same(tiny: Path, tmp_path: Path) -> None:
    first = CachedEncoder(Encoder(tiny), tmp_path)
    fresh = first.token_states(TEXTS)
    assert first.encoder.stats.texts == len(set(TEXTS))
    again = CachedEncoder(Encoder(tiny), tmp_path)
    kept = again.token_states(list(reversed(TEXTS)))[::-1]
    assert again.encoder.stats.texts == 0
    assert (again.cache.hits, again.cache.misses) == (len(set(TEXTS)), 0)
    for a, b, exact in zip(fresh, kept, Encoder(tiny).token_states(TEXTS), strict=True):
        np.testing.assert_array_equal(a, b)
        assert np.abs(a - exact).max() <= np.abs(exact).max() / 250


def test_queries_are_not_kept(tiny: Path, tmp_path: Path) -> None:
    cached = CachedEncoder(Encoder(tiny), tmp_path)
    np.testing.assert_array_equal(
        cached.token_states(["a"], kind="query")[0], cached.encoder.token_states(["a"], kind="query")[0]
    )
    assert not list(tmp_path.iterdir())
    assert cached.capabilities == {Capability.TOKEN_STATES}
    assert cached.digest != cached.encoder.digest
    assert cached.split_document("a flea") == ["a flea"]


def test_where_a_document_is_split_is_found_out_once(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cached, asked, split = CachedEncoder(Encoder(tiny, max_length=12), tmp_path), [], Encoder.split
    expected = {text: cached.encoder.split_document(text) for text in (*TEXTS, "the flea lives " * 40)}
    assert max(map(len, expected.values())) > 5

    def counted(self: Encoder, text: str, *, overlap: int = 32) -> object:
        asked.append(text)
        return split(self, text, overlap=overlap)

    monkeypatch.setattr(Encoder, "split", counted)
    for _ in range(2):
        assert {text: cached.split_document(text) for text in expected} == expected
    assert asked == list(expected)
    monkeypatch.setattr("shortlist.backends.embedded.cached._SPLITS", 3)
    for _ in range(2):
        assert {text: cached.split_document(text + " ") for text in expected} == {
            text: cached.encoder.split_document(text + " ") for text in expected
        }
    assert len(cached._borders) <= 3, "it forgets before it grows"


def test_another_encoder_does_not_meet_these_entries(tmp_path: Path) -> None:
    cache = StateCache(tmp_path / "c.sqlite")
    cache.put("one", TEXTS[:1], [entry(0)])
    assert cache.get("two", TEXTS[:1]) == [None]
    assert cache.get("one", [*TEXTS[:1], *TEXTS[:1], "new"])[1] is not None
    assert (cache.hits, cache.misses) == (2, 2)


def test_any_text_can_be_a_key(tmp_path: Path) -> None:
    cache = StateCache(tmp_path / "c.sqlite")
    cache.put("d", TEXTS, [entry(i) for i in range(len(TEXTS))])
    assert all(states is not None for states in cache.get("d", TEXTS))
    assert len(cache.get("d", [str(i) for i in range(2500)])) == 2500


def test_a_damaged_entry_is_a_miss_that_is_counted_and_replaced(tmp_path: Path) -> None:
    path = tmp_path / "c.sqlite"
    cache = StateCache(path)
    cache.put("d", ["a", "b", "c"], [entry(i) for i in range(3)])
    cache.close()
    with sqlite3.connect(path) as other:
        other.execute("UPDATE states SET data = substr(data, 1, 10) WHERE id = 1")
        other.execute("UPDATE states SET tokens = 4 WHERE id = 2")
    other.close()
    assert [states is None for states in cache.get("d", ["a", "b", "c"])] == [True, True, False]
    assert cache.corrupt == 2
    cache.put("d", ["a", "b"], [entry(0), entry(1)])
    np.testing.assert_array_equal(cache.get("d", ["b"])[0], unpack(*entry(1)))


@pytest.mark.parametrize("content", [b"this is no database" * 500, b"SQLite format 3\0" + b"\xff" * 5000])
def test_a_file_that_is_no_database_is_set_aside(
    tmp_path: Path, content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "c.sqlite"
    path.write_bytes(content)
    cache = StateCache(path)
    with caplog.at_level(logging.WARNING):
        assert cache.get("d", ["a"]) == [None]
    assert "computed again" in caplog.text
    assert cache.corrupt == 1
    cache.put("d", ["a"], [entry(0)])
    assert cache.get("d", ["a"])[0] is not None
    assert (tmp_path / "c.sqlite.corrupt").read_bytes() == content


def test_a_folder_that_cannot_be_written_costs_only_time(tiny: Path, tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    cached = CachedEncoder(Encoder(tiny), blocked / "below")
    assert len(cached.token_states(["a", "b"])) == 2
    assert cached.cache.failures == 2


def test_the_oldest_go_when_the_file_is_too_large(tmp_path: Path) -> None:
    cache = StateCache(tmp_path / "c.sqlite", limit_mb=1)
    for i in range(30):
        cache.put("d", [f"{i}-{j}" for j in range(10)], [entry(j, 500) for j in range(10)])
    kept = [cache.get("d", [f"{i}-0"])[0] is not None for i in range(30)]
    assert kept[-1]
    assert not kept[0]
    assert kept == sorted(kept)
    cache.close()
    assert (tmp_path / "c.sqlite").stat().st_size < 3 * 2**20


WRITER = """
import sys
from pathlib import Path
import numpy as np
from shortlist.backends.embedded.state_cache import StateCache, pack
cache = StateCache(Path(sys.argv[1]))
print("ready", flush=True)
for i in range(100_000):
    states = np.full((200, 384), i + 1, np.float32)
    cache.put("d", [f"{i}-{j}" for j in range(8)], [(pack(states), 200)] * 8)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL on Windows")
def test_a_killed_writer_leaves_whole_transactions(tmp_path: Path) -> None:
    path = tmp_path / "c.sqlite"
    for moment in (0.05, 0.12, 0.3):
        writer = subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE)
        assert writer.stdout is not None
        with writer.stdout as output:
            output.readline()
            time.sleep(moment)
            writer.send_signal(signal.SIGKILL)
            writer.wait()
        cache = StateCache(path)
        found = [cache.get("d", [f"{i}-{j}" for j in range(8)]) for i in range(200)]
        for i, group in enumerate(found):
            assert len({states is None for states in group}) == 1
            assert all(states is None or float(states[3, 3]) == pytest.approx(i + 1, rel=0.01) for states in group)
        assert cache.corrupt == 0
        cache.close()
    assert found[0][0] is not None


def _write(path: Path, start: int) -> None:
    cache = StateCache(path)
    for i in range(start, start + 20):
        cache.put("d", [str(i)], [entry(i)])
    os._exit(0 if cache.failures == cache.corrupt == 0 else 1)


def test_processes_write_and_read_at_once(tmp_path: Path) -> None:
    path = tmp_path / "c.sqlite"
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=_write, args=(path, 20 * n)) for n in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    assert [worker.exitcode for worker in workers] == [0, 0, 0]
    cache = StateCache(path)
    for i, states in enumerate(cache.get("d", [str(i) for i in range(60)])):
        np.testing.assert_array_equal(states, unpack(*entry(i)))


def test_the_folder_can_be_moved(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SHORTLIST_CACHE", str(tmp_path))
    cache = StateCache()
    cache.put("d", ["a"], [entry(0)])
    assert (tmp_path / "states.sqlite").is_file()
