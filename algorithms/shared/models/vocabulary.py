"""Whether tokenizer and model belong together, found before the first step fails on an index."""

from __future__ import annotations

from typing import Any

import torch

from algorithms.shared.failures import VocabularyMismatch


def check_vocabulary(tokenizer: Any, network: Any) -> None:
    """Raises VocabularyMismatch if the tokenizer makes ids that the embedding has no row for."""
    rows, highest = embedding_rows(network), max(tokenizer.get_vocab().values(), default=-1)
    if rows is not None and highest >= rows:
        raise VocabularyMismatch(
            f"The tokenizer makes ids up to {highest}, but the model has {rows} rows in its "
            "embedding (ids 0 to "
            f"{rows - 1}). Give the tokenizer that belongs to the model, or enlarge the model's "
            f"embedding (resize_token_embeddings({highest + 1})) and save it again."
        )


def embedding_rows(network: Any) -> int | None:
    """None for a model without such a table (CANINE hashes characters)."""
    try:
        table = network.get_input_embeddings()
    except NotImplementedError:
        return None
    return table.num_embeddings if isinstance(table, torch.nn.Embedding) else None
