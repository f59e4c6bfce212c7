"""Tensors of all processes, with gradients that go back to the process they came from.

Gradients arrive summed over the processes. Each process's loss is the mean over its own lists and DDP averages the
gradients of the weights, so W processes with B lists each have the gradients of one process with W times B lists.
Without several processes everything stays as it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..core.extras import need


def everywhere(values: Any, fill: float = 0.0) -> Any:
    """``values`` of all processes one after the other along the first axis, which is the same for all.

    The other axes grow to the longest of the processes, with ``fill``.
    """
    torch = need("torch>=2.4", extra="train")
    if _world(torch) == 1:
        return values
    shape = torch.tensor(values.shape, device=values.device)
    torch.distributed.all_reduce(shape, torch.distributed.ReduceOp.MAX)
    wider = [(0, int(size) - own) for size, own in zip(shape[1:], values.shape[1:], strict=True)]
    flat = [n for pair in reversed(wider) for n in pair]  # torch counts from the last axis
    kind = values.dtype
    grown = torch.nn.functional.pad(values.long() if kind == torch.bool else values, flat, value=fill)
    return _gather(torch).apply(grown.contiguous()).to(kind)


def first_list(lists: int) -> int:
    """The number, among the lists of all processes, of this one's first."""
    torch = need("torch>=2.4", extra="train")
    return lists * torch.distributed.get_rank() if _world(torch) > 1 else 0


def shared_beside(batch: Mapping[str, Any]) -> dict[str, Any]:
    """mask, best and same (see ``collate``) of the lists of all processes; ``first`` as in ``InfoNCE``."""
    mask, best = everywhere(batch["mask"]), everywhere(batch["best"])
    keys, asked = everywhere(batch["keys"]), everywhere(batch["asked"])
    first = first_list(len(batch["best"]))
    return {"mask": mask, "best": best, "same": same(batch["keys"], batch["asked"], keys, asked, first), "first": first}


def same(own_keys: Any, own_asked: Any, keys: Any, asked: Any, first: int) -> Any:
    """(own lists, lists, documents): True where a document of another list is also in this one, or both ask the same.

    keys (lists, documents, 2): numbers of a document's id and text, 0 where there is none. asked (lists,): of queries.
    first: the place of the first own list in ``asked``.
    """
    torch = need("torch>=2.4", extra="train")
    own = own_keys[:, None, None]  # (own lists, 1, 1, own documents, 2) against (1, lists, documents, 1, 2)
    held = ((own == keys[None, :, :, None]) & (keys[None, :, :, None] != 0)).any(-1).any(-1)
    questions = own_asked[:, None] == asked[None]
    mine = torch.arange(len(asked), device=asked.device)[None] - first == torch.arange(
        len(own_asked), device=asked.device
    ).unsqueeze(1)
    return (held | (questions[..., None] & (keys != 0).any(-1)[None])) & ~mine[..., None]


def mean_of_all(values: list[float], device: Any) -> list[float]:
    """Each number's mean over the processes."""
    torch = need("torch>=2.4", extra="train")
    if _world(torch) == 1 or not values:
        return values
    summed = torch.tensor(values, dtype=torch.float64, device=device)
    torch.distributed.all_reduce(summed)
    return [float(value) / _world(torch) for value in summed]


def _world(torch: Any) -> int:
    ready = torch.distributed.is_available() and torch.distributed.is_initialized()
    return int(torch.distributed.get_world_size()) if ready else 1


def _gather(torch: Any) -> Any:
    """all_gather whose backward pass sums the gradients of all processes and takes its own part."""

    class Gather(torch.autograd.Function):  # type: ignore[misc]
        @staticmethod
        def forward(context: Any, values: Any) -> Any:
            context.lists = len(values)
            parts = [torch.empty_like(values) for _ in range(_world(torch))]
            torch.distributed.all_gather(parts, values)
            return torch.cat(parts)

        @staticmethod
        def backward(context: Any, gradient: Any) -> Any:
            summed = gradient.contiguous().clone()
            torch.distributed.all_reduce(summed)
            first = context.lists * torch.distributed.get_rank()
            return summed[first : first + context.lists]

    return Gather
