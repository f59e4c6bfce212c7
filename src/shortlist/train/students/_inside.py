"""What happens inside two encoders that read the same tokens, and how far apart it is.

Sources: hidden states of chosen layers, TinyBERT (Jiao et al. 2020, arXiv 1909.10351, with its learned maps) and BiStil
(Ansell et al. 2023, arXiv 2306.01709); relations of one layer, MiniLM (Wang et al. 2020, arXiv 2002.10957: softmax of
queries with keys, and of values with values, over the root of their size) and MiniLMv2 (arXiv 2012.15828: any two, in
as many relation heads as wanted, so that student and teacher may have different numbers of attention heads). Relations
are made of the projections, not read from attention weights: any attention implementation does. It knows encoders of
BERT's family and DistilBERT.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Literal

from ...core.errors import ConfigError

Relation = Literal["qk", "qq", "kk", "vv"]
Pair = tuple[int, int]

_PROJECTION = re.compile(r"(?:^|\.)layer\.(\d+)\.attention\.(?:self\.(query|key|value)|([qkv])_lin)$")


def uniform(own: int, other: int) -> tuple[Pair, ...]:
    """Layers that go together, of a student of ``own`` layers and a teacher of ``other``; 0 are the embeddings.

    >>> uniform(3, 6)
    ((0, 0), (1, 2), (2, 4), (3, 6))
    """
    if not own or other % own:
        raise ConfigError(f"{own} layers do not divide {other} evenly; name pairs (student's, teacher's) with layers=")
    return tuple((i, i * other // own) for i in range(own + 1))


@contextmanager
def projections(model: Any, layer: int, names: str) -> Iterator[dict[str, Any]]:
    """While it is open, a forward pass leaves the projections ``q``, ``k``, ``v`` of a layer (from 1) in the mapping,
    (rows, tokens, dim). Raises ConfigError for a model in which they are not found."""
    found: dict[str, Any] = {}
    handles = []
    for name, part in model.named_modules():
        match = _PROJECTION.search(name)
        if match and int(match[1]) == layer - 1 and (kind := (match[2] or match[3])[0]) in names:
            handles.append(part.register_forward_hook(lambda _m, _i, out, kind=kind: found.__setitem__(kind, out)))
    if len(handles) != len(set(names)):
        raise ConfigError(
            f"{type(model).__name__}: layer {layer} has no separate projections {', '.join(names)} to learn"
        )
    try:
        yield found
    finally:
        for handle in handles:
            handle.remove()


def relation(torch: Any, one: Any, other: Any, mask: Any, heads: int) -> Any:
    """Log-probabilities (rows, heads, tokens, tokens) with which every token of ``one`` looks at those of ``other``.

    one, other: (rows, tokens, dim), whose dim is divided among ``heads``. mask: (rows, tokens), 1 where a token is.
    """
    a, b = (part.float().unflatten(-1, (heads, -1)).transpose(1, 2) for part in (one, other))
    scores = a @ b.transpose(-1, -2) / math.sqrt(a.shape[-1])
    return scores.masked_fill(mask[:, None, None, :] == 0, torch.finfo(scores.dtype).min).log_softmax(-1)


def relation_divergence(torch: Any, own: Any, aim: Any, mask: Any) -> Any:
    """KL(teacher || student) of two relations, mean over heads and real tokens."""
    seen = (mask[:, None, None, :] != 0).expand_as(aim)
    parts = torch.where(seen, aim.exp() * (aim - own), 0.0).sum(-1)
    return (parts * mask[:, None]).sum() / (mask.sum() * aim.shape[1])


def relations(
    torch: Any, own: Mapping[str, Any], aim: Mapping[str, Any], mask: Any, kinds: Sequence[Relation], heads: int
) -> Any:
    """The sum over ``kinds`` of the divergences. own, aim: projections by ``q``, ``k``, ``v``."""
    total: Any = 0.0
    for first, second in kinds:
        mine, its = (relation(torch, part[first], part[second], mask, heads) for part in (own, aim))
        total = total + relation_divergence(torch, mine, its, mask)
    return total


def distances(torch: Any, own: Any, aim: Any, distance: str) -> Any:
    """Per token (rows, tokens): 1 - cosine, or the squared error, mean over dimensions."""
    if distance == "cosine":
        return 1 - torch.nn.functional.cosine_similarity(own, aim, dim=-1)
    return ((own - aim) ** 2).mean(-1)
