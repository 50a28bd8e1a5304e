"""In which order examples are trained on: shuffled anew each epoch, and resumed at any step.

A permutation is computed, never stored: a Feistel network over the numbers below a power of four,
walked on until it falls among the examples (Black and Rogaway, "Ciphers with arbitrary finite
domains", 2002). So an epoch of a billion examples takes no memory, and skipping to any place no
time.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy
from numpy.typing import NDArray

ROUNDS = 6
ROWS_AT_ONCE = 1024  # numbers computed together, for speed; no result depends on it
Numbers = NDArray[numpy.uint64]


def row_order(count: int, seed: int, start: int = 0) -> Iterator[int]:
    """Row numbers below `count`, without end, from the `start`-th on: every row once an epoch, each
    epoch shuffled anew; the same on every rank."""
    while True:
        epoch, place = divmod(start, count)
        places = numpy.arange(place, min(place + ROWS_AT_ONCE, count), dtype=numpy.uint64)
        yield from permuted(places, count, _round_keys(seed, epoch)).tolist()
        start += len(places)


def permuted(places: Numbers, count: int, keys: Numbers) -> Numbers:
    """Where each place of 0 … count-1 goes; a permutation for any keys."""
    half_bits = numpy.uint64(max(1, (max(count - 1, 1).bit_length() + 1) // 2))
    rows = _shuffled(places, half_bits, keys)
    while (outside := rows >= count).any():
        rows[outside] = _shuffled(rows[outside], half_bits, keys)
    return rows


def _shuffled(numbers: Numbers, half_bits: numpy.uint64, keys: Numbers) -> Numbers:
    """A permutation of the numbers of 2 * half_bits bits."""
    mask = (numpy.uint64(1) << half_bits) - numpy.uint64(1)
    left, right = numbers >> half_bits, numbers & mask
    for key in keys:
        left, right = right, left ^ (_mixed(right ^ key) & mask)
    return (left << half_bits) | right


def _mixed(numbers: Numbers) -> Numbers:
    """splitmix64's finaliser (Steele, Lea and Flood, 2014): each bit depends on each."""
    numbers = (numbers ^ (numbers >> numpy.uint64(30))) * numpy.uint64(0xBF58476D1CE4E5B9)
    numbers = (numbers ^ (numbers >> numpy.uint64(27))) * numpy.uint64(0x94D049BB133111EB)
    mixed: Numbers = numbers ^ (numbers >> numpy.uint64(31))
    return mixed


def _round_keys(seed: int, epoch: int) -> Numbers:
    state = numpy.random.SeedSequence([seed, epoch]).generate_state(ROUNDS, numpy.uint64)
    return state.astype(numpy.uint64)
