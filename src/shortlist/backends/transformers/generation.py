"""Answers written token by token by a causal model, over batches with a key/value cache; rows that are done leave.

It does not know requests: an answer is begun by a function, and again when its batch ran out of memory and is repeated.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from .decoding import Written, log_probabilities
from .local import Loaded
from .passes import Batch, Passes, Row


def written_answers(
    loaded: Loaded, passes: Passes, rows: Sequence[Row], begin: Callable[[int], Written]
) -> tuple[list[Written], list[int]]:
    """The finished answer to each row, and the tokens that each took from a shared prefix."""
    answers: dict[int, Written] = {}

    def use(batch: Batch) -> None:
        fresh = {i: begin(i) for i in batch.rows}
        _write(loaded, passes, batch, fresh)
        answers.update(fresh)  # only now: a batch that ran out of memory begins anew

    taken = passes.run(rows, use, cached=True)
    return [answers[i] for i in range(len(rows))], taken


def _write(loaded: Loaded, passes: Passes, batch: Batch, answers: Mapping[int, Written]) -> None:
    """Token by token until every answer is done."""
    torch, logits = loaded.torch, batch.logits
    alive = list(batch.rows)
    mask, lengths, cache = batch.mask, batch.lengths, batch.cache
    while True:
        logprobs = log_probabilities(loaded, logits[:, -1])
        chosen = [0 if answers[i].done else answers[i].take(logprobs[b]) for b, i in enumerate(alive)]
        kept = [b for b, i in enumerate(alive) if not answers[i].done]
        if not kept:
            return
        if len(kept) < len(alive):
            index = torch.tensor(kept, device=mask.device)
            cache.batch_select_indices(index)
            mask, lengths = mask[index], lengths[index]
            alive = [alive[b] for b in kept]
        ids = torch.tensor([[chosen[b]] for b in kept], device=mask.device)
        mask = torch.cat([mask, mask.new_ones(len(alive), 1)], 1)
        out = passes.step(ids, mask, lengths[:, None], cache)
        passes.counts.update(tokens_computed=len(alive), passes=1)
        logits, cache, lengths = out.logits, out.past_key_values, lengths + 1
