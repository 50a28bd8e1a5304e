"""Whether a model's answer to a prompt changes when the prompt is padded.

Most models mask padding away; some (RWKV and other recurrent ones) read it. Their prompts are only
batched with others of the same length. It is found out by trying: no list of types stays true.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from algorithms.generate.batches import Row
from algorithms.generate.decoding import Decoder
from algorithms.shared.failures import BadModel

LONGEST_TRIED = 32  # tokens
STEPS = 2  # the first is computed from the prompt, the second from the cache
TOLERANCE = {torch.float32: 1e-3}  # of the logits' standard deviation
COARSE_TOLERANCE = 5e-2  # in 16 bits


def ignores_padding(decoder: Decoder, rows: Sequence[Row], dtype: torch.dtype) -> bool:
    """Compare a short prompt's logits alone and beside a longer one. True if all have one length.

    Raises BadModel if the logits are no numbers.
    """
    longest = max(rows, key=lambda row: len(row.tokens)).tokens[:LONGEST_TRIED]
    shortest = min(rows, key=lambda row: len(row.tokens)).tokens
    short = Row(0, 0, shortest[: max(1, len(longest) // 2)])
    alone = decoder.first_logits([short], STEPS)[0]
    if not alone.isfinite().all():
        raise BadModel("The model's logits are no numbers: its weights are damaged.")
    if len(longest) == 1 or all(len(row.tokens) == len(shortest) for row in rows):
        return True
    beside = decoder.first_logits([short, Row(1, 0, longest)], STEPS)[0]
    difference = float((alone - beside).abs().max() / alone.std())
    return difference <= TOLERANCE.get(dtype, COARSE_TOLERANCE)
