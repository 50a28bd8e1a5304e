"""A causal language model and its tokenizer, from a folder as transformers writes it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from safetensors import SafetensorError
from transformers import AutoModelForCausalLM, AutoTokenizer

from algorithms.shared.failures import BadModel, BadParameter

DtypeName = Literal["auto", "float32", "bfloat16"]
LOADING_ERRORS = (OSError, ValueError, KeyError, RuntimeError, ImportError, SafetensorError)
DEFAULT_CONTEXT = 1024  # tokens, for a model that doesn't say how many it takes


@dataclass(frozen=True)
class LanguageModel:
    """What the algorithms need of a model. `stored_dtype`: that of the weights in the folder."""

    network: Any  # PreTrainedModel; transformers' own types don't pass a strict checker
    tokenizer: Any
    stored_dtype: torch.dtype

    @property
    def context(self) -> int:
        """The most tokens it takes at once."""
        return int(getattr(self.network.config, "max_position_embeddings", DEFAULT_CONTEXT))

    @property
    def first_token(self) -> int | None:
        """What stands before a document, so that its first token has a context too."""
        begin: int | None = self.tokenizer.bos_token_id
        return self.end_token if begin is None else begin

    @property
    def end_token(self) -> int | None:
        """What ends a document."""
        end: int | None = self.tokenizer.eos_token_id
        return end

    def tokens(self, texts: list[str]) -> list[list[int]]:
        """Each text's tokens, without special ones."""
        encoded = self.tokenizer(texts, add_special_tokens=False, verbose=False)
        return [list(ids) for ids in encoded["input_ids"]]

    def window(self, wanted: int | None, default: int) -> int:
        """Tokens at once: as wanted, else the default if the model takes that many.

        Raises BadParameter if more are wanted than it takes.
        """
        if wanted is not None and wanted > self.context:
            raise BadParameter(
                f"Parameter blockLength: {wanted} tokens, but the model takes {self.context}."
            )
        return wanted or min(default, self.context)


def load(folder: Path, device: torch.device, dtype: torch.dtype | None) -> LanguageModel:
    """`dtype` None: as stored. Raises BadModel, with what the folder lacks.

    Weights in safetensors only: a pickle could run code. No code of the folder's own is run.
    """
    read: Any = AutoModelForCausalLM.from_pretrained
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        network, facts = read(
            folder,
            dtype="auto",
            local_files_only=True,
            use_safetensors=True,
            trust_remote_code=False,
            output_loading_info=True,
        )
    except LOADING_ERRORS as error:
        first_line = str(error).strip().partition("\n")[0]
        raise BadModel(f"The model in {folder} can't be loaded: {first_line}") from error
    if facts["missing_keys"]:
        raise BadModel(f"The model in {folder} lacks weights: {sorted(facts['missing_keys'])[:3]}.")
    stored = network.dtype
    return LanguageModel(network.to(device=device, dtype=dtype or stored), tokenizer, stored)


def arithmetic_dtype(name: DtypeName, device: torch.device) -> torch.dtype:
    """`auto`: bfloat16 on a GPU; float32 on a CPU, where bfloat16 is the slower one."""
    if name == "auto":
        return torch.bfloat16 if device.type == "cuda" else torch.float32
    return torch.float32 if name == "float32" else torch.bfloat16
