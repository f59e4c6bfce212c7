"""Fusion-in-decoder, the arithmetic: texts encoded one by one, their states side by side, what the decoder makes of it.

Sources: Izacard and Grave 2021, arXiv 2007.01282 (fusion-in-decoder); LiT5 (arXiv 2312.16098) for the attention times
value lengths; MVP (arXiv 2509.07485) for views and anchors. T5's cross-attention has no positions, so states need no
padding between texts. It does not know requests.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

from ...core.errors import BackendError
from .batches import Batches
from .encoder_decoder import EncoderDecoder, States


def fused(parts: EncoderDecoder, lists: Sequence[Sequence[list[int]]], batches: Batches, first: int = 0) -> States:
    """The states of each list's texts, one behind the other: (lists, tokens, dim) and the mask.

    batches: how many texts go through the encoder at once. first: how many states of each text are kept; 0 is all.
    """
    rows = [row for texts in lists for row in texts]
    kept = [[first or len(row) for row in texts] for texts in lists]
    longest = max(sum(lengths) for lengths in kept)
    places = [(i, sum(lengths[:j]), n) for i, lengths in enumerate(kept) for j, n in enumerate(lengths)]
    torch, device = parts.loaded.torch, parts.loaded.device
    mask = torch.zeros(len(lists), longest, dtype=torch.long, device=device)
    for i, lengths in enumerate(kept):
        mask[i, : sum(lengths)] = 1
    states = torch.zeros(len(lists), longest, parts.loaded.config.hidden_size, dtype=parts.loaded.model.dtype)
    states = states.to(device)

    def work(batch: list[int]) -> None:
        found, _ = parts.encoded([rows[j] for j in batch])
        for b, j in enumerate(batch):
            i, begin, n = places[j]
            states[i, begin : begin + n] = found[b, :n]

    batches.run(range(len(rows)), [len(row) for row in rows], work)
    return states, mask


def looked_at(parts: EncoderDecoder, states: States, tokens: Sequence[list[int]]) -> tuple[Any, int]:
    """How much the decoder looks at each state, (lists, states) float32, and the number of its layers.

    Summed over layers and the decoder's ``tokens`` (its start token and its answer): the mean over heads of attention
    times the length of the value vector. One pass over the finished answers.
    """
    ids, real = parts.padded(tokens)
    hidden, mask = states
    total = parts.loaded.torch.zeros(mask.shape, dtype=parts.loaded.torch.float32, device=mask.device)

    def add(seen: dict[str, Any], attention: Any, *_: Any) -> None:
        query, key, value = (_by_head(seen.pop(name), attention.n_heads) for name in "qkv")
        scores = (query @ key.transpose(2, 3)).float().masked_fill(mask[:, None, None] == 0, float("-inf"))
        looks = (scores.softmax(-1) * value.float().norm(dim=-1)[:, :, None]).mean(1)
        total.add_((looks * real[:, :, None]).sum(1))

    attentions = _cross_attentions(parts.loaded.model)
    with _watched(attentions, add):
        parts.step(hidden, mask, ids, None)
    return total, len(attentions)


def anchors(parts: EncoderDecoder, states: Any, mask: Any) -> Any:
    """One decoder step over each row of states alone: (rows, n, dim) and (rows, n) to (rows, dim).

    The decoder is fed the embedding of the padding token; its last state is taken as it is, before any scaling.
    """
    torch, model = parts.loaded.torch, parts.loaded.model
    pad = torch.full((len(states), 1), int(model.config.pad_token_id or 0), device=states.device)
    parts.counts.update(tokens_computed=len(states), passes=1)
    out = model.get_decoder()(
        inputs_embeds=model.get_input_embeddings()(pad), encoder_hidden_states=states, encoder_attention_mask=mask,
        use_cache=False,
    )  # fmt: skip
    return out.last_hidden_state[:, 0]


def _by_head(projected: Any, heads: int) -> Any:
    """(rows, tokens, heads * dim) to (rows, heads, tokens, dim)."""
    return projected.unflatten(-1, (heads, -1)).transpose(1, 2)


def _cross_attentions(model: Any) -> list[Any]:
    found = [module for name, module in model.get_decoder().named_modules() if name.endswith("EncDecAttention")]
    if not found:
        raise BackendError(f"{type(model).__name__} has no cross-attention of T5's form; give a T5 model")
    return found


@contextmanager
def _watched(attentions: Sequence[Any], add: Any) -> Iterator[None]:
    """While the model runs, ``add`` gets each attention's projections; any attention implementation will do."""
    hooks = []
    for attention in attentions:
        seen: dict[str, Any] = {}
        for name in "qkv":
            keep = partial(_keep, seen, name)
            hooks.append(getattr(attention, name).register_forward_hook(keep))
        hooks.append(attention.register_forward_hook(partial(add, seen)))
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def _keep(seen: dict[str, Any], name: str, _module: Any, _inputs: Any, output: Any) -> None:
    seen[name] = output
