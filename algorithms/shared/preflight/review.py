"""Can this job be done with this model, on this hardware? Asked at acceptance, of an asset's
manifest, and at the end of staging, of the files themselves; the answer is the same code's."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from algorithms.shared.preflight.facts import Hardware, ModelFacts, Verdict
from algorithms.shared.preflight.inference import estimate_inference
from algorithms.shared.preflight.model_types import TypeFacts, model_types, why_not
from algorithms.shared.preflight.training import Estimate, Training, memory_of_device
from algorithms.shared.preflight.wording import (
    device_name,
    gigabytes,
    named_hardware,
    named_model,
)
from algorithms.shared.preflight.work import INFERS, TRAINS, Work
from algorithms.shared.preflight.zero import ZeroChoice, choose_zero, excess, fitting_gpus

NO_MEMORY = "the GPUs' memory isn't known (hardware.gpuMemory), so nothing is held against it"


def review(work: Work, model: ModelFacts, hardware: Hardware, allow_remote_code: bool) -> Verdict:
    """Refused only for what is known to fail."""
    if work.algorithm not in TRAINS | INFERS:
        return Verdict()
    return _type(work, model, allow_remote_code) or _memory(work, model, hardware)


def review_new(work: Work, hardware: Hardware) -> Verdict:
    """The same of a model that the algorithm will make; it can't bring code of its own."""
    model = work.new_model()
    if model is None:
        return Verdict()
    refused = _type(work, model, allow_remote_code=False)
    if refused or not model.parameter_count:
        return refused or Verdict()
    return _memory(work, model, hardware)


def _type(
    work: Work,
    model: ModelFacts,
    allow_remote_code: bool,
    types: Mapping[str, TypeFacts] | None = None,
) -> Verdict | None:
    """Code of the model's own may make any type work, where it is allowed to run."""
    types = model_types() if types is None else types
    if model.model_type not in types and allow_remote_code:
        return None
    if why := why_not(model.model_type, work.tasks, types):
        return Verdict("UnsupportedModel", f"{why} docs/reference/model-types.md lists all types.")
    if work.tensor_parallel > 1 and not types[model.model_type].tensor_parallel:
        return Verdict(
            "UnsupportedModel",
            f"There is no tensor-parallel plan for models of type {model.model_type}. Leave "
            "tensorParallel out: with zero 3 the weights are cut over the ranks too.",
        )
    return None


def _memory(work: Work, model: ModelFacts, hardware: Hardware) -> Verdict:
    if work.algorithm in TRAINS:
        return _training(work.training(model, hardware), model, hardware)
    return _inference(work, model, hardware)


def _training(training: Training, model: ModelFacts, hardware: Hardware) -> Verdict:
    choice = choose_zero(model, training, hardware)
    if excess(_certain(choice.estimate, model), hardware) <= 1:
        return _noted(choice.why, hardware)
    advice = " or ".join(_advice(training, model, hardware, choice))
    return Verdict("DoesNotFit", f"{choice.why}. {advice[0].upper()}{advice[1:]}.")


def _certain(estimate: Estimate, model: ModelFacts) -> Estimate:
    """Without a configuration the shape is a guess, and activations with it: nothing is refused for
    those until the files are there."""
    return estimate if model.config else dataclasses.replace(estimate, activations=0)


def _advice(
    training: Training, model: ModelFacts, hardware: Hardware, choice: ZeroChoice
) -> list[str]:
    """What would make it fit, as far as that is known."""
    easier = dataclasses.replace(training, zero=None, offload="none")
    wider = fitting_gpus(model, training, hardware) if hardware.gpus_per_node else 0
    lighter = dataclasses.replace(training, checkpointing=True)
    found = {
        "set zero to auto": training.zero is not None and _fits(easier, model, hardware),
        "set gradientCheckpointing to true": _fits(lighter, model, hardware),
        f"ask for {wider} GPUs": wider > hardware.nodes * hardware.gpus_per_node,
        "make blockLength smaller": choice.estimate.activations > choice.estimate.states,
        "give the pod more memory (spec.resources.memory)": not hardware.gpus_per_node,
    }
    return [advice for advice, helps in found.items() if helps] or ["choose a smaller model"]


def _fits(training: Training, model: ModelFacts, hardware: Hardware) -> bool:
    return choose_zero(model, training, hardware).fits is True


def _inference(work: Work, model: ModelFacts, hardware: Hardware) -> Verdict:
    inference = work.inference(hardware)
    estimate = estimate_inference(model, inference, hardware)
    memory = memory_of_device(hardware)
    held = f" of {gigabytes(memory)}" if memory else ""
    told = (
        f"{named_model(model)}, {work.algorithm} in {inference.dtype} on "
        f"{named_hardware(hardware)}: about {gigabytes(estimate.device)}{held} "
        f"{device_name(hardware)} with {inference.sequences} × {inference.length} tokens"
    )
    if excess(_certain(estimate, model), hardware) <= 1:
        return _noted(told, hardware)
    advice = "Choose a smaller model, or an environment with more memory"
    return Verdict("DoesNotFit", f"{told}. {advice}.")


def _noted(told: str, hardware: Hardware) -> Verdict:
    return Verdict(note=told if memory_of_device(hardware) else f"{told}; {NO_MEMORY}")
