"""Before a GPU is taken: can the models that were brought do what is asked of them, and fit?"""

from __future__ import annotations

from pathlib import Path

from algorithms.shared.preflight import facts
from algorithms.shared.preflight.review import review
from algorithms.shared.preflight.work import Work
from jobkit.errors import UserFault
from jobkit.models import read_config
from jobkit.plan import Preflight, StagePlan
from jobkit.staged import Staged, StagedInput

UNKNOWN = "its weights lie in pickles, which tell nothing before they are loaded: no estimate"
MAX_ESTIMATE_CHARS = 700  # of several models together: a report has 4096 bytes for all of it


def estimate(plan: StagePlan, staged: Staged) -> str:
    """A sentence for each model. Raises UserFault (UnsupportedModel, DoesNotFit)."""
    asked = plan.preflight
    if asked is None:
        return ""
    models = [found for found in staged.inputs if found.kind == "model"]
    notes = [_note(asked, plan, found) for found in models]
    return "; ".join(note for note in dict.fromkeys(notes) if note)[:MAX_ESTIMATE_CHARS]


def _note(asked: Preflight, plan: StagePlan, found: StagedInput) -> str:
    if found.model is None:
        return f"input {found.name}: {UNKNOWN}"
    verdict = review(
        Work(asked.algorithm, plan.parameters),
        facts.ModelFacts(
            found.model.model_type,
            found.model.parameter_count,
            found.model.dtype,
            read_config(Path(found.path)),
        ),
        _hardware(asked),
        asked.allow_remote_code,
    )
    if verdict.reason:
        raise UserFault(verdict.reason, f"input {found.name}: {verdict.message}")
    return verdict.note


def _hardware(asked: Preflight) -> facts.Hardware:
    return facts.Hardware(
        nodes=asked.nodes,
        gpus_per_node=asked.gpus_per_node,
        processes_per_node=asked.processes_per_node,
        gpu_memory_bytes=asked.gpu_memory_bytes,
        node_memory_bytes=asked.node_memory_bytes,
    )
