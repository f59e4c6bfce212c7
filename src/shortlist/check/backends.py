"""Checks of a backend: what every model behind the border must hold, by capability.

    from shortlist.check import check_backend
    check_backend(CausalLM("my-model"))              # raises CheckFailed with all findings

A backend whose numbers depend on what else is in the batch, that answers in another order, cuts texts without a word or
is wrong about its labels makes every reranker on top of it wrong, and no ranking shows it. Every check asks the backend
itself; some dozens of short requests in all, and two of up to 4,000 words (think of it with a service that costs
money). In pytest, parametrise over ``backend_checks(backend)`` and call each with the backend.

It does not know whether a model ranks well: that is what ``shortlist evaluate`` measures. Numbers in bfloat16 or int8
move with the batch by more than 1e-4; say how much is too much with ``within``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

from ..core.protocols import Backend, Capability, Reranker
from . import _any_backend as every
from . import _language_backend as language
from . import _vector_backend as vectors
from ._probe import NotChecked, Probe
from .rerankers import RERANKER_CHECKS, CheckFailed

State = Literal["ok", "FAILED", "not checked"]
Progress = Callable[[int, int, str], None]
"""Told before each check: how many are done, of how many, and what comes now."""


@dataclass(frozen=True, slots=True)
class BackendCheck:
    """One promise of one capability. reads: it needs a model that reads its prompt, which fakes do not."""

    capability: Capability
    run: Callable[[Probe], None]
    title: str
    reads: bool = False

    @property
    def name(self) -> str:
        return f"{self.capability}: {self.title}"

    def __call__(self, backend: Backend, *, within: float = 1e-4) -> None:
        """Raises CheckFailed with what was found, NotChecked when there is nothing to look at."""
        self.run(Probe(backend, within))


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a check ended. found: why it failed, or why it could not be made."""

    check: str
    state: State
    found: str = ""


def check_backend(backend: Backend, *, within: float = 1e-4) -> None:
    """Run every check of the backend's capabilities; raises CheckFailed with all findings.

    within: how far numbers may lie apart that should be equal. Raises what the backend raises when it cannot be asked
    at all (no weights, no endpoint).
    """
    failed = [f"{o.check}: {o.found}" for o in examine_backend(backend, within=within) if o.state == "FAILED"]
    if failed:
        raise CheckFailed("\n".join(failed))


def examine_backend(
    backend: Backend, *, within: float = 1e-4, progress: Progress = lambda done, total, what: None
) -> Iterator[Outcome]:
    """Every check of the backend's capabilities, as it ends."""
    probe = Probe(backend, within)
    checks = backend_checks(backend)
    progress(0, len(checks), "opening the model")
    if {Capability.GENERATE, Capability.LABEL_LOGITS, Capability.NLL} & backend.capabilities:
        _ = probe.chat  # a model that cannot be asked at all is one error, not thirty
    for number, check in enumerate(checks):
        progress(number, len(checks), check.name)
        yield _outcome(check.name, partial(check.run, probe))


def backend_checks(backend: Backend) -> tuple[BackendCheck, ...]:
    """The checks that apply to a backend. Fakes, which do not read prompts, are spared those that need reading."""
    fake = Probe(backend).is_fake
    return tuple(c for c in BACKEND_CHECKS if c.capability in backend.capabilities and not (fake and c.reads))


def examine_reranker(reranker: Reranker, *, progress: Progress = lambda done, total, what: None) -> Iterator[Outcome]:
    """Every check that holds for any reranker, whatever its model says, as it ends."""
    for number, check in enumerate(RERANKER_CHECKS):
        progress(number, len(RERANKER_CHECKS), _title(check))
        yield _outcome(_title(check), partial(check, reranker))


def _outcome(name: str, look: Callable[[], None]) -> Outcome:
    try:
        look()
    except CheckFailed as error:
        return Outcome(name, "FAILED", str(error))
    except NotChecked as error:
        return Outcome(name, "not checked", str(error))
    except Exception as error:  # noqa: BLE001 - somebody else's code ends here, and its failure is the finding
        return Outcome(name, "FAILED", f"{type(error).__name__}: {error}")
    return Outcome(name, "ok")


def _title(function: Callable[..., Any]) -> str:
    return function.__name__.replace("_", " ")


def _every(capability: Capability, *also: every.Way, reads: bool = False) -> list[BackendCheck]:
    def bound(way: every.Way) -> Callable[[Probe], None]:
        return lambda probe: way(probe, capability)

    ways = every.EVERY if capability is Capability.GENERATE else (*every.EVERY, every.gives_sound_numbers)
    plain = [BackendCheck(capability, bound(way), _title(way), reads) for way in ways]
    return [*plain, *(BackendCheck(capability, bound(way), _title(way), reads=True) for way in also)]


def _own(
    capability: Capability, functions: Sequence[Callable[[Probe], None]], *, reads: bool = False
) -> list[BackendCheck]:
    return [BackendCheck(capability, function, _title(function), reads) for function in functions]


BACKEND_CHECKS: tuple[BackendCheck, ...] = (
    *_every(Capability.GENERATE, every.counts_all_of_a_long_prompt),
    *_own(
        Capability.GENERATE,
        (language.takes_an_empty_prompt, language.puts_the_prefill_in_front, language.keeps_to_the_length),
    ),
    *_own(Capability.GENERATE, (language.ends_at_a_stop,), reads=True),
    *_every(Capability.LABEL_LOGITS, every.counts_all_of_a_long_prompt),
    *_own(Capability.LABEL_LOGITS, (language.names_only_the_labels, language.does_not_depend_on_the_order_of_labels)),
    *_own(Capability.LABEL_LOGITS, (language.hears_the_prefill,), reads=True),
    *_every(Capability.TOKEN_LOGPROBS, reads=True),
    *_own(Capability.TOKEN_LOGPROBS, (language.writes_its_tokens_out, language.agrees_with_its_labels), reads=True),
    *_every(Capability.NLL, every.counts_all_of_a_long_prompt),
    *_own(Capability.NLL, (language.is_a_likelihood,)),
    *_own(Capability.NLL, (language.adds_up, language.agrees_with_its_likelihoods), reads=True),
    *_every(Capability.PAIR_SCORES, every.never_cuts_in_silence),
    *_every(Capability.EMBED, every.never_cuts_in_silence),
    *_own(Capability.EMBED, (vectors.gives_unit_rows,)),
    *_every(Capability.TOKEN_STATES, every.never_cuts_in_silence),
    *_own(Capability.TOKEN_STATES, (vectors.gives_a_row_per_token,)),
    *_every(Capability.EMBED_PROMPTS, reads=True),
    *_every(Capability.GROUP_SCORES),
    *_every(Capability.ATTENTION_ROWS),
    *_every(Capability.CROSS_ATTENTION),
    *_every(Capability.VIEWS),
)
"""All checks, by capability; ``backend_checks`` takes those that apply."""
