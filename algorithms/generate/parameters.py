"""What a generation can be told."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from algorithms.shared.failures import BadParameter
from algorithms.shared.parameters import Parameters, Seed

NonEmpty = Annotated[str, Meta(min_length=1)]


class GenerateParameters(Parameters, frozen=True, kw_only=True):
    """Sampling applies temperature first, then top-k, then top-p."""

    prompts: Annotated[
        list[str], Meta(description="What to continue; else the input `prompts` is read.")
    ] = []
    chat: Annotated[
        bool, Meta(description="Put each prompt into the model's chat template, as a user's turn.")
    ] = False
    max_new_tokens: Annotated[int, Meta(ge=1, description="Per continuation.")] = 100
    stop_strings: Annotated[
        list[NonEmpty], Meta(description="A text ends before the first of these that comes up.")
    ] = []
    temperature: Annotated[
        float, Meta(ge=0, le=100, description="Divides the logits; 0: always the likeliest token.")
    ] = 1.0
    top_k: Annotated[
        int, Meta(ge=0, description="Choose among the k likeliest tokens; 0: among all.")
    ] = 0
    top_p: Annotated[
        float,
        Meta(gt=0, le=1, description="Choose among the fewest tokens of this probability in all."),
    ] = 1.0
    repetition_penalty: Annotated[
        float,
        Meta(gt=0, le=100, description="Above 1: tokens of the prompt and the text come up less."),
    ] = 1.0
    beams: Annotated[
        int, Meta(ge=1, description="Above 1: search for the likeliest text with this many beams.")
    ] = 1
    samples_per_prompt: Annotated[
        int, Meta(ge=1, description="Continuations a prompt; with beams, its best ones.")
    ] = 1
    batch_tokens: Annotated[
        int, Meta(ge=1, description="Tokens at once, prompts and new ones, over all rows.")
    ] = 16384
    tensor_parallel: Annotated[
        int, Meta(ge=1, description="Ranks that compute one model together: 1, or all of them.")
    ] = 1
    stream: Annotated[
        bool, Meta(description="Show each text in the log, a single one while it is generated.")
    ] = True
    dtype: Annotated[
        Literal["auto", "float32", "bfloat16"],
        Meta(description="Of weights and arithmetic; auto: bfloat16 on a GPU, float32 on a CPU."),
    ] = "auto"
    seed: Seed = 0

    @property
    def samples(self) -> bool:
        """Whether chance has a say."""
        return self.beams == 1 and self.temperature > 0


def refuse_contradictions(wanted: GenerateParameters) -> None:
    """Raises BadParameter for what each value allows alone, but not together."""
    neutral = (wanted.temperature in (0, 1), wanted.top_k == 0, wanted.top_p == 1)
    if wanted.beams > 1 and not all(neutral):
        raise BadParameter(
            "Parameter beams: a beam search finds the likeliest text and leaves nothing to chance. "
            "Leave temperature, topK and topP out, or set beams to 1."
        )
    if wanted.beams > 1 and wanted.samples_per_prompt > wanted.beams:
        raise BadParameter(
            f"Parameter samplesPerPrompt is {wanted.samples_per_prompt}: {wanted.beams} beams give "
            f"at most {wanted.beams} texts a prompt. Raise beams."
        )
    if wanted.beams == 1 and wanted.temperature == 0 and wanted.samples_per_prompt > 1:
        raise BadParameter(
            f"Parameter samplesPerPrompt is {wanted.samples_per_prompt}: at temperature 0 each "
            "sample would be the same text. Set it to 1, or raise temperature."
        )
