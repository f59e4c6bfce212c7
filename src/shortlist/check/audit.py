"""How much a reranker's result depends on what should not matter: input order, identifiers, copies, planted text.

Every probe changes the input in one way, reranks, and compares with the result for the unchanged input. No judgements
are needed: the audit says how stable a result is, not how good. A stable reranker may be wrong every time.

Related: Wang et al. 2023, arXiv 2305.17926 (position bias of judges); Tang et al. 2023, arXiv 2310.07712.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from ..core.errors import ConfigError
from ..core.protocols import Reranker
from ..core.types import Ranking, Usage
from .agreement import kendall_tau, overlap_at, pull
from .probes import COPY, NEUTRAL, Appended, Duplicated, Probe, Repeated, Reversed, Shuffled, Trial
from .relabel import relabelled

PROBES = ("repeated", "reversed", "shuffled", "identifiers", "duplicates", "neutral", "injected")
REORDERS, APPENDS = ("reversed", "shuffled"), ("neutral", "injected")


@dataclass(frozen=True, slots=True)
class Finding:
    """What one probe found: means over its trials; None where a number has no meaning for the probe.

    trials: results that were compared. unscored: those that could not be, because the reranker failed. tau: Kendall's
    tau with the unchanged result. overlap: share of the first k that stayed among the first k. pull: whether documents
    follow their place in the input, from -1 (to the end) to 1 (to the front); reorderings only. promotion, largest: the
    ranks that the document with the appended text gained, on average and at most. on_top: how often it came to rank 1.
    gap: documents between a copy and its original.
    """

    probe: str
    trials: int
    unscored: int = 0
    tau: float | None = None
    overlap: float | None = None
    pull: float | None = None
    promotion: float | None = None
    largest: int | None = None
    on_top: float | None = None
    gap: float | None = None


@dataclass(frozen=True, slots=True)
class Audit:
    """All findings. queries: with a result to compare with; unscored: without. usage: of all runs together."""

    queries: int
    unscored: int
    k: int
    findings: tuple[Finding, ...]
    notes: tuple[str, ...] = ()
    usage: Usage = Usage()  # noqa: RUF009 - frozen

    def __getitem__(self, probe: str) -> Finding:
        """The finding of a probe. Raises ConfigError when it was not made."""
        for finding in self.findings:
            if finding.probe == probe:
                return finding
        raise ConfigError(f"no probe {probe!r} in this audit; made: {', '.join(f.probe for f in self.findings)}")

    def to_dict(self) -> dict[str, Any]:
        """As JSON types."""
        return asdict(self)


def audit(
    reranker: Reranker,
    rankings: Sequence[Ranking],
    *,
    probes: Sequence[str] = PROBES,
    k: int = 10,
    times: int = 3,
    seed: int = 0,
    variants: Mapping[str, Reranker] | None = None,
    progress: Callable[[str], None] = lambda probe: None,
) -> Audit:
    """Rerank the rankings, and again under every probe.

    probes: of ``PROBES``. times, seed: random orders of ``shuffled``. variants: rerankers that differ in something that
    should not matter, by name; each becomes a finding. progress: told each probe before it runs. Raises ConfigError for
    an unknown probe. Queries with fewer than two candidates are left out.

    >>> from shortlist.check import make_ranking
    >>> from shortlist.backends.fake import Oracle
    >>> from shortlist import load
    >>> audit(load("rankgpt", backend=Oracle()), [make_ranking(15)])["reversed"].tau
    1.0
    """
    unknown = [probe for probe in probes if probe not in PROBES]
    if unknown:
        raise ConfigError(f"no probe {unknown[0]!r}; known: {', '.join(PROBES)}")
    if k < 1 or times < 1:
        raise ConfigError(f"k={k}, times={times}: expected 1 or more")
    given = [ranking for ranking in rankings if len(ranking.candidates) > 1]
    progress("unchanged")
    base = reranker.rerank(given)
    usage = sum((r.usage for r in base), Usage())
    pairs = [(r, result) for r, result in zip(given, base, strict=True) if result.status != "unscored"]
    others, notes = _others(reranker, probes, variants or {})
    findings = []
    made: dict[str, Probe] = {
        "repeated": Repeated(), "reversed": Reversed(), "shuffled": Shuffled(times, seed),
        "duplicates": Duplicated(), "neutral": Appended(NEUTRAL), "injected": Appended(),
    }  # fmt: skip
    for name in [*(p for p in probes if p in made), *others]:
        progress(name)
        finding, spent = _probed(name, others.get(name, reranker), made.get(name, Repeated()), pairs, k)
        findings.append(finding)
        usage += spent
    return Audit(len(pairs), len(given) - len(pairs), k, tuple(findings), notes, usage)


def _others(
    reranker: Reranker, probes: Sequence[str], variants: Mapping[str, Reranker]
) -> tuple[dict[str, Reranker], tuple[str, ...]]:
    """The rerankers that are compared with ``reranker`` on the same input."""
    if "identifiers" not in probes:
        return dict(variants), ()
    found = relabelled(reranker)
    if isinstance(found, str):
        return dict(variants), (f"identifiers: not probed, {found}",)
    return {"identifiers": found[0], **variants}, (f"identifiers: compared with the prompt {found[1]}",)


def _probed(
    name: str, reranker: Reranker, probe: Probe, pairs: Sequence[tuple[Ranking, Ranking]], k: int
) -> tuple[Finding, Usage]:
    asked = [(start, base, trial) for start, base in pairs for trial in probe.trials(start, base.ids)]
    results = reranker.rerank([trial.ranking for _, _, trial in asked])
    spent = sum((result.usage for result in results), Usage())
    done = [(*one, result) for one, result in zip(asked, results, strict=True) if result.status != "unscored"]
    failed = len(results) - len(done)
    if not done:
        return Finding(name, 0, failed), spent
    numbers: dict[str, Any] = {
        "tau": _mean([kendall_tau(base.ids, result.ids) for _, base, _, result in done]),
        "overlap": _mean([overlap_at(k, base.ids, _originals(result)) for _, base, _, result in done]),
    }
    if name in REORDERS:
        numbers["pull"] = _mean([pull(s.ids, base.ids, trial.ranking.ids, r.ids) for s, base, trial, r in done])
    if name in APPENDS:
        gained = [_rank(base, trial) - _rank(result, trial) for _, base, trial, result in done]
        on_top = _mean([float(_rank(result, trial) == 0) for _, _, trial, result in done])
        numbers |= {"promotion": _mean(gained), "largest": max(gained), "on_top": on_top}
    if name == "duplicates":
        numbers["gap"] = _mean([_gap(trial, result) for _, _, trial, result in done])
    return Finding(name, len(done), failed, **numbers), spent


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def _originals(result: Ranking) -> tuple[str, ...]:
    return tuple(doc_id for doc_id in result.ids if not doc_id.endswith(COPY))


def _rank(result: Ranking, trial: Trial) -> int:
    assert trial.target is not None
    return result.ids.index(trial.target)


def _gap(trial: Trial, result: Ranking) -> int:
    assert trial.target is not None
    return abs(result.ids.index(trial.target) - result.ids.index(f"{trial.target}{COPY}")) - 1
