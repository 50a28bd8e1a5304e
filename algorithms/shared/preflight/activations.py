"""What a forward pass keeps for the backward pass, in bytes.

Korthikanti et al., 2022 (https://arxiv.org/abs/2205.05198, section 4.1): a layer of width h keeps
34·h bytes a token in 16 bits, when attention's own matrix is computed anew (as PyTorch's
scaled_dot_product_attention does); 2·h of them are all that is kept with checkpointing. What
transformers' layers keep beyond that was counted with torch.autograd.graph.saved_tensors_hooks.
"""

from __future__ import annotations

from algorithms.shared.preflight.shape import Shape

MASK_BYTES = 2  # times the width: dropout's two, a byte an element
LOSS_COPIES = 4  # of the logits in float32: themselves, a copy, their log-softmax, their gradient
COMPOSED_ACTIVATION = 3  # tensors that an activation written in Python keeps beside its input
RMS_NORM = 2  # times the width: what each norm keeps in float32 beside its input
FLOAT32 = 4


def kept_a_token(shape: Shape, compute_bytes: int, checkpointing: bool, length: int) -> int:
    """Bytes a token that all layers keep together (and, with checkpointing, the one layer that is
    computed again), in rows of `length`."""
    layer = _layer_a_token(shape, compute_bytes) + _scores_a_token(shape, compute_bytes, length)
    if not checkpointing:
        return shape.layers * layer
    return shape.layers * shape.width * compute_bytes + 2 * layer


def loss_a_token(shape: Shape, compute_bytes: int) -> int:
    """Logits over the vocabulary, and the copies that the loss makes of them."""
    lower = 2 * compute_bytes if compute_bytes < FLOAT32 else 0
    return shape.vocabulary * (LOSS_COPIES * FLOAT32 + lower)


def _layer_a_token(shape: Shape, compute_bytes: int) -> int:
    """Inputs of two norms and of what follows them (4h); queries, keys, values and what attention
    gives; the feed-forward part's inner values."""
    norms = (4 + (RMS_NORM if shape.has_rms_norm else 0)) * shape.width
    attention = 2 * shape.attention_width + 2 * shape.key_value_width
    kept = (4 if shape.is_gated else 2) + (COMPOSED_ACTIVATION if shape.is_composed else 0)
    masks = MASK_BYTES * shape.width
    return (norms + attention + kept * shape.feed_forward) * compute_bytes + masks


def _scores_a_token(shape: Shape, compute_bytes: int, length: int) -> int:
    """Attention's matrix, for types that compute it in the open."""
    return shape.heads * length * compute_bytes if shape.keeps_scores else 0
