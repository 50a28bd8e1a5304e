"""What a forward pass keeps for the backward pass, in bytes.

Korthikanti et al., 2022 (https://arxiv.org/abs/2205.05198, section 4.1): a layer of width h keeps
34·h bytes a token in 16 bits, when attention's own matrix is computed anew (as PyTorch's
scaled_dot_product_attention does); 2·h of them are all that is kept with checkpointing.
"""

from __future__ import annotations

from algorithms.shared.preflight.shape import Shape

MASK_BYTES = 2  # times the width: dropout's two, a byte an element
LOSS_COPIES = 3  # of the logits in float32: themselves, their log-softmax, their gradient
FLOAT32 = 4


def kept_a_token(shape: Shape, compute_bytes: int, checkpointing: bool) -> int:
    """Bytes a token that all layers keep together, and the one layer that is computed again."""
    layer = _layer_a_token(shape, compute_bytes)
    if not checkpointing:
        return shape.layers * layer
    return shape.layers * shape.width * compute_bytes + layer


def loss_a_token(shape: Shape, compute_bytes: int) -> int:
    """Logits over the vocabulary, and the copies that the loss makes of them."""
    lower = 2 * compute_bytes if compute_bytes < FLOAT32 else 0
    return shape.vocabulary * (LOSS_COPIES * FLOAT32 + lower)


def _layer_a_token(shape: Shape, compute_bytes: int) -> int:
    """Inputs of two norms and of what follows them (4h); queries, keys, values and what attention
    gives (2h and twice the keys' width); the feed-forward part's inner values."""
    attention = 6 * shape.width + 2 * shape.key_value_width
    inner = (4 if shape.is_gated else 2) * shape.feed_forward
    return (attention + inner) * compute_bytes + MASK_BYTES * shape.width
