"""What a job asks for, read from its raw parameters as far as memory and model type go.

A parameter that is wrong is taken for its default here: to refuse it is the algorithm's business,
which names it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast, get_args

from algorithms.shared.preflight.facts import Hardware, ModelFacts
from algorithms.shared.preflight.inference import Inference
from algorithms.shared.preflight.shape import shape_of, usual_count
from algorithms.shared.preflight.states import Offload
from algorithms.shared.preflight.training import Training, data_ranks

TRAINS = frozenset({"train", "pretrain"})
MAKES_ITS_MODEL = "pretrain"
TASKS = {  # of those that do one thing; the others take what the parameter `task` says
    "generate": ("causal-lm", "seq2seq-lm"),
    "question-answer": ("question-answering",),
}
INFERS = frozenset({"evaluate", "generate", "question-answer"})
DEFAULT_LENGTH = 512  # tokens; as in training/parameters.py
DEFAULT_ROWS = 8
DEFAULT_VOCABULARY = 32_000
NEW_TOKENS = 100  # as in generate/parameters.py


@dataclass(frozen=True)
class Work:
    """An algorithm of the catalogue by its name, and the job's parameters."""

    algorithm: str
    parameters: Mapping[str, Any]

    @property
    def tasks(self) -> tuple[str, ...]:
        """Any of which the model must be able to do; empty: any at all."""
        named = self.parameters.get("task", "auto")
        own = (named,) if isinstance(named, str) and named != "auto" else ()
        return TASKS.get(self.algorithm, own)

    @property
    def tensor_parallel(self) -> int:
        """Ranks that compute one model together."""
        return self._number("tensorParallel", 1)

    def new_model(self) -> ModelFacts | None:
        """Of an algorithm that makes its model itself, by its parameters; the count is 0 where they
        leave it to the type's defaults, which only transformers knows."""
        if self.algorithm != MAKES_ITS_MODEL:
            return None
        named, given = self.parameters.get("modelType"), self.parameters.get("config")
        config = {
            "num_hidden_layers": self._number("layers", 0),
            "hidden_size": self._number("hiddenSize", 0),
            "vocab_size": self._number("vocabularySize", DEFAULT_VOCABULARY),
            **(given if isinstance(given, Mapping) else {}),
        }
        facts = ModelFacts(named if isinstance(named, str) else "gpt2", 0, "float32", config)
        shape = shape_of(facts)
        count = 0 if shape.is_guess else usual_count(shape)
        return dataclasses.replace(facts, parameter_count=count)

    def dtype(self, hardware: Hardware) -> str:
        """Of the arithmetic."""
        named = self.parameters.get("dtype")
        if named in ("float32", "bfloat16"):
            return str(named)
        return "bfloat16" if hardware.gpus_per_node else "float32"

    def training(self, model: ModelFacts, hardware: Hardware) -> Training:
        """With the rows that each rank has in a step."""
        asked = Training(tensor_parallel=self.tensor_parallel)
        rows = self._number("batchSize", DEFAULT_ROWS) // data_ranks(asked, hardware)
        accumulation = self._number("gradientAccumulation", 1)
        offload = self.parameters.get("offload")
        return Training(
            rows=max(1, rows // accumulation),
            length=self._number("blockLength", DEFAULT_LENGTH),
            zero=self._stage(),
            offload=cast(Offload, offload) if offload in get_args(Offload) else "none",
            checkpointing=self.parameters.get("gradientCheckpointing") is True,
            trained=self._trained(model),
            dtype=self.dtype(hardware),
            tensor_parallel=self.tensor_parallel,
        )

    def inference(self, hardware: Hardware) -> Inference:
        """Of one sequence at a time: the least that will do."""
        length = self._number("blockLength", DEFAULT_LENGTH)
        return Inference(
            sequences=1,
            length=length + self._number("maxNewTokens", NEW_TOKENS),
            dtype=self.dtype(hardware),
            tensor_parallel=self.tensor_parallel,
        )

    def _stage(self) -> int | None:
        """None: to be chosen. Tensor parallelism goes without ZeRO."""
        stage = self.parameters.get("zero")
        if self.tensor_parallel > 1:
            return 0
        return stage if type(stage) is int and 0 <= stage <= 3 else None

    def _trained(self, model: ModelFacts) -> float:
        """With LoRA two thin matrices beside each of a layer's (Hu et al., 2021,
        https://arxiv.org/abs/2106.09685): rank·(in + out) weights each."""
        rank = self._number("loraRank", 0)
        if not rank:
            return 1.0
        shape = shape_of(model)
        feed_forward = (3 if shape.is_gated else 2) * (shape.width + shape.feed_forward)
        added = shape.layers * rank * (8 * shape.width + feed_forward)
        return min(1.0, added / max(1, model.parameter_count))

    def _number(self, name: str, default: int) -> int:
        value = self.parameters.get(name)
        return value if type(value) is int and 0 < value < 2**31 else default
