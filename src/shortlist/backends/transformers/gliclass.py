"""GLiClass: one encoder pass scores up to some dozens of labels against one text; here passages against a query.

Source: Knowledgator/GLiClass, by its package ``gliclass`` (extra ``gliclass``), which brings the model, its input form
(``<<LABEL>>passage<<LABEL>>passage<<SEP>>query``) and its heads. This module adds what ranking needs: every passage is
read (the package cuts the whole input at its end, which silently drops the last labels or the query), every label has
its own logit (called directly, the model gives 25, whatever the number of labels), and passages cannot forge labels.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from ...core.errors import BackendError, ConfigError, InputError, ScoreError
from ...core.exchange import Reading
from ...core.extras import need
from ...core.params import digest
from ...core.protocols import Capability
from ...core.types import Repair, Scale, Usage
from ...prompts.tokens import cut, level
from ..kinds import expect
from .hashes import files_digest
from .local import Loaded, device_of, no_progress_bar, place_of
from .texts import Texts, whole_text

_FORGED = re.compile(r"<<(LABEL|SEP|EXAMPLE)>>")
_LEAST = 4  # tokens that a passage keeps at least


@dataclass(frozen=True)
class GLiClass:
    """Scores the passages of a group together, as logits; weights are loaded on first use.

    path: a folder or hub name of a uni-encoder GLiClass model. most: passages that are read together; models are
    trained with up to 25. max_length: tokens of query and passages together; when they do not fit, the longest
    passages lose their ends, all down to one length, and the query what exceeds a quarter of it. task: a sentence about
    what is wanted, in front of the query (the package's ``prompt``).
    """

    path: str | Path
    _: KW_ONLY
    most: int = 25
    max_length: int = 1024
    task: str = ""
    device: str = "auto"
    revision: str | None = None
    counts: Counter[str] = field(default_factory=Counter, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.most < 1 or self.max_length < 16:
            raise ConfigError(f"most={self.most}, max_length={self.max_length}: expected 1 or more, 16 or more")

    @property
    def capabilities(self) -> frozenset[Capability]:
        return frozenset({Capability.GROUP_SCORES})

    @property
    def scale(self) -> Scale:
        return Scale.LOGIT

    @property
    def digest(self) -> str:
        """Identifies weights, dtype and what is done to the texts; loads the model."""
        return f"{self.loaded.digest}-{digest({'max_length': self.max_length, 'task': self.task})}"

    @cached_property
    def loaded(self) -> Loaded:
        """Model and tokenizer. Raises BackendError for a folder that holds something else."""
        library = need("gliclass>=0.1.21", extra="gliclass")
        torch, transformers = need("torch>=2.4", extra="local"), need("transformers>=5.0", extra="gliclass")
        name = place_of(self.path)
        expect(name, "gliclass")
        try:
            tokenizer = transformers.AutoTokenizer.from_pretrained(name, revision=self.revision)
            with no_progress_bar(transformers):
                model, info = library.GLiClassModel.from_pretrained(
                    name, revision=self.revision, output_loading_info=True
                )
        except (OSError, ValueError, KeyError, RuntimeError) as error:
            said = " ".join(str(error).split())[:300]
            raise BackendError(f"{name} cannot be loaded as a GLiClass model: {said}") from error
        if info["missing_keys"]:
            raise BackendError(f"{name} has no weights for {', '.join(sorted(info['missing_keys'])[:4])}")
        if model.config.architecture_type != "uni-encoder":
            raise BackendError(f"{name} is a GLiClass {model.config.architecture_type}; only uni-encoders are served")
        where = device_of(torch, self.device)
        known = files_digest(name) if Path(name).is_dir() else f"{name}@{self.revision or 'unknown'}"
        return Loaded(torch, model.to(where).eval(), tokenizer, where, known)

    def group_scores(self, groups: Sequence[tuple[str, Sequence[str]]]) -> list[Reading]:
        """One logit per passage of each (query, passages). Raises InputError for more passages than ``most``."""
        return [self._read(query, passages) for query, passages in groups]

    def _read(self, query: str, passages: Sequence[str]) -> Reading:
        n = len(passages)
        if n > self.most:
            raise InputError(f"{n} passages in a group, this model reads at most {self.most} together")
        if not n:
            return Reading(())
        query, labels, repairs = self._fitted(query, passages)
        torch, model = self.loaded.torch, self.loaded.model
        feed = self._pipe.prepare_inputs([query], [labels], prompt=self.task or None)
        seen = int((feed["input_ids"] == model.config.class_token_index).sum())
        if seen != n:
            raise BackendError(f"{seen} of {n} label tokens in the input; is class_token_index of {self.path} right?")
        with torch.inference_mode():
            logits = model(**feed, max_num_classes=n).logits[0, :n].float()
        if bool(torch.isnan(logits).any()):
            raise ScoreError(f"{self.path} returned NaN")
        tokens = int(feed["input_ids"].numel())
        self.counts.update(groups=1, passages=n, tokens_computed=tokens)
        return Reading(tuple(logits.tolist()), repairs, usage=Usage(calls=1, prompt_tokens=tokens))

    def _fitted(self, query: str, passages: Sequence[str]) -> tuple[str, list[str], tuple[Repair, ...]]:
        """Query and passages cut so that all of them are read."""
        texts, plain = self._texts, [_FORGED.sub(r"<\1>", whole_text(text)) for text in (query, *passages)]
        asked, kept, total = cut(plain[0], self.max_length // 4, texts.offsets)
        repairs = (Repair("query_cut", detail=f"{kept} of {total} tokens"),) if kept < total else ()
        fixed = kept + len(texts.offsets(self.task)) + len(passages) + 1 + sum(map(len, texts.around))
        sizes = [len(texts.offsets(text)) for text in plain[1:]]
        limit = max(_LEAST, level(sizes, self.max_length - fixed))
        while True:
            cuts = [cut(text, limit, texts.offsets) for text in plain[1:]]
            shown = [text for text, _, _ in cuts]
            excess = self._tokens(asked, shown) - self.max_length
            if excess <= 0:
                break
            if limit <= _LEAST:
                raise InputError(
                    f"{len(passages)} passages of {_LEAST} tokens and the query do not fit {self.max_length} tokens; "
                    "use smaller groups or a larger max_length"
                )
            limit = max(_LEAST, limit - max(1, excess // len(passages)))
        short = tuple(
            Repair("passage_cut", detail=f"{number}: {after} of {before} tokens")
            for number, (_, after, before) in enumerate(cuts, 1)
            if after < before
        )
        return asked, shown, (*repairs, *short)

    def _tokens(self, query: str, labels: Sequence[str]) -> int:
        whole = self._pipe.prepare_input(query, labels, prompt=self.task or None)
        return len(self.loaded.tokenizer(whole, truncation=False, verbose=False)["input_ids"])

    @cached_property
    def _texts(self) -> Texts:
        return Texts(self.loaded.tokenizer)

    @cached_property
    def _pipe(self) -> Any:
        made = need("gliclass>=0.1.21", extra="gliclass").ZeroShotClassificationPipeline(
            self.loaded.model, self.loaded.tokenizer, max_classes=self.most, max_length=self.max_length,
            device=self.loaded.device, progress_bar=False,
        )  # fmt: skip
        return made.pipe
