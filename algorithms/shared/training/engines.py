"""Which engine holds the weights: the one place where that is decided."""

from __future__ import annotations

from algorithms.shared.ranks import Ranks
from algorithms.shared.training.engine import EngineFactory
from algorithms.shared.training.parameters import TrainingParameters
from algorithms.shared.training.plain import PlainFactory
from algorithms.shared.training.precision import arithmetic_dtype


def choose(parameters: TrainingParameters, ranks: Ranks) -> EngineFactory:
    """Raises BadParameter for what doesn't go together. DeepSpeed is imported if it is used."""
    stage = 0 if parameters.zero == "auto" else parameters.zero
    if not stage:
        return PlainFactory(parameters, ranks)
    from algorithms.shared.training.zero import ZeroFactory
    from algorithms.shared.training.zero_config import ZeroSettings

    settings = ZeroSettings(
        stage=stage,
        offload=parameters.offload,
        dtype=arithmetic_dtype(parameters.dtype, ranks.device),
        weight_decay=parameters.weight_decay,
    )
    return ZeroFactory(settings, ranks)
