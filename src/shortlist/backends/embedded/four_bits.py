"""Matrices in 4 bits: groups of numbers of a row with one float16 scale each, two numbers to a byte.

For tables of word vectors, which are half of a small encoder's bytes and bear it best (`train.export` writes them);
they are unpacked when a model is opened, so nothing becomes faster or slower by it. A number is ``q * scale`` with q
from -8 to 7; the scale takes the sign with which the largest number of its group becomes -8, times the factor that
makes the squared error least.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

GROUP = 64
"""Numbers that share a scale, or the largest power of two below it that divides a row."""
_FACTORS = np.array([1.0, 0.96, 0.92, 0.88, 0.84, 0.8, 0.76, 0.72], np.float32)
_AT_ONCE = 4096  # rows; bounds the memory of the trials


def group_of(columns: int) -> int:
    """How many numbers share a scale in rows of so many; below 16, 4 bits are not worth their scales."""
    return math.gcd(GROUP, columns)


def pack(matrix: NDArray[np.float32]) -> tuple[NDArray[np.uint8], NDArray[np.float16]]:
    """Rows in 4 bits: bytes (rows, columns / 2), the first number of a pair in the lower half; scales (rows, groups).

    >>> packed, scale = pack(np.array([[-8.0, 7.0, 0.0, 1.0]], np.float32))
    >>> packed.tolist(), scale.tolist(), unpack(packed, scale).tolist()
    ([[120, 16]], [[1.0]], [[-8.0, 7.0, 0.0, 1.0]])
    """
    parts = [_pack(matrix[start : start + _AT_ONCE]) for start in range(0, len(matrix), _AT_ONCE)]
    return np.concatenate([numbers for numbers, _ in parts]), np.concatenate([scale for _, scale in parts])


def unpack(packed: NDArray[np.uint8], scale: NDArray[np.float16]) -> NDArray[np.float32]:
    """The matrix (rows, columns) in float32."""
    rows, half = packed.shape
    numbers = np.empty((rows, half, 2), np.int8)
    np.bitwise_and(packed, 15, out=numbers[..., 0], casting="unsafe")
    np.right_shift(packed, 4, out=numbers[..., 1], casting="unsafe")
    numbers -= (numbers > 7).astype(np.int8) * np.int8(16)
    groups = numbers.reshape(rows, scale.shape[1], -1)
    return (groups * scale.astype(np.float32)[..., None]).reshape(rows, 2 * half)


def _pack(matrix: NDArray[np.float32]) -> tuple[NDArray[np.uint8], NDArray[np.float16]]:
    groups = matrix.reshape(len(matrix), -1, group_of(matrix.shape[1]))
    peak = np.take_along_axis(groups, np.abs(groups).argmax(-1)[..., None], -1)[..., 0]
    scales = (peak[None] / np.float32(-8) * _FACTORS[:, None, None]).astype(np.float16)
    errors = np.stack([((_rounded(groups, scale) * _wide(scale) - groups) ** 2).sum(-1) for scale in scales])
    scale = np.take_along_axis(scales, errors.argmin(0)[None], 0)[0]
    numbers = _rounded(groups, scale).astype(np.int8).reshape(len(matrix), -1, 2).view(np.uint8)
    return numbers[..., 0] & np.uint8(15) | numbers[..., 1] << np.uint8(4), scale


def _rounded(groups: NDArray[np.float32], scale: NDArray[np.float16]) -> NDArray[np.float32]:
    wide = _wide(scale)
    result: NDArray[np.float32] = np.rint(groups / np.where(wide == 0, np.float32(1), wide)).clip(-8, 7)
    return result


def _wide(scale: NDArray[np.float16]) -> NDArray[np.float32]:
    return scale.astype(np.float32)[..., None]
