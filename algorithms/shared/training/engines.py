"""Which engine holds the weights: the one place where that is decided."""

from __future__ import annotations

from algorithms.shared.failures import BadParameter
from algorithms.shared.ranks import Ranks
from algorithms.shared.training.engine import EngineFactory
from algorithms.shared.training.parameters import TrainingParameters
from algorithms.shared.training.plain import PlainFactory
from algorithms.shared.training.precision import arithmetic_dtype


def choose(parameters: TrainingParameters, ranks: Ranks) -> EngineFactory:
    """`zero` is definite (`zero_auto.settled`). Raises BadParameter for what doesn't go together.

    deepspeed is imported only if it is used: it takes seconds, and isn't everywhere.
    """
    _refuse_offload_alone(parameters)
    if parameters.tensor_parallel > 1:
        from algorithms.shared.training.tensor_parallel import TensorParallelFactory

        return TensorParallelFactory(parameters, ranks)
    if parameters.zero == "auto" or parameters.zero == 0:
        return PlainFactory(parameters, ranks)
    from algorithms.shared.training.zero import ZeroFactory
    from algorithms.shared.training.zero_config import ZeroSettings

    settings = ZeroSettings(
        stage=parameters.zero,
        offload=parameters.offload,
        dtype=arithmetic_dtype(parameters.dtype, ranks.device),
        weight_decay=parameters.weight_decay,
    )
    return ZeroFactory(settings, ranks)


def _refuse_offload_alone(parameters: TrainingParameters) -> None:
    """Left unsaid, the run would take all of the GPU's memory that it was to spare."""
    if parameters.offload != "none" and parameters.zero in ("auto", 0):
        raise BadParameter(
            f"Parameter offload: {parameters.offload} is done by ZeRO, which is off: set zero to "
            "2 or 3 (weights are offloaded in 3), without tensorParallel; or offload to none."
        )
